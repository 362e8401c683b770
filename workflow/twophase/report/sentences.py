"""What an experiment shows, in words: its headline, and when its chaotic phase ends. No torch."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from twophase.analysis import lags
from twophase.analysis.inflection import TINY, exponents, growth_after
from twophase.analysis.scorecard import OUTSIDE, REPRODUCED

NEW_NOISE = {  # what forks that do not share the base run's noise are given, by the config's `chaos.noise`
    "order": "another order of examples",
    "augmentation": "another augmentation",
    "both": "another order of examples and another augmentation",
}
WORDS = {"chaos C": "C", "chaos B": "barriers", "chaos D": "disagreement"}  # what forks are judged by


def headline(settings: Mapping, phases: pd.DataFrame, claims: pd.DataFrame) -> str:
    """What was found and what was not, in a sentence: where C, B and D change level, and how many claims hold.

    Args:
        settings: the experiment's title.
        phases, claims: the rows of the experiment.
    """
    points = phases[(phases["quantity"] == "inflection") & phases["estimator"].isin(WORDS)]
    parts, without = [], []
    for row in points.itertuples():
        if row.found:
            interval = f" ({row.low:.0f} to {row.high:.0f})" if np.isfinite(row.low) else ""
            change = "changes" if row.estimator != "chaos B" else "change"
            parts.append(f"{WORDS[row.estimator]} {change} level at {row.value:.0f}{interval}")
        else:
            without.append(WORDS[row.estimator])
    if without:
        *others, last = without
        parts.append(f"{' and '.join(filter(None, (', '.join(others), last)))}: no transition")
    verdicts = claims.loc[claims["verdict"] != OUTSIDE, "verdict"]
    parts.append(f"{(verdicts == REPRODUCED).sum()} of {len(verdicts)} claims reproduced")
    return f"{settings['title']}: {'; '.join(parts)}."


def end_of_chaos(settings: Mapping, inflection: pd.Series | None, forks: pd.DataFrame | None) -> list[str]:
    """Two texts: a sentence that says when the chaotic phase of an experiment ends, and what it is based on.

    Args:
        settings: the experiment's title, iterations, size of epsilon, noise (of forks), level, counterexample, and
            distance (what the inflection point is estimated from, `forks` or `checkpoints`).
        inflection: the row `chaos C` of the phases; None if no forks were trained.
        forks: chaos tables of all seeds; None if no forks were trained.
    """
    title = settings["title"]
    if inflection is None:
        kind = "is meant as a counterexample, without two phases" if settings["counterexample"] else "has no forks"
        return [
            f"{title} {kind}.",
            "No perturbed copies were trained, so this experiment does not tell when a chaotic phase ends.",
        ]
    size = _power(f"{settings['size']:g}")
    done = f"perturbed by {size}"
    whose, other = f"whose weights are {done}", "one perturbed later"
    if settings["noise"] != "shared":
        given = f"given {NEW_NOISE[settings['noise']]}"
        done = f"{done} and {given}" if settings["size"] else given
        whose, other = f"that is {done}", "one for which that happens later"
    source = " The iteration itself is estimated from distances between checkpoints of the base run, not from these."
    source = source if settings["distance"] == "checkpoints" else ""
    last = forks[lags.last(forks["t0"], forks["t1"])]

    def level(part):
        c = np.exp(np.log(np.maximum(part["C"], TINY)).mean())
        return f"{_power(f'{c:.0e}')} in its weights (C) and in {100 * part['D'].mean():.2g} % of its test predictions"

    if not inflection["found"]:
        return [
            f"{title}: no end of a chaotic phase was found.",
            f"Copies of the network were {done} at {last['t0'].nunique()} iterations and trained to the "
            f"end, where they differ from the base run by {level(last)}, on average. Over the time of the "
            f"perturbation, C after equal times has no step that several seeds show: {inflection['reason']}.{source}",
        ]
    ratio = growth_after(
        *(forks[name].to_numpy() for name in ("t0", "t1")), exponents(forks).to_numpy(), inflection["value"]
    )
    growth = f" Over equal times, later perturbations grow {ratio:.2g} times as fast as earlier ones."
    growth = growth if ratio > 0 else ""
    early, late = last[last["t0"] < inflection["value"]], last[last["t0"] > inflection["value"]]
    return [
        f"{title}: the chaotic phase ends at about iteration {inflection['value']:.0f} of {settings['iterations']} "
        f"({100 * settings['level']:.0f} % interval {inflection['low']:.0f} to {inflection['high']:.0f}).",
        f"A copy of the network {whose} before then ends up different from the base run, "
        f"on average by {level(early)}; {other}, by {level(late)}.{growth}{source}",
    ]


def _power(number: str) -> str:
    """1e-7 for 1e-07."""
    return number.replace("e-0", "e-")
