"""The scorecard of an experiment: the value of every claim, its interval and the verdict. No torch.

A run (another seed) is the unit of replication: a claim's value is computed for each, and Student's t interval is that
of their mean, on a scale that suits them. Draws of the perturbation within a run are averaged before. The inflection
point and the kernel's bend at which a run is judged are those of the other half of the runs. The verdict follows from
value and interval, see `verdict`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite, isnan, nan

import numpy as np
import pandas as pd

from twophase.analysis import replicates
from twophase.analysis.claim import POINTS, Claim
from twophase.analysis.claims import CLAIMS
from twophase.analysis.replicates import Interval
from twophase.analysis.statistics import Means, Run

VERDICTS = REPRODUCED, NOT, UNDECIDED, UNTESTED, OUTSIDE = (
    "reproduced",
    "not reproduced",
    "undecided",
    "untested",
    "outside this run's scale",
)
MISSING = "this experiment has no "  # and then the parts that it lacks
AGAINST = 2.0  # standard errors by which smooth curves have to predict better, to rule a step out
ALONE = "one run: how much another would differ is unknown"
PARTS = {  # of a `Run`, in words
    "chaos": "forks",
    "distances": "forks",
    "independent": "comparison of seeds (pairs.independent)",
    "control": "control",
    "C": "distances between checkpoints",
    "S": "kernels",
    "pointwise": "point-wise measures (pointwise.grid)",
    "linearized": "linearized training",
    "standard": "test scores",
}


def of_experiment(runs: Sequence[Run], inflection_found: bool, settings: Mapping) -> pd.DataFrame:
    """All claims about one experiment, a row each.

    Args:
        runs: of all its seeds, with the same parts.
        inflection_found: whether its distances show an inflection point, by `inflection.from_chaos`.
        settings: as of `Means`, and `counterexample`, `distance` (of the config's `phases`), `level` of the intervals,
            `gain` (of the inflection point, by `inflection.from_chaos`), `related` (whether claims of related work are
            among them), and what claims ask to know whether they can be decided: `size` (of epsilon), `noise` (of
            forks), `iterations`, `dataset`, `source`, `model`.

    Returns:
        columns claim, text, definition, paper, holds_from, holds_to, bound, value, low, high (NaN from one run), unit,
        verdict, reason, lower_from, lower_to, upper_from, upper_to (of `tolerance`), figure, seeds, draws.
    """
    draws = runs[0].chaos["draw"].nunique() if runs[0].chaos is not None else 0
    asked = [c for c in CLAIMS if settings["related"] or not c.related]
    claims = [c for c in asked if c.counterexample == settings["counterexample"]]
    own = [Means([run], settings) for run in runs]
    found = {"inflection": inflection_found, "peak": all(isfinite(means.peak) for means in own)}
    rows = []
    for claim, interval in zip(claims, _intervals(claims, own), strict=True):
        said, reason = verdict(claim, interval, found, runs[0], settings)
        if said in (UNTESTED, OUTSIDE):
            interval = Interval(nan, nan, nan)
        lower, upper = tolerance(claim, interval, lambda changed: verdict(*changed, found, runs[0], settings)[0])
        rows.append(
            {
                "claim": claim.name,
                "text": claim.text,
                "definition": claim.definition,
                "paper": claim.paper,
                "holds_from": claim.holds[0],
                "holds_to": claim.holds[1],
                "bound": claim.bound,
                "value": interval.value,
                "low": interval.low,
                "high": interval.high,
                "unit": claim.unit,
                "verdict": said,
                "reason": reason,
                "lower_from": lower[0],
                "lower_to": lower[1],
                "upper_from": upper[0],
                "upper_to": upper[1],
                "figure": claim.figure,
                "seeds": len(runs),
                "draws": draws if "chaos" in claim.needs else 0,
            }
        )
    return pd.DataFrame(rows)


def verdict(
    claim: Claim, interval: Interval, found: Mapping[str, bool], run: Run, settings: Mapping
) -> tuple[str, str]:
    """A claim's verdict and the reason for it.

    `reproduced` where value and interval lie where the claim holds, `not reproduced` where they lie outside,
    `undecided` where the interval reaches both or there is but one run (unless that is enough), or an inflection point
    was neither found nor ruled out, `untested` where the claim refers to a point that was not found, and `outside this
    run's scale` where the experiment cannot decide it.

    Args:
        interval: the claim's value and interval.
        found: for each of `claim.POINTS`, whether the experiment has one.
        run: one of the experiment's.
        settings: as of `of_experiment`.
    """
    if claim.of_forks and settings["distance"] != "forks":
        return OUTSIDE, "the claim is about forks, and this experiment compares checkpoints"
    if settings["noise"] != "shared" and settings["distance"] == "forks" and {"chaos", "distances"} & {*claim.needs}:
        return OUTSIDE, "the claim is about forks with the noise of the base run"
    missing = [part for part in claim.needs if getattr(run, part) is None]
    if missing:
        return OUTSIDE, MISSING + " and ".join(PARTS[part] for part in missing)
    if not claim.decidable(settings):
        return OUTSIDE, "the claim is about another network, data set or perturbation, or about longer training"
    lost = [why for point, why in POINTS.items() if point in claim.refers_to and not found[point]]
    if lost:
        return UNTESTED, " and ".join(lost)
    if np.isnan(interval.value):
        return OUTSIDE, "no value: the grids lack the iterations that it takes, or training diverged"
    bottom, top = claim.holds
    value, low, high = interval
    if claim.exact:
        return (REPRODUCED if bottom <= value <= top else NOT), ""
    if np.isnan(low):
        return UNDECIDED, ALONE
    if claim.takes_significance and not found["inflection"] and settings["gain"] <= -AGAINST:
        return NOT, "smooth curves predict other runs better than any step does"
    if high < bottom or low > top:
        return NOT, ""
    if low < bottom or high > top:
        return UNDECIDED, "the interval crosses a bound"
    if claim.takes_significance and not found["inflection"]:
        return UNDECIDED, "C falls, but not in a step"
    return REPRODUCED, ""


def tolerance(
    claim: Claim, interval: Interval, said: Callable[[tuple[Claim, Interval]], str]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The lower bounds with which the verdict is the same, the upper one as it is, and the other way round.

    As a bound moves, the verdict changes where it crosses an end of the interval, and nowhere else.

    Args:
        interval: the claim's value and interval.
        said: the verdict of a claim with such an interval.

    Returns:
        the ends of both ranges, infinite where no bound changes the verdict; NaN where the claim has no such bound, or
        no interval.
    """
    if isnan(interval.low) or claim.exact:
        return (nan, nan), (nan, nan)
    ends, now = (-inf, interval.low, interval.high, inf), said((claim, interval))

    def same(between: Sequence[float], moved: Callable[[float], tuple[float, float]]) -> tuple[float, float]:
        there = [said((replace(claim, holds=moved(bound)), interval)) == now for bound in between]
        return ends[there.index(True)], ends[3 - there[::-1].index(True)]

    bottom, top = claim.holds
    return (
        same((-inf, interval.high, inf), lambda bound: (bound, top)) if isfinite(bottom) else (nan, nan),
        same((-inf, interval.low, inf), lambda bound: (bottom, bound)) if isfinite(top) else (nan, nan),
    )


def _intervals(claims: Sequence[Claim], own: Sequence[Means]) -> list[Interval]:
    """The value of every claim and its interval over runs, of which `own` are the means of each."""
    runs, settings = [means.runs[0] for means in own], own[0].settings
    tested = dict(enumerate(own))
    for choosing, others in replicates.halves(len(runs)) if len(runs) > 1 else []:
        chosen_by = Means([runs[k] for k in choosing], settings)
        tested |= {k: Means([runs[k]], settings, chosen_by) for k in others}

    def interval(claim):
        means = own if claim.places else tested
        values = [_value(claim, means[k]) for k in range(len(runs))]
        if claim.exact:
            return Interval(max(values), nan, nan)
        rounding = 0.0 if np.isnan(values).any() else np.hypot.reduce([own[0].rounding(p) for p in claim.places] or [0])
        return replicates.interval(values, settings["level"], claim.scale, rounding)

    return [interval(claim) for claim in claims]


def _value(claim: Claim, means: Means) -> float:
    if any(getattr(means.runs[0], part) is None for part in claim.needs):
        return nan
    if any(isnan(getattr(means, point)) for point in claim.refers_to):
        return nan
    return float(claim.statistic(means))
