"""When the chaotic phase ends, in words. No torch."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from twophase.analysis.inflection import TINY, exponents, growth_after


def verdict(settings: Mapping, estimate: pd.Series | None, ends: pd.DataFrame | None) -> list[str]:
    """One plain sentence that says when the chaotic phase of an experiment ends, and one that says what it rests on.

    Args:
        settings: the experiment's title, iterations, size of epsilon, level, counterexample, distance (which the
            estimate is made from, `forks` or `checkpoints`).
        estimate: the row `chaos C` of the phases; None where no forks were trained.
        ends: chaos tables of all seeds.
    """
    title = settings["title"]
    if estimate is None:
        kind = "is meant as a counterexample, without two phases" if settings["counterexample"] else "has no forks"
        return [
            f"{title} {kind}.",
            "No perturbed copies were trained, so that this experiment does not say when a chaotic phase ends.",
        ]
    size = _power(f"{settings['size']:g}")
    source = " The estimate itself is made from distances between checkpoints of the undisturbed run, not from these."
    source = source if settings["distance"] == "checkpoints" else ""
    last = ends[ends["t1"] == ends["t1"].max()]
    everywhere = f"Forks were perturbed by {size} at {last['t0'].nunique()} times and trained to the end."

    def level(part):
        c = np.exp(np.log(np.maximum(part["C"], TINY)).mean())
        return f"{_power(f'{c:.0e}')} in its weights (C) and in {100 * part['D'].mean():.2g} % of its test predictions"

    if not estimate["found"]:
        return [
            f"{title}: no significant end of a chaotic phase was found.",
            f"{everywhere} In the end they differ from the undisturbed run, on average by {level(last)}, and with the "
            f"time of the perturbation C falls nowhere both significantly and, in equal times, tenfold.{source}",
        ]
    ratio = growth_after(
        *(ends[name].to_numpy() for name in ("t0", "t1")), exponents(ends).to_numpy(), estimate["value"]
    )
    growth = f" In equal times later perturbations grow {ratio:.2g} times as fast as earlier ones." if ratio > 0 else ""
    early, late = last[last["t0"] < estimate["value"]], last[last["t0"] > estimate["value"]]
    return [
        f"{title}: the chaotic phase ends at about iteration {estimate['value']:.0f} of {settings['iterations']} "
        f"({100 * settings['level']:.0f} % interval {estimate['low']:.0f} to {estimate['high']:.0f}).",
        f"A copy of the network whose weights are changed by {size} before then ends training different "
        f"from the undisturbed run, on average by {level(early)}; one changed later, by {level(late)}.{growth}{source}",
    ]


def _power(number: str) -> str:
    """1e-7 for 1e-07."""
    return number.replace("e-0", "e-")
