"""The scorecard of an experiment: the value of every claim, its interval and the verdict. No torch.

Intervals come from a bootstrap over seeds, over draws of the perturbation within each and, for disagreements, over test
images. The inflection point that a claim refers to is estimated anew in every sample, from resampled points, so that
its uncertainty enters even where there is a single run. The verdict follows from value and interval, see `verdict`.
"""

from collections.abc import Mapping, Sequence
from math import nan

import numpy as np
import pandas as pd

from twophase.analysis.bootstrap import Bootstrap, Interval
from twophase.analysis.claim import Claim
from twophase.analysis.claims import CLAIMS
from twophase.analysis.statistics import Means, Run

VERDICTS = REPRODUCED, NOT, UNDECIDED, UNTESTED, OUTSIDE = (
    "reproduced",
    "not reproduced",
    "undecided",
    "untested",
    "outside this run's scale",
)
MISSING = "this experiment has no "  # and then the parts that it lacks
PARTS = {  # of a `Run`, in words
    "chaos": "forks",
    "control": "control",
    "S": "kernels",
    "linearized": "linearized training",
    "standard": "test scores",
}


def of_experiment(runs: Sequence[Run], inflection_found: bool, settings: Mapping) -> pd.DataFrame:
    """All claims about one experiment, a row each.

    Args:
        runs: of all its seeds, with the same parts.
        inflection_found: whether its distances show an inflection point, by `inflection.from_chaos`.
        settings: as of `Means`, and `counterexample`, `distance` (of the config's `phases`), `bootstrap` (samples) and
            `level` of the intervals, and what claims ask to know whether they can be decided: `size` (of epsilon),
            `iterations`, `dataset`, `source`, `model`.

    Returns:
        columns claim, text, definition, paper, holds_from, holds_to, value, low, high (NaN where there is nothing to
        resample), unit, verdict, reason, figure, seeds, draws.
    """
    draws = runs[0].chaos["draw"].nunique() if runs[0].chaos is not None else 0
    claims = [c for c in CLAIMS if c.counterexample == settings["counterexample"]]
    rows = []
    for claim, interval in zip(claims, _intervals(claims, runs, settings), strict=True):
        said, reason = verdict(claim, interval, inflection_found, runs[0], settings)
        if said in (UNTESTED, OUTSIDE):
            interval = Interval(nan, nan, nan)
        rows.append(
            {
                "claim": claim.name,
                "text": claim.text,
                "definition": claim.definition,
                "paper": claim.paper,
                "holds_from": claim.holds[0],
                "holds_to": claim.holds[1],
                "value": interval.value,
                "low": interval.low,
                "high": interval.high,
                "unit": claim.unit,
                "verdict": said,
                "reason": reason,
                "figure": claim.figure,
                "seeds": len(runs),
                "draws": draws if "chaos" in claim.needs else 0,
            }
        )
    return pd.DataFrame(rows)


def verdict(claim: Claim, interval: Interval, inflection_found: bool, run: Run, settings: Mapping) -> tuple[str, str]:
    """A claim's verdict and the reason for it.

    `reproduced` where value and interval lie where the claim holds, `not reproduced` where they lie outside,
    `undecided` where the interval reaches both, `untested` where the claim refers to an inflection point and none was
    found, and `outside this run's scale` where the experiment cannot decide it.

    Args:
        interval: the claim's value and interval.
        inflection_found: as of `of_experiment`.
        run: one of the experiment's.
        settings: as of `of_experiment`.
    """
    if claim.of_forks and settings["distance"] != "forks":
        return OUTSIDE, "the claim is about forks, and this experiment compares checkpoints"
    missing = [part for part in claim.needs if getattr(run, part) is None]
    if missing:
        return OUTSIDE, MISSING + " and ".join(PARTS[part] for part in missing)
    if not claim.decidable(settings):
        return OUTSIDE, "the claim is about another network, data set or perturbation, or about longer training"
    if claim.after_inflection and not inflection_found:
        return UNTESTED, "no inflection point was found"
    if np.isnan(interval.value):
        return OUTSIDE, "no value: the grids lack the iterations that it takes, or training diverged"
    ends = sorted(end for end in interval if not np.isnan(end))
    alone = "" if len(ends) > 1 else "no interval: there is nothing to resample"
    bottom, top = claim.holds
    if ends[-1] < bottom or ends[0] > top:
        return NOT, alone
    if ends[0] < bottom or ends[-1] > top:
        return UNDECIDED, "the interval crosses a bound"
    if claim.takes_significance and not inflection_found:
        return UNDECIDED, "C falls, but its change of level is not significant"
    return REPRODUCED, alone


def _intervals(claims: Sequence[Claim], runs: Sequence[Run], settings: Mapping) -> list[Interval]:
    """The value of every claim and its interval, over bootstrap samples of seeds, draws and test images."""
    bootstrap = Bootstrap(settings["bootstrap"], settings["level"])
    means = Means(runs, settings)
    values = [_value(claim, means) for claim in claims]

    def of_sample(rng):
        drawn = Means([runs[i] for i in rng.integers(len(runs), size=len(runs))], settings, rng)
        return [_value(claim, drawn) for claim in claims]

    samples = bootstrap.draw(of_sample).T
    # Samples that are all alike were drawn from nothing that varies.
    ends = [bootstrap.ends(part) if len(set(part[~np.isnan(part)])) > 1 else (nan, nan) for part in samples]
    return [Interval(value, *pair) for value, pair in zip(values, ends, strict=True)]


def _value(claim: Claim, means: Means) -> float:
    if any(getattr(means.runs[0], part) is None for part in claim.needs):
        return nan
    if claim.after_inflection and np.isnan(means.inflection):  # in a bootstrap sample it can be
        return nan
    return float(claim.statistic(means))
