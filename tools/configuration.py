"""Pages made from the schema of a config: docs/configuration.md, and config/schema.json for editors."""

import copy
import json
import re
from collections.abc import Iterator, Mapping

from twophase.config import schema

HEAD = """# Every key of a config

Recipes, the most used keys and the command line are in [the guide](../config/README.md). *The paper* is arXiv
2505.13900, *the workshop paper* arXiv 2503.16316. A *grid* is a set of iterations ([below](#grids)).

`make readme` generates this page from [the schema](../workflow/twophase/config/config.schema.yaml); edit it there.
"""
TABLE = ["key", "type", "default", "meaning"]
FIGURE = "<figure>"  # stands for the name of any figure


def page() -> str:
    """The page: a section for each part of a config, in the order of the schema."""
    whole = schema.load()
    parts = [HEAD, _section("Top level", whole, "", inside={"gpus"})]
    parts += [_section(*part) for part in _titled(whole)]
    grid = whole["$defs"]["grid"]
    parts.append(_section(grid["title"], grid["oneOf"][1] | {"reason": grid["reason"]}, "<grid>.", grid["description"]))
    return "\n".join(parts)


def for_editors() -> str:
    """The schema for editors, which check a file as it is written: before `defaults` are laid under experiments."""
    whole = copy.deepcopy(schema.load())
    whole["$schema"] = "http://json-schema.org/draft-07/schema#"  # the latest one that they all know
    whole["$comment"] = "Generated from workflow/twophase/config/config.schema.yaml by `make readme`."
    for name in ("experiment", "model"):
        del whole["$defs"][name]["required"]  # may stand in `defaults`
    whole["properties"]["defaults"] = {
        "$ref": "#/$defs/experiment",
        "description": whole["properties"]["defaults"]["description"],
    }
    _explain(whole)
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _explain(node) -> None:
    """Gives each reason in a part of the schema, in place, to the text that editors show."""
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _explain(part)
    if isinstance(node, dict) and isinstance(node.get("reason"), str):
        node["markdownDescription"] = f"{node['description'].strip()}\n\n{node.pop('reason').strip()}"


def _titled(whole: Mapping) -> Iterator[tuple[str, dict, str, str]]:
    """Title, node, prefix of its keys and description of each part that is a section of its own."""
    parts = whole["$defs"]
    yield parts["dataset"]["title"], parts["dataset"], "datasets.<name>.", parts["dataset"]["description"]
    note = " From here on, `experiments.<name>.` in front of a key is left out."
    yield parts["experiment"]["title"], parts["experiment"], "", parts["experiment"]["description"] + note
    for name, key in parts["experiment"]["properties"].items():
        if key.get("$ref") == f"#/$defs/{name}":
            yield parts[name]["title"], parts[name], f"{name}.", parts[name]["description"]
    yield parts["figures"]["title"], parts["figures"], "figures.", parts["figures"]["description"]


def _section(
    title: str, node: Mapping, prefix: str, description: str = "", inside=frozenset(("schedule", "augment", "dense"))
):
    """A heading, an introduction, the table of the keys of a part of the config, and the reasons for some of them.

    Args:
        inside: mappings among the keys whose own keys are part of this table.
    """
    keys = [*_keys(node, prefix, inside)]
    rows = [_row(key, part, required) for key, part, required in keys]
    said = " ".join(text.strip() for text in (description, node.get("reason", "")) if text)
    notes = [f"**`{key}`.** {part['reason'].strip()}" for key, part, _ in keys if "reason" in part and _is_own(part)]
    return "\n\n".join([f"## {title}", *([said] if said else []), markdown(TABLE, rows).strip(), *notes]) + "\n"


def _is_own(part: Mapping) -> bool:
    """Whether what is said about a key is not said in a section of its own."""
    return "title" not in part


def _keys(node: Mapping, prefix: str, inside) -> Iterator[tuple[str, dict, bool]]:
    styled = False
    for name, part in node["properties"].items():
        whole = _followed(part)
        key = prefix + name
        if part.get("$ref") == "#/$defs/style":  # one row for all figures, which have the same keys
            if styled:
                continue
            styled, key, name = True, prefix + FIGURE, FIGURE
        yield key, whole, name in node.get("required", ())
        if name in inside or name == FIGURE:
            yield from _keys(whole, f"{key}.", inside)


def _followed(part: Mapping) -> dict:
    reference = part.get("$ref")
    return _followed(schema.load()["$defs"][reference.removeprefix("#/$defs/")]) | part if reference else dict(part)


def _row(key: str, part: Mapping, required: bool) -> list[str]:
    default = f"`{literal(part['default'])}`" if "default" in part else "required" if required else "–"
    return [f"`{key}`", _kind(part), default, part["description"].strip().replace("|", "\\|")]


def literal(value) -> str:
    """A default as YAML in one line, small numbers as 1e-7."""
    if isinstance(value, str):
        return value
    text = f"{value:.0e}" if isinstance(value, float) and 0 < value < 1e-3 else json.dumps(value)
    return re.sub(r"e-0(\d)", r"e-\1", text)


def _kind(part: Mapping) -> str:
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if "oneOf" in part:
        return "grid"
    if "anyOf" in part:
        return " or ".join(_kind(_followed(one)) for one in part["anyOf"])
    kinds = [part["type"]] if isinstance(part["type"], str) else [*part["type"]]
    return " or ".join(_name(kind, part) for kind in kinds)


def _name(kind: str, part: Mapping) -> str:
    if kind == "array":
        if part.get("maxItems") == 0:
            return "`[]`"
        count = "two " if part.get("maxItems") == 2 else "list of "
        return count + _name(part["items"]["type"], part["items"]).replace("number", "numbers").replace(
            "integer", "integers"
        )
    names = {"string": "text", "object": "mapping", "boolean": "true or false"}
    return names.get(kind, kind) + (_limits(part) if kind in ("number", "integer") else "")


def _limits(part: Mapping) -> str:
    """The range of a number in words; none where it only must not be negative."""
    low, above = part.get("minimum"), part.get("exclusiveMinimum")
    high, below = part.get("maximum"), part.get("exclusiveMaximum")
    if below is not None:
        return f" in {'(' if low is None else '['}{above if low is None else low}, {below})"
    top = f" to {high:,}" if high is not None and high <= 10_000 else ""
    if above is not None:
        return f" above {above}" + (f", up{top}" if top else "")
    return f" from {low}{top}" if low or top else ""


def markdown(heads: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown."""
    return "".join(f"| {' | '.join(line)} |\n" for line in [heads, ["---"] * len(heads), *rows])
