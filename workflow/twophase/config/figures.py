"""The registry of figures: what each takes of an experiment, what it is made from, and what it shows. No torch.

The rules, the plan, the estimate, the config's schema and the page about the config ask it. A figure's name is also
that of its rule, of the function in `report.figures` that draws it, and of its caption, `workflow/report/<name>.rst`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

PAPER, WORKSHOP, BEYOND = "Figures", "Figures of the workshop paper", "Beyond the papers"  # categories of the report


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
        panels: headings of the panels of an experiment.
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
    panels: tuple[str, ...] = ()
    cost: float = 0


def value(experiment: Mapping, key: str):
    """What an experiment has at a key such as `cone.tau`."""
    for part in key.split("."):
        experiment = experiment[part]
    return experiment


def drops(experiment: Mapping) -> list[int]:
    """The iterations at which the learning rate drops."""
    schedule = experiment["training"]["schedule"]
    return schedule["milestones"] if schedule["kind"] == "step" else []


SETTINGS = {  # what a figure may have to know of an experiment, and how it is found there
    "taus": lambda experiment: value(experiment, "cone.tau"),
    "dts": lambda experiment: value(experiment, "cone.dt"),
    "lags": lambda experiment: {
        "full": value(experiment, "chaos.lags"),
        "all": sorted({*value(experiment, "chaos.lags"), *value(experiment, "chaos.dense.lags")}),
    },
    "ends": lambda experiment: value(experiment, "linearized.until"),
    "drops": drops,
}

FIGURES = {
    "fig1": Figure(
        category=PAPER,
        shows="the two phases",
        description="forks in parameter space, kernels in their cone",
        needs=("chaos.t0",),
        tables={"planes": "plane.parquet", "cones": "cone.parquet"},
        estimates="chaos",
        panels=("a  forks in parameter space", "b  kernels in their cone"),
    ),
    "fig2": Figure(
        category=PAPER,
        shows="the perturbation scheme",
        description="distance of every fork from the base run, from |ε| on",
        needs=("chaos.t0",),
        tables={"distances": "distances.parquet", "perturbations": "perturbations.parquet"},
        settings=("drops",),
        panels=("",),
        cost=2.25,
    ),
    "fig3": Figure(
        category=PAPER,
        shows="the chaos effect",
        description="C, B and D of forks, and of pairs of checkpoints",
        needs=("chaos.t0",),
        tables={"chaos": "chaos.parquet", "C": "C.parquet", "B": "B.parquet", "D": "D.parquet"},
        estimates="chaos",
        panels=("a  forks", "b  forks", "c  forks", "a'  pairs", "b'  pairs", "c'  pairs"),
    ),
    "fig4": Figure(
        category=PAPER,
        shows="kernel distance",
        description="S of all pairs",
        tables={"S": "S.parquet"},
        estimates="kernel",
        settings=("drops",),
        panels=("",),
        cost=2.25,
    ),
    "fig5": Figure(
        category=PAPER,
        shows="the cone effect",
        description="S(t, t + dt), S(t, tau), the cone",
        needs=("cone.tau", "cone.dt"),
        tables={"S": "S.parquet", "cones": "cone.parquet"},
        estimates="kernel",
        settings=("taus", "dts", "drops"),
        panels=("a  over a time step", "b  from a fixed time", "c  the cone"),
    ),
    "fig6": Figure(
        category=PAPER,
        shows="linearized training",
        description="accuracy and loss after a switch at t",
        needs=("linearized.switch",),
        tables={"switches": "linearized.parquet", "standard": "predictions/trajectory.safetensors"},
        estimates="kernel",
        settings=("ends",),
        panels=("a  test accuracy", "b  test loss"),
    ),
    "lyapunov": Figure(
        category=BEYOND,
        shows="growth of the perturbation",
        description="rate at which a perturbation grows or shrinks, over t0",
        needs=("chaos.t0",),
        tables={"chaos": "chaos.parquet"},
        estimates="chaos",
        settings=("drops",),
        panels=("",),
        cost=1.5,
    ),
    "wfig1": Figure(
        category=WORKSHOP,
        shows="the kernel's motion",
        description="kernel velocity S(t, t + dt)/dt, and S of all pairs",
        needs=("cone.dt",),
        tables={"S": "S.parquet"},
        estimates="kernel",
        settings=("dts", "drops"),
        panels=("a  kernel velocity", "b  kernel distance"),
    ),
    "wfig2": Figure(
        category=WORKSHOP,
        shows="what the cone is worth",
        description="S(t, tau), accuracy over training after each switch",
        needs=("cone.tau", "linearized.switch"),
        tables={
            "S": "S.parquet",
            "switches": "linearized.parquet",
            "standard": "predictions/trajectory.safetensors",
        },
        settings=("taus", "drops"),
        panels=(r"a  kernel distance from $\tau$", "b  test accuracy after the switch"),
    ),
    "wfig3": Figure(
        category=WORKSHOP,
        shows="the counterexample",
        description="S of an experiment without two phases",
        needs=("cone.tau", "cone.dt"),
        counterexamples=True,
        tables={"S": "S.parquet"},
        settings=("taus", "dts", "drops"),
        panels=("a  kernel distance", "b  over a time step", "c  from a fixed time"),
    ),
    "equal_lags": Figure(
        category=BEYOND,
        shows="forks after equal times",
        description="C, B, B+ and D of forks from every t0 after the same times, with either statistics of batch norms",
        needs=("chaos.t0", "chaos.lags"),
        tables={"chaos": "chaos.parquet", "distances": "distances.parquet"},
        settings=("lags", "drops"),
        panels=("a  in the weights", "b  barriers", "c  on the test set"),
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


def shown(experiments: Mapping[str, Mapping], name: str) -> list[str]:
    """Names of the experiments that the figure `name` shows, in the order of the config; none where it is not drawn."""
    figure = FIGURES[name]
    rows = [
        experiment
        for experiment, settings in experiments.items()
        if settings["counterexample"] == figure.counterexamples and all(value(settings, key) for key in figure.needs)
    ]
    return rows if len(rows) >= figure.least else []
