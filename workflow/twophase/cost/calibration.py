"""Unit costs of `estimate`, measured on this machine in seconds.

Every measurement is made by several processes at once, as many as a run will keep busy: cores share caches and memory,
and two busy ones can each take 1.7 times as long as one alone.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from twophase.cost import timers
from twophase.data.dataset import content_digest
from twophase.errors import UserError
from twophase.files import storage
from twophase.runtime import gpus

# Beyond this number, copies add little to the load that they measure, and much memory.
MAX_COPIES = 8
VECTORS = 16  # on a side of the block of pairs
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure(abouts: Mapping[str, Mapping], cores: int) -> dict:
    """Unit costs for every experiment: `units` (s), `memory` (MiB) and `sizes`, see `workload`.

    Args:
        abouts: for each experiment what `sizes.about` says of it; what is equal in several is measured once.
        cores: on which a run will keep jobs going.
    """
    found, measured = {}, {}

    def once(kind: str, about: Mapping, folder: str, copies: int, *parts: str) -> dict:
        key = storage.digest([kind, {part: about[part] for part in parts}])
        if key not in measured:
            measured[key] = _in_copies(kind, about, folder, copies)
        return measured[key]

    for name, about in abouts.items():
        with tempfile.TemporaryDirectory() as folder:
            write_data(Path(folder) / "data.safetensors", about["shape"])
            settings = about["training"]
            # Jobs take turns on a GPU.
            copies = 1 if gpus.uses_gpu(settings["device"]) else max(1, cores // settings["threads"])
            torch = once("torch", about, folder, copies, "model", "training", "shape", "kernel")
            about = about | {"parameters": torch["sizes"]["parameters"]}
            parts = [torch, once("tables", about, folder, cores, "parameters", "phases")]
            parts.append(once("figures", about, folder, cores, "phases"))
        units, memory = ({k: v for part in parts for k, v in part[what].items()} for what in ("units", "memory"))
        found[name] = {"about": abouts[name], "units": units, "memory": memory, "sizes": torch["sizes"]}
    return found


def write_data(path: Path, shape: Mapping) -> None:
    """A canonical data file of random images of a given shape: time does not depend on what they show."""
    rng, arrays = np.random.default_rng(0), {}
    for split in ("train", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, (shape[split], *shape["image"]), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(shape[split]) % shape["classes"]
    channels = shape["image"][0]
    arrays |= {"mean": np.full(channels, 0.5, np.float32), "std": np.full(channels, 0.25, np.float32)}
    facts = {"classes": list(map(str, range(shape["classes"]))), "sha256": content_digest(arrays)}
    storage.write_tensors(path, arrays, facts)


def _in_copies(kind: str, about: Mapping, folder: str, copies: int) -> dict:
    """Runs this module as so many processes at once; means over them, the largest memory."""
    copies = min(copies, MAX_COPIES)
    # The library first, and all that makes Snakemake's own part of a script importable.
    path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    environment = os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONPATH": path}
    processes = []
    for copy in range(copies):
        work = Path(folder) / f"{kind}-{copy}"
        work.mkdir()
        task = {"kind": kind, "about": about, "data": f"{folder}/data.safetensors", "work": str(work)}
        (work / "task.json").write_text(json.dumps(task))
        command = [sys.executable, "-m", "twophase.cost.calibration", str(work), str(time.time())]
        processes.append(subprocess.Popen(command, env=environment))
    failed = [process.wait() for process in processes]
    if any(failed):
        raise UserError(f"Measuring {kind} of {about['model']['name']} failed; what went wrong is said above.")
    results = [json.loads((Path(folder) / f"{kind}-{c}" / "result.json").read_text()) for c in range(copies)]
    units = {unit: float(np.mean([r["units"][unit] for r in results])) for unit in results[0]["units"]}
    memory = {unit: max(r["memory"][unit] for r in results) for unit in results[0]["memory"]}
    return {"units": units, "memory": memory, "sizes": results[0].get("sizes", {})}


# What a process measures --------------------------------------------------------------------------------------------


def _torch(task: Mapping, began: float) -> dict:
    """The units of jobs that train, evaluate and differentiate."""
    _import_snakemake()
    import pandas  # noqa: F401  # as the jobs do

    from twophase.training.setup import set_up

    about, work, peak = task["about"], Path(task["work"]), timers.Peak()
    experiment = set_up(task["data"], about["model"], timers.fixed(about["training"]), 0)
    units, memory = {"start": time.time() - began}, {"start": peak.read()}

    timer = timers.Timers(experiment, work)
    for unit in ("step", "save", "load", "image", "swap", "kernel", "tangent_step", "tangent_image"):
        peak.restart()
        options = {"kernel": about["kernel"]}.get(unit, {})
        units[unit] = getattr(timer, unit)(**options)
        memory[unit] = peak.read()
    memory["kernel"] += timer.kernel_memory
    memory["tangent_step"] = max(memory["tangent_step"], memory["tangent_image"])
    return {"units": units, "memory": memory, "sizes": timer.sizes()}


def _tables(task: Mapping, began: float) -> dict:
    """The units of jobs that compare vectors and gather tables."""
    _import_snakemake()
    import pandas  # noqa: F401  # as the jobs do

    from twophase.files import vectors
    from twophase.measures import distances

    about, work, peak = task["about"], Path(task["work"]), timers.Peak()
    rng = np.random.default_rng(0)
    storage.write_table(work / "empty.parquet", {"value": [0.0]}, storage.provenance("calibration"))
    units, memory = {"start_table": time.time() - began}, {"start_table": peak.read()}

    length = min(about["parameters"], vectors.PART)
    paths = [work / f"step-{k}.safetensors" for k in range(2 * VECTORS)]
    for path in paths:
        tensors = {"weight": rng.standard_normal(length, dtype=np.float32)}
        storage.write_tensors(path, tensors, {"trainable": ["weight"]})
    left, right = vectors.networks(paths[:VECTORS]), vectors.networks(paths[VECTORS:])
    units["coordinate"] = timers.rate(timers.times(lambda: distances.dissimilarity(left, right))) / (
        2 * VECTORS * length
    )
    a, b = ({"weight": rng.standard_normal(length, dtype=np.float32)} for _ in range(2))
    units["distance"] = timers.rate(timers.times(lambda: distances.between(a, b, ["weight"]))) / length

    options = about["phases"]
    count = (options["points"], options["seeds"])
    units["bend"] = timers.rate(timers.times(lambda: timers.bend(*count)))
    units["widths"] = timers.rate(timers.times(lambda: timers.widths(*count)))
    return {"units": units, "memory": memory}


def _figures(task: Mapping, began: float) -> dict:
    """The units of jobs that draw."""
    _import_snakemake()
    import pandas  # noqa: F401  # as the jobs do
    import seaborn  # noqa: F401

    peak, work = timers.Peak(), Path(task["work"])
    start = time.time() - began
    points, columns = max(2, task["about"]["phases"]["points"]), 3

    began = time.perf_counter()
    timers.heat_maps(points, columns, work)
    units = {"start_figure": start, "panel": (time.perf_counter() - began) / columns}
    return {"units": units, "memory": {"start_figure": peak.read()}}


def _import_snakemake() -> None:
    """What Snakemake puts before a script loads this much, if it is there to be loaded."""
    with contextlib.suppress(ImportError):
        importlib.import_module("snakemake.script")


if __name__ == "__main__":
    folder, began = Path(sys.argv[1]), float(sys.argv[2])
    task = json.loads((folder / "task.json").read_text())
    result = {"torch": _torch, "tables": _tables, "figures": _figures}[task["kind"]](task, began)
    (folder / "result.json").write_text(json.dumps(result))
