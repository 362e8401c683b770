"""The registry of figures: what each takes of an experiment, what it is made from, and what it shows. No torch.

The rules, the plan, the estimate, the config's schema and the page about the config ask it. A figure's name is also
that of its rule, of the function in `report.figures` that draws it, and of its caption, `workflow/report/<name>.rst`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

PAPER, WORKSHOP, BEYOND = "Figures", "Figures of the workshop paper", "Beyond the papers"  # categories of the report


@dataclass(frozen=True)
class Panel:
    """One panel of a figure.

    Attributes:
        letter: by which claims and captions cite it; none in a figure with a single panel.
        heading: what stands over it, behind the letter.
        answers: the panel of the papers that it answers, a key of `papers.CAPTIONS`; none if it is ours.
    """

    letter: str = ""
    heading: str = ""
    answers: str = ""


@dataclass(frozen=True)
class Figure:
    """One figure, with a row of panels, or several, for each experiment.

    Attributes:
        category: of the report.
        shows: what it shows, in a few words.
        description: the same in a line, for the page about the config.
        needs: keys of an experiment that must not be empty for it to have a row.
        counterexamples: whether its rows are the experiments without two phases, in place of all others.
        least: experiments that it takes; with fewer it is not drawn.
        tables: its inputs: name -> file of every run that it shows.
        results: its inputs that are about all runs: name, that of the rule that makes it -> file below the results.
        estimates: the family of estimates among its inputs, as `phases`; see `estimators`.
        settings: what it has to know of each experiment, among `SETTINGS`.
        panels: those of an experiment.
        cost: time that drawing an experiment takes, in heat maps; one for each panel where it is 0.
    """

    category: str
    shows: str
    description: str
    needs: tuple[str, ...] = ()
    counterexamples: bool = False
    least: int = 1
    tables: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)
    estimates: str | None = None
    settings: tuple[str, ...] = ()
    panels: tuple[Panel, ...] = ()
    cost: float = 0

    @property
    def headings(self) -> list[str]:
        """Over the panels, with their letters."""
        return [f"{panel.letter}  {panel.heading}".strip() for panel in self.panels]


def value(experiment: Mapping, key: str):
    """What an experiment has at a key such as `cone.tau`."""
    for part in key.split("."):
        experiment = experiment[part]
    return experiment


def drops(experiment: Mapping) -> list[int]:
    """The iterations at which the learning rate drops."""
    schedule = experiment["training"]["schedule"]
    return schedule["milestones"] if schedule["kind"] == "step" else []


def category(name: str, title: str) -> str:
    """Of an experiment in the report: its title, or its name where Snakemake would take signs of it for markup."""
    return title if re.fullmatch(r"[\w .,;()/=+-]+", title) else name


SETTINGS = {  # what a figure may have to know of an experiment, and how it is found there
    "taus": lambda experiment: value(experiment, "cone.tau"),
    "dts": lambda experiment: value(experiment, "cone.dt"),
    "lags": lambda experiment: {
        "full": value(experiment, "chaos.lags"),
        "all": sorted({*value(experiment, "chaos.lags"), *value(experiment, "chaos.dense.lags")}),
    },
    "ends": lambda experiment: value(experiment, "linearized.until"),
    "drops": drops,
    "barriers": lambda experiment: value(experiment, "barrier.metric"),
}


ANGLES = "angles of the cone"
SCORES = {"switches": "linearized.parquet", "standard": "predictions/trajectory.safetensors"}  # on the test set


def cone_effect(figure: str) -> tuple[Panel, ...]:
    """The three panels of a figure of the papers about the cone, and ours of what its picture cannot show."""
    headings = {"a": "from a fixed time", "b": "over a time step", "c": "the cone"}
    theirs = (Panel(letter, heading, f"{figure}{letter}") for letter, heading in headings.items())
    return (*theirs, Panel("d", ANGLES))


# What both papers show, by numbers of their own.
CONE_EFFECT = Figure(
    category=PAPER,
    shows="the cone effect",
    description="S(t, tau), S(t, t + dt), the cone and its angles",
    needs=("cone.tau", "cone.dt"),
    tables={"S": "S.parquet", "cones": "cone.parquet"},
    estimates="kernel",
    settings=("taus", "dts", "drops"),
    panels=cone_effect("Figure 5"),
)
SWITCHING = Figure(
    category=PAPER,
    shows="linearized training",
    description="error and loss after a switch at t",
    needs=("linearized.switch",),
    tables=SCORES,
    estimates="kernel",
    settings=("ends",),
    panels=(Panel("a", "test error", "Figure 6"), Panel("b", "test loss")),
)

FIGURES = {
    "fig1": Figure(
        category=PAPER,
        shows="the two phases",
        description="forks in parameter space, kernels in their cone",
        needs=("chaos.t0",),
        tables={"planes": "plane.parquet", "cones": "cone.parquet", "S": "S.parquet"},
        estimates="chaos",
        settings=("taus",),
        panels=(
            Panel("a", "forks in parameter space", "Figure 1"),
            Panel("b", "kernels in their cone", "Figure 1"),
            Panel("c", ANGLES),
        ),
    ),
    "fig2": Figure(
        category=PAPER,
        shows="the perturbation scheme",
        description="distance of every fork from the base run, from |ε| on",
        needs=("chaos.t0",),
        tables={"distances": "distances.parquet", "perturbations": "perturbations.parquet"},
        settings=("drops",),
        panels=(Panel(answers="Figure 2"),),
        cost=2.25,
    ),
    "fig3": Figure(
        category=PAPER,
        shows="the chaos effect",
        description="C, B and D of forks, and of pairs of checkpoints",
        needs=("chaos.t0",),
        tables={"chaos": "chaos.parquet", "C": "C.parquet", "B": "B.parquet", "D": "D.parquet"},
        estimates="chaos",
        settings=("barriers",),
        panels=(
            *(Panel(letter, "forks", f"Figure 3{letter}") for letter in "abc"),
            *(Panel(f"{letter}'", "pairs", f"Figure 3{letter}") for letter in "abc"),  # another reading of the same
        ),
    ),
    "fig4": Figure(
        category=PAPER,
        shows="kernel distance",
        description="S of all pairs",
        tables={"S": "S.parquet"},
        estimates="kernel",
        settings=("drops",),
        panels=(Panel(answers="Figure 4"),),
        cost=2.25,
    ),
    "fig5": CONE_EFFECT,
    "fig6": SWITCHING,
    "lyapunov": Figure(
        category=BEYOND,
        shows="growth of the perturbation",
        description="rate at which a perturbation grows or shrinks, over t0",
        needs=("chaos.t0",),
        tables={"chaos": "chaos.parquet"},
        estimates="chaos",
        settings=("drops",),
        panels=(Panel(),),
        cost=1.5,
    ),
    "velocity": Figure(
        category=BEYOND,
        shows="the kernel's motion",
        description="kernel velocity S(t, t + dt)/dt, and S of all pairs",
        needs=("cone.dt",),
        tables={"S": "S.parquet"},
        estimates="kernel",
        settings=("dts", "drops"),
        panels=(Panel("a", "kernel velocity"), Panel("b", "kernel distance")),
    ),
    "curves": Figure(
        category=BEYOND,
        shows="what the cone is worth",
        description="S(t, tau), error over training after each switch",
        needs=("cone.tau", "linearized.switch"),
        tables={"S": "S.parquet", **SCORES},
        settings=("taus", "drops"),
        panels=(Panel("a", r"kernel distance from $\tau$"), Panel("b", "test error after the switch")),
    ),
    "wfig1": replace(CONE_EFFECT, category=WORKSHOP, panels=cone_effect("workshop paper, Figure 1")),
    "wfig2": replace(
        SWITCHING,
        category=WORKSHOP,
        panels=(
            Panel("a", "test error", "workshop paper, Figure 2, left"),
            Panel("b", "test loss", "workshop paper, Figure 2, right"),
        ),
    ),
    "wfig3": replace(
        CONE_EFFECT,
        category=WORKSHOP,
        shows="the counterexample",
        description="S(t, tau), S(t, t + dt), the cone and its angles of experiments without two phases, and verdicts",
        counterexamples=True,
        results={"claims": "claims.parquet"},
        estimates=None,
        panels=cone_effect("workshop paper, Figure 3"),
    ),
    "equal_lags": Figure(
        category=BEYOND,
        shows="forks after equal times",
        description="C, B, B+ and D of forks from every t0 after the same times, with either statistics of batch norms",
        needs=("chaos.t0", "chaos.lags"),
        tables={"chaos": "chaos.parquet", "distances": "distances.parquet"},
        settings=("lags", "drops", "barriers"),
        panels=(Panel("a", "in the weights"), Panel("b", "barriers"), Panel("c", "on the test set")),
    ),
    "pointwise": Figure(
        category=BEYOND,
        shows="measures on one network",
        description="sharpness, gradients, norm of the parameters, and scale, rank and alignment of the kernel over t",
        needs=("pointwise.grid",),
        tables={"measures": "pointwise.parquet"},
        results={"phases": "phases.parquet"},
        settings=("drops",),
        panels=(
            Panel("a", "sharpness"),
            Panel("b", "batch sharpness"),
            Panel("c", "noise of gradients"),
            Panel("d", "mean gradient"),
            Panel("e", "parameters"),
            Panel("f", "kernel's scale"),
            Panel("g", "kernel's rank"),
            Panel("h", "kernel and labels"),
        ),
        cost=4,
    ),
    "layers": Figure(
        category=BEYOND,
        shows="layers of the base run",
        description="C(t, T), S(t, T) and the share of the kernel, layer by layer",
        needs=("layers.grid",),
        tables={"layers": "layers.parquet", "pairs": "layer_pairs.parquet"},
        settings=("drops",),
        panels=(Panel("a", "weights"), Panel("b", "kernel"), Panel("c", "share of the kernel")),
    ),
    "layer_forks": Figure(
        category=BEYOND,
        shows="layers of forks",
        description="C of forks, and the growth of the perturbation, layer by layer",
        needs=("layers.grid", "chaos.t0"),
        tables={"chaos": "layer_chaos.parquet"},
        settings=("drops",),
        panels=(Panel("a", "from the first $t_0$"), Panel("b", "from every $t_0$"), Panel("c", "growth")),
    ),
    "side_by_side": Figure(
        category=BEYOND,
        shows="experiments, side by side",
        description="C, B+, the cone's width and what it gains over linearized training, a curve for each experiment",
        needs=("chaos.t0", "chaos.lags", "linearized.switch"),
        least=2,
        tables={"chaos": "chaos.parquet", **SCORES},
        estimates="kernel",
        settings=("lags", "ends", "barriers"),
        panels=(
            Panel("a", "forks in the weights"),
            Panel("b", "barriers"),
            Panel("c", "the cone's width"),
            Panel("d", "gain over linearized"),
        ),
        cost=1,
    ),
    "readings": Figure(
        category=BEYOND,
        shows="claims, side by side",
        description="verdict and value of every claim, experiments side by side",
        least=2,  # one alone has none to be compared with
        results={"claims": "claims.parquet"},
        cost=0.3,
    ),
}


def params(experiments: Mapping[str, Mapping], name: str) -> dict[str, dict]:
    """What the figure `name`, and its caption, have to know of the experiments that it shows.

    Returns:
        `titles`, and the figure's `settings`: setting -> experiment -> value.
    """
    rows = {row: experiments[row] for row in shown(experiments, name)}
    found = {key: {row: SETTINGS[key](settings) for row, settings in rows.items()} for key in FIGURES[name].settings}
    return found | {"titles": {row: settings["title"] for row, settings in rows.items()}}


def shown(experiments: Mapping[str, Mapping], name: str) -> list[str]:
    """Names of the experiments that the figure `name` shows, in the order of the config; none where it is not drawn."""
    figure = FIGURES[name]
    rows = [
        experiment
        for experiment, settings in experiments.items()
        if settings["counterexample"] == figure.counterexamples and all(value(settings, key) for key in figure.needs)
    ]
    return rows if len(rows) >= figure.least else []
