"""How the time of each stage grows with checkpoints, test images, inputs of the kernel and parameters."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from twophase.cost.calibration import write_data
from twophase.cost.timers import Timers, fixed, rate, times

CHECKPOINTS, TEST, INPUTS, WIDTHS = (25, 50, 100, 200), (512, 1024, 2048, 4096), (16, 32, 64, 128), (4, 8, 16, 32)
SHAPE = {"image": [1, 8, 8], "classes": 10, "train": 1437, "test": 4096}  # digits, with more test images
MODEL = {"name": "resnet8", "width": 8}
TRAINING = {
    "batch_size": 64,
    "optimizer": "sgd",
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 1e-4,
    "augment": {"crop": 0, "flip": False},
    "device": "cpu",
    "dtype": "float32",
    "threads": 1,
}


def least(measure: Callable[[], float]) -> float:
    """The shortest of three measurements: whatever else the machine does only ever adds to a time."""
    return min(measure() for _ in range(3))


def exponent(x, y) -> float:
    """The p of y ~ x^p: slope of the straight line through log y over log x, by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def sweeps(work: Path) -> Iterator[dict]:
    """Rows axis, stage, x, seconds: a ResNet-8 on images of 8x8, one thread, one thing growing at a time.

    Along `parameters`, x is the number of parameters.

    Args:
        work: folder for files.
    """
    from twophase.training.setup import set_up

    data = work / "data.safetensors"
    write_data(data, SHAPE)
    settings = fixed(TRAINING)
    timers = Timers(set_up(data, MODEL, settings, 0), work)

    for m in CHECKPOINTS:
        for stage, function in _of_pairs(m):
            yield _row("checkpoints", stage, m, least(lambda f=function: rate(times(f), 0.3)))
    for n in TEST:
        for stage, function in _of_images(timers, n):
            yield _row("test", stage, n, least(lambda f=function: rate(times(f), 0.3)))
    for n in INPUTS:
        yield _row("n", "kernel", n, least(lambda n=n: timers.kernel(n, "trace", 64)))
    for width in WIDTHS:
        of_width = Timers(set_up(data, MODEL | {"width": width}, settings, 0), work)
        count = sum(p.numel() for p in of_width.network.parameters())
        yield _row("parameters", "training step", count, least(of_width.step))
        yield _row("parameters", "checkpoint", count, least(of_width.save))
        yield _row("parameters", "1,000 test images", count, 1000 * least(of_width.image))
        yield _row("parameters", "kernel", count, least(lambda t=of_width: t.kernel(32, "trace", 64)))
        yield _row("parameters", "linearized step", count, least(of_width.tangent_step))


def _row(axis: str, stage: str, x: int, seconds: float) -> dict:
    return {"axis": axis, "stage": stage, "x": float(x), "seconds": seconds}


def _of_pairs(m: int) -> list[tuple[str, Callable]]:
    """The grids over m checkpoints: 20,000 parameters, kernels of 64 inputs, 1,000 predicted classes each."""
    from twophase.measures import distances

    rng = np.random.default_rng(0)
    parameters = rng.standard_normal((m, 20_000), dtype=np.float32)
    kernels = rng.standard_normal((m, 64 * 64), dtype=np.float32)
    classes = rng.integers(0, 10, (m, 1000), dtype=np.int16)
    return [
        ("grid C", lambda: distances.dissimilarity(lambda: iter([parameters]))),
        ("grid S", lambda: distances.dissimilarity(lambda: iter([kernels]))),
        ("grid D", lambda: distances.disagreement(classes)),
    ]


def _of_images(timers: Timers, n: int) -> list[tuple[str, Callable]]:
    """What runs over n test images: predictions of a checkpoint, and the barrier of a pair with 11 points."""
    from twophase.measures import barrier
    from twophase.measures.barrier import Level
    from twophase.networks import evaluation

    timers.network.eval()
    inputs, labels = timers.data.sample("test", n)
    measure = barrier.Barrier(timers.network, inputs, labels, 11)
    one = {name: value.detach().clone() for name, value in timers.network.state_dict().items()}
    other = dict(one)
    return [
        ("predictions", lambda: evaluation.score(evaluation.logits(timers.network, inputs), labels)),
        ("barrier of a pair", lambda: measure.pair(one, other, Level(0.0, 0.0), Level(0.0, 0.0))),
    ]
