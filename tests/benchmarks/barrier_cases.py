"""The loss barrier B, 30 alphas a pair: `barrier.of_files` against a state dict loaded for each alpha."""

import itertools
from functools import partial
from pathlib import Path

from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import rivals, setups
from benchmarks.comparison import Case, Other, Sides
from twophase.measures import barrier
from twophase.networks import evaluation

GROUP = "Loss barrier B (30 alphas)"
ALPHAS = 30


def pairs(folder: Path, quick: bool, name: str, test_size: int, count: int) -> Sides:
    """All pairs i < j of `count` checkpoints on our side, the first of them on the others."""
    alphas, count = (4, 2) if quick else (ALPHAS, count)
    model, data = setups.network(name), setups.data(name, folder)
    inputs, labels = data.sample("test", 20 if quick else test_size)
    paths = setups.checkpoints(name, count, folder)
    chosen = list(itertools.combinations(paths, 2))

    def ours():
        measure = barrier.Barrier(model, inputs, labels, alphas)
        return [row["value"] for row in barrier.of_files(measure, chosen, len(paths), lambda done: None)]

    def error(ours, theirs):
        return abs(ours[0] - theirs) / max(1.0, abs(theirs))

    images = (inputs * data.std + data.mean).mul(255).round().byte()  # the sample, as it was
    transformed = rivals.Images(images, labels, rivals.per_image(data))
    batches = {
        "DataLoader with per-image transforms": DataLoader(transformed, batch_size=evaluation.BATCH),
        "test set in memory and normalised": rivals.resident(inputs, labels, evaluation.BATCH),
    }
    part = f"; one of {len(chosen)} pairs, time extrapolated" if len(chosen) > 1 else ""
    others = [
        Other(
            f"a state dict per alpha, {how}{part}",
            lambda test=test: rivals.barrier(model, *chosen[0], alphas, test, setups.read_state),
            error,
            share=1 / len(chosen),
        )
        for how, test in batches.items()
    ]

    with FlopCounterMode(display=False) as counter:
        model.eval()(inputs[:1])
    evaluations = (alphas - 2) * len(chosen) + len(paths)
    flops = counter.get_total_flops() * len(inputs) * evaluations
    return Sides(ours, others, 1e-6, flops, count=len(chosen))


def _case(title: str, **options) -> Case:
    return Case(GROUP, title, partial(pairs, **options), "pair")


CASES = [
    _case(f"LeNet-5 / 500 of {setups.MNIST}", name="lenet5", test_size=500, count=3),
    _case("ResNet-8 (width 8) / 360 digits", name="resnet8", test_size=360, count=3),
    _case("ResNet-20 / 64 random images of CIFAR's shape", name="resnet20", test_size=64, count=2),
]
