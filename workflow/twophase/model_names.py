"""Which models and options exist, answered without torch, so that a wrong config stops before the first job."""

import ast
import difflib
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

VGG_DEPTHS = (11, 13, 16, 19)
OPTIONS = {
    "lenet5": (),
    "resnet": ("width", "shortcut"),
    "vgg": ("width", "batch_norm", "head", "dropout"),
    "torchvision": (),
}
DEFAULTS = {"width": None, "shortcut": "A", "batch_norm": True, "head": "linear", "dropout": 0.5}
CHOICES = {"shortcut": ("A", "B"), "head": ("linear", "mlp4096")}
KNOWN = "lenet5, resnet8, resnet14, resnet20, ... (depth 6k+2), vgg11, vgg13, vgg16, vgg19, torchvision:<name>"


def family(name: str) -> str:
    """The key of `OPTIONS` a name belongs to: "resnet20" -> "resnet"; an unknown name comes back unchanged."""
    match = re.fullmatch(r"(resnet|vgg)[1-9][0-9]*|(torchvision):.*", name)
    return name if match is None else match[1] or match[2]


def known_model(name: str, **options) -> str | None:
    """None when `models.build` can make this model, else one line saying why not and what would do.

    `options` are the keyword options of `models.build`. One that the model has no use for is an error unless it has its
    default value, because a setting without effect misleads.
    """
    kind = family(name)
    if kind not in OPTIONS:
        also = [f"torchvision:{name}"] if name in torchvision_names() else []
        close = also or difflib.get_close_matches(name, ["lenet5", "resnet20", *(f"vgg{d}" for d in VGG_DEPTHS)], n=1)
        return f"{name!r} is unknown{_did_you_mean(close)}; known are {KNOWN}"
    if kind == "resnet" and ((depth := int(name[6:])) % 6 != 2 or depth < 8):
        nearest = max(8, 6 * round((depth - 2) / 6) + 2)
        also = f", and torchvision:{name} is the ImageNet one" if name in torchvision_names() else ""
        return f"{name} does not exist for CIFAR, whose depths are 6k+2; resnet{nearest} is the nearest{also}"
    if kind == "vgg" and int(name[3:]) not in VGG_DEPTHS:
        return f"{name} does not exist, the depths of VGG are {', '.join(map(str, VGG_DEPTHS))}"
    if kind == "torchvision" and (short := name.partition(":")[2]) not in torchvision_names():
        if not torchvision_names():
            return f"{name} needs torchvision, which is not installed"
        close = [f"torchvision:{match}" for match in difflib.get_close_matches(short, torchvision_names())]
        return f"torchvision has no classifier {short!r}{_did_you_mean(close)}"
    return _wrong_option(name, kind, DEFAULTS | options)


def _did_you_mean(close: list[str]) -> str:
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def _wrong_option(name: str, kind: str, options: dict) -> str | None:
    if unknown := options.keys() - DEFAULTS.keys():
        return f"{min(unknown)} is no option of a model; there are {', '.join(DEFAULTS)}"
    width, dropout, head = options["width"], options["dropout"], options["head"]
    for key, choices in CHOICES.items():
        if options[key] not in choices:
            return f"{key} {options[key]!r} must be one of {', '.join(choices)}"
    if not 0 <= dropout < 1:
        return f"dropout {dropout!r} must be a probability, from 0 to below 1"
    for key, value in options.items():
        if key not in OPTIONS[kind] and value != DEFAULTS[key]:
            return f"{key} {value!r} has no effect on {name}; leave it out"
    if kind == "vgg" and head == "linear" and dropout not in (0, DEFAULTS["dropout"]):
        return f"dropout {dropout!r} has no effect on {name} with head linear; set head to mlp4096 or leave it out"
    if kind == "resnet" and width is not None and (width < 1 or width != int(width)):
        return f"width {width!r} must be the number of channels of the first stage, a whole number from 1"
    if width is not None and width <= 0:
        return f"width {width!r} must be a factor above 0 on the numbers of channels"
    return None


@cache
def torchvision_names() -> tuple[str, ...]:
    """Names of torchvision's classifiers, read from its source: importing it would import torch (seconds).

    The classifiers are the functions under `@register_model()` in `torchvision/models/*.py`; those of detection,
    segmentation and video lie in subfolders. Empty where torchvision is not installed.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return ()
    names = []
    for file in sorted((Path(spec.origin).parent / "models").glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            for decorator in getattr(node, "decorator_list", []):
                if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "register_model":
                    given = [*decorator.args, *(keyword.value for keyword in decorator.keywords)]
                    names.append(ast.literal_eval(given[0]) if given else node.name)
    return tuple(sorted(names))
