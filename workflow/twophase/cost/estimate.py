"""The cost of a config: time, memory and disk of every job, from unit costs that `calibration` measures. No torch.

    seconds of a job = sum over units of (how often the job does it) x (seconds that it takes)

How often is said by `workload`. Snakemake's own time between jobs is not in it.
"""

import csv
import heapq
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from twophase.config import plan
from twophase.config.figures import FIGURES
from twophase.cost import sizes, workload
from twophase.errors import UserError
from twophase.runtime import gpus

MIB = 2**20
# Requests of a job: what is estimated, times the margin; where nothing was measured, guesses on the large
# side (memory in MiB, on top of the states and vectors that a job holds; minutes).
MARGIN = {"memory": 1.5, "runtime": 3, "disk": 1.2}
SNAKEMAKE = 350  # MiB: on a cluster, two Snakemakes start the job and count as part of it
BOUNDS = {
    "dataset": (4000, 60),
    "trajectory": (4000, 720),
    "predictions": (4000, 240),
    "forks": (4000, 1440),
    "fork_barriers": (4000, 720),
    "kernels": (8000, 720),
    "pointwise_measures": (8000, 720),
    "linearized": (8000, 1440),
    "block_B": (4000, 720),
}
TABLE_BOUND = (1000, 60)


@dataclass(frozen=True)
class Cost:
    """The estimate for one job.

    Attributes:
        name, rule, needs: as in `plan.Job`.
        seconds: wall time of the job.
        cores, gpus: what it occupies meanwhile.
        memory: peak, in MiB, of the machine's memory; a GPU's own is not estimated.
        disk: MiB left behind.
    """

    name: str
    rule: str
    needs: tuple[str, ...]
    seconds: float
    cores: int
    gpus: int
    memory: float
    disk: float


def read_calibration(path: str | Path) -> dict:
    """What was measured on this machine, by experiment; empty where nothing was.

    Raises:
        UserError: the file is damaged, or an older version's.
    """
    if not Path(path).exists():
        return {}
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))["experiments"]
        complete = all({"about", "units", "memory", "sizes"} <= measured.keys() for measured in found.values())
    except (ValueError, KeyError, TypeError, AttributeError):
        complete = False
    if not complete:
        raise UserError(f"{path} is damaged, or an older version's; delete it, and snakemake estimate measures anew.")
    return found


def costs(config: Mapping, calibration: Mapping[str, Mapping]) -> list[Cost]:
    """The estimate for every job of a resolved config, none before those it needs.

    Args:
        calibration: of `read_calibration`: for each experiment `units` (seconds), `memory` (MiB) and `sizes`.

    Raises:
        UserError: an experiment was not measured.
    """
    experiments = config["experiments"]
    missing = sorted(experiments.keys() - calibration.keys())
    if missing:
        raise UserError(f"Nothing was measured for {', '.join(missing)}: run snakemake estimate with this config.")
    known = {name: calibration[name]["sizes"] for name in experiments}
    found = []
    for job in plan.jobs(config):
        done = workload.work(job.rule, job.wildcards, experiments, known)
        # What serves several experiments takes the same time whichever of them it was measured with.
        of = job.wildcards.get("experiment", next(iter(experiments)))
        training, heavy = experiments[of]["training"], "start" in done.counts and job.rule != "dataset"
        measured = calibration[of]
        found.append(
            Cost(
                job.name,
                job.rule,
                job.needs,
                done.seconds(measured["units"]),
                training["threads"] if heavy else 1,
                int(heavy and gpus.uses_gpu(training["device"])),
                measured["memory"][done.peak] + done.held / MIB,
                done.disk / MIB,
            )
        )
    return found


def makespan(jobs: Iterable[Cost], cores: int, gpus: int = 1) -> float:
    """Seconds from the first job to the last when each starts, in the order given, as soon as it can.

    Args:
        cores, gpus: that run jobs side by side; a job that wants more gets all.
    """
    waiting = {job.name: job for job in jobs}
    running, done, now = [], set(), 0.0
    free, free_gpus = cores, gpus
    while waiting or running:
        for job in list(waiting.values()):
            taken, taken_gpus = min(job.cores, cores), min(job.gpus, gpus)
            if taken <= free and taken_gpus <= free_gpus and done.issuperset(job.needs):
                free, free_gpus = free - taken, free_gpus - taken_gpus
                heapq.heappush(running, (now + job.seconds, job.name, taken, taken_gpus))
                del waiting[job.name]
            if not free:
                break
        now, name, taken, taken_gpus = heapq.heappop(running)
        free, free_gpus = free + taken, free_gpus + taken_gpus
        done.add(name)
    return now


def by_rule(jobs: Iterable[Cost]) -> dict[str, dict]:
    """For each kind of rule and for `total`: jobs, core and GPU hours, longest job (s), peak memory and disk (MiB)."""
    table = {}
    for job in jobs:
        for kind in (kind_of(job.rule), "total"):
            row = table.setdefault(
                kind, {"jobs": 0, "core_hours": 0.0, "gpu_hours": 0.0, "longest": 0.0, "memory": 0.0, "disk": 0.0}
            )
            row["jobs"] += 1
            row["core_hours"] += job.seconds * job.cores / 3600
            row["gpu_hours"] += job.seconds * job.gpus / 3600
            row["longest"] = max(row["longest"], job.seconds)
            row["memory"] = max(row["memory"], job.memory)
            row["disk"] += job.disk
    table["total"] = table.pop("total")
    return table


def kind_of(rule: str) -> str:
    """Figures count as one kind."""
    return "figures" if rule in FIGURES else rule


def benchmarks(folder: str | Path) -> dict[str, tuple[float, float]]:
    """Wall time (s) and peak memory (MiB, NaN where the job was too short to tell) of the finished jobs, by name."""
    found = {}
    for path in sorted(Path(folder).rglob("*.tsv")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        if rows:
            memory = rows[-1]["max_rss"]
            number = float(memory) if memory.replace(".", "", 1).isdigit() else math.nan
            found[path.relative_to(folder).with_suffix("").as_posix()] = float(rows[-1]["s"]), number
    return found


def compare(jobs: Iterable[Cost], measured: Mapping[str, tuple[float, float]]) -> dict[str, dict]:
    """An estimate beside what finished jobs took, for each kind of rule and for `total`.

    Args:
        measured: of `benchmarks`. Jobs that are not in it do not enter on either side.

    Returns:
        by kind: jobs, `estimated` and `measured` (s in all), `ratio` (measured to estimated), and `memory_ratio`
        (the largest peaks); NaN where there is nothing to divide.
    """
    table = {}
    for job in jobs:
        if job.name not in measured:
            continue
        seconds, memory = measured[job.name]
        for kind in (kind_of(job.rule), "total"):
            row = table.setdefault(kind, {"jobs": 0, "estimated": 0.0, "measured": 0.0, "memory": [0.0], "peak": [0.0]})
            row["jobs"] += 1
            row["estimated"] += job.seconds
            row["measured"] += seconds
            if not math.isnan(memory):
                row["memory"].append(job.memory)
                row["peak"].append(memory)
    for row in table.values():
        row["ratio"] = row["measured"] / row["estimated"] if row["estimated"] else math.nan
        expected, peak = max(row.pop("memory")), max(row.pop("peak"))
        row["memory_ratio"] = peak / expected if expected else math.nan
    return table | ({"total": table.pop("total")} if table else {})


class Requests:
    """Resources of every job that rules may ask about, whether or not a run of everything has it.

    Args:
        config: resolved.
        path_to_calibration: used where it is there and still fits an experiment.
    """

    def __init__(self, config: Mapping, path_to_calibration: str | Path):
        calibration = read_calibration(path_to_calibration)
        self.experiments, self.known, self.measured, self.asked = config["experiments"], {}, {}, {}
        for name, experiment in self.experiments.items():
            path_to_data = f"{config['results']}/data/{experiment['dataset']}.safetensors"
            found = sizes.shape(config["datasets"][experiment["dataset"]], path_to_data)
            measured = calibration.get(name)
            fits = measured and measured["about"] == sizes.about(experiment, found)
            self.measured[name] = measured if fits else None
            self.known[name] = sizes.of_network(experiment, found, (self.measured[name] or {}).get("sizes"))

    def of(self, rule: str, wildcards: Mapping, attempt: int = 1) -> dict[str, int]:
        """`mem_mb`, `runtime` (minutes) and `disk_mb` of one job.

        Args:
            attempt: the n-th time that the job is submitted asks for n times the memory and the time.
        """
        key = (rule, *wildcards.items())  # Snakemake asks for each resource by itself, and more than once
        if key not in self.asked:
            of = wildcards.get("experiment", next(iter(self.experiments)))
            done = workload.work(rule, wildcards, self.experiments, self.known)
            self.asked[key] = request(done, rule, self.measured[of])
        asked = self.asked[key]
        return asked | {"mem_mb": attempt * asked["mem_mb"], "runtime": attempt * asked["runtime"]}


def request(work: workload.Work, rule: str, measured: Mapping | None) -> dict[str, int]:
    """Resources that a job asks for: `mem_mb`, `runtime` (minutes) and `disk_mb`.

    Args:
        measured: calibration of the job's experiment: estimate times `MARGIN`, and `SNAKEMAKE`. Without, `BOUNDS`.
    """
    disk = math.ceil(MARGIN["disk"] * work.disk / MIB) + 1
    if measured:
        memory = MARGIN["memory"] * (measured["memory"][work.peak] + work.held / MIB) + SNAKEMAKE
        runtime = max(10.0, MARGIN["runtime"] * work.seconds(measured["units"]) / 60)
    else:
        memory, runtime = BOUNDS.get(rule, TABLE_BOUND)
        memory += work.held / MIB
    return {"mem_mb": 100 * math.ceil(memory / 100), "runtime": math.ceil(runtime), "disk_mb": disk}


def report(jobs: list[Cost], cores: int, measured: Mapping[str, tuple[float, float]]) -> str:
    """The estimate as a text table, with the wall time on so many cores, and what finished jobs took beside it."""
    finished, table = compare(jobs, measured), by_rule(jobs)
    on_gpu = table["total"]["gpu_hours"] > 0
    head = ["rule", "jobs", "core hours", *(["GPU hours"] if on_gpu else []), "longest job", "memory", "disk"]
    lines = [head + (["finished", "took / estimated"] if finished else [])]
    for kind, row in table.items():
        line = [kind, f"{row['jobs']:,}", f"{row['core_hours']:.3g}", *([f"{row['gpu_hours']:.3g}"] if on_gpu else [])]
        line += [duration(row["longest"]), size(row["memory"]), size(row["disk"])]
        if finished:
            line += [f"{finished[kind]['jobs']:,}", f"{finished[kind]['ratio']:.2f}"] if kind in finished else ["", ""]
        lines.append(line)
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    rule = "-" * (sum(widths) + 2 * len(widths) - 2)
    text = [
        "  ".join(
            f"{cell:<{w}}" if k == 0 else f"{cell:>{w}}" for k, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    text = [text[0], rule, *text[1:-1], rule, text[-1]]
    devices = max(1, len(gpus.visible()))  # a run that wants one waits for it
    where = f"{cores} core{'s' * (cores > 1)}" + (f" and {devices} GPU{'s' * (devices > 1)}" if on_gpu else "")
    text.append(f"\nFrom nothing to the last figure: about {duration(makespan(jobs, cores, devices))} on {where}.")
    return "\n".join(text)


def duration(seconds: float) -> str:
    """Seconds as a person would say them: `45 s`, `12 min`, `3.2 h`, `5 d`."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.2g} {name}" if seconds / unit < 10 else f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.3g} d"


def size(mebibytes: float) -> str:
    """MiB as `12 MiB` or `3.4 GiB`."""
    return (
        f"{mebibytes / 1024:.3g} GiB"
        if mebibytes >= 1000
        else f"{max(mebibytes, 0.01):.2g} MiB"
        if mebibytes < 10
        else f"{mebibytes:.0f} MiB"
    )
