"""The library's lenet300 from a file of the user's: all that is computed of it is what is computed of the library's."""

from functools import partial

import pytest
import torch

from helpers import LENET300, checkpoint, files, run, same_bits, settings
from twophase.errors import UserError
from twophase.files import layout, storage
from twophase.files.layout import Fork, Stops
from twophase.measures import distances, ntk
from twophase.networks import own
from twophase.networks import state as network_state
from twophase.training import forks, lockstep, loop
from twophase.training.linearized import Linearized, initial_state
from twophase.training.output import Output
from twophase.training.perturbation import Perturbation
from twophase.training.setup import Experiment, set_up

SEED, STEPS, STOPS, EPSILON = 3, [0, 3, 6], Stops((6,)), Perturbation("per_coordinate", 1e-3)


@pytest.fixture
def networks(digits, tmp_path, monkeypatch):
    """`networks[name]()` is the experiment of either, `library` or `own`."""
    monkeypatch.setenv(own.FOLDER, str(tmp_path))
    (tmp_path / "nets.py").write_text(LENET300, encoding="utf-8")
    theirs = {"name": "lenet300"}
    mine = {"name": "nets.py:build", "options": {"hidden": 300}, "sha256": own.sha256("nets.py:build")}
    made = partial(set_up, digits, settings=settings(iterations=6, nesterov=True), seed=SEED)
    return {name: partial(made, model=model) for name, model in {"library": theirs, "own": mine}.items()}


@pytest.fixture
def trained(networks, tmp_path):
    """Folders of the base runs."""
    for name, made in networks.items():
        e = made()
        run(tmp_path / name, e.network, e.data, e.settings, STEPS, SEED)
    return {name: tmp_path / name for name in networks}


def test_base_runs_are_equal_byte_by_byte(trained):
    assert files(trained["own"]) == files(trained["library"])


def test_forks_are_equal_byte_by_byte_alone_and_in_lock_step(networks, trained, tmp_path):
    members = layout.forks([0, 3], 1, [3])
    for name, made in networks.items():
        base = partial(checkpoint, trained[name])
        for fork in members:
            output = Output(tmp_path / name / "solo" / fork.folder, {}, distances.OF_PAIR)
            forks.train(made(), fork, base, STOPS, EPSILON, output)
        losses = storage.read_table(trained[name] / "log.parquet")["loss"].to_numpy()
        try:
            together = Output(tmp_path / name / "stack", {})
            lockstep.run(made(), base(0), losses[:3], members, {0: STOPS, 3: STOPS}, EPSILON, together)
        except UserError as error:
            pytest.skip(str(error))  # this machine's arithmetic depends on the place in a stack
    assert Fork(0, 0) in members
    assert files(tmp_path / "own") == files(tmp_path / "library")


def test_kernels_and_linearized_runs_are_equal_bit_by_bit(networks, trained):
    kernels, ends = [], []
    for name, made in networks.items():
        e, state = made(), checkpoint(trained[name], 3)
        network_state.load_state(e.network, state)
        kernels.append(ntk.empirical_ntk(e.network, e.data.sample("train", 12)[0]))
        tangent = Linearized(e.network)
        optimizer = loop.make_optimizer(tangent, e.settings)
        network_state.load_state(tangent, initial_state(state, "carry"), optimizer)
        linear = Experiment(tangent, e.data, e.settings, SEED)
        for _ in loop.train(linear, optimizer, 3, {6}, loop.empty_log(6, e.data)):
            pass
        ends.append(network_state.state_of(tangent))
    assert torch.equal(*kernels)
    assert same_bits(*ends)
