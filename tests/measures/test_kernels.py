"""Kernels at the checkpoints of a run, with running statistics of batch norms and with statistics computed anew."""

import numpy as np
import pytest
import torch

from helpers import settings
from scripts.cone import kernels
from twophase.files import folders, storage
from twophase.files.layout import step_file
from twophase.measures import ntk
from twophase.networks import evaluation
from twophase.networks import state as network_state
from twophase.training import loop
from twophase.training.setup import set_up

MODEL = {"name": "resnet8", "width": 2}
STEPS = (0, 3, 6)


@pytest.fixture
def states(digits):
    """Checkpoints of a short run, as {iteration: tensors}."""
    experiment = set_up(digits, MODEL, settings(), 0)
    optimizer = loop.make_optimizer(experiment.network, settings())
    log, states = loop.empty_log(max(STEPS), experiment.data), {}
    for t in loop.train(experiment, optimizer, 0, STEPS, log):
        states[t] = {name: value.copy() for name, value in network_state.state_of(experiment.network).items()}
    return states


@pytest.fixture
def computed(digits, tmp_path):
    """`computed(states, bn)`: kernels that the script makes of checkpoints, by iteration."""

    def run(states, bn):
        here = tmp_path / str(len(list(tmp_path.iterdir())))
        with folders.resumable(here / "run", "digest") as folder:
            for t, state in states.items():
                storage.write_tensors(folder / step_file(t), state, {})
        options = {"steps": list(states), "n": 8, "reduce": "trace", "chunk": 64, "bn": bn, "calibration_size": 40}
        kernels.main(digits, here / "run", here / "kernels", MODEL, settings(), 0, **options, facts={"settings": "x"})
        return {t: storage.read_tensors(here / "kernels" / step_file(t))["kernel"] for t in states}

    return run


def with_statistics(state, value):
    return {name: np.full_like(a, value) if "running" in name else a for name, a in state.items()}


def test_running_statistics_are_those_of_the_checkpoint(states, computed, digits):
    found = computed(states, "running")
    experiment = set_up(digits, MODEL, settings(), 0)
    network, data = experiment.network, experiment.data
    for t, state in states.items():
        network_state.load_state(network, state)
        assert np.array_equal(found[t], ntk.empirical_ntk(network, data.sample("train", 8)[0]).numpy())
    other = computed({t: with_statistics(state, 2.0) for t, state in states.items()}, "running")
    assert not any(np.allclose(found[t], other[t], rtol=1e-2) for t in states)


def test_recalibrated_kernels_depend_on_nothing_but_their_own_weights(states, computed):
    found = computed(states, "recalibrate")
    other = computed({t: with_statistics(state, 2.0) for t, state in states.items()}, "recalibrate")
    alone = computed({6: states[6]}, "recalibrate")
    assert all(np.array_equal(found[t], other[t]) for t in states)
    assert np.array_equal(found[6], alone[6])
    assert not np.allclose(found[0], found[6], rtol=1e-2)


def test_both_are_one_where_the_running_statistics_have_converged(states, computed, digits):
    experiment = set_up(digits, MODEL, settings(), 0)
    network, data = experiment.network, experiment.data
    network_state.load_state(network, states[6])
    network.train()
    with torch.no_grad():
        for _ in range(300):  # 0.9^300 of what they were is left
            network(data.sample("train", 40)[0])
    converged = {6: network_state.state_of(network)}
    running, anew = (computed(converged, bn)[6] for bn in ("running", "recalibrate"))
    np.testing.assert_allclose(running, anew, rtol=1e-4, atol=1e-4 * np.abs(running).max())
    assert evaluation.BATCH >= 40  # one batch: no mean over several
