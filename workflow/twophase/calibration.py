"""Unit costs of `estimate`, measured on this machine in seconds.

Every measurement is made by several processes at once, as many as a run will keep busy: cores share caches and memory,
and two busy ones can each take 1.7 times as long as one alone.
"""

import contextlib
import importlib
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from twophase import plan, storage
from twophase.data import content_digest
from twophase.errors import UserError

# Beyond this number, copies add little to the load that they measure, and much memory.
MAX_COPIES = 8
SECONDS = 1.0  # that a unit is repeated for
KERNEL_SECONDS = 6.0  # a kernel that would take longer is measured with fewer inputs
VECTORS = 16  # on a side of the block of pairs
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure(abouts: Mapping[str, Mapping], cores: int) -> dict:
    """Unit costs for every experiment: `units` (s), `memory` (MiB) and `sizes`, see `estimate`.

    Args:
        abouts: for each experiment what `estimate.about` says of it; what is equal in several is measured once.
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
            training = about["training"]
            # Jobs take turns on a GPU.
            copies = 1 if plan.uses_gpu(training["device"]) else max(1, cores // training["threads"])
            torch = once("torch", about, folder, copies, "model", "training", "shape", "kernel", "barrier")
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
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    environment = os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONPATH": path}
    processes = []
    for copy in range(copies):
        work = Path(folder) / f"{kind}-{copy}"
        work.mkdir()
        task = {"kind": kind, "about": about, "data": f"{folder}/data.safetensors", "work": str(work)}
        (work / "task.json").write_text(json.dumps(task))
        command = [sys.executable, "-m", "twophase.calibration", str(work), str(time.time())]
        processes.append(subprocess.Popen(command, env=environment))
    failed = [process.wait() for process in processes]
    if any(failed):
        raise UserError(f"Measuring {kind} of {about['model']['name']} failed; what went wrong is said above.")
    results = [json.loads((Path(folder) / f"{kind}-{c}" / "result.json").read_text()) for c in range(copies)]
    units = {unit: float(np.mean([r["units"][unit] for r in results])) for unit in results[0]["units"]}
    memory = {unit: max(r["memory"][unit] for r in results) for unit in results[0]["memory"]}
    return {"units": units, "memory": memory, "sizes": results[0].get("sizes", {})}


# What a process measures --------------------------------------------------------------------------------------------


def rate(repeat: Callable[[int], object], seconds: float = SECONDS, wait: Callable = lambda: None) -> float:
    """Seconds that one repetition takes, as the mean of many.

    Args:
        repeat: `repeat(k)` does it k times.
        seconds: to spend on it; what takes longer is done once after a first time, and only once if ten times as long.
        wait: called before the clock is read, for a device that works on its own.
    """

    def timed(count):
        wait()
        began = time.perf_counter()
        repeat(count)
        wait()
        return time.perf_counter() - began

    first = timed(1)  # also warms up: what is loaded at first use can take longer than many repetitions
    if first >= 10 * seconds:
        return first
    once = timed(1)
    count = max(1, math.ceil(seconds / max(once, 1e-6)))
    return timed(count) / count


def times(function: Callable) -> Callable[[int], None]:
    """`function` as `rate` wants it."""

    def repeat(count):
        for _ in range(count):
            function()

    return repeat


class Peak:
    """Peak resident memory of this process, in MiB, since the last `restart` where the system can forget the peak."""

    def restart(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return  # the peak then is that of all so far: on the safe side

    def read(self) -> float:
        try:
            status = Path("/proc/self/status").read_text()
            return int(status.partition("VmHWM:")[2].split()[0]) / 1024
        except (OSError, IndexError):
            unit = 2**20 if sys.platform == "darwin" else 2**10
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _torch(task: Mapping, began: float) -> dict:
    """The units of jobs that train, evaluate and differentiate."""
    _import_snakemake()
    import pandas  # noqa: F401  # as the jobs do

    from twophase import barrier, layout, progress, training  # noqa: F401

    about, work, peak = task["about"], Path(task["work"]), Peak()
    settings = fixed(about["training"])
    network, data = training.set_up(task["data"], about["model"], settings, 0)
    units, memory = {"start": time.time() - began}, {"start": peak.read()}

    timers = Timers(network, data, settings, work)
    for unit in ("step", "save", "load", "image", "swap", "kernel", "tangent_step", "tangent_image"):
        peak.restart()
        timer = getattr(timers, unit)
        options = {"kernel": about["kernel"], "swap": {"bn": about["barrier"]["bn"]}}.get(unit, {})
        units[unit] = timer(**options)
        memory[unit] = peak.read()
    memory["kernel"] += timers.kernel_memory
    memory["tangent_step"] = max(memory["tangent_step"], memory["tangent_image"])
    return {"units": units, "memory": memory, "sizes": timers.sizes()}


def fixed(training: Mapping) -> dict:
    """Training settings under which weights hardly move, so that random labels cannot make them diverge."""
    schedule = {"kind": "constant", "milestones": [], "gamma": 1.0, "warmup": 0}
    return {**training, "iterations": 1, "lr": 1e-9, "schedule": schedule}


class Timers:
    """Times, in seconds, of what jobs of one network do over and over.

    Args:
        network, data: of `training.set_up`.
        settings: of `fixed`.
        work: folder for files.
    """

    def __init__(self, network, data, settings: Mapping, work: Path):
        import torch

        self.network, self.data, self.settings, self.work = network, data, settings, work
        self.checkpoint = work / "step-0.safetensors"
        self.wait = torch.cuda.synchronize if data.mean.is_cuda else lambda: None
        self.kernel_memory = 0.0  # MiB by which a kernel of all inputs exceeds the one that was measured

    def _rate(self, function: Callable) -> float:
        return rate(times(function), wait=self.wait)

    def _train(self, model) -> float:
        from twophase import training

        self.optimizer = training.make_optimizer(model, self.settings)

        def repeat(count):
            log = training.empty_log(count, self.data)
            for _ in training.train(model, self.optimizer, self.data, self.settings, 0, 0, {count}, log):
                pass

        return rate(repeat, wait=self.wait)

    def step(self) -> float:
        """A training iteration."""
        return self._train(self.network)

    def tangent_step(self) -> float:
        """An iteration of linearized training."""
        from twophase.linearized import Linearized

        return self._train(Linearized(self.network))

    def save(self) -> float:
        """A checkpoint with the optimizer's state (after `step`)."""
        from twophase import training

        facts = storage.provenance("calibration")
        return self._rate(lambda: training.write_checkpoint(self.checkpoint, self.network, self.optimizer, facts))

    def load(self) -> float:
        """Reading a checkpoint into the network (after `save`)."""
        from twophase import training

        return self._rate(lambda: training.load_state(self.network, storage.read_tensors(self.checkpoint)))

    def _images(self, model) -> float:
        from twophase import evaluation

        inputs, labels = self.data.sample("test", None)
        inputs, labels = inputs[: evaluation.BATCH], labels[: evaluation.BATCH]
        model.eval()
        return self._rate(lambda: evaluation.score(evaluation.logits(model, inputs), labels)) / len(inputs)

    def image(self) -> float:
        """One test image in a forward pass."""
        return self._images(self.network)

    def tangent_image(self) -> float:
        """One test image in a forward pass of the linearized network."""
        from twophase.linearized import Linearized

        return self._images(Linearized(self.network))

    def swap(self, bn: str = "lerp") -> float:
        """A point between two networks, less the forward pass: interpolating, copying, and a single image."""
        from twophase import barrier

        image, label = self.data.sample("test", 1)
        calibration = image.expand(2, *image.shape[1:])  # statistics of one image alone can have no variance
        measure = barrier.Barrier(self.network, image, label, 3, bn, calibration=calibration)
        if bn == "batch":
            measure.inputs, measure.labels = calibration, label.expand(2)
        state = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        seconds = self._rate(lambda: measure.level(barrier.lerp(state, state, 0.5)))
        self.network.load_state_dict(state)
        return seconds

    def kernel(self, n: int, reduce: str, chunk: int) -> float:
        """A kernel of n inputs; a slow one from fewer inputs, in proportion to its operations."""
        from twophase import ntk

        inputs, _ = self.data.sample("train", n)
        n = len(inputs)

        def once(m):
            self.network.eval()
            return self._rate(lambda: ntk.empirical_ntk(self.network, inputs[:m], reduce, chunk))

        def cost(m):
            return ntk.cost(self.network, inputs[:m], reduce, chunk)

        m = min(n, 4)
        seconds = once(m)
        while m < n and seconds * cost(min(n, 2 * m))["flops"] / cost(m)["flops"] < KERNEL_SECONDS:
            m = min(n, 2 * m)
            seconds = once(m) if m == n else seconds * cost(m)["flops"] / cost(m // 2)["flops"]
        if m < n:
            seconds = once(m)
        whole, part = cost(n), cost(m)
        self.kernel_memory = (whole["peak_bytes"] - part["peak_bytes"]) / 2**20
        return seconds * whole["flops"] / part["flops"]

    def sizes(self) -> dict:
        """As in `estimate.sizes`, of the network as it was built."""
        from twophase import training

        item = self.data.mean.element_size()
        state = sum(array.nbytes for array in training.state_of(self.network).values())
        both = sum(array.nbytes for array in storage.read_tensors(self.checkpoint).values())
        parameters = sum(p.numel() for p in self.network.parameters() if p.requires_grad)
        images = {"train": len(self.data.train_labels), "test": len(self.data.test_labels)}
        image = list(self.data.train_images.shape[1:])
        shape = {"image": image, "classes": self.data.num_classes, **images}
        return {**shape, "parameters": parameters, "item": item, "state": state, "optimizer": both - state}


def _tables(task: Mapping, began: float) -> dict:
    """The units of jobs that compare vectors and gather tables."""
    _import_snakemake()
    import pandas as pd

    from twophase import metrics, phases, vectors

    about, work, peak = task["about"], Path(task["work"]), Peak()
    rng = np.random.default_rng(0)
    storage.write_table(work / "empty.parquet", {"value": [0.0]}, storage.provenance("calibration"))
    units, memory = {"start_table": time.time() - began}, {"start_table": peak.read()}

    length = min(about["parameters"], vectors.PART)
    paths = [work / f"step-{k}.safetensors" for k in range(2 * VECTORS)]
    for path in paths:
        tensors = {"weight": rng.standard_normal(length, dtype=np.float32)}
        storage.write_tensors(path, tensors, {"trainable": ["weight"]})
    left, right = vectors.parameters(paths[:VECTORS]), vectors.parameters(paths[VECTORS:])
    units["coordinate"] = rate(times(lambda: metrics.dissimilarity(left, right))) / (2 * VECTORS * length)
    units["distance"] = rate(times(lambda: metrics.distance(vectors.parameters(paths[:2])))) / length

    options, points = about["phases"], np.arange(about["phases"]["points"])
    i, j = (side.ravel() for side in np.meshgrid(points, points, indexing="ij"))
    upper = i <= j
    grids = [
        pd.DataFrame({"i": i[upper], "j": j[upper], "value": rng.random(upper.sum())}) for _ in range(options["seeds"])
    ]
    intervals = (options["bootstrap"], options["level"])
    units["bend"] = units["widths"] = 0.0
    if len(points) > 2:
        units["bend"] = rate(times(lambda: phases.from_steps(grids, "S", 1, *intervals)))
        units["widths"] = rate(times(lambda: phases.cone_width(grids, *intervals)))
    return {"units": units, "memory": memory}


def _figures(task: Mapping, began: float) -> dict:
    """The units of jobs that draw."""
    _import_snakemake()
    import pandas as pd

    from twophase import figures, tables  # noqa: F401

    peak, work = Peak(), Path(task["work"])
    start = time.time() - began
    points = np.arange(max(2, task["about"]["phases"]["points"]))
    i, j = (side.ravel() for side in np.meshgrid(points, points, indexing="ij"))
    upper = i <= j
    grid = pd.DataFrame({"i": i[upper], "j": j[upper], "value": np.random.default_rng(0).random(upper.sum())})
    style, columns = {"panel": 2.6, "dpi": 200}, 3

    began = time.perf_counter()
    figure, (axes,) = figures.canvas([""], columns, style)
    for ax in axes:
        figures.pairs_heat(ax, grid, figures.scale(grid["value"]), "rocket_r", "S")
    figures.save(figure, [str(work / "figure.pdf"), str(work / "figure.png")], style)
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
