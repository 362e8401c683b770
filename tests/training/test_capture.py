"""Captured iterations: without a GPU their body against the eager loop bit by bit, and what is captured when."""

import numpy as np
import pytest
import torch

from helpers import data, files, net, run, same_bits, settings
from twophase.files.layout import Fork
from twophase.networks import state as network_state
from twophase.training import capture, lockstep, loop
from twophase.training.noise import NewNoise
from twophase.training.setup import Experiment

# 17 images in batches of 5: four iterations an epoch, the last of 2 images.
AUGMENTED = {"crop": 1, "flip": True}
CONFIGS = {
    "a drop within an epoch": settings(augment=AUGMENTED, schedule={"milestones": [6]}),
    "warm-up": settings(schedule={"kind": "constant", "warmup": 3}),
    "no momentum": settings(augment=AUGMENTED, momentum=0.0),
    "a cosine": settings(augment=AUGMENTED, nesterov=True, schedule={"kind": "cosine"}),
}
SEED, END = 3, 14


def experiment(config, size=None, new=None):
    plain = Experiment(net(1, dropout=0.0), data(), config, SEED, new)
    if size is None:
        return plain, loop.make_optimizer(plain.network, config)
    return lockstep.restore(plain, lockstep.stack([network_state.state_of(plain.network)] * size), size)


def trained(config, engine, start=0, size=None, new=None):
    """State and log after the iterations from `start` to END; the state at `start` is the initialisation."""
    subject, optimizer = experiment(config, size, new)
    members = () if size is None else (size,)
    log = loop.empty_log(END, subject.data, *members)
    subject.network.train()
    engine(subject, optimizer, log, start, members)
    holder = subject.network if size is None else subject.network.members
    return network_state.state_of(holder, optimizer) | {"log": log.numpy()}


def eager(subject, optimizer, log, start, members):
    for _ in loop.train(subject, optimizer, start, {END}, log):
        pass


def captured(subject, optimizer, log, start, members):
    iterate = capture.Captured(subject, optimizer, log, loop.learner(subject, optimizer, members))
    for t in range(start, END):
        iterate(t)


@pytest.mark.parametrize("size", [None, 2])
@pytest.mark.parametrize("start", [0, 5])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_body_is_that_of_the_eager_loop_bit_by_bit(name, start, size):
    assert same_bits(*(trained(CONFIGS[name], engine, start, size) for engine in (eager, captured)))


@pytest.mark.parametrize("start", [0, 5])
def test_the_body_is_that_of_the_eager_loop_with_new_noise(start):
    own = NewNoise("both", Fork(start, 0))
    for size, new in ((None, own), (2, (None, own))):
        states = [trained(CONFIGS["no momentum"], engine, start, size, new) for engine in (eager, captured)]
        assert same_bits(*states)
        assert not same_bits(states[0], trained(CONFIGS["no momentum"], eager, start, size))


class Recorder:
    """Stands in for a GPU: notes the bodies that were captured, and runs them when they are replayed."""

    def __init__(self, engine):
        self.engine, self.sizes, self.replayed = engine, [], 0
        engine._capture = self.capture

    def capture(self, size):
        self.sizes.append(size)
        self.engine.graphs[size] = self
        self.size = size

    def replay(self):
        self.replayed += 1
        sizes = [size for size, graph in self.engine.graphs.items() if graph is self]
        count, batch = self.engine.count, self.engine.batch
        left = count - int(self.engine.position) * batch
        assert min(batch, left) in sizes
        self.engine._body(min(batch, left))


@pytest.mark.parametrize("start", [0, 5])  # 5 is within an epoch
def test_a_graph_serves_a_batch_size_until_the_learning_rate_changes(start):
    config, recorders = CONFIGS["a drop within an epoch"], []

    def watched(subject, optimizer, log, start, members):
        iterate = capture.Captured(subject, optimizer, log, loop.learner(subject, optimizer, members))
        recorders.append(Recorder(iterate))
        for t in range(start, END):
            iterate(t)

    assert same_bits(trained(config, watched, start), trained(config, eager, start))
    count, batch = len(data().train_labels), config["batch_size"]
    per_epoch = -(-count // batch)
    expected, seen, rate, replays = [], {}, None, 0
    for t in range(start, END):
        size = min(batch, count - t % per_epoch * batch)
        if rate != (rate := loop.learning_rate(t, config)):
            seen = {}
        if seen.get(size, 0) >= (capture.WARM_UP if size == batch else 1):
            replays += 1
            continue
        seen[size] = seen.get(size, 0) + 1
        if seen[size] == (capture.WARM_UP if size == batch else 1):
            expected.append(size)
    assert (recorders[0].sizes, recorders[0].replayed) == (expected, replays)
    assert len(expected) >= 2
    assert replays > 0


@pytest.mark.parametrize(
    ("changes", "dropout", "device", "reason"),
    [
        ({}, 0.0, "cpu", "there is no GPU"),
        ({}, 0.4, "cuda", "dropout draws its masks from a seed that the host sets"),
        ({"optimizer": "adam"}, 0.0, "cuda", "the optimizer counts its steps on the host"),
        ({}, 0.0, "cuda", None),
    ],
)
def test_what_cannot_be_captured_says_why(changes, dropout, device, reason):
    subject, config = Experiment(net(dropout=dropout), data(), settings(**changes), SEED), settings(**changes)

    class There:
        mean = type("Mean", (), {"device": torch.device(device)})

    optimizer = loop.make_optimizer(subject.network, config)
    assert capture.obstacle(Experiment(subject.network, There, config, SEED), optimizer) == reason


class Stop(BaseException):
    """Like a KeyboardInterrupt: nothing may catch it."""


@pytest.mark.parametrize("crash", [1, 6, 7, 11])
@pytest.mark.parametrize("name", CONFIGS)
def test_interrupted_and_gone_on_with_captured_it_is_the_undisturbed_eager_run(tmp_path, monkeypatch, name, crash):
    config, checkpoints = CONFIGS[name], [0, 7, END]

    def attempt(folder, seed=1):
        run(folder, net(seed, dropout=0.0), data(), config, checkpoints, SEED)

    attempt(tmp_path / "eager")
    monkeypatch.setattr(capture, "obstacle", lambda *_: None)
    with monkeypatch.context() as patch:
        original = capture.Captured.__call__

        def iterate(self, t):
            if t == crash:
                raise Stop
            original(self, t)

        patch.setattr("twophase.training.output.SAVE_AFTER", 0.0)
        patch.setattr(loop, "PAUSE", 3)
        patch.setattr(loop, "batch", None)  # of the eager loop
        patch.setattr(capture.Captured, "__call__", iterate)
        with pytest.raises(Stop):
            attempt(tmp_path / "captured")
    assert (tmp_path / "captured" / "resume.safetensors").exists()
    attempt(tmp_path / "captured", 2)  # another network: all that counts is in the file
    assert files(tmp_path / "captured") == files(tmp_path / "eager")


def test_the_loop_takes_captured_iterations_where_it_can(monkeypatch):
    """With its waits before every look at the network."""
    waits = []
    monkeypatch.setattr(capture, "obstacle", lambda *_: None)
    monkeypatch.setattr(capture.Captured, "wait", lambda self: waits.append(self))
    config = CONFIGS["no momentum"]
    through_loop = trained(config, eager)
    assert len(waits) >= 2
    monkeypatch.undo()
    assert same_bits(through_loop, trained(config, eager))
    assert np.isfinite(through_loop["log"]).all()
