"""Lock-step on a CUDA device: members stay equal, it equals solo in double precision, and how fast it is.

`pytest -s tests/gpu/test_lockstep.py` prints the table of the last test.
"""

import statistics
import time

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import helpers
from twophase.data.dataset import Data
from twophase.errors import UserError
from twophase.networks import models
from twophase.networks import state as network_state
from twophase.training import lockstep, loop
from twophase.training.setup import Experiment, set_up

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

RESNET = {"name": "resnet20"}
VGG = {"name": "vgg16"}


@pytest.fixture(autouse=True)
def arithmetic(digits):
    """Deterministic and without TF32, as `set_up` leaves it."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    set_up(digits, {"name": "resnet8", "width": 2}, settings(device, batch_size=32), 0)


def images(device: str, dtype: str = "float32", count: int = 512, side: int = 32) -> Data:
    """Random colour images of ten classes: their values do not matter to the time."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator).to(device)
    labels = (torch.arange(count) % 10).to(device)
    mean, std = (torch.full((1, 3, 1, 1), value, dtype=getattr(torch, dtype), device=device) for value in (0.5, 0.25))
    return Data(pixels, labels, pixels, labels, mean, std, 10)


def network(options: dict, device: str, dtype: str = "float32"):
    torch.manual_seed(0)
    model = models.build(**options, num_classes=10, in_channels=3, image_size=32)
    return model.to(device, getattr(torch, dtype))


def settings(device: str, dtype: str = "float32", batch_size: int = 128) -> dict:
    """The papers' settings for CIFAR-10."""
    augment = {"crop": 4, "flip": True}
    return helpers.settings(
        iterations=10**6, batch_size=batch_size, lr=0.1, weight_decay=1e-4, augment=augment, device=device, dtype=dtype
    )


def wait(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds(step, device: str, repeats: int) -> float:
    """Time of one of `repeats` calls."""
    begin = wait(device)
    for _ in range(repeats):
        step()
    return (wait(device) - begin) / repeats


def trainer(model, members, config: dict, data: Data, *size: int, limit: int = 10**4):
    """A call that trains `model`, a network or a stack of `size`, for the next of at most `limit` iterations."""
    optimizer = loop.make_optimizer(members, config)
    log = loop.empty_log(limit, data, *size)
    t = iter(range(limit))

    def step():
        now = next(t)
        for _ in loop.train(Experiment(model, data, config, 0), optimizer, now, {now + 1}, log):
            pass

    return step


def traffic(model, config: dict, data: Data) -> tuple[float, float]:
    """What an iteration of one network cannot do without: floating-point operations, and bytes to and from memory.

    Operations are those of convolutions and linear layers, forward and backward. Bytes are those of tensors kept for
    the backward pass and of parameters, gradients and momentum, each written once and read once.
    """
    kept = {}

    def pack(tensor):
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    optimizer = loop.make_optimizer(model, config)
    log = loop.empty_log(1, data)
    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        for _ in loop.train(Experiment(model, data, config, 0), optimizer, 0, {1}, log):
            pass
    state = sum(p.numel() * p.element_size() for p in model.parameters())
    return counter.get_total_flops(), 2 * sum(kept.values()) + 6 * state


def machine(device: str, side: int = 4096) -> tuple[float, float]:
    """Measured float32 operations per second of a matrix product, without TF32, and bytes per second of a copy."""
    a = torch.randn(side, side, device=device)
    product = min(seconds(lambda: a @ a, device, 3) for _ in range(5))
    source = torch.empty(4 * side**2, device=device)
    target = torch.empty_like(source)
    copy = min(seconds(lambda: target.copy_(source), device, 3) for _ in range(5))
    return 2 * side**3 / product, 2 * source.numel() * source.element_size() / copy


def measure(options: dict, sizes, device: str, rounds: int = 5, repeats: int = 20, batch_size: int = 128, side=4096):
    """Rows of the table: for each K, members x iterations per second of both engines, measured in turn.

    Returns:
        K, rate of solo, rate of lock-step, and the shares of the machine's arithmetic and bandwidth that lock-step
        reaches.
    """
    config, data = settings(device, batch_size=batch_size), images(device)
    arithmetic, bandwidth = machine(device, side)
    operations, moved = traffic(network(options, device), config, data)
    rows = []
    for size in sizes:
        alone = network(options, device)
        stack = lockstep.Stack(alone, size)
        steps = {
            "solo": trainer(alone, alone, config, data),
            "lockstep": trainer(stack, stack.members, config, data, size),
        }
        for step in steps.values():
            seconds(step, device, 3)  # kernels are chosen and memory is reserved at first use
        times = {name: [] for name in steps}
        for _ in range(rounds):
            for name, step in steps.items():
                times[name].append(seconds(step, device, repeats))
        solo, together = 1 / statistics.median(times["solo"]), size / statistics.median(times["lockstep"])
        rows.append((size, solo, together, together * operations / arithmetic, together * moved / bandwidth))
        del stack, steps
    return rows


@gpu
@pytest.mark.parametrize("options", [RESNET, VGG, VGG | {"head": "mlp4096"}], ids=["ResNet-20", "VGG-16", "mlp4096"])
def test_copies_stay_equal_in_a_stack(options):
    model = network(options, "cuda")
    experiment = Experiment(model, images("cuda"), settings("cuda"), 0)
    try:
        losses = lockstep.check(experiment, 0, network_state.state_of(model), 4, 5)
    except UserError as error:  # as a run would, which goes on with single networks
        pytest.skip(str(error))
    assert np.isfinite(losses).all()


@gpu
def test_a_member_is_the_solo_run_in_double_precision():
    config, data = settings("cuda", "float64"), images("cuda", "float64")
    model = network({"name": "resnet8", "width": 8}, "cuda", "float64")
    experiment = Experiment(model, data, config, 0)
    stacked, optimizer = lockstep.restore(experiment, lockstep.stack([network_state.state_of(model)] * 3), 3)
    alone = loop.make_optimizer(model, config)
    for trained, its, members in ((stacked, optimizer, (3,)), (experiment, alone, ())):
        log = loop.empty_log(5, data, *members)
        list(loop.train(trained, its, 0, {5}, log))
    together, solo = network_state.state_of(stacked.network.members, optimizer), network_state.state_of(model, alone)
    for name, value in solo.items():  # running statistics among them
        np.testing.assert_allclose(lockstep.member(together, 2)[name], value, rtol=1e-9, atol=1e-11)


@gpu
@pytest.mark.parametrize("options", [RESNET, VGG], ids=["ResNet-20", "VGG-16"])
def test_speed_against_solo(options):
    """The aim is 8 times solo for 16 ResNet-20s. Nothing is demanded: whose GPU it is, and how busy, is unknown."""
    rows = measure(options, (1, 4, 16), "cuda")
    print(f"\n{options['name']} on {torch.cuda.get_device_name()}, torch {torch.__version__}, batches of 128")
    print("| members | solo, it/s | lock-step, members x it/s | ratio | of peak arithmetic | of bandwidth |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size, solo, together, arithmetic, bandwidth in rows:
        print(f"| {size} | {solo:.1f} | {together:.1f} | {together / solo:.2f} | {arithmetic:.0%} | {bandwidth:.0%} |")


def test_the_measurement_itself():
    """On a CPU and a small network, so that it is known to run where there is a GPU."""
    ((size, *values),) = measure({"name": "resnet8", "width": 2}, (2,), "cpu", 1, 1, 4, 64)
    assert size == 2
    assert all(np.isfinite(value) and value > 0 for value in values)


def test_the_operations_of_an_iteration():
    """Of a linear layer 2 b m n forward, as many for the weights' gradient, and for the inputs' where there is one."""
    data = images("cpu", count=8, side=4)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 5, bias=False), torch.nn.Linear(5, 10))
    operations, moved = traffic(model, settings("cpu", batch_size=8), data)
    assert operations == 2 * 8 * (2 * 48 * 5 + 3 * 5 * 10)
    assert moved > 6 * 4 * (48 * 5 + 5 * 10 + 10)
