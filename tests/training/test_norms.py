"""Networks with norms other than batch norms, and a vision transformer: all that forks, stacks and switches promise."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.func import functional_call, jacrev

from helpers import assert_stack_is_solo, checkpoint, data, run, same_bits, settings
from twophase.files import layout, storage
from twophase.files.layout import CONTROL, Fork, Stops
from twophase.files.predicted import STATISTICS
from twophase.measures import barrier, distances
from twophase.networks import evaluation, models
from twophase.networks import state as network_state
from twophase.training import forks, lockstep, loop
from twophase.training.linearized import Linearized, initial_state
from twophase.training.output import Output
from twophase.training.perturbation import Perturbation
from twophase.training.setup import Experiment

SEED, STEPS, T0S = 3, [0, 2, 5, 8], [0, 2]
MODELS = {
    **{f"resnet, {norm}": {"name": "resnet8", "width": 4, "norm": norm} for norm in ("layer", "none")},
    "resnet, group": {"name": "resnet8", "width": 16, "shortcut": "B", "norm": "group"},
    "vit": {"name": "vit", "patch": 4, "width": 8, "heads": 2},
}
SETTINGS = settings(iterations=8)


def experiment(name, dtype=torch.float32, seed=SEED):
    torch.manual_seed(seed)
    network = models.build(**MODELS[name], num_classes=3, in_channels=1, image_size=8).to(dtype)
    return Experiment(network, data(dtype, side=8), SETTINGS, SEED)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Base runs of each network, in both precisions."""
    folders = {}
    for name in MODELS:
        for dtype in (torch.float32, torch.float64):
            e, folders[name, dtype] = experiment(name, dtype), tmp_path_factory.mktemp("base")
            run(folders[name, dtype], e.network, e.data, e.settings, STEPS, SEED)
    return folders


def stops(t0):
    return Stops(tuple(t1 for t1 in STEPS if t1 > t0))


def fork(base, folder, name, fork, dtype=torch.float32):
    output = Output(folder, {"settings": "x"}, distances.OF_PAIR)
    own = experiment(name, dtype, seed=9)  # all that counts comes from the base run's state
    forks.train(own, fork, partial(checkpoint, base), stops(fork.t0), Perturbation("per_coordinate", 1e-3), output)


@pytest.mark.parametrize("name", MODELS)
def test_the_control_is_the_base_run_and_a_fork_is_not(bases, tmp_path, name):
    base = bases[name, torch.float32]
    for draw in (CONTROL, 0):
        fork(base, tmp_path / str(draw), name, Fork(2, draw))
        log = storage.read_table(tmp_path / str(draw) / "log.parquet").set_index("iteration")
        apart = log.loc[[5, 8], list(distances.OF_PAIR)]
        assert (apart == 0 if draw == CONTROL else apart > 0).all(axis=None)
    own = {key: v for key, v in checkpoint(base, 8).items() if not key.startswith(layout.OPTIMIZER)}
    assert same_bits(checkpoint(tmp_path / str(CONTROL), 8), own)


@pytest.mark.parametrize("name", MODELS)
def test_a_stack_in_double_precision_is_the_solo_runs(bases, tmp_path, name):
    base = bases[name, torch.float64]
    losses = storage.read_table(base / "log.parquet")["loss"].to_numpy()[:3]
    own, members = experiment(name, torch.float64), layout.forks(T0S, 1, [2])
    epsilon = Perturbation("per_coordinate", 1e-3)
    lockstep.run(
        own, checkpoint(base, 0), losses, members, {t0: stops(t0) for t0 in T0S}, epsilon, Output(tmp_path, {})
    )
    for member in members:
        fork(base, tmp_path / "solo" / member.folder, name, member, torch.float64)
        for t1 in stops(member.t0).t1s:
            assert_stack_is_solo(tmp_path, tmp_path / "solo", member, t1)


@pytest.mark.parametrize("name", MODELS)
def test_a_linearized_run_starts_as_the_network_and_moves_along_its_tangent(bases, name):
    """f + J (theta' - theta), with J row by row by reverse differentiation."""
    own, state = experiment(name, torch.float64), checkpoint(bases[name, torch.float64], 2)
    network_state.load_state(own.network, state)
    inputs, _ = own.data.sample("test", 6)
    point = {key: v.detach().clone() for key, v in own.network.named_parameters()}
    before = own.network.eval()(inputs).detach()
    jacobian = jacrev(lambda p: functional_call(own.network, p, (inputs,)))(point)
    tangent = Linearized(own.network)
    optimizer = loop.make_optimizer(tangent, own.settings)
    network_state.load_state(tangent, initial_state(state, "carry"), optimizer)
    torch.testing.assert_close(tangent(inputs), before)
    log, linear = loop.empty_log(8, own.data), Experiment(tangent, own.data, own.settings, SEED)
    for _ in loop.train(linear, optimizer, 2, {8}, log):
        pass
    step = {key: p.detach() - point[key] for key, p in own.network.named_parameters()}
    slope = sum(torch.einsum("ncp,p->nc", jacobian[key].flatten(2), step[key].flatten()) for key in step)
    assert slope.abs().max() > 1e-3
    torch.testing.assert_close(tangent(inputs).detach(), before + slope, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("bn", STATISTICS)
def test_there_is_nothing_to_recalibrate_and_one_barrier_whatever_is_chosen(bases, name, bn):
    own, base = experiment(name, torch.float64), bases[name, torch.float64]
    calls = []
    own.network.register_forward_pre_hook(lambda *_: calls.append(1))
    evaluation.recalibrate(own.network, own.data.sample("train", 4)[0])
    assert not calls
    assert evaluation.statistics_of(own.network, bn) == [STATISTICS[0]]
    (found,) = barrier.on_test_set(own.network, own.data, {"bn": bn, "calibration_size": 4}, 5, "loss", None).values()
    states = [{k: torch.from_numpy(v) for k, v in checkpoint(base, t).items() if "/" not in k} for t in (0, 8)]
    pair = found.pair(*states, *map(found.level, states))
    inputs, labels = own.data.sample("test", None)
    path = []
    for alpha in np.linspace(0, 1, 5):
        point = {key: alpha * states[0][key] + (1 - alpha) * states[1][key] for key in states[0]}
        log_odds = functional_call(own.network.eval(), point, (inputs,)).log_softmax(1)
        path.append(-log_odds[range(len(labels)), labels].mean().item())
    np.testing.assert_allclose(pair["path"], path, rtol=1e-10)
    assert pair["value"] == pytest.approx(max(path) - (path[0] + path[-1]) / 2, rel=1e-10)
