"""The empirical claims of both papers, each as a formula on the tables of an experiment with the values it allows.

A claim is a statistic of mean tables and the range in which it holds; `scorecard` judges it. No torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from twophase.analysis import inflection, statistics
from twophase.analysis.statistics import Means

# What the papers' words are taken to mean where they give no number.
STAYS = 1e-4  # C at most, of a fork that stays with its base run
HIGH_C = 1e-3  # C at least, of one that does not
ONLY = 0.1  # share of its level elsewhere
SLOWER = 2.0  # a slow kernel moves at most half as far in the same time
SAME = 2.0  # what is the same differs by less than this factor
MOVING, LOW_S = 1e-6, 0.1  # S at least, of a kernel that moves (kernels are kept in float32), and at most if it is low
FLAT = 0.2  # share of its last value by which a constant curve may grow over the second half of its time
BETTER = 0.005  # share of the test set by which one accuracy is above another


@dataclass(frozen=True)
class Claim:
    """One claim.

    Args:
        name: a short one, for tables.
        text: what the papers say.
        definition: what is computed.
        paper: the papers' own value or picture, in words.
        holds: lowest and highest value with which the claim holds.
        unit: of the value.
        figure: that shows it.
        statistic: the value of mean tables; NaN where they do not have what it takes.
        needs: parts of a `Run` that it is computed from.
        of_forks: whether it is about what perturbations do, of which distances between checkpoints tell nothing.
        after_inflection: whether it speaks of an inflection point, so that without one it cannot hold.
        decidable: whether a run of these settings can decide it.
        counterexample: whether it is about experiments that are meant to have no two phases.
    """

    name: str
    text: str
    definition: str
    paper: str
    holds: tuple[float, float]
    unit: str
    figure: str
    statistic: Callable[[Means], float]
    needs: tuple[str, ...]
    of_forks: bool = False
    after_inflection: bool = True
    decidable: Callable[[Mapping], bool] = lambda settings: True
    counterexample: bool = False


def _papers(name: str, width: int, iterations: int) -> Callable[[Mapping], bool]:
    """Whether network and data set are the papers', and training is long enough to see their inflection point twice."""

    def is_it(settings: Mapping) -> bool:
        model, of_data = settings["model"], "cifar10" in (settings["dataset"], settings["source"])
        same = model["name"] == name and model["width"] in (None, width)
        return of_data and same and settings["iterations"] >= iterations

    return is_it


def _papers_size(settings: Mapping) -> bool:
    return settings["size"] == 1e-7


def _long(settings: Mapping) -> bool:
    return settings["iterations"] >= 4000


CLAIMS = (
    Claim(
        "same noise",
        "A fork shares everything with its base run but the perturbation.",
        "largest C or D of the unperturbed forks (control)",
        "presupposed",
        (0.0, 0.0),
        "",
        "fig3",
        statistics.difference_of_control,
        ("control",),
        of_forks=True,
        after_inflection=False,
    ),
    Claim(
        "inflection point",
        "There is an inflection point: before it a perturbation leads to other parameters, after it hardly.",
        "mean of log10 C(t0, t1) of t0 < t* less that of t0 > t*, equal t1 - t0; a significant change over t0 besides",
        "Figures 1 and 3",
        (inflection.DECADE, inf),
        "decades",
        "fig1",
        statistics.fall,
        ("chaos",),
        after_inflection=False,
    ),
    Claim(
        "C high before",
        "C is high for every t0 before the inflection point.",
        "smallest C(t0, T) of t0 < t*",
        "Figure 3a",
        (HIGH_C, inf),
        "",
        "fig3",
        statistics.earliest,
        ("chaos",),
    ),
    Claim(
        "perturbation grows",
        "Before it, a perturbation of 1e-7 sends the network far away.",
        "smallest log10 |theta'(T) - theta(T)| / |epsilon| of t0 < t*",
        "Figure 1",
        (3.0, inf),
        "decades",
        "lyapunov",
        statistics.growth,
        ("chaos",),
        of_forks=True,
        decidable=_papers_size,
    ),
    Claim(
        "no growth after",
        "After it perturbations stop to grow; later forks are not closer for lack of time.",
        "mean of log(|theta'(t1) - theta(t1)| / |epsilon|) / (t1 - t0) of t0 > t*, over that of t0 < t*; equal t1 - t0",
        "presupposed",
        (-inf, 1 / SLOWER),
        "",
        "lyapunov",
        statistics.growth_after,
        ("chaos",),
        of_forks=True,
    ),
    Claim(
        "stays after",
        "After it, the perturbed network stays with the base run.",
        "largest C(t0, T) of t0 > t*",
        "Figures 1 and 3a",
        (0.0, STAYS),
        "",
        "fig3",
        statistics.latest,
        ("chaos",),
    ),
    Claim(
        "barrier before",
        "The barrier is large where t0 <= t* < t1.",
        "mean of B over t0 <= t* < t1",
        "Figure 3b",
        (inflection.LARGE["B"], inf),
        "nats",
        "fig3",
        statistics.level_inside("B"),
        ("chaos",),
    ),
    Claim(
        "barrier only there",
        "The barrier is large only there.",
        "mean of B elsewhere over its mean where t0 <= t* < t1",
        "Figure 3b",
        (-inf, ONLY),
        "",
        "fig3",
        statistics.level_outside("B"),
        ("chaos",),
    ),
    Claim(
        "disagreement before",
        "The disagreement is large where t0 <= t* < t1.",
        "mean of D over t0 <= t* < t1",
        "Figure 3c",
        (inflection.LARGE["D"], inf),
        "of the test set",
        "fig3",
        statistics.level_inside("D"),
        ("chaos",),
    ),
    Claim(
        "disagreement only there",
        "The disagreement is large only there.",
        "mean of D elsewhere over its mean where t0 <= t* < t1",
        "Figure 3c",
        (-inf, ONLY),
        "",
        "fig3",
        statistics.level_outside("D"),
        ("chaos",),
    ),
    Claim(
        "kernel slows down",
        "The kernel moves fast before the inflection point and slowly after.",
        "mean of S(t, t + dt) over t < t* over its mean over t > t*, shortest dt",
        "Figure 4, Figure 5a",
        (SLOWER, inf),
        "",
        "fig5",
        statistics.slowing,
        ("chaos", "S"),
    ),
    Claim(
        "kernel's transition coincides",
        "The kernel's transition coincides with the inflection point.",
        "elbow of S(t, t + dt), shortest dt, over t*",
        "at about the same iteration",
        (1 / SAME, SAME),
        "",
        "fig4",
        statistics.coincidence,
        ("chaos", "S"),
    ),
    Claim(
        "place, ResNet-20",
        "For ResNet-20 the inflection point lies between iterations 100 and 500.",
        "t*, where C(t0, T) changes level",
        "100 to 500",
        (100.0, 500.0),
        "iterations",
        "fig1",
        statistics.place,
        ("chaos",),
        decidable=_papers("resnet20", width=16, iterations=1000),
    ),
    Claim(
        "place, VGG-16",
        "For VGG-16 the inflection point lies near iteration 2500.",
        "t*, where C(t0, T) changes level",
        "2500",
        (2500 / SAME, 2500 * SAME),
        "iterations",
        "fig1",
        statistics.place,
        ("chaos",),
        decidable=_papers("vgg16", width=1, iterations=5000),
    ),
    Claim(
        "kernel keeps moving",
        "After it, S(t, t + dt) is low but not zero.",
        "mean of S(t, t + dt) over the later half of t > t*, shortest dt",
        "Figure 5a",
        (MOVING, LOW_S),
        "",
        "fig5",
        statistics.settled,
        ("chaos", "S"),
    ),
    Claim(
        "one bound for all dt",
        "The late upper bound of S(t, t + dt) is the same for different dt.",
        "largest late S(t, t + dt) of the longest dt over that of the shortest",
        "Figure 5a",
        (1 / SAME, SAME),
        "",
        "fig5",
        statistics.spread_of_dt,
        ("chaos", "S"),
    ),
    Claim(
        "constant after tau",
        "S(t, tau) rises and then stays nearly constant, for tau after the inflection point.",
        "largest 1 - S((tau + T) / 2, tau) / S(T, tau), t* < tau <= 3/4 T, T the last kernel's time",
        "Figure 5b, tau = 2000, 4000, 6000, 8000",
        (-inf, FLAT),
        "",
        "fig5",
        statistics.plateau,
        ("chaos", "S"),
    ),
    Claim(
        "cone",
        "After it, the kernel stays in a narrow cone.",
        "width of the cone from the first tau > t* to T over that from 0 on in as long a time",
        "Figure 5c",
        (0.0, 0.5),
        "",
        "fig5",
        statistics.narrowing,
        ("chaos", "S"),
    ),
    Claim(
        "later switch, higher accuracy",
        "The accuracy of linearized training rises with the switch.",
        "test accuracy from the last switch less that from the first",
        "Figure 6",
        (BETTER, inf),
        "of the test set",
        "fig6",
        statistics.gain_of_switch,
        ("linearized",),
        after_inflection=False,
    ),
    Claim(
        "above all past 2000",
        "It rises above all when the switch is past iteration 2000.",
        "test accuracy from the last switch less that from the last one up to 2000",
        "Figure 6, workshop paper's Figure 2",
        (BETTER, inf),
        "of the test set",
        "wfig2",
        statistics.gain_past_2000,
        ("linearized",),
        after_inflection=False,
        decidable=_long,
    ),
    Claim(
        "nonlinear beats linearized",
        "Standard training beats training linearized at initialisation.",
        "test accuracy of the base run less that from the first switch",
        "Figure 6",
        (BETTER, inf),
        "of the test set",
        "fig6",
        statistics.lead_of_standard,
        ("linearized", "standard"),
        after_inflection=False,
    ),
    Claim(
        "cone beats linearized",
        "Training within the cone still beats linearized training.",
        "test accuracy of the base run less that from the first switch after t*",
        "Figure 6",
        (BETTER, inf),
        "of the test set",
        "fig6",
        statistics.lead_of_cone,
        ("chaos", "linearized", "standard"),
    ),
    Claim(
        "phase I until 2000",
        "The first phase of the workshop paper is t < 2000.",
        "elbow of S(t, t + dt), shortest dt",
        "2000",
        (2000 / SAME, 2000 * SAME),
        "iterations",
        "wfig1",
        statistics.kernel_elbow,
        ("S",),
        after_inflection=False,
        decidable=_long,
    ),
    Claim(
        "counterexample: one speed",
        "There are settings without two phases: the kernel does not slow down.",
        "mean of S(t, t + dt) over the first half of the time over that over the second, shortest dt",
        "workshop paper's Figure 3",
        (0.0, SLOWER),
        "",
        "wfig3",
        statistics.one_speed,
        ("S",),
        after_inflection=False,
        counterexample=True,
    ),
    Claim(
        "counterexample: no cone",
        "There S(t, tau) keeps growing.",
        "1 - S(T / 2, 0) / S(T, 0)",
        "workshop paper's Figure 3",
        (FLAT, inf),
        "",
        "wfig3",
        statistics.endless_growth,
        ("S",),
        after_inflection=False,
        counterexample=True,
    ),
)
