"""What linearized training gains with the switch, over all switches, and standard training past a point.

Accuracies are shares of the test set and losses nats, arrays [switches] or [iterations], sorted by time; NaN where
training diverged. The loss has a direction of its own: in the papers' words it should fall as accuracy rises.
"""

import numpy as np

# Bounds of ours, for words of the papers that come without numbers.
GENERALLY = 0.5  # Kendall's tau at least of what 'generally increases'
WHY_GENERALLY = "'generally': of four pairs of switches, three are in order"
ESPECIALLY = 0.5  # share of the gain at least that comes past a point: more than before it
BETTER = 0.005  # share of the test set by which one accuracy is above another
WHY_BETTER = "half a percent; less is hard to see in Figure 6"
FEWEST = 4  # switches at least: three are in order by chance once in six


def kendall(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's rank correlation tau-b: 1 where y rises with x throughout, -1 where it falls.

    Args:
        x, y: [points]; pairs in which one is NaN are left out.

    Returns:
        NaN with fewer than `FEWEST` points, or where all x or all y are the same.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    there = ~np.isnan(x) & ~np.isnan(y)
    if there.sum() < FEWEST:
        return np.nan
    first, second = np.triu_indices(there.sum(), 1)
    dx, dy = (np.sign(v[there][second] - v[there][first]) for v in (x, y))
    scale = np.sqrt((dx**2).sum() * (dy**2).sum())
    return float((dx * dy).sum() / scale) if scale > 0 else np.nan


def share_of_gain_past(switches: np.ndarray, final: np.ndarray, place: float = 2000) -> float:
    """The share of the gain from the first switch to the last that comes past a point: 'especially when t > 2000'.

    (A_last - A_place) / (A_last - A_first), which is 1/2 or more where the gain past the point is as large as that
    before it, with A interpolated at `place`.

    Args:
        switches: [switches], in iterations.
        final: accuracy at the end of linearized training from each [switches].
        place: in iterations.

    Returns:
        NaN where the point does not lie within the switches, or there is no gain.
    """
    switches, final = np.asarray(switches, dtype=float), np.asarray(final, dtype=float)
    there = ~np.isnan(final)
    switches, final = switches[there], final[there]
    if not len(switches) or not switches[0] < place < switches[-1] or final[-1] <= final[0]:
        return np.nan
    return float((final[-1] - np.interp(place, switches, final)) / (final[-1] - final[0]))


def gain_past(iterations: np.ndarray, standard: np.ndarray, place: float) -> float:
    """By how much standard training improves past a point: its mean over the last quarter of the rest, less that there.

    Args:
        iterations, standard: of standard training, and its accuracy there [iterations].
        place: in iterations; accuracy is interpolated.

    Returns:
        NaN where the point lies outside.
    """
    iterations, standard = np.asarray(iterations, dtype=float), np.asarray(standard, dtype=float)
    if not iterations[0] <= place < iterations[-1]:
        return np.nan
    late = iterations >= place + 0.75 * (iterations[-1] - place)
    return float(standard[late].mean() - np.interp(place, iterations, standard))
