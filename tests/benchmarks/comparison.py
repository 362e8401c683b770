"""One thing computed in several ways, side by side: alternating rounds, peak memory of each, and whether they agree.

A benchmark is a `Case`: a name and a function that builds its sides. Time and memory are never asserted, agreement
always is.
"""

import ctypes
import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from twophase.cost.timers import Peak

OURS = "ours"
ROUNDS = 5
PRODUCT = 1024  # side of the matrices whose product gives the machine's speed


@dataclass(frozen=True)
class Other:
    """What a user would otherwise write.

    Args:
        name: what it is, and what of the work it does where that is a part.
        run: returns a result that `error` understands.
        error: of our result and this one, the difference that is limited.
        share: of the work that one call of ours does, the part that one call of `run` does.
        note: what a reader of its row must know.
    """

    name: str
    run: Callable[[], Any]
    error: Callable[[Any, Any], float]
    share: float = 1.0
    note: str = ""


@dataclass(frozen=True)
class Sides:
    """The sides of a case, ready to be called over and over.

    Args:
        ours: returns a result that the others' `error` understands.
        bound: of every `error`.
        flops: floating-point operations that cannot be avoided in one call of `ours`, if they are what takes time.
        count: what the times are divided by before they are stated, such as the steps of a call.
        note: what a reader of the case must know.
    """

    ours: Callable[[], Any]
    others: Sequence[Other]
    bound: float
    flops: float | None = None
    count: int = 1
    note: str = ""


@dataclass(frozen=True)
class Case:
    """What is computed, and by what.

    Args:
        group, name: under which heading of the table, and what is computed.
        build: f(folder, quick) -> sides, a module's function or a partial of one, as other processes call it too.
            `folder` keeps files between calls; `quick` asks for tiny sizes, to try the benchmark itself.
        unit: one of the `count` in a call.
    """

    group: str
    name: str
    build: Callable[[Path, bool], Sides]
    unit: str = "call"


def call(sides: Sides, side: int | str):
    """One call of a side, `ours` or the place of another, with the settings that its user would have."""
    torch.use_deterministic_algorithms(side == OURS)  # as `setup.set_up` has it
    torch.utils.deterministic.fill_uninitialized_memory = False
    return sides.ours() if side == OURS else sides.others[side].run()


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

    `benchmark` (pytest-benchmark) times our side; before each of its rounds every other side and the matrix product
    have their turn, so that what else the machine does meets all alike.
    """
    set_threads(threads)
    sides = case.build(folder, quick)
    ours = call(sides, OURS)  # these calls are the warm-up as well
    errors = {other.name: other.error(ours, call(sides, k)) for k, other in enumerate(sides.others)}
    for name, error in errors.items():
        assert error <= sides.bound, f"{name}: differs by {error:.3g}, allowed are {sides.bound:.3g}"

    seconds = {other.name: [] for other in sides.others}
    speeds = []

    def others_turn():
        speeds.append(product_speed())
        for k, other in enumerate(sides.others):
            gc.collect()
            start = time.perf_counter()
            call(sides, k)
            seconds[other.name].append((time.perf_counter() - start) / other.share)
        gc.collect()

    benchmark.pedantic(call, (sides, OURS), setup=others_turn, rounds=1 if quick else ROUNDS, iterations=1)
    benchmark.extra_info |= {
        "group": case.group,
        "name": case.name,
        "unit": case.unit,
        "count": sides.count,
        "seconds": list(benchmark.stats.stats.data),
        "bytes": peak_memory(case, OURS, folder, quick, threads),
        "flops": sides.flops,
        "speed": statistics.median(speeds),
        "bound": sides.bound,
        "notes": [note for note in (sides.note, *(other.note for other in sides.others)) if note],
        "others": [
            {
                "name": other.name,
                "seconds": seconds[other.name],
                "bytes": peak_memory(case, k, folder, quick, threads),
                "error": errors[other.name],
            }
            for k, other in enumerate(sides.others)
        ],
        "threads": threads,
        "quick": quick,
    }


def peak_memory(case: Case, side: int | str, folder: Path, quick: bool, threads: int) -> int:
    """Bytes by which one call of a side raises the resident memory of a fresh process, at its highest.

    The process is one of its own for each side, so that no memory freed before can be used again unseen. It first calls
    the side at tiny sizes: code that is loaded on the way does not count, nor does what all sides are given.
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
        raise RuntimeError(f"{case.name}: the process that measures the memory of side {side} died") from None
    finally:
        process.join()


def _send_peak(sender, case: Case, side: int | str, folder: Path, quick: bool, threads: int) -> None:
    set_threads(threads)
    call(case.build(folder, True), side)
    sides = case.build(folder, quick)
    sender.send(peak_of(lambda: call(sides, side)))


def peak_of(function: Callable[[], Any]) -> int:
    """Bytes by which a call raises the resident memory of this process, at its highest (Linux)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    peak = Peak()
    peak.restart()
    before = peak.read()  # what is resident now
    function()
    return int((peak.read() - before) * 2**20)


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """|ours - theirs| / |theirs| (Frobenius)."""
    return float((ours.double() - theirs.double()).norm() / theirs.double().norm())
