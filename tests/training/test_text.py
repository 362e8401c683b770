"""A transformer on a text: the whole of what forks, stacks, switches and barriers promise for images."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.func import functional_call

from helpers import assert_stack_is_solo, checkpoint, files, run, same_bits, settings
from twophase.data import prepare
from twophase.errors import UserError
from twophase.files import layout, storage
from twophase.files.layout import CONTROL, Fork, Stops
from twophase.measures import barrier, distances, ntk
from twophase.networks import models
from twophase.networks import state as network_state
from twophase.training import forks, lockstep, loop
from twophase.training.linearized import Linearized, initial_state
from twophase.training.output import Output
from twophase.training.perturbation import Perturbation
from twophase.training.setup import Experiment, set_up

SEED, STEPS, T0S = 3, [0, 3, 7, 12], [0, 3]
MODELS = {norm: {"name": "transformer", "width": 8, "heads": 2, "norm": norm} for norm in ("layer", "none")}
CONFIGS = {
    "sgd": settings(iterations=12, nesterov=True, batch_size=7),
    "adam": settings(iterations=12, optimizer="adam", lr=0.003, batch_size=7),
}
CASES = [("sgd", "layer"), ("adam", "none")]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """A prepared data set of 40 and 10 contexts of the embedded text."""
    path = tmp_path_factory.mktemp("data") / "text.safetensors"
    prepare.prepare(path, "text", context=6, train_size=40, test_size=10)
    return path


def experiment(text, optimizer, norm, dtype="float32", seed=SEED):
    return set_up(text, MODELS[norm], CONFIGS[optimizer] | {"dtype": dtype}, seed)


@pytest.fixture(scope="module")
def bases(text, tmp_path_factory):
    """Base runs of each case, in both precisions."""
    folders = {}
    for case in CASES:
        for dtype in ("float32", "float64"):
            e = experiment(text, *case, dtype)
            folders[*case, dtype] = tmp_path_factory.mktemp("base")
            run(folders[*case, dtype], e.network, e.data, e.settings, STEPS, SEED)
    return folders


def stops(t0):
    return Stops(tuple(t1 for t1 in STEPS if t1 > t0))


def fork(text, base, folder, case, fork, dtype="float32", size=1e-3):
    output = Output(folder, {"settings": "x"}, distances.OF_PAIR)
    own = experiment(text, *case, dtype, seed=9)  # all that counts comes from the base run's state
    own = Experiment(own.network, own.data, own.settings, SEED)
    forks.train(own, fork, partial(checkpoint, base), stops(fork.t0), Perturbation("per_coordinate", size), output)


def losses(base):
    return storage.read_table(base / "log.parquet")["loss"].to_numpy()


@pytest.mark.parametrize("case", CASES)
def test_the_control_is_the_base_run_and_a_fork_is_not(text, bases, tmp_path, case):
    base = bases[*case, "float32"]
    for draw in (CONTROL, 0):
        fork(text, base, tmp_path / str(draw), case, Fork(3, draw))
        log = storage.read_table(tmp_path / str(draw) / "log.parquet").set_index("iteration")
        apart = log.loc[[7, 12], list(distances.OF_PAIR)]
        assert (apart == 0 if draw == CONTROL else apart > 0).all(axis=None)
    own = {name: v for name, v in checkpoint(base, 12).items() if not name.startswith(layout.OPTIMIZER)}
    assert same_bits(checkpoint(tmp_path / str(CONTROL), 12), own)


@pytest.mark.parametrize("case", CASES)
def test_training_on_from_a_checkpoint_repeats_every_bit(text, bases, case):
    log = storage.read_table(bases[*case, "float32"] / "log.parquet").set_index("iteration")
    again = experiment(text, *case)
    state = checkpoint(bases[*case, "float32"], 7)
    forks.replay(again, 7, state, log.loc[7:11], {})
    changed = log.loc[7:11].copy()
    changed.loc[9, "gradient"] = (changed.loc[9, "gradient"] + 1) % 2**24
    with pytest.raises(UserError, match="Replay check failed: iteration 9"):
        forks.replay(again, 7, state, changed, {})


class Stop(BaseException):
    """Like a KeyboardInterrupt: nothing may catch it."""


def test_interrupted_and_gone_on_with_it_is_the_undisturbed_run(text, bases, tmp_path, monkeypatch):
    original = loop.batch

    def batch(content, config, seed, t, new):
        if t == 8:
            raise Stop
        return original(content, config, seed, t, new)

    def train():
        e = experiment(text, "adam", "none")
        run(tmp_path, e.network, e.data, e.settings, STEPS, SEED)

    with monkeypatch.context() as patch:
        patch.setattr("twophase.training.output.SAVE_AFTER", 0.0)
        patch.setattr(loop, "PAUSE", 2)
        patch.setattr(loop, "batch", batch)
        with pytest.raises(Stop):
            train()
    assert (tmp_path / "resume.safetensors").exists()
    train()
    assert files(tmp_path) == files(bases["adam", "none", "float32"])


@pytest.mark.parametrize("case", CASES)
def test_a_stack_in_double_precision_is_the_solo_runs(text, bases, tmp_path, case):
    base = bases[*case, "float64"]
    own, members = experiment(text, *case, "float64"), layout.forks(T0S, 1, [3])
    own_stops, epsilon = {t0: stops(t0) for t0 in T0S}, Perturbation("per_coordinate", 1e-3)
    lockstep.run(own, checkpoint(base, 0), losses(base)[:3], members, own_stops, epsilon, Output(tmp_path, {}))
    for member in members:
        fork(text, base, tmp_path / "solo" / member.folder, case, member, "float64")
        for t1 in stops(member.t0).t1s:
            assert_stack_is_solo(tmp_path, tmp_path / "solo", member, t1)


@pytest.mark.parametrize("size", [2, 5])
def test_members_of_a_stack_stay_equal_bit_by_bit(text, size):
    own = experiment(text, "adam", "layer")
    try:
        found = lockstep.check(own, 0, network_state.state_of(own.network), size, 4)
    except UserError as error:
        pytest.skip(str(error))  # this machine's arithmetic depends on the place in a stack: the engine refuses it
    assert np.isfinite(found).all()


@pytest.mark.parametrize("norm", MODELS)
def test_kernel_of_contexts_is_that_of_the_jacobian_written_out(text, norm):
    """Row by row, a gradient of one logit of one context each."""
    own = experiment(text, "sgd", norm, "float64")
    inputs, _ = own.data.sample("train", 6)
    rows = []
    for x in inputs:
        for logit in own.network.eval()(x[None])[0]:
            gradients = torch.autograd.grad(logit, [*own.network.parameters()], retain_graph=True)
            rows.append(torch.cat([g.flatten() for g in gradients]))
    jacobian = torch.stack(rows).unflatten(0, (6, -1))
    expected = torch.einsum("acp,bcp->ab", jacobian, jacobian)
    torch.testing.assert_close(ntk.empirical_ntk(own.network, inputs, chunk=4), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("norm", MODELS)
def test_a_linearized_run_starts_as_the_network_and_moves_along_its_tangent(text, bases, norm):
    case = next(case for case in CASES if case[1] == norm)
    own, state = experiment(text, *case, "float64"), checkpoint(bases[*case, "float64"], 7)
    network_state.load_state(own.network, state)
    inputs, _ = own.data.sample("test", None)
    before, point = own.network.eval()(inputs), {k: v.detach().clone() for k, v in own.network.named_parameters()}
    tangent = Linearized(own.network)
    optimizer = loop.make_optimizer(tangent, own.settings)
    network_state.load_state(tangent, initial_state(state, "carry"), optimizer)
    torch.testing.assert_close(tangent(inputs), before)
    log, linear = loop.empty_log(12, own.data), Experiment(tangent, own.data, own.settings, SEED)
    for _ in loop.train(linear, optimizer, 7, {12}, log):
        pass
    step = {name: p.detach() - point[name] for name, p in own.network.named_parameters()}
    h = 1e-4

    def at(factor):
        moved = {name: value + factor * step[name] for name, value in point.items()}
        return functional_call(own.network, moved, (inputs,)).detach()

    slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    assert slope.abs().max() > 1e-3
    torch.testing.assert_close(tangent(inputs).detach(), before.detach() + slope, rtol=1e-7, atol=1e-9)


def test_barrier_of_contexts_is_the_largest_loss_between(text, bases):
    case = CASES[1]
    own, base = experiment(text, *case, "float64"), bases[*case, "float64"]
    (found,) = barrier.on_test_set(
        own.network, own.data, {"bn": "lerp", "calibration_size": 4}, 5, "loss", None
    ).values()
    states = [{k: torch.from_numpy(v) for k, v in checkpoint(base, t).items() if "/" not in k} for t in (0, 12)]
    pair = found.pair(*states, *map(found.level, states))
    fresh = models.build(**MODELS["none"], num_classes=72, in_channels=72, image_size=(1, 6)).double().eval()
    path = []
    for alpha in np.linspace(0, 1, 5):
        point = {name: alpha * states[0][name] + (1 - alpha) * states[1][name] for name in states[0]}
        log_odds = functional_call(fresh, point, (own.data.normalise(own.data.test_images),)).log_softmax(1)
        path.append(-log_odds[range(10), own.data.test_labels].mean().item())
    np.testing.assert_allclose(pair["path"], path, rtol=1e-10)
    assert pair["value"] == pytest.approx(max(path) - (path[0] + path[-1]) / 2, rel=1e-10)
