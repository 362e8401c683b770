"""A config as its file and command line give it against the schema: types, defaults, and one sentence per violation."""

import copy
import difflib
import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from twophase.config.figures import FIGURES
from twophase.errors import UserError

SCHEMA = Path(__file__).with_name("config.schema.yaml")
NUMBER = re.compile(r"[+-]?(\d{1,300}(\.\d*)?|\.\d+)([eE][+-]?\d{1,9})?")  # int() and float() take all of these
WORDS = {"true": True, "false": False, "null": None}
MAX_VALUES = 1_000_000  # of a config; that of a hundred experiments with long grids has ten thousand
RENAMED = {  # keys of earlier versions: what to write in their place
    "batch_norm": "it is norm now, batch for true and none for false.",
}
TEXT = ("title", "dataset", "root", "results", "sha256")  # may look like a number and stay text


@cache
def load() -> dict:
    """The JSON schema of the config, with the figures of the registry as keys of `figures`."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where PyYAML was built with it
    schema = loader(SCHEMA.read_text(encoding="utf-8")).get_single_data()
    part = schema["$defs"]["figures"]
    part["properties"] |= dict.fromkeys(FIGURES, part["additionalProperties"])
    part["additionalProperties"] = False
    return schema


def check_keys(path: str | Path) -> None:
    """Raises a UserError where a YAML file has a key twice, of which its readers would silently keep the last."""
    import yaml

    seen, waiting = set(), [((), yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader))]
    while waiting:
        place, node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [((*place, str(k)), item) for k, item in enumerate(node.value)]
            continue
        keys = [(key.tag, str(key.value)) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise UserError(f"{path}: {'.'.join([*place, twice[0][1]])} is given twice; drop one, or rename it.")
        waiting += [((*place, str(key.value)), item) for key, item in node.value]


def check_size(config: Mapping) -> None:
    """Raises a UserError where the aliases of a YAML file stand for more than anybody writes: a few lines for years."""
    known: dict[int, int] = {}

    def size(value) -> int:
        if not isinstance(value, Mapping | list):
            return 1
        if id(value) not in known:
            known[id(value)] = 0  # of a part within itself, which has another message
            known[id(value)] = 1 + sum(map(size, value.values() if isinstance(value, Mapping) else value))
        return known[id(value)]

    if size(config) > MAX_VALUES:
        raise UserError(
            f"the config: its YAML aliases (*name) stand for more than {MAX_VALUES:,} values; write it without nesting "
            "them."
        )


def typed(value):
    """Text as the number or word that it looks like: YAML reads 1e-7 as text, and `--config` all that is in braces.

    A whole number becomes an int, so that 1e4 can be a number of iterations.
    """
    if isinstance(value, Mapping):
        return {k: item if k in TEXT and isinstance(item, str) else typed(item) for k, item in value.items()}
    if isinstance(value, list | tuple):
        return [typed(item) for item in value]
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = int(value) if value.lstrip("+-").isdigit() else float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return WORDS.get(value.lower(), value) if isinstance(value, str) else value


def merged(under: Mapping, over: Mapping) -> dict:
    """`over` laid over `under`, mapping by mapping; anything else is replaced whole."""
    result = copy.deepcopy(dict(under))
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else copy.deepcopy(value)
    return result


def complete(config: dict) -> None:
    """Sets the schema's defaults in place, at every level.

    Raises:
        UserError: the config violates the schema; names the first key that does, and the remedy.
    """
    import jsonschema

    fill(config, load())
    errors = sorted(jsonschema.Draft202012Validator(load()).iter_errors(config), key=lambda e: list(map(str, e.path)))
    if errors:
        raise UserError(_explain(errors[0]))


def fill(value, schema: Mapping) -> None:
    """Sets the defaults of a part of the schema in place."""
    if "$ref" in schema:
        fill(value, _follow(schema["$ref"]))
    if not isinstance(value, dict):
        return
    for key, part in schema.get("properties", {}).items():
        if "default" in part:
            value.setdefault(key, copy.deepcopy(part["default"]))
        if key in value:
            fill(value[key], part)
    if isinstance(schema.get("additionalProperties"), Mapping):
        for key in value.keys() - schema.get("properties", {}).keys():
            fill(value[key], schema["additionalProperties"])


def _follow(reference: str) -> Mapping:
    part = load()
    for key in reference.removeprefix("#/").split("/"):
        part = part[key]
    return part


def _explain(error) -> str:
    """A schema violation as a sentence about the key."""
    key = ".".join(str(part) for part in error.absolute_path) or "the config"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = min(set(error.instance) - set(known), key=str)
        if unknown in RENAMED:
            return f"{key}: unknown key '{unknown}'; {RENAMED[unknown]}"
        close = difflib.get_close_matches(str(unknown), known, 1)
        hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(known)}."
        return f"{key}: unknown key '{unknown}'; {hint}"
    if error.validator == "pattern":
        return f"{key}: {error.instance!r} cannot be used; {error.schema['description']}"
    if error.validator == "maxLength":
        return f"{key}: {error.instance[:20]!r}... has more than {error.validator_value} characters; shorten it."
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{key}: the key '{missing[0]}' is missing."
    if error.validator in ("oneOf", "anyOf"):
        inner = [e for e in error.context if e.path or e.validator not in ("type", "maxItems")]
        expected = "a list of iterations or, for a grid, a mapping of at, every, log, until"
        return _explain(inner[0]) if inner else f"{key}: expected {expected}, not {error.instance!r}."
    description = error.schema.get("description", "") if isinstance(error.schema, Mapping) else ""
    if error.validator == "type" and "string" in error.validator_value and not isinstance(error.instance, str):
        description = f"Put it in quotes: YAML takes it for something else than text. {description}"
    return f"{key}: {error.message}. {description}".strip()


def check_finite(value, key: str = "") -> None:
    """Raises a UserError where a number is not finite: YAML's .nan and .inf are numbers to a schema."""
    if isinstance(value, Mapping | list):
        for name, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            check_finite(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{key}: {value} is not a finite number; give one, or leave the key out.")
