"""The checked config, and what rules ask of it. No rules here."""

import os
import re
import sys
import time
from pathlib import Path

WORKFLOW = Path(workflow.current_basedir).parent
# The library, where it is not installed; jobs find it through scripts/_library.py.
sys.path.insert(0, str(WORKFLOW))

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from twophase import estimate, grids, locks, plan, storage, summary, workload
from twophase.code import code_digest, template_digests
from twophase.config import check_keys, resolve
from twophase.errors import UserError

# The example is used where no config is given. Not a `configfile:` directive, which would mix it into one that is.
if not workflow.config_settings.configfiles and config == workflow.config_settings.overwrite_config:
    changes, config = config, load_configfile(WORKFLOW.parent / "config" / "demo.yaml")
    update_config(config, changes)
try:
    for path in workflow.config_settings.configfiles:
        check_keys(path)
    config = resolve(config)
except UserError as error:
    raise WorkflowError(f"In the config: {error}") from None

STARTED = time.time()
RESULTS = config["results"]
CALIBRATION = f"{RESULTS}/calibration.json"  # what `snakemake estimate` measured
REQUESTS = estimate.Requests(config, CALIBRATION)
RUN = f"{RESULTS}/{{experiment}}/seed{{seed}}"
EXPERIMENTS = config["experiments"]


def start_run():
    """Keeps other runs out of the results. Jobs of a run that was killed do so, too, until they have ended."""
    try:
        locks.start_run(RESULTS)
    except UserError as error:
        raise WorkflowError(str(error)) from None


wildcard_constraints:
    experiment="|".join(map(re.escape, EXPERIMENTS)),
    dataset="|".join(map(re.escape, config["datasets"])),
    seed=r"\d+",
    block=r"\d+",
    bi=r"\d+",
    bj=r"\d+",
    run=r"trajectory|forks/\d+",
    metric="|".join(plan.METRICS),
    estimator="|".join(plan.ESTIMATORS),


def of(*keys):
    """A param or resource: the value at `keys` in the config of the job's experiment."""

    def value(wildcards):
        part = EXPERIMENTS[wildcards.experiment]
        for key in keys:
            part = part[key]
        return part

    return value


def without(keys, *dropped):
    """Like `of`, for a mapping, less some of its keys."""

    def value(wildcards):
        return {key: item for key, item in of(*keys)(wildcards).items() if key not in dropped}

    return value


def training_settings(wildcards):
    """A param: how networks train. The engine concerns forks alone, and is a param of theirs."""
    return without(["training"], "engine")(wildcards)


def seed(wildcards):
    return int(wildcards.seed)


def data_file(wildcards):
    return f"{RESULTS}/data/{EXPERIMENTS[wildcards.experiment]['dataset']}.safetensors"


def image_folder(wildcards):
    dataset = config["datasets"][wildcards.dataset]
    return os.path.expanduser(dataset["root"]) if dataset["source"] == "imagefolder" else []


def machine_cores(wildcards):
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def gpus(wildcards):
    """One GPU for a job that will use one."""
    return int(plan.uses_gpu(of("training", "device")(wildcards)))


def check_devices():
    """Stops a run on a cluster, before its first job, whose config leaves the device to the machine that looks."""
    unsure = [name for name, e in EXPERIMENTS.items() if e["training"]["device"] == "auto"]
    if workflow.non_local_exec and unsure:
        raise WorkflowError(
            f"training.device of {', '.join(unsure)} is auto, which tells a cluster nothing: whether this machine has a "
            "GPU is not whether the node of a job will. Write cuda, for which jobs ask for a GPU, or cpu in the config, "
            "or add: --config 'defaults={training: {device: cuda}}'"
        )


def requests(rule):
    """Resources of a rule's jobs as `estimate` reckons them: `mem_mb`, `runtime` (minutes) and `disk_mb`.

    A job that failed, where the profile has `retries`, asks for more memory and time: it may have had too little.
    """

    def of(resource):
        return lambda wildcards, attempt: REQUESTS.of(rule, wildcards, attempt)[resource]

    return {resource: of(resource) for resource in ("mem_mb", "runtime", "disk_mb")}


def torch_threads(wildcards):
    return of("training", "threads")(wildcards)


# Blocks of forks, switches and pairs --------------------------------------------------------------------------------


def fork_blocks(experiment):
    return plan.fork_blocks(EXPERIMENTS[experiment])


def switch_blocks(experiment):
    return plan.switch_blocks(EXPERIMENTS[experiment])


def metric_blocks(experiment, metric):
    return plan.metric_blocks(EXPERIMENTS[experiment], metric)


def block_t0s(wildcards):
    return fork_blocks(wildcards.experiment)[int(wildcards.block)]


def block_switches(wildcards):
    return switch_blocks(wildcards.experiment)[int(wildcards.block)]


def side(metric, index):
    """A param: the iterations along one side ('bi' rows, 'bj' columns) of a block of a metric's grid."""

    def times(wildcards):
        return metric_blocks(wildcards.experiment, metric)[int(wildcards[index])]

    return times


def origin(metric):
    """A param: a digest of all settings that a pair's value depends on, whichever blocks the grid is cut into."""

    def value(wildcards):
        experiment = EXPERIMENTS[wildcards.experiment]
        settings = [config["datasets"][experiment["dataset"]], experiment["model"], training_settings(wildcards)]
        own = {"S": "kernel", "B": "barrier"}.get(metric)
        if own:
            settings.append(without([own], "grid", "block")(wildcards))
        return storage.digest([metric, wildcards.experiment, wildcards.seed, *settings])

    return value


def grid_blocks(wildcards):
    count = len(metric_blocks(wildcards.experiment, wildcards.metric))
    blocks = f"{RUN}/blocks/{wildcards.metric}".format(**wildcards)
    return [f"{blocks}/{i}-{j}.parquet" for i, j in grids.block_pairs(count)]


def over_blocks(pattern, blocks):
    """An input: `pattern`, with {block}, for each block of the job's experiment."""

    def paths(wildcards):
        return [pattern.format(**wildcards, block=b) for b in range(len(blocks(wildcards.experiment)))]

    return paths


def kernel_steps(wildcards):
    """A param: the iterations of a run at which the kernel is needed."""
    return plan.kernel_steps(EXPERIMENTS[wildcards.experiment], wildcards.run)


# What a figure shows ------------------------------------------------------------------------------------------------


def shown(figure):
    """Names of the experiments that are rows of `figure`, in the order of the config."""
    return plan.shown(EXPERIMENTS, figure)


def titles(figure):
    return {name: EXPERIMENTS[name]["title"] for name in shown(figure)}


def style(figure):
    """A param: how `figure` looks, its own settings over those of all."""
    common = {key: value for key, value in config["figures"].items() if key not in plan.FIGURES}
    return common | config["figures"].get(figure, {}) | {"note": note(figure)}


def note(figure):
    """What stands in small print under `figure`: its experiments and their seeds."""
    titles_of = {}
    for experiment in map(EXPERIMENTS.get, shown(figure)):
        titles_of.setdefault(tuple(experiment["seeds"]), []).append(experiment["title"])
    return "; ".join(
        f"{', '.join(titles)}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
        for seeds, titles in titles_of.items()
    )


def tables(figure, name):
    """An input: the table `name` of every experiment and seed in `figure`."""

    def paths(wildcards):
        check_shown(figure)
        return [f"{RESULTS}/{e}/seed{s}/{name}" for e in shown(figure) for s in EXPERIMENTS[e]["seeds"]]

    return paths


def check_shown(figure):
    if not shown(figure):
        raise WorkflowError(
            f"{figure} has no experiment to show in this config; config/README.md says which keys it needs."
        )


def all_claims(wildcards):
    """An input of the figure that shows all experiments' claims side by side."""
    check_shown("readings")
    return f"{RESULTS}/claims.parquet"


def estimators(experiment):
    """The families of estimates that an experiment has the tables for."""
    return plan.estimators(EXPERIMENTS[experiment])


def estimates(figure, family):
    """An input: one family of estimates of every experiment in `figure` that has it."""
    return [f"{RESULTS}/{e}/phases/{family}.parquet" for e in shown(figure) if family in estimators(e)]


def all_estimates(wildcards):
    names = [name for name, experiment in EXPERIMENTS.items() if not experiment["counterexample"]]
    return [f"{RESULTS}/{e}/phases/{family}.parquet" for e in names for family in estimators(e)]


def phases_if_any(wildcards):
    """An input: the table of all estimates, as a list that is empty where there are none."""
    return [f"{RESULTS}/phases.parquet"] if all_estimates(wildcards) else []


def estimator_tables(wildcards):
    experiment = EXPERIMENTS[wildcards.experiment]
    names = plan.estimator_tables(experiment, wildcards.estimator)
    return [f"{RESULTS}/{wildcards.experiment}/seed{s}/{n}.parquet" for s in experiment["seeds"] for n in names]


def each(figure, *keys):
    """A param: the value at `keys` of every experiment in `figure`."""
    values = {}
    for name in shown(figure):
        part = EXPERIMENTS[name]
        for key in keys:
            part = part[key]
        values[name] = part
    return values


def drops(figure):
    """A param: when the learning rate drops, for every experiment in `figure`."""
    schedules = {name: EXPERIMENTS[name]["training"]["schedule"] for name in shown(figure)}
    return {name: s["milestones"] if s["kind"] == "step" else [] for name, s in schedules.items()}


# What the explorer shows ---------------------------------------------------------------------------------------------


def of_every_run(name, wanted):
    """An input: the file `name` of every seed of the experiments that are `wanted`."""
    return [f"{RESULTS}/{e}/seed{s}/{name}" for e, part in EXPERIMENTS.items() if wanted(part) for s in part["seeds"]]


def of_every_fork_block(pattern):
    """An input: the file `pattern`, with {block}, of every block of forks of every run that has forks."""
    blocks = [
        (e, s, b)
        for e, part in EXPERIMENTS.items()
        if has_forks(part)
        for s in part["seeds"]
        for b in range(len(fork_blocks(e)))
    ]
    return [f"{RESULTS}/{e}/seed{s}/{pattern.format(block=b)}" for e, s, b in blocks]


def explorer_tables(wildcards):
    """Every table that a view shows; of a counterexample, its S."""
    paths = of_every_run("S.parquet", lambda e: True)
    for name in ("C", "B", "D", "cone"):
        paths += of_every_run(f"{name}.parquet", lambda e: not e["counterexample"])
    for name in ("chaos", "perturbations"):
        paths += of_every_run(f"{name}.parquet", has_forks)
    return paths


def judged_tables(wildcards):
    """Every table that a claim is about."""
    paths = of_every_run("S.parquet", lambda e: e["cone"]["dt"])
    for distance, names in plan.DISTANCES.items():
        for name in names:
            wanted = lambda e: has_forks(e) and e["phases"]["distance"] == distance
            paths += of_every_run(f"{name}.parquet", wanted)
    return paths + of_every_run("linearized.parquet", lambda e: e["linearized"]["switch"] and not e["counterexample"])


def described(name):
    """What pages say of an experiment, beside its tables."""
    part = EXPERIMENTS[name]
    schedule = part["training"]["schedule"]
    return {
        "title": part["title"],
        "counterexample": part["counterexample"],
        "seeds": part["seeds"],
        "iterations": part["training"]["iterations"],
        "drops": schedule["milestones"] if schedule["kind"] == "step" else [],
        "tau": part["cone"]["tau"],
        "dt": part["cone"]["dt"],
        "size": part["chaos"]["size"],
        "norm": part["chaos"]["norm"],
        "barrier": part["barrier"]["metric"],
        "level": part["phases"]["level"],
    }


def has_forks(experiment):
    return experiment["chaos"]["t0"] and not experiment["counterexample"]


def every_figure(wildcards):
    return [f"{RESULTS}/figures/{name}.{kind}" for name in plan.FIGURES if shown(name) for kind in ("pdf", "png")]


def every_table(wildcards):
    """Grids of every experiment and seed, control, estimates, claims; of a counterexample, what its figure needs."""
    names = {}
    for name, e in EXPERIMENTS.items():
        names[name] = ["S"] if e["counterexample"] else [*plan.METRICS, *(["control"] if e["chaos"]["t0"] else [])]
    tables = [f"{RESULTS}/{e}/seed{s}/{n}.parquet" for e in names for s in EXPERIMENTS[e]["seeds"] for n in names[e]]
    phases = phases_if_any(wildcards)
    pages = [f"{RESULTS}/phases.html"] if phases else []
    return [*tables, *phases, *pages, f"{RESULTS}/claims.parquet", f"{RESULTS}/claims.html"]
