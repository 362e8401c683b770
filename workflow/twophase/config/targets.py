"""Targets of the command line that are none: what to say of them. No torch."""

import difflib
import re
from collections.abc import Iterable

LIKE_A_FIGURE = re.compile(r"w?fig(ure)?[-_ ]?\d*\w?")


def mistaken(target: str, names: Iterable[str], figures: Iterable[str], files: Iterable[str]) -> str:
    """A sentence about a target that nothing makes: what there is, and what was probably meant.

    Args:
        names: targets without a path.
        figures: those of `names` that are figures.
        files: paths of results.
    """
    figures = list(figures)
    if LIKE_A_FIGURE.fullmatch(target):
        said, choice = f"{target} is no figure; there are {', '.join(figures)}", figures
    elif "/" in target:
        said, choice = f"No rule makes {target}", list(files)
    else:
        said, choice = f"{target} is no target; snakemake --list describes those that there are", list(names)
    close = difflib.get_close_matches(target, choice, 1)
    return f"{said}; did you mean {close[0]}?" if close else f"{said}."
