"""The scorecard of an experiment: every claim's value, its interval and what they say of it. No torch.

An interval is a bootstrap over seeds, over draws of the perturbation within each and, for disagreements, over test
images; the inflection point that a claim refers to is estimated anew in every sample, from points drawn anew, so that
its interval enters even where there is one run. The verdict follows from value and interval, see `verdict`.
"""

from collections.abc import Mapping, Sequence
from math import nan

import numpy as np
import pandas as pd

from twophase.analysis import statistics
from twophase.analysis.claims import CLAIMS, Claim
from twophase.analysis.statistics import Means, Run

VERDICTS = REPRODUCED, NOT, UNDECIDED, UNTESTED, OUTSIDE = (
    "reproduced",
    "not reproduced",
    "undecided",
    "untested",
    "outside this run's scale",
)
MISSING = "this experiment has no "  # and then what it would take
PARTS = {  # of a `Run`, for people
    "chaos": "forks",
    "control": "control",
    "S": "kernels",
    "linearized": "linearized training",
    "standard": "test scores",
}


def of_experiment(runs: Sequence[Run], found: bool, settings: Mapping) -> pd.DataFrame:
    """All claims about one experiment, a row each.

    Args:
        runs: of all its seeds, with the same parts.
        found: whether its distances show an inflection point, by `phases.from_chaos`.
        settings: as of `Means`, and `counterexample`, `distance` (of the config's `phases`), `bootstrap` (samples) and
            `level` of the intervals.

    Returns:
        columns claim, text, definition, paper, holds_from, holds_to, value, low, high (NaN where nothing can be
        drawn), unit, verdict, reason, figure, seeds, draws.
    """
    means, level = Means(runs, settings), settings["level"]
    draws = runs[0].chaos["draw"].nunique() if runs[0].chaos is not None else 0
    claims = [c for c in CLAIMS if c.counterexample == settings["counterexample"]]
    values = {c.name: _value(c, means) for c in claims}
    samples = _samples(claims, runs, settings)
    rows = []
    for claim in claims:
        value, (low, high) = values[claim.name], _interval(samples[claim.name], level)
        said, reason = verdict(claim, value, low, high, found, runs[0], settings)
        if said in (UNTESTED, OUTSIDE):
            value = low = high = nan
        rows.append(
            {
                "claim": claim.name,
                "text": claim.text,
                "definition": claim.definition,
                "paper": claim.paper,
                "holds_from": claim.holds[0],
                "holds_to": claim.holds[1],
                "value": value,
                "low": low,
                "high": high,
                "unit": claim.unit,
                "verdict": said,
                "reason": reason,
                "figure": claim.figure,
                "seeds": len(runs),
                "draws": draws if "chaos" in claim.needs else 0,
            }
        )
    return pd.DataFrame(rows)


def verdict(claim: Claim, value, low, high, found: bool, run: Run, settings: Mapping) -> tuple[str, str]:
    """A claim's verdict and the reason for it.

    `reproduced` where value and interval lie where the claim holds, `not reproduced` where they lie outside,
    `undecided` where the interval reaches to both, `untested` where the claim speaks of an inflection point and none
    was found, and `outside this run's scale` where these settings do not have what it takes.

    Args:
        found: whether there is an inflection point.
    """
    if claim.of_forks and settings["distance"] != "forks":
        return OUTSIDE, "about forks, not about checkpoints"
    missing = [part for part in claim.needs if getattr(run, part) is None]
    if missing:
        return OUTSIDE, MISSING + " and ".join(PARTS[part] for part in missing)
    if not claim.decidable(settings):
        return OUTSIDE, "about another network, data set or perturbation, or a longer training"
    if claim.after_inflection and not found:
        return UNTESTED, "no inflection point was found"
    if np.isnan(value):
        return OUTSIDE, "its formula has no value: the grids lack the times that it takes, or training diverged"
    ends = sorted(end for end in (low, value, high) if not np.isnan(end))
    alone = "" if len(ends) > 1 else "no interval: nothing varies"
    bottom, top = claim.holds
    if ends[-1] < bottom or ends[0] > top:
        return NOT, alone
    if ends[0] < bottom or ends[-1] > top:
        return UNDECIDED, "the interval lies on both sides of the bound"
    if claim.statistic is statistics.fall and not found:
        return UNDECIDED, "a fall, but no significant change of level"
    return REPRODUCED, alone


def _value(claim: Claim, means: Means) -> float:
    if any(getattr(means.runs[0], part) is None for part in claim.needs):
        return nan
    if claim.after_inflection and np.isnan(means.inflection):  # so it can be in a bootstrap sample
        return nan
    return float(claim.statistic(means))


def _samples(claims, runs: Sequence[Run], settings: Mapping) -> dict[str, np.ndarray]:
    """Each claim's value in bootstrap samples of seeds, draws and test images."""
    rng = np.random.default_rng(0)  # the same samples in every run
    samples = {claim.name: np.full(settings["bootstrap"], nan) for claim in claims}
    for k in range(settings["bootstrap"]):
        drawn = Means([runs[i] for i in rng.integers(len(runs), size=len(runs))], settings, rng)
        for claim in claims:
            samples[claim.name][k] = _value(claim, drawn)
    return samples


def _interval(samples: np.ndarray, level: float) -> tuple[float, float]:
    """Percentiles; NaN where all samples are one, so that there was nothing to draw."""
    samples = samples[~np.isnan(samples)]
    if not len(samples) or samples.min() == samples.max():
        return nan, nan
    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)
