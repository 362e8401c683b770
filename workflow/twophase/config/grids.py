"""Grids of iterations, and the blocks in which pairs and runs are worked off."""

import math
from collections.abc import Mapping, Sequence


def resolve(spec: Mapping | Sequence[int], last: int) -> list[int]:
    """The iterations that a grid of the config names, each once.

    A list names them itself, in its order. A mapping unites, sorted, `at` (a list), `every` (a step, from 0 and with
    the end) and `log` (that many points, evenly spaced in the logarithm, from 1 to the end); `until` ends the latter
    two before `last`.

    Args:
        spec: the grid as in the config.
        last: the last iteration T.
    """
    if not isinstance(spec, Mapping):
        return list(spec)
    end = min(last, spec["until"]) if spec.get("until") is not None else last
    points = set(spec.get("at") or ())
    if spec.get("every"):
        points |= {*range(0, end, spec["every"]), end}
    if spec.get("log"):
        count = spec["log"]
        points |= {round(math.exp(math.log(end) * k / max(count - 1, 1))) for k in range(count)} | {end}
    return sorted(points)


def nearest(value: int, grid: Sequence[int]) -> int:
    """The point of `grid` closest to `value`, the earlier one of two."""
    return min(grid, key=lambda point: (abs(point - value), point))


def chunks(items: Sequence, size: int) -> list[list]:
    """`items` in their order, in lists of `size`; the last may be shorter. Appending an item leaves full ones alone."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def block_pairs(count: int) -> list[tuple[int, int]]:
    """The blocks (bi, bj), bi <= bj, which cover the upper triangle of a grid of `count` chunks a side."""
    return [(i, j) for i in range(count) for j in range(i, count)]
