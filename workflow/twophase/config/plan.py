"""The jobs of a config, and the order that they need. No torch.

The rules ask this module how experiments are cut into jobs, so that what is planned and what is estimated agree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from twophase.config import estimators, figures, grids
from twophase.config.figures import FIGURES
from twophase.files.layout import Stops

METRICS = {"C": "pairs", "D": "pairs", "B": "barrier", "S": "kernel"}  # metric: part of the config with its grid
# What figures and claims wait for.
GATHERED = {"grid", "chaos", "switches", "cone", "plane", "independent", "pointwise_measures"}
GATHERED |= {"layer_distances", "layer_chaos"}
NAMES = {  # rule: its jobs, named as the files of their benchmarks
    "dataset": "dataset/{dataset}",
    **{
        rule: f"{{experiment}}/seed{{seed}}/{rule}"
        for rule in {"trajectory", "layer_kernels", *GATHERED} - {"grid"}  # a grid has the name of its metric
    },
    **{rule: f"{{experiment}}/seed{{seed}}/{rule}/{{run}}" for rule in ("predictions", "kernels")},
    **{rule: f"{{experiment}}/seed{{seed}}/{rule}/{{block}}" for rule in ("forks", "fork_barriers", "linearized")},
    **{f"block_{metric}": f"{{experiment}}/seed{{seed}}/blocks/{metric}/{{bi}}-{{bj}}" for metric in METRICS},
    "grid": "{experiment}/seed{seed}/grid/{metric}",
    "inflection": "{experiment}/phases/{estimator}",
    "phases": "phases",
    "experiment_pages": "experiment_pages",
    "claims": "claims",
    "claims_page": "claims_page",
    "figures_page": "figures_page",
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


def fork_stops(experiment: Mapping, t0: int) -> Stops:
    """When the forks from t0 are compared with the base run."""
    chaos = experiment["chaos"]
    kept = {t1 for t1 in chaos["t1"] if t1 > t0} | {t0 + lag for lag in chaos["lags"]}
    dense, last = chaos["dense"], max(kept)
    between = {*dense["t1"], *(t0 + lag for lag in dense["lags"])}
    return Stops(tuple(sorted(kept)), tuple(sorted(t for t in between - kept if t0 < t < last)))


def dense_steps(experiment: Mapping) -> list[int]:
    """The iterations at which the base run's state is needed for distances of forks alone."""
    needed = {t for t0 in experiment["chaos"]["t0"] for t in fork_stops(experiment, t0).dense}
    return sorted(needed - set(experiment["checkpoints"]))


def kernel_steps(experiment: Mapping, run: str) -> list[int]:
    """The iterations of a run at which the kernel is needed: for the grid S, and where forks are compared."""
    compared = set()
    if experiment["kernel"]["forks"]:
        compared = {t1 for t0 in experiment["chaos"]["t0"] for t1 in fork_stops(experiment, t0).t1s}
    return sorted(compared if run != "trajectory" else compared | set(experiment["kernel"]["grid"]))


def described(experiment: Mapping) -> dict:
    """What the explorer says of a resolved experiment, beside its tables."""
    return {
        "title": experiment["title"],
        "counterexample": experiment["counterexample"],
        "seeds": experiment["seeds"],
        "iterations": experiment["training"]["iterations"],
        "drops": figures.drops(experiment),
        "tau": experiment["cone"]["tau"],
        "dt": experiment["cone"]["dt"],
        "until": experiment["linearized"]["until"],
        "size": experiment["chaos"]["size"],
        "norm": experiment["chaos"]["norm"],
        "noise": experiment["chaos"]["noise"],
        "barrier": experiment["barrier"]["metric"],
        "level": experiment["phases"]["level"],
        "distance": experiment["phases"]["distance"],
    }


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
        **{key: experiment["chaos"][key] for key in ("t0", "t1", "size", "noise")},
        **{key: experiment["linearized"][key] for key in ("switch", "until")},
        **experiment["phases"],
    }


def judged_tables(experiment: Mapping) -> list[str]:
    """The tables of every seed that its claims are about."""
    names = ["S"] if experiment["cone"]["dt"] else []
    if experiment["counterexample"]:
        return names
    if experiment["cone"]["dt"]:
        names.append("C")
    if experiment["chaos"]["t0"]:
        names += estimators.tables(experiment, "chaos")
        if experiment["phases"]["distance"] == "forks":
            names += ["control", "distances"]
    if experiment["pairs"]["independent"]:
        names.append("independent")
    if experiment["linearized"]["switch"]:
        names.append("linearized")
    if experiment["pointwise"]["grid"]:
        names.append("pointwise")
    return list(dict.fromkeys(names))


def other_seed(experiment: Mapping, seed: int) -> int:
    """The seed whose base run that of `seed` is compared with: the next one, the first after the last."""
    seeds = experiment["seeds"]
    return seeds[(seeds.index(seed) + 1) % len(seeds)]


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
                if job.rule in GATHERED:
                    gathered[name].append(job.name)
    estimates = []
    for name, experiment in experiments.items():
        for family in estimators.families(experiment):
            job = Job("inflection", {"experiment": name, "estimator": family}, tuple(gathered[name]))
            yield job
            gathered[name].append(job.name)
            estimates.append(job.name)
    yield Job("phases", {}, tuple(estimates))
    everything = tuple(need for names in gathered.values() for need in names)
    yield Job("claims", {}, (*everything, "phases"))
    drawn = []
    for name, figure in FIGURES.items():
        rows = figures.shown(experiments, name)
        of_runs = [need for row in rows for need in gathered[row]] if figure.tables else []
        if rows:
            drawn.append(job := Job(name, {}, (*of_runs, *figure.results)))
            yield job
    yield Job("claims_page", {}, ("claims",))
    yield Job("experiment_pages", {}, ("claims",))
    yield Job("figures_page", {}, tuple(job.name for job in drawn))
    yield Job("explorer", {}, (*everything, "claims"))


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
            rest = [job("predictions", fork, run=f"forks/{b}"), job("fork_barriers", fork, block=b)]
            if experiment["kernel"]["forks"]:
                rest.append(job("kernels", fork, run=f"forks/{b}"))
            measured += rest
            yield from (fork, *rest)
        if forks:
            yield job("chaos", kernels, predictions, *measured)
            yield job("plane", *forks)
        if experiment["pairs"]["independent"]:
            other = {**of, "seed": other_seed(experiment, of["seed"])}
            needs = [NAMES["trajectory"].format(**other), NAMES["predictions"].format(**other, run="trajectory")]
            yield Job("independent", of, (trajectory.name, predictions.name, *needs))
        switches = [job("linearized", trajectory, block=b) for b in range(len(switch_blocks(experiment)))]
        yield from switches
        if switches:
            yield job("switches", *switches)
        if experiment["pointwise"]["grid"]:
            yield job("pointwise_measures", trajectory, kernels)
        if experiment["layers"]["grid"]:
            by_layer = job("layer_kernels", trajectory)
            yield from (by_layer, job("layer_distances", trajectory, by_layer))
            if forks:
                yield job("layer_chaos", trajectory, *forks)
    for metric, source in sources.items():
        pairs = grids.block_pairs(len(metric_blocks(experiment, metric)))
        blocks = [job(f"block_{metric}", source, bi=i, bj=j) for i, j in pairs]
        yield from blocks
        grid = job("grid", *blocks, metric=metric)
        yield grid
        drawn = all(figures.value(experiment, key) for key in FIGURES["wfig3"].needs)
        if metric == "S" and (drawn or not experiment["counterexample"]):
            yield job("cone", grid)
