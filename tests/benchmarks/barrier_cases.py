"""The loss barrier B, 30 alphas a pair: `barrier.of_files` against a state dict loaded for each alpha."""

import itertools
from functools import partial
from pathlib import Path

from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import rivals, setups
from benchmarks.comparison import Case, Sides
from twophase import barrier, evaluation

GROUP = "Loss barrier B (30 alphas)"
ALPHAS = 30


def pairs(folder: Path, quick: bool, name: str, loader: str, test_size: int, count: int) -> Sides:
    """All pairs i < j of `count` checkpoints on our side, the first of them on the other."""
    alphas = 4 if quick else ALPHAS
    count = 2 if quick else count
    model, data = setups.network(name), setups.data(name, folder)
    inputs, labels = data.sample("test", 20 if quick else test_size)
    paths = setups.checkpoints(name, count, folder)
    chosen = list(itertools.combinations(paths, 2))

    def ours():
        measure = barrier.Barrier(model, inputs, labels, alphas)
        return [row["value"] for row in barrier.of_files(measure, chosen, len(paths), lambda done: None)]

    if loader == "resident":
        batches = rivals.resident(inputs, labels, evaluation.BATCH)
    else:
        images = (inputs * data.std + data.mean).mul(255).round().byte()  # the sample, as it was
        batches = DataLoader(rivals.Images(images, labels, rivals.per_image(data)), batch_size=evaluation.BATCH)

    with FlopCounterMode(display=False) as counter:
        model.eval()(inputs[:1])
    evaluations = (alphas - 2) * len(chosen) + len(paths)
    return Sides(
        ours=ours,
        theirs=lambda: rivals.barrier(model, *chosen[0], alphas, batches, setups.read_state),
        error=lambda mine, theirs: abs(mine[0] - theirs) / max(1.0, abs(theirs)),
        bound=1e-6,
        flops=counter.get_total_flops() * len(inputs) * evaluations,
        count=len(chosen),
        share=1 / len(chosen),
    )


def _cases(title: str, count: int, **options) -> list[Case]:
    number = count * (count - 1) // 2
    extrapolated = f"; one of {number} pairs, time extrapolated" if number > 1 else ""
    others = {
        "dataloader": "a state dict per alpha, DataLoader with per-image transforms",
        "resident": "a state dict per alpha, test set in memory and normalised",
    }
    return [
        Case(GROUP, title, other + extrapolated, partial(pairs, loader=loader, count=count, **options), unit="pair")
        for loader, other in others.items()
    ]


MNIST = "MNIST" if setups.mnist_root() else "random images of MNIST's shape"
CASES = [
    *_cases(f"LeNet-5 / 1,000 of {MNIST}", 3, name="lenet5", test_size=1000),
    *_cases("ResNet-8 (width 8) / 360 digits", 4, name="resnet8", test_size=360),
    *_cases("ResNet-20 / 100 random images of CIFAR's shape", 2, name="resnet20", test_size=100),
]
