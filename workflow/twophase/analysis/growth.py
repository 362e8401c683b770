"""'Chaotic': whether the distance between fork and base run grows exponentially until it saturates, or by a power law.

Asked of the rise only, from the first comparison until the distance has come to a given share of its final level.
Diffusion, too, takes two runs apart, and by decades; but it goes with the square root of time.
"""

import numpy as np
import pandas as pd

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


def exponential_over_power(others: pd.DataFrame, run: pd.DataFrame, share: float = SHARE) -> float:
    """log10 of the error of the power law over that of the exponential: above 0, growth is exponential.

    Both models of each fork's rise, log10 l2 as a line over the lag or over its logarithm, are fitted to other runs and
    predict this one, up to its level, for these differ. Errors are root mean squares over all forks.

    Args:
        others, run: log10 l2 [t0, t1], on the same grid; of the mean of other runs, and of this one.
        share: as of `rise`, which is that of the curves that the models are fitted to.

    Returns:
        in decades; NaN where no fork's rise has `FEWEST` points.
    """
    errors = {name: [] for name in MODELS}
    for t0, fork in others.iterrows():
        own = fork.dropna()
        lags = own.index.to_numpy(dtype=float) - t0
        count = rise(lags, own.to_numpy(), share) if len(own) else 0
        if count < FEWEST:
            continue
        lags, tested = lags[:count], run.loc[t0, own.index[:count]].to_numpy()
        for name, over in MODELS.items():
            missed = tested - np.polyval(np.polyfit(over(lags), own.to_numpy()[:count], 1), over(lags))
            errors[name].extend((missed - missed.mean()) ** 2)
    if not errors["exponential"]:
        return np.nan
    exponential, power = (max(np.sqrt(np.mean(errors[name])), ROUNDING) for name in MODELS)
    return float(np.log10(power / exponential))


def by_layer(forks: pd.DataFrame) -> pd.DataFrame:
    """Forks at their last t1, layer by layer, with the growth of the perturbation until then.

    Args:
        forks: tables of `measures.layers.of_forks`, with the columns experiment and seed.

    Returns:
        the rows of the last t1 and the column growth, l2 over that at t1 = t0; NaN in layers that were not perturbed.
    """
    keys = ["experiment", "seed", "t0", "draw", "place"]
    last = forks[forks["t1"] == forks.groupby(keys)["t1"].transform("max")].set_index(keys)
    start = forks[forks["t1"] == forks["t0"]].set_index(keys)["l2"]
    return last.assign(growth=last["l2"] / start.where(start > 0)).reset_index()
