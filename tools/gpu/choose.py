"""Chooses the config and engine that fit the time: choose.py ENGINES.JSON SECONDS CONFIG [CONFIG ...], richest first.

Prints what it reckons, and a line for the shell: CONFIG=... MPS=... ARGUMENTS=(...). Only what the project has is
chosen from: `solo`, several jobs on the GPU at once, with or without MPS, and `lockstep`. `choose.py --done RESULTS`
sums up what a run's jobs took.
"""

import csv
import json
import shlex
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

START = 12.0  # seconds that a job takes before it trains: Python, torch, CUDA, the data set
AROUND = 50.0  # before the first and after the last job that trains: the data set, grids, estimates, figures
SHARE = 8  # jobs on the GPU at once, as measured
MARGIN = 1.1
UNITS = {"level": 0.04, "predictions": 0.05, "kernel": 0.15}  # seconds; guesses, where they were not measured


@dataclass(frozen=True)
class Engine:
    """`rate`: members x iterations a second, together; `arguments`: what Snakemake is told."""

    name: str
    rate: float
    arguments: tuple[str, ...] = ()
    mps: bool = False


def engines(rows, checks):
    """What a run can train with, by what was measured of ResNet-20: `solo`, and `lockstep` where members are equal."""
    rates = {(row["engine"], row["members"]): row["rate"] for row in rows}
    solo = rates.get((f"solo, eager, {SHARE} processes", SHARE), rates[("solo, eager", 1)])
    with_mps = rates.get((f"solo, eager, {SHARE} processes under MPS", SHARE), 0)
    found = [Engine("solo under MPS", with_mps, mps=True) if with_mps > 1.1 * solo else Engine("solo", solo)]
    stacks = {members: rate for (engine, members), rate in rates.items() if engine == "stack (vmap), eager"}
    equal = all(
        check["holds"]
        for check in checks
        if check["what"].startswith("stack of")
        and "members are equal" in check["what"]
        and "channels last" not in check["what"]
    )
    if stacks and equal:
        # All t0s in one block, whose stack grows as its forks join.
        arguments = ("--config", "defaults={training: {engine: lockstep}, chaos: {t0_per_job: 32}}")
        found.append(Engine("lockstep", stacks[max(stacks)], arguments))
    return found


def reckon(experiment, engine, alone, units):
    """Seconds of a run: the base run, then forks, linearized runs, barriers and kernels side by side.

    Args:
        alone: iterations a second of one network.
        units: seconds of a point on a path, of predictions, of a kernel; `linear`, linearized steps in standard ones.
    """
    chaos, linearized, end = experiment["chaos"], experiment["linearized"], max(experiment["chaos"]["t1"])
    t0s = [*chaos["t0"] * chaos["draws"], *chaos["control"]]
    forks = [end - t0 for t0 in t0s]
    switched = [linearized["until"] - switch for switch in linearized["switch"]]
    pairs = sum(t1 > t0 for t0 in t0s for t1 in chaos["t1"])
    grid = len(experiment["barrier"]["grid"])
    levels = (pairs + grid * (grid - 1) // 2) * (experiment["barrier"]["alphas"] - 2) + 2 * pairs + grid
    states = pairs + len(experiment["checkpoints"])
    kernels = pairs + len(experiment["kernel"]["grid"])
    other = levels * units["level"] + states * units["predictions"] + kernels * units["kernel"]
    base = experiment["training"]["iterations"] / alone
    size = chaos["t0_per_job"]
    longest = max(sum(forks[i : i + size]) for i in range(0, len(forks), size)) / alone
    if engine.name == "lockstep":
        longest = 0  # no fork is longer than the stack that it is part of
    work = (sum(forks) + sum(switched) * units["linear"]) / engine.rate + other
    return AROUND + START + base + START + max(longest, work)


def choose(found, seconds, configs):
    """The first config that fits with its fastest engine; where none fits, the fastest of all."""
    import yaml

    from twophase.config.resolve import resolve

    of = {key: [x for x in found[key] if x["model"] == "resnet20"] for key in ("rows", "checks", "units")}
    ms = {row["engine"]: row["ms"] for row in of["rows"] if row["members"] == 1}
    if "solo, eager" not in ms:
        sys.exit("choose.py: solo:resnet20 was not measured, which all else is reckoned from.")
    units = UNITS | {unit["key"]: unit["seconds"] for unit in of["units"] if unit.get("key")}
    units["linear"] = ms.get("linearized, eager", 2.5 * ms["solo, eager"]) / ms["solo, eager"]
    options = []
    for config in configs:
        experiment = next(iter(resolve(yaml.safe_load(Path(config).read_text()))["experiments"].values()))
        of_config = []
        for engine in engines(of["rows"], of["checks"]):
            needed = MARGIN * reckon(experiment, engine, 1e3 / ms["solo, eager"], units)
            print(f"{config}, {engine.name}: {engine.rate:.0f} members x it/s, about {needed:.0f} s")
            of_config.append((needed, config, engine))
        options.append(min(of_config, key=lambda option: option[0]))
    return next((option for option in options if option[0] <= seconds), min(options, key=lambda option: option[0]))


def main(path_to_engines, seconds, *configs):
    _, config, engine = choose(json.loads(Path(path_to_engines).read_text()), float(seconds), configs)
    arguments = shlex.join([*engine.arguments, "--prioritize", "fig3"])
    print(f"CONFIG={shlex.quote(config)} MPS={'1' if engine.mps else ''} ARGUMENTS=({arguments})")


def done(results):
    """Prints for each kind of job how many there were and how long they took."""
    taken = defaultdict(list)
    for path in sorted(Path(results, "benchmarks").rglob("*.tsv")):
        first, *parts = path.relative_to(Path(results, "benchmarks")).with_suffix("").parts
        kind = next((part for part in parts if not part.startswith("seed")), first)
        with open(path) as file:
            taken[kind].extend(float(row["s"]) for row in csv.DictReader(file, delimiter="\t"))
    print("| jobs | of | seconds, all | longest |\n| ---: | --- | ---: | ---: |")
    for kind, times in sorted(taken.items(), key=lambda item: -sum(item[1])):
        print(f"| {len(times)} | {kind} | {sum(times):.0f} | {max(times):.0f} |")


if __name__ == "__main__":
    done(sys.argv[2]) if sys.argv[1] == "--done" else main(*sys.argv[1:])
