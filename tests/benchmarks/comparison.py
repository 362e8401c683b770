"""Two ways to compute one thing, side by side: alternating rounds, peak memory of each, and whether they agree.

A benchmark is a `Case`: a name and a function that builds its two sides. Time and memory are never asserted, agreement
always is.
"""

import ctypes
import gc
import multiprocessing
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

SIDES = ("ours", "theirs")
PRODUCT = 1024  # side of the matrices whose product gives the machine's speed


@dataclass(frozen=True)
class Sides:
    """The two sides of a case, ready to be called over and over.

    Args:
        ours, theirs: return a result that `error` understands.
        error: of both results, the difference that `bound` limits.
        flops: floating-point operations that cannot be avoided in one call of `ours`, if they are what takes time.
        count: what the times are divided by before they are stated, such as the steps of a call.
        share: of the work that one call of `ours` does, the part that one call of `theirs` does.
    """

    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    error: Callable[[Any, Any], float]
    bound: float
    flops: float | None = None
    count: int = 1
    share: float = 1.0


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Args:
        group, name: under which heading, and what is computed.
        other: what the other side is.
        build: f(folder, quick) -> sides, a module's function or a partial of one, as another process calls it too.
            `folder` keeps files between calls; `quick` asks for tiny sizes, to try the benchmark itself.
        unit: one of the `count` in a call.
        notes: what a reader of the row must know.
        needs: a module that is not in the project's own environment.
    """

    group: str
    name: str
    other: str
    build: Callable[[Path, bool], Sides]
    unit: str = "call"
    notes: tuple[str, ...] = field(default=())
    needs: str = ""

    @property
    def id(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", f"{self.name} {re.split('[,;(]', self.other)[0]}".lower()).strip("-")


def call(sides: Sides, side: str):
    """One call of a side, under the settings that its user would have: deterministic algorithms are the workflow's."""
    torch.use_deterministic_algorithms(side == "ours")
    torch.utils.deterministic.fill_uninitialized_memory = False
    return getattr(sides, side)()


def set_threads(threads: int) -> None:
    """Threads of torch and of the libraries beneath numpy, for the rest of the process."""
    torch.set_num_threads(threads)
    threadpool_limits(threads)


def product_speed() -> float:
    """Floating-point operations per second of float32 matrix products, the median of three."""
    left, right = torch.rand(2, PRODUCT, PRODUCT)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        left @ right
        times.append(time.perf_counter() - start)
    return 2 * PRODUCT**3 / statistics.median(times[1:])


def measure(case: Case, benchmark, folder: Path, quick: bool, threads: int) -> None:
    """Runs a case and leaves all that the table needs in `benchmark.extra_info`.

    `benchmark` (pytest-benchmark) times our side; before each of its rounds the other side and the matrix product
    have their turn, so that what else the machine does meets all three alike.
    """
    rounds = 1 if quick else 5
    set_threads(threads)
    sides = case.build(folder, quick)
    error = sides.error(call(sides, "ours"), call(sides, "theirs"))  # the warm-up of both
    assert error <= sides.bound, f"the sides differ by {error:.3g}, allowed are {sides.bound:.3g}"

    theirs, speeds = [], []

    def others_turn():
        speeds.append(product_speed())
        gc.collect()
        start = time.perf_counter()
        call(sides, "theirs")
        theirs.append((time.perf_counter() - start) / sides.share)
        gc.collect()

    benchmark.pedantic(call, (sides, "ours"), setup=others_turn, rounds=rounds, iterations=1)
    benchmark.extra_info |= {
        "group": case.group,
        "name": case.name,
        "other": case.other,
        "unit": case.unit,
        "notes": list(case.notes),
        "count": sides.count,
        "share": sides.share,
        "ours": list(benchmark.stats.stats.data),
        "theirs": theirs,
        "flops": sides.flops,
        "speed": statistics.median(speeds),
        "error": error,
        "bound": sides.bound,
        "threads": threads,
        "quick": quick,
        "bytes": {side: peak_memory(case, side, folder, quick, threads) for side in SIDES},
    }


def peak_memory(case: Case, side: str, folder: Path, quick: bool, threads: int) -> int:
    """Bytes by which one call of a side raises the resident memory of a fresh process, at its highest.

    The process is one of its own for each side, so that no memory freed before can be used again unseen. It first calls
    the side at tiny sizes: code that is loaded on the way does not count, nor what both sides are given.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_peak, args=(sender, case, side, folder, quick, threads))
    process.start()
    sender.close()  # so that a process that dies ends the wait
    try:
        return receiver.recv()
    except EOFError:
        raise RuntimeError(f"{case.id}: the process that measures the memory of {side} died") from None
    finally:
        process.join()


def _send_peak(sender, case: Case, side: str, folder: Path, quick: bool, threads: int) -> None:
    set_threads(threads)
    call(case.build(folder, True), side)
    sides = case.build(folder, quick)
    sender.send(peak_of(lambda: call(sides, side)))


def peak_of(function: Callable[[], Any]) -> int:
    """Bytes by which a call raises the resident memory of this process, at its highest (Linux)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = _resident("VmRSS")
    function()
    return max(0, _resident("VmHWM") - before)


def _resident(key: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{key}:\s+(\d+) kB$", status, re.MULTILINE)[1]) * 1024


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """|ours - theirs| / |theirs| (Frobenius)."""
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())
