"""A training step: `loop.train` against a DataLoader with per-image transforms; the linearized step against it."""

import copy
from functools import partial
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import rivals, setups
from benchmarks.comparison import Case, Other, Sides
from twophase.training import loop, noise
from twophase.training.linearized import Linearized
from twophase.training.setup import Experiment

TRAINING = "Training"
LINEARIZED = "Linearized training"


def _run(model, data, settings: dict, steps: int) -> torch.Tensor:
    """Losses [steps] of the workflow's own loop from the model's present state, which stays as it is."""
    model = copy.deepcopy(model)
    log = loop.empty_log(steps, data)
    experiment = Experiment(model, data, settings, 0)
    for _ in loop.train(experiment, loop.make_optimizer(model, settings), 0, {steps}, log):
        pass
    return log[:, 0]


def _flops_of_a_step(model, data, settings: dict) -> int:
    inputs, labels = loop.batch(data, settings, 0, 0)
    model = copy.deepcopy(model).train()
    with FlopCounterMode(display=False) as counter:
        cross_entropy(model(inputs), labels).backward()
    return counter.get_total_flops()


def throughput(folder: Path, quick: bool, name: str, steps: int) -> Sides:
    """The same batches in the same order on both sides, and the same losses where there is no augmentation.

    With crops and flips each side draws its own; then it is the batches that are compared, the other side's transforms
    being handed our draws.
    """
    steps = 2 if quick else steps
    model, data, settings = setups.network(name), setups.data(name, folder), setups.settings(name)
    if quick:
        settings["batch_size"] = 8
    crop, flip = settings["augment"]["crop"], settings["augment"]["flip"]
    size = len(data.train_labels)
    order = [noise.batch(0, t, size, settings["batch_size"])[0].tolist() for t in range(steps)]
    images = rivals.Images(data.train_images, data.train_labels, rivals.per_image(data, crop, flip))
    loader = DataLoader(images, batch_sampler=order)

    def theirs():
        trained = copy.deepcopy(model)
        return torch.tensor(rivals.train(trained, loop.make_optimizer(trained, settings), loader))

    def error(ours, theirs):
        if not (crop or flip):
            return float((ours - theirs).abs().max())
        indices, offsets, flips = noise.batch(0, 0, size, settings["batch_size"], crop)
        expected = torch.stack(
            [
                rivals.replayed(data, image, int(top), int(left), bool(mirrored), crop)
                for image, (top, left), mirrored in zip(data.train_images[indices], offsets, flips, strict=True)
            ]
        )
        return float((loop.batch(data, settings, 0, 0)[0] - expected).abs().max())

    note = ""
    if crop or flip:
        note = "With crops and flips, whose draws differ, it is a batch that is compared: the transforms replay ours."
    loop = Other("DataLoader with per-image transforms, no workers", theirs, error, note=note)
    flops = steps * _flops_of_a_step(model, data, settings)
    return Sides(lambda: _run(model, data, settings, steps), [loop], 1e-4, flops, count=steps)


def linearized(folder: Path, quick: bool, name: str, steps: int) -> Sides:
    """Both sides are the workflow's. Agreement is that of the tangent with differences of the network, in float64."""
    steps = 2 if quick else steps
    model, data, settings = setups.network(name), setups.data(name, folder), setups.settings(name)
    settings["lr"] = 1e-3  # no number on the way may become exceptional and slow
    if quick:
        settings["batch_size"] = 8
    tangent = Linearized(copy.deepcopy(model))

    def error(ours, theirs):
        assert torch.isfinite(ours).all()
        assert torch.isfinite(theirs).all()
        return _tangent_error(model, loop.batch(data, settings, 0, 0)[0][:4])

    standard = Other(
        "standard step of the workflow",
        lambda: _run(model, data, settings, steps),
        error,
        note="A linearized step is more work than a standard one: the ratio is below 1, its inverse the cost in "
        "standard steps. The difference is that of the tangent from central differences in float64.",
    )
    # Of a layer y = Wx: Wx, W dx and dW x forward, W^T g and g x^T backward; all but two are a standard step's.
    flops = 5 / 3 * steps * _flops_of_a_step(model, data, settings)
    return Sides(lambda: _run(tangent, data, settings, steps), [standard], 1e-6, flops, count=steps)


def _tangent_error(model, inputs) -> float:
    """Relative difference of f_lin - f at theta + step from (f(theta + h step) - f(theta - h step)) / 2h."""
    tangent = Linearized(copy.deepcopy(model).double())
    network, inputs, h = tangent.network, inputs.double(), 1e-6
    generator = torch.Generator().manual_seed(4)
    step = {n: torch.randn(p.shape, generator=generator).double() * 1e-2 for n, p in network.named_parameters()}

    @torch.no_grad()
    def at(scale, function):
        for n, p in network.named_parameters():
            p.copy_(tangent.point[n] + scale * step[n])
        return function(inputs)

    difference = (at(h, network) - at(-h, network)) / (2 * h)
    linear = at(1.0, tangent) - at(0.0, network)
    return float((linear - difference).norm() / difference.norm())


def _case(group: str, build, title: str, **options) -> Case:
    return Case(group, title, partial(build, **options), "step")


DIGITS = "ResNet-8 (width 8) / digits, batch 64"
CIFAR = "ResNet-20 / random images of CIFAR's shape, crop and flip, batch 128"
CASES = [
    _case(TRAINING, throughput, f"LeNet-5 / {setups.MNIST}, Adam, batch 60", name="lenet5", steps=60),
    _case(TRAINING, throughput, DIGITS, name="resnet8", steps=40),
    _case(TRAINING, throughput, CIFAR, name="resnet20", steps=2),
    _case(LINEARIZED, linearized, DIGITS, name="resnet8", steps=40),
    _case(LINEARIZED, linearized, CIFAR, name="resnet20", steps=2),
]
