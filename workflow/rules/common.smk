"""The checked config, and what rules ask of it. No rules here."""

import os
import re
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from snakemake.sourcecache import HostingProviderFile, LocalGitFile


def on_disk(source):
    """The folder of a source file: where it is; of a git reference, in a checkout of its commit in Snakemake's cache.

    Snakemake itself takes from a git reference each file that a rule names. The library is more than these.
    """
    if not isinstance(source, (HostingProviderFile, LocalGitFile)):
        return Path(source)
    if isinstance(source, LocalGitFile):
        import git

        repository = git.Repo(source.repo_path)
    else:
        repository = source.hosted_repo.repo
    commit = repository.commit(source.ref).hexsha
    checkout = Path(workflow.sourcecache.cache_path) / "twophase" / commit
    if not checkout.exists():
        checkout.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=checkout.parent) as new, tempfile.TemporaryFile() as packed:
            repository.archive(packed, commit, path=["workflow", "config"])
            packed.seek(0)
            with tarfile.open(fileobj=packed) as archive:
                archive.extractall(f"{new}/whole", filter="data")
            try:
                os.rename(f"{new}/whole", checkout)
            except OSError:  # another process was first
                pass
    return checkout / source.path


# An importing workflow that has rules before it has this one has a default target.
OWN_TARGET = workflow.default_target is None
WORKFLOW = on_disk(workflow.current_basedir).parent
# The library, where it is not installed.
sys.path.insert(0, str(WORKFLOW))

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from twophase.config import estimators, figures, grids, plan, schema, targets
from twophase.config.resolve import check_images, resolve, settings_of
from twophase.cost import estimate, sizes
from twophase.data import sources
from twophase.errors import UserError
from twophase.files import storage
from twophase.networks import own
from twophase.report import captions, markup
from twophase.runtime import summary, terminal
from twophase.runtime.digests import code_digest, template_digests
from twophase.runtime.gpus import uses_gpu
from twophase.runtime.job import set_environment

set_environment()

# Snakemake hands this path to the shell as it is: the first job would end with "command not found".
if re.search(r"[^\w@%+=:,./~-]", sys.executable):
    raise WorkflowError(
        f"Snakemake cannot start jobs with {sys.executable}: its path has a space or another sign that a shell reads as "
        "its own. Make the environment in a folder without."
    )

# Where another workflow has this one as a module, what to print and to make is its business.
IS_MAIN = Path(workflow.main_snakefile).resolve() in {WORKFLOW / "Snakefile", WORKFLOW.parent / "Snakefile"}
if IS_MAIN and workflow.is_main_process:
    terminal.set_up(lambda target: mistaken(target), lambda: summary.closing(RESULTS, JUDGED), workflow.output_settings)

# The example is used where no config is given. Not a `configfile:` directive, which would mix it into one that is.
if not workflow.config_settings.configfiles and config == workflow.config_settings.overwrite_config:
    changes, config = config, load_configfile(WORKFLOW.parent / "config" / "demo.yaml")
    update_config(config, changes)
# Jobs, too, look for networks of the user's own from here.
os.environ[own.FOLDER] = str(Path(workflow.configfiles[0] if workflow.configfiles else "config.yaml").absolute().parent)
try:
    for path in workflow.config_settings.configfiles:
        schema.check_keys(path)
    config = resolve(config)
    check_images(config)
except UserError as error:
    raise WorkflowError(f"In the config: {error}") from None

config["captions"] = markup.captions(config["experiments"])

STARTED = time.time()
RESULTS = config["results"]
CALIBRATION = f"{RESULTS}/calibration.json"  # what `snakemake estimate` measured
try:
    REQUESTS = estimate.Requests(config, CALIBRATION)
except UserError as error:
    raise WorkflowError(str(error)) from None
RUN = f"{RESULTS}/{{experiment}}/seed{{seed}}"
EXPERIMENTS = config["experiments"]
# Where jobs share no disk with this machine, Snakemake sends them the files of the config: these as well.
workflow.configfiles += sorted(
    {str(own.path_of(e["model"]["name"])) for e in EXPERIMENTS.values() if "sha256" in e["model"]}
)
JUDGED = {name: plan.judged_tables(e) for name, e in EXPERIMENTS.items()}
SETTINGS = {name: settings_of(config, name) for name in EXPERIMENTS}


def mistaken(target):
    """What to say of a target that no rule makes."""
    names = [rule.name for rule in workflow.rules if not rule.has_wildcards()]
    return targets.mistaken(target, names, plan.FIGURES, [*every_figure(None), *every_table(None)])


wildcard_constraints:
    experiment="|".join(map(re.escape, EXPERIMENTS)),
    dataset="|".join(map(re.escape, config["datasets"])),
    seed=r"\d+",
    block=r"\d+",
    bi=r"\d+",
    bj=r"\d+",
    run=r"trajectory|forks/\d+",
    metric="|".join(plan.METRICS),
    estimator="|".join(estimators.ESTIMATORS),


def setting(*keys):
    """A param or resource: the value at `keys` in the config of the job's experiment."""

    def value(wildcards):
        part = EXPERIMENTS[wildcards.experiment]
        for key in keys:
            part = part[key]
        return part

    return value


def settings_without(keys, *dropped):
    """Like `setting`, for a mapping, less some of its keys."""

    def value(wildcards):
        return {key: item for key, item in setting(*keys)(wildcards).items() if key not in dropped}

    return value


def training_settings(wildcards):
    """A param: how networks train. The engine concerns forks alone, and is a param of theirs."""
    return settings_without(["training"], "engine")(wildcards)


def seed(wildcards):
    return int(wildcards.seed)


def data_file(wildcards):
    return f"{RESULTS}/data/{EXPERIMENTS[wildcards.experiment]['dataset']}.safetensors"


def own_data(wildcards):
    """The user's images or text; none for other sources."""
    dataset = config["datasets"][wildcards.dataset]
    own = dataset["source"] in sources.OWN and dataset["root"]
    return os.path.expanduser(dataset["root"]) if own else []


def file_bytes(wildcards):
    """The size of a zip file of images or of a file of text; None for other sources."""
    source = own_data(wildcards)
    return os.path.getsize(source) if source and os.path.isfile(source) else None


def machine_cores(wildcards):
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def gpu_if(used):
    """One GPU for jobs that will use one; other jobs don't name it, because some schedulers take 0 for a request."""
    return {
        "gpu": lambda wildcards: 1 if used(wildcards) else None,
        "gpu_manufacturer": lambda wildcards: "nvidia" if used(wildcards) else None,
    }


GPU = gpu_if(lambda wildcards: uses_gpu(setting("training", "device")(wildcards)))


def estimated_resources(rule):
    """Resources of a rule's jobs as `estimate` reckons them: `mem_mb`, `runtime` (minutes) and `disk_mb`.

    A job that failed, where the profile has `retries`, asks for more memory and time: it may have had too little.
    """

    def request(resource):
        return lambda wildcards, attempt: REQUESTS.of(rule, wildcards, attempt)[resource]

    return {resource: request(resource) for resource in ("mem_mb", "runtime", "disk_mb")}


def torch_threads(wildcards):
    return setting("training", "threads")(wildcards)


# Blocks of forks, switches and pairs --------------------------------------------------------------------------------


def fork_blocks(experiment):
    return plan.fork_blocks(EXPERIMENTS[experiment])


def switch_blocks(experiment):
    return plan.switch_blocks(EXPERIMENTS[experiment])


def metric_blocks(experiment, metric):
    return plan.metric_blocks(EXPERIMENTS[experiment], metric)


def block_t0s(wildcards):
    return fork_blocks(wildcards.experiment)[int(wildcards.block)]


def block_stops(wildcards):
    """A param: for each t0 of a block, when its forks are compared in full, and when for distances alone."""
    experiment = EXPERIMENTS[wildcards.experiment]
    return [[list(times) for times in plan.fork_stops(experiment, t0)] for t0 in block_t0s(wildcards)]


def block_switches(wildcards):
    return switch_blocks(wildcards.experiment)[int(wildcards.block)]


def side(metric, index):
    """A param: the iterations along one side ('bi' rows, 'bj' columns) of a block of a metric's grid."""

    def times(wildcards):
        return metric_blocks(wildcards.experiment, metric)[int(wildcards[index])]

    return times


def pair_digest(metric):
    """A param: a digest of all settings that a pair's value depends on, whichever blocks the grid is cut into."""

    def value(wildcards):
        experiment = EXPERIMENTS[wildcards.experiment]
        settings = [config["datasets"][experiment["dataset"]], experiment["model"], training_settings(wildcards)]
        own = {"S": ("kernel",), "B": ("barrier", "evaluation"), "D": ("evaluation",)}.get(metric, ())
        settings += [settings_without([part], "grid", "block", "forks")(wildcards) for part in own]
        if metric == "C":
            settings.append(setting("pairs", "vector")(wildcards))
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


def of_other_seed(file):
    """An input: the file of that name of the run that the job's seed is compared with."""

    def path(wildcards):
        experiment = wildcards.experiment
        return f"{RESULTS}/{experiment}/seed{other_seed(wildcards)}/{file}"

    return path


def other_seed(wildcards):
    return plan.other_seed(EXPERIMENTS[wildcards.experiment], int(wildcards.seed))


def fork_kernels(wildcards):
    """An input: the kernels of all forks; none where the config wants none."""
    if not setting("kernel", "forks")(wildcards):
        return []
    return over_blocks(f"{RUN}/kernels/forks/{{block}}", fork_blocks)(wildcards)


def kernel_steps(wildcards):
    """A param: the iterations of a run at which the kernel is needed."""
    return plan.kernel_steps(EXPERIMENTS[wildcards.experiment], wildcards.run)
