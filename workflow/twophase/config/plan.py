"""Which jobs a config comes to, and which of them wait for which. No torch.

The rules ask this module how experiments are cut into jobs, so that what is planned and what is estimated agree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from twophase.config import grids

METRICS = {"C": "pairs", "D": "pairs", "B": "barrier", "S": "kernel"}  # metric: part of the config with its grid
ESTIMATORS = {"chaos": "chaos", "kernel": "S", "parameters": "C"}  # family of estimates: the table it is made from
DISTANCES = {"forks": ("chaos", "control"), "checkpoints": ("C", "B", "D")}  # phases.distance: tables it is read from
NEEDS = {  # figure: what its experiments must have, beside not being a counterexample
    "fig1": lambda e: e["chaos"]["t0"],
    "fig2": lambda e: e["chaos"]["t0"],
    "fig3": lambda e: e["chaos"]["t0"],
    "fig4": lambda e: True,
    "fig5": lambda e: e["cone"]["tau"] and e["cone"]["dt"],
    "fig6": lambda e: e["linearized"]["switch"],
    "lyapunov": lambda e: e["chaos"]["t0"],
    "wfig1": lambda e: e["cone"]["dt"],
    "wfig2": lambda e: e["cone"]["tau"] and e["linearized"]["switch"],
}
FIGURES = [*NEEDS, "wfig3", "readings"]
NAMES = {  # rule: its jobs, named as the files of their benchmarks
    "dataset": "dataset/{dataset}",
    **{rule: f"{{experiment}}/seed{{seed}}/{rule}" for rule in ("trajectory", "chaos", "switches", "cone", "plane")},
    **{rule: f"{{experiment}}/seed{{seed}}/{rule}/{{run}}" for rule in ("predictions", "kernels")},
    **{rule: f"{{experiment}}/seed{{seed}}/{rule}/{{block}}" for rule in ("forks", "fork_barriers", "linearized")},
    **{f"block_{metric}": f"{{experiment}}/seed{{seed}}/blocks/{metric}/{{bi}}-{{bj}}" for metric in METRICS},
    "grid": "{experiment}/seed{seed}/grid/{metric}",
    "inflection": "{experiment}/phases/{estimator}",
    "phases": "phases",
    "experiment_pages": "experiment_pages",
    "claims": "claims",
    "claims_page": "claims_page",
    "explorer": "explorer",
    **{figure: f"figures/{figure}" for figure in FIGURES},
}


def fork_blocks(experiment: Mapping) -> list[list[int]]:
    """The t0s of each job of forks."""
    return grids.chunks(experiment["chaos"]["t0"], experiment["chaos"]["t0_per_job"])


def switch_blocks(experiment: Mapping) -> list[list[int]]:
    """The switches of each job of linearized runs."""
    return grids.chunks(experiment["linearized"]["switch"], experiment["linearized"]["switches_per_job"])


def metric_blocks(experiment: Mapping, metric: str) -> list[list[int]]:
    """The iterations along one side of each block of a metric's grid."""
    part = experiment[METRICS[metric]]
    return grids.chunks(part["grid"], part["block"] if metric == "B" else experiment["pairs"]["block"])


def kernel_steps(experiment: Mapping, run: str) -> list[int]:
    """The iterations of a run at which the kernel is needed: for the grid S, and where forks are compared."""
    compared = set(experiment["chaos"]["t1"]) if experiment["chaos"]["t0"] else set()
    return sorted(compared if run != "trajectory" else compared | set(experiment["kernel"]["grid"]))


def shown(experiments: Mapping[str, Mapping], figure: str) -> list[str]:
    """Names of the experiments that are rows of `figure`, in the order of the config."""
    if figure == "wfig3":
        return [name for name, e in experiments.items() if e["counterexample"] and e["cone"]["tau"] and e["cone"]["dt"]]
    others = {name: e for name, e in experiments.items() if not e["counterexample"]}
    if figure == "readings":  # one alone has none to be compared with
        return [*others] if len(others) > 1 else []
    return [name for name, e in others.items() if NEEDS[figure](e)]


def estimators(experiment: Mapping) -> list[str]:
    """The families of estimates that an experiment has the tables for."""
    chaos, steps = experiment["chaos"]["t0"], experiment["cone"]["dt"]
    return [*(["chaos"] if chaos else []), *(["kernel", "parameters"] if steps else [])]


def described(experiment: Mapping) -> dict:
    """What the explorer says of a resolved experiment, beside its tables."""
    schedule = experiment["training"]["schedule"]
    return {
        "title": experiment["title"],
        "counterexample": experiment["counterexample"],
        "seeds": experiment["seeds"],
        "iterations": experiment["training"]["iterations"],
        "drops": schedule["milestones"] if schedule["kind"] == "step" else [],
        "tau": experiment["cone"]["tau"],
        "dt": experiment["cone"]["dt"],
        "size": experiment["chaos"]["size"],
        "norm": experiment["chaos"]["norm"],
        "barrier": experiment["barrier"]["metric"],
        "level": experiment["phases"]["level"],
        "distance": experiment["phases"]["distance"],
    }


def estimator_tables(experiment: Mapping, family: str) -> list[str]:
    """The tables of every seed from which a family of estimates is made."""
    if family == "chaos" and experiment["phases"]["distance"] == "checkpoints":
        return [*DISTANCES["checkpoints"]]
    return [ESTIMATORS[family]]


def judged(experiment: Mapping, datasets: Mapping[str, Mapping]) -> dict:
    """What the claims need to know of an experiment, beside its tables.

    Args:
        datasets: of the config, by name.
    """
    return {
        **{key: experiment[key] for key in ("title", "counterexample", "seeds", "model", "dataset")},
        "source": datasets[experiment["dataset"]]["source"],
        "iterations": experiment["training"]["iterations"],
        "dt": experiment["cone"]["dt"],
        **{key: experiment["chaos"][key] for key in ("t0", "t1", "size")},
        **{key: experiment["linearized"][key] for key in ("switch", "until")},
        **experiment["phases"],
    }


def judged_tables(experiment: Mapping) -> list[str]:
    """The tables of every seed that its claims are about."""
    names = ["S"] if experiment["cone"]["dt"] else []
    if experiment["counterexample"]:
        return names
    if experiment["chaos"]["t0"]:
        names += DISTANCES[experiment["phases"]["distance"]]
    return [*names, "linearized"] if experiment["linearized"]["switch"] else names


@dataclass(frozen=True)
class Job:
    """One job: its rule, its wildcards, and the names of the jobs it waits for."""

    rule: str
    wildcards: dict[str, str | int] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Path of the job's benchmark, below the folder of benchmarks and without its suffix."""
        return NAMES[self.rule].format(**self.wildcards)


def jobs(config: Mapping) -> Iterator[Job]:
    """Every job of a resolved config from nothing, none before those it needs."""
    experiments = config["experiments"]
    for dataset in dict.fromkeys(e["dataset"] for e in experiments.values()):
        yield Job("dataset", {"dataset": dataset})
    gathered = {name: [] for name in experiments}  # what figures wait for
    for name, experiment in experiments.items():
        for seed in experiment["seeds"]:
            for job in _of_run(experiment, {"experiment": name, "seed": seed}):
                yield job
                if job.rule in ("grid", "chaos", "switches", "cone", "plane"):
                    gathered[name].append(job.name)
    estimates = []
    for name, experiment in experiments.items():
        families = [] if experiment["counterexample"] else estimators(experiment)
        for family in families:
            job = Job("inflection", {"experiment": name, "estimator": family}, tuple(gathered[name]))
            yield job
            gathered[name].append(job.name)
            estimates.append(job.name)
    yield Job("phases", {}, tuple(estimates))
    everything = tuple(need for names in gathered.values() for need in names)
    yield Job("claims", {}, (*everything, "phases"))
    for figure in FIGURES:
        rows = shown(experiments, figure)
        needs = ("claims",) if figure == "readings" else tuple(need for name in rows for need in gathered[name])
        if rows:
            yield Job(figure, {}, needs)
    yield Job("claims_page", {}, ("claims",))
    yield Job("experiment_pages", {}, ("claims",))
    yield Job("explorer", {}, everything)


def _of_run(experiment: Mapping, of: dict) -> Iterator[Job]:
    """The jobs of one experiment and seed; of a counterexample, those for its figure."""

    def job(rule, *needs, **wildcards):
        return Job(rule, of | wildcards, tuple(need.name for need in needs))

    trajectory = Job("trajectory", of, (NAMES["dataset"].format(dataset=experiment["dataset"]),))
    kernels = job("kernels", trajectory, run="trajectory")
    yield from (trajectory, kernels)
    sources = {"S": kernels}
    if not experiment["counterexample"]:
        predictions = job("predictions", trajectory, run="trajectory")
        yield predictions
        sources |= {"C": trajectory, "D": predictions, "B": trajectory}
        forks, measured = [], []
        for b in range(len(fork_blocks(experiment))):
            fork = job("forks", trajectory, block=b)
            forks.append(fork)
            rest = [
                job("predictions", fork, run=f"forks/{b}"),
                job("kernels", fork, run=f"forks/{b}"),
                job("fork_barriers", fork, block=b),
            ]
            measured += rest
            yield from (fork, *rest)
        if forks:
            yield job("chaos", kernels, predictions, *measured)
            yield job("plane", *forks)
        if forks or NEEDS["fig5"](experiment):
            yield job("cone", kernels)
        switches = [job("linearized", trajectory, block=b) for b in range(len(switch_blocks(experiment)))]
        yield from switches
        if switches:
            yield job("switches", *switches)
    for metric, source in sources.items():
        pairs = grids.block_pairs(len(metric_blocks(experiment, metric)))
        blocks = [job(f"block_{metric}", source, bi=i, bj=j) for i, j in pairs]
        yield from blocks
        yield job("grid", *blocks, metric=metric)
