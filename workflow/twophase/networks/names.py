"""The models and options that exist, without torch, so that a wrong config stops before the first job."""

import ast
import difflib
import itertools
import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from twophase.networks import own

VGG_STAGES = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
VGG_CHANNELS = (64, 128, 256, 512, 512)
VGG_DEPTHS = tuple(int(name[3:]) for name in VGG_STAGES)
OPTIONS = {
    "lenet5": ("init",),
    "lenet300": ("init",),
    "resnet": ("width", "shortcut", "norm", "init", "bn_gamma"),
    "vgg": ("width", "norm", "head", "dropout", "init", "bn_gamma"),
    "transformer": ("width", "depth", "heads", "norm"),
    "vit": ("patch", "width", "depth", "heads", "norm"),
    "torchvision": (),
    "timm": (),
    "own": ("options", "sha256"),
}
HEADS = {"linear": (), "mlp128": (128,), "mlp4096": (4096, 4096)}  # hidden units of a VGG's classifier
SMALLEST = {"lenet5": 12, "vgg": 32}  # family: pixels on a side that survive its pooling
DEFAULTS = {
    "width": None,
    "shortcut": "A",
    "head": "linear",
    "dropout": 0.5,
    "init": "default",
    "bn_gamma": "ones",
    "depth": 2,
    "heads": 4,
    "patch": 4,
    "norm": "default",
    "options": {},
    "sha256": None,
}
NORMS = {  # family: norms that it can have, its default first
    "resnet": ("batch", "layer", "group", "none"),
    "vgg": ("batch", "layer", "group", "none"),
    "transformer": ("layer", "none"),
    "vit": ("layer", "none"),
}
CHOICES = {
    "shortcut": ("A", "B"),
    "head": tuple(HEADS),
    "init": ("default", "torch", "kaiming_fan_in", "kaiming_fan_out"),
    "bn_gamma": ("ones", "uniform"),
    "norm": ("default", *dict.fromkeys(itertools.chain(*NORMS.values()))),
}
KNOWN = (
    "lenet5, lenet300, resnet8, resnet14, resnet20, ... (depth 6k+2), vgg11, vgg13, vgg16, vgg19, transformer, vit, "
    "torchvision:<name>, timm:<name>, or <file>.py:<function> of your own"
)
TEXT_ONLY, TEXT_TOO = ("transformer",), ("lenet300",)  # families that take a text, and those that take images as well
TRANSFORMER_WIDTH = 64  # where none is given; a vision transformer's, too


def family(name: str) -> str:
    """The key of `OPTIONS` a name belongs to: "resnet20" -> "resnet"; an unknown name comes back unchanged."""
    match = re.fullmatch(r"(resnet|vgg)[1-9][0-9]*|(torchvision|timm):.*", name)
    if match is None:
        return "own" if re.fullmatch(r".+\.py(:.*)?", name) else name
    return match[1] or match[2]


def norm_of(name: str, norm: str = "default") -> str:
    """Which norm a model has, given the option: `default` is that of its family, if that has a choice."""
    return NORMS.get(family(name), ("default",))[0] if norm == "default" else norm


def known_model(name: str, **options) -> str | None:
    """None when `models.build` can make this model, else one line saying why not and what would do.

    `options` are the keyword options of `models.build`. One that the model has no use for is an error unless it has its
    default value, because a setting without effect misleads.
    """
    kind = family(name)
    if kind not in OPTIONS:
        also = [f"{library}:{name}" for library, known in LIBRARIES.items() if name in known()]
        close = also or difflib.get_close_matches(
            name, ["lenet5", "lenet300", "resnet20", *VGG_STAGES, "transformer", "vit"], n=1
        )
        return f"{name!r} is unknown{_did_you_mean(close)}; known are {KNOWN}"
    if kind == "resnet" and ((depth := int(name[6:])) % 6 != 2 or depth < 8):
        nearest = max(8, 6 * round((depth - 2) / 6) + 2)
        also = f", and torchvision:{name} is the ImageNet one" if name in torchvision_names() else ""
        return f"{name} does not exist for CIFAR, whose depths are 6k+2; resnet{nearest} is the nearest{also}"
    if kind == "vgg" and int(name[3:]) not in VGG_DEPTHS:
        return f"{name} does not exist, the depths of VGG are {', '.join(map(str, VGG_DEPTHS))}"
    if kind in LIBRARIES and (short := name.partition(":")[2]) not in (known := LIBRARIES[kind]()):
        if not known:
            return f"{name} needs {kind}, which is not installed; pip install {kind}"
        close = [f"{kind}:{match}" for match in difflib.get_close_matches(short, known)]
        return f"{kind} has no classifier {short!r}{_did_you_mean(close)}"
    wrong = _wrong_option(name, kind, DEFAULTS | options)
    return wrong or (own.problem(name, options.get("options", {})) if kind == "own" else None)


def wrong_size(name: str, size: Sequence[int], **options) -> str | None:
    """None where a model takes images of `size` (height, width), else one line saying what would do.

    Classifiers of torchvision and timm, and networks of one's own, tell only when they are built.

    Args:
        options: as for `known_model`.
    """
    patch = (DEFAULTS | options)["patch"]
    if family(name) == "vit" and any(pixels % patch for pixels in size):
        return (
            f"patch {patch} does not divide images of {size[0]}x{size[1]} pixels; take a patch that does, or set "
            "`resize` for the data set"
        )
    side = SMALLEST.get(family(name), 1)
    if min(size) >= side:
        return None
    return (
        f"{name} needs images of at least {side}x{side} pixels, these have {size[0]}x{size[1]}; "
        f"set `resize: {side}` for the data set or choose another model"
    )


def wrong_kind(name: str, text: bool) -> str | None:
    """None where a model takes what a data set holds, a text or images, else one line saying what would do."""
    kind = family(name)
    if text and kind not in (*TEXT_ONLY, *TEXT_TOO, "own"):
        return f"{name} takes images, and the data set is a text; take {' or '.join(TEXT_ONLY + TEXT_TOO)}"
    if not text and kind in TEXT_ONLY:
        return f"{name} takes contexts of a text, and the data set holds images; take a data set of `source: text`"
    return None


def parameters(name: str, num_classes: int, image: Sequence[int], **options) -> int | None:
    """Number of trainable parameters of `models.build(name, ...)`; None where only building it would tell.

    Args:
        image: channels, height, width.
        options: as for `known_model`.
    """
    options = DEFAULTS | options
    channels, height, width = image
    normed = norm_of(name, options["norm"]) != "none"
    match family(name):
        case "lenet5":
            flat = 16 * ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
            shapes = [(6, channels * 25), (16, 6 * 25), (120, flat), (84, 120), (num_classes, 84)]
            return sum(outputs * (inputs + 1) for outputs, inputs in shapes)
        case "lenet300":
            return _fully_connected(channels * height * width, 300, 100, num_classes)
        case "resnet":
            first, blocks = int(options["width"] or 16), (int(name[6:]) - 2) // 6
            more = 2 if normed else 1  # for each channel of a convolution: gain and bias of its norm, or a bias
            count, before = first * (channels * 9 + more), first
            for stage in (first, 2 * first, 4 * first):
                count += stage * (before * 9 + more) + (2 * blocks - 1) * stage * (stage * 9 + more)
                if stage != before and options["shortcut"] == "B":
                    count += stage * (before + more)
                before = stage
            return count + num_classes * (before + 1)
        case "vgg":
            count, before = 0, channels
            for base, repeats in zip(VGG_CHANNELS, VGG_STAGES[name], strict=True):
                stage = max(1, round((options["width"] or 1.0) * base))
                for _ in range(repeats):
                    count += stage * (before * 9 + 1 + 2 * normed)
                    before = stage
            return count + _fully_connected(before, *HEADS[options["head"]], num_classes)
        case "transformer" | "vit" as kind:
            wide, patch = int(options["width"] or TRANSFORMER_WIDTH), options["patch"] if kind == "vit" else 1
            block = _fully_connected(wide, 3 * wide) + _fully_connected(wide, wide, 4 * wide, wide) + normed * 4 * wide
            embedding = (channels * patch**2 + height * width // patch**2) * wide
            return embedding + options["depth"] * block + normed * 2 * wide + _fully_connected(wide, num_classes)
    return None


def _fully_connected(*widths: int) -> int:
    return sum(outputs * (inputs + 1) for inputs, outputs in itertools.pairwise(widths))


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
    if kind == "vgg" and head != "mlp4096" and dropout not in (0, DEFAULTS["dropout"]):
        return f"dropout {dropout!r} has no effect on {name} with head {head}; set head to mlp4096 or leave it out"
    if kind in NORMS and (norm := norm_of(name, options["norm"])) not in NORMS[kind]:
        return f"norm {norm!r} of {name} must be one of {', '.join(NORMS[kind])}"
    if kind in ("resnet", "vgg") and norm == "none" and options["bn_gamma"] != "ones":
        return f"bn_gamma {options['bn_gamma']!r} has no effect on {name} with norm none; leave one of the two out"
    if kind.startswith("lenet") and options["init"] == "torch":
        return f"init 'torch' has no effect on {name}, whose default it is; leave it out"
    if kind == "resnet" and width is not None and (width < 1 or width != int(width)):
        return f"width {width!r} must be the number of channels of the first stage, a whole number from 1"
    if kind in ("transformer", "vit"):
        for key in ("depth", "heads", "patch"):
            if options[key] < 1 or options[key] != int(options[key]):
                return f"{key} {options[key]!r} must be a whole number from 1"
        wide, heads = TRANSFORMER_WIDTH if width is None else width, options["heads"]
        if wide < 1 or wide % heads:
            return f"width {wide!r} must be a multiple of heads, {heads}, which share it"
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


@cache
def timm_names() -> tuple[str, ...]:
    """Names of timm's networks, read from its source likewise; empty where timm is not installed.

    They are the functions under `@register_model` in `timm/models/*.py`: too much source to parse at every start.
    """
    spec = find_spec("timm")
    if spec is None or spec.origin is None:
        return ()
    sources = [path.read_text(encoding="utf-8") for path in (Path(spec.origin).parent / "models").glob("*.py")]
    return tuple(sorted(name for text in sources for name in REGISTERED.findall(text)))


REGISTERED = re.compile(r"^@register_model\ndef (\w+)", re.MULTILINE)
LIBRARIES = {"torchvision": torchvision_names, "timm": timm_names}  # of untrained classifiers, by their names
