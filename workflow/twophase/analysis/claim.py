"""A claim of the papers: a statistic of a run's tables, and the values with which the claim holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twophase.analysis.statistics import Means

# Numbers for words of the papers that more than one claim is about, and why they are these.
SAME, WHY_SAME = 2.0, "two times are one if they differ by less than a factor of 2, about the step of our grids"
HIGH, WHY_HIGH = 1e-3, "an angle of 2.6 degrees between the parameters"

POINTS = {  # that claims refer to: why a claim is untested without them
    "inflection": "no inflection point was found",
    "peak": "C(t0, t1) has no peak over t1",
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim.

    Args:
        name: a short one, for tables.
        text: what the papers say.
        definition: what is computed.
        paper: the papers' own value or picture, in words.
        holds: lowest and highest value with which the claim holds; infinite where only what no value can be lies
            beyond, since an interval may reach there (above 1 that of a correlation).
        bound: where the papers name no number, why it is the one in `holds`; empty if it is theirs.
        unit: of the value.
        figure: the one that shows it.
        needs: the parts of a `Run` that it is computed from.
        statistic: computes the value of a run; NaN where its tables lack what it takes.
        of_forks: whether it is about what perturbations do, of which distances between checkpoints tell nothing.
        refers_to: keys of `POINTS`: without them it cannot be tested.
        places: those points that it is about, attributes of `Means`. Then every run is judged at its own; otherwise at
            those of other runs, since its own make any contrast there as large as possible.
        scale: of `replicates.SCALES`, on which the values of runs are about Gaussian.
        exact: whether one run decides it.
        takes_significance: whether it also takes that the inflection point was found.
        decidable: of an experiment's settings: whether it can decide the claim.
        counterexample: whether it is about experiments that are meant to show no two phases.
        related: whether it is not the papers', but of the work that they relate to: no row without point-wise measures.
    """

    name: str
    text: str
    definition: str
    paper: str
    holds: tuple[float, float]
    bound: str
    unit: str = ""
    figure: str
    needs: tuple[str, ...]
    statistic: Callable[[Means], float]
    of_forks: bool = False
    refers_to: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    scale: str = "plain"
    exact: bool = False
    takes_significance: bool = False
    decidable: Callable[[Mapping], bool] = lambda settings: True
    counterexample: bool = False
    related: bool = False


def claim(**keywords) -> Callable[[Callable[[Means], float]], Claim]:
    """A decorator that makes a claim of the statistic below it.

    Args:
        keywords: of `Claim`, all but the statistic.
    """
    return lambda statistic: Claim(statistic=statistic, **keywords)


def papers_network(name: str, width: int, iterations: int) -> Callable[[Mapping], bool]:
    """Whether network and data set are the papers', and training is at least so long."""

    def is_it(settings: Mapping) -> bool:
        model, of_data = settings["model"], "cifar10" in (settings["dataset"], settings["source"])
        same = model["name"] == name and model["width"] in (None, width)
        return of_data and same and settings["iterations"] >= iterations

    return is_it


def trained_for(iterations: int) -> Callable[[Mapping], bool]:
    """Whether an experiment's training is at least so long."""
    return lambda settings: settings["iterations"] >= iterations
