"""'Chaotic': whether the distance between fork and base run grows exponentially until it saturates, or by a power law.

Asked of the rise only, from the first comparison until the distance has come to a given share of its final level.
Diffusion, too, takes two runs apart, and by decades; but it goes with the square root of time.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from twophase.analysis.surfaces import PerRun, mean

# Bounds of ours.
SHARE = 0.5  # of the final level, where the rise ends: a logistic curve is about exponential up to there
FEWEST = 4  # points of a rise at least: two models of two parameters differ from three points on
BETTER = 0.0  # decades at least of error that the power law has more: any, if the interval over runs leaves 0 out
ROUNDING = 1e-9  # decades; of errors below it neither model is better

MODELS = {"exponential": np.asarray, "power law": np.log10}  # what log10 l2 is a line over, of the lag


def rise(lags: np.ndarray, y: np.ndarray, share: float = SHARE) -> int:
    """How many points a rise has: up to the first that reaches a share of the final level, this one included.

    The final level is the mean of y over the last quarter of the lags.

    Args:
        lags: t1 - t0 [points], sorted.
        y: log10 of the distance [points].
        share: between 0 and 1.
    """
    final = y[lags > 0.75 * lags[-1]].mean()
    return int(np.argmax(y >= final + np.log10(share))) + 1


def fits(y: pd.DataFrame, share: float = SHARE) -> pd.DataFrame:
    """Both models of every fork's rise.

    Args:
        y: log10 l2 [t0, t1].
        share: as of `rise`.

    Returns:
        by t0: rate (e-foldings per iteration of the exponential), exponent (of the power law; diffusion: 1/2), until
        (the lag at which the rise ends, in iterations); NaN where a rise has fewer than `FEWEST` points.
    """
    rows = {}
    for t0, (lags, values) in _rises(y, share).items():
        rate, exponent = (np.polyfit(over(lags), values, 1)[0] for over in MODELS.values())
        rows[t0] = {"rate": rate * np.log(10), "exponent": exponent, "until": lags[-1]}
    return pd.DataFrame.from_dict(rows, "index", columns=["rate", "exponent", "until"]).reindex(y.index)


def exponential_over_power(runs: Sequence[pd.DataFrame], share: float = SHARE) -> PerRun:
    """log10 of the error of the power law over that of the exponential: above 0, growth is exponential.

    Both models of each fork's rise, log10 l2 as a line over the lag or over its logarithm, are fitted to the mean of
    the other runs and predict the run that was left out, up to its level, for these differ. Errors are root mean
    squares over all forks. A single run is predicted from itself, and so is the mean.

    Args:
        runs: for each, log10 l2 [t0, t1], on the same grid.
        share: as of `rise`, which is that of the curves that the models are fitted to.

    Returns:
        in decades; NaN where no fork's rise has `FEWEST` points.
    """
    each = [_advantage(mean([*runs[:k], *runs[k + 1 :]] or runs), run, share) for k, run in enumerate(runs)]
    return PerRun(np.array(each), _advantage(mean(runs), mean(runs), share))


def _rises(y: pd.DataFrame, share: float) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Lags and values of every fork's rise, for those with enough points."""
    rises = {}
    for t0, fork in y.iterrows():
        own = fork.dropna()
        lags, values = own.index.to_numpy(dtype=float) - t0, own.to_numpy()
        count = rise(lags, values, share) if len(own) else 0
        if count >= FEWEST:
            rises[t0] = lags[:count], values[:count]
    return rises


def _advantage(others: pd.DataFrame, run: pd.DataFrame, share: float) -> float:
    errors = {name: [] for name in MODELS}
    for t0, (lags, values) in _rises(others, share).items():
        tested = run.loc[t0, lags + t0].to_numpy()
        for name, over in MODELS.items():
            missed = tested - np.polyval(np.polyfit(over(lags), values, 1), over(lags))
            errors[name].extend((missed - missed.mean()) ** 2)
    if not errors["exponential"]:
        return np.nan
    exponential, power = (max(np.sqrt(np.mean(errors[name])), ROUNDING) for name in MODELS)
    return float(np.log10(power / exponential))
