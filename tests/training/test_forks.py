"""Forks: without perturbation they are the base run bit for bit, with one only epsilon differs."""

from functools import partial

import numpy as np
import pytest
import torch

from helpers import apart, checkpoint, data, files, net, run, same_bits, settings
from twophase.files import layout, storage
from twophase.files.layout import CONTROL, Fork, Stops, step_file
from twophase.measures import distances
from twophase.networks import evaluation
from twophase.networks import state as network_state
from twophase.training import forks, loop, noise
from twophase.training.noise import NewNoise
from twophase.training.output import Output
from twophase.training.perturbation import NORMS, Perturbation
from twophase.training.setup import Experiment

SEED, STEPS = 3, [0, 3, 7, 14]
CONFIGS = {
    "sgd": settings(augment={"crop": 1, "flip": True}, nesterov=True),
    "adam": settings(augment={"crop": 1, "flip": True}, optimizer="adam", lr=0.003),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A base run with batch norms, dropout and augmentation for each optimizer."""
    folders = {}
    for name, config in CONFIGS.items():
        folders[name] = tmp_path_factory.mktemp(name)
        run(folders[name], net(dropout=0.4), data(), config, STEPS, SEED)
    return folders


def fork(base, folder, name="sgd", t0=3, draw=0, t1s=STEPS, dense=(), norm="per_coordinate", size=1e-7, **kind):
    # All that counts comes from the base run's state.
    experiment = Experiment(net(9, dropout=0.4), data(), CONFIGS[name], SEED)
    perturbation, output = Perturbation(norm, size, **kind), Output(folder, {"settings": "x"}, distances.OF_PAIR)
    stops = Stops(tuple(t1 for t1 in t1s if t1 > t0), tuple(t1 for t1 in dense if t1 > t0))
    forks.train(experiment, Fork(t0, draw), partial(checkpoint, base), stops, perturbation, output)


@pytest.mark.parametrize("noise", ["shared", "both"])
@pytest.mark.parametrize("t0", [0, 3, 7])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_control_ends_on_the_base_run(bases, tmp_path, name, t0, noise):
    fork(bases[name], tmp_path, name, t0, CONTROL, noise=noise)
    later = [t1 for t1 in STEPS if t1 > t0]
    assert files(tmp_path).keys() == {"log.parquet", "perturbation.parquet", *map(step_file, later)}
    inputs, _ = data().sample("test", None)
    for t1 in later:
        twin, base = checkpoint(tmp_path, t1), checkpoint(bases[name], t1)
        own = {key: value for key, value in base.items() if not key.startswith(layout.OPTIMIZER)}
        assert same_bits(twin, own)
        predictions = []
        for state in (twin, base):
            model = net()
            network_state.load_state(model, state)
            predictions.append(evaluation.logits(model.eval(), inputs).argmax(1).numpy()[None])
        assert distances.disagreement(*predictions).item() == 0
    logs = [storage.read_table(folder / "log.parquet").set_index("iteration") for folder in (tmp_path, bases[name])]
    assert logs[0][logs[1].columns].equals(logs[1].loc[t0:])
    assert (logs[0].loc[later, list(distances.OF_PAIR)] == 0).all(axis=None)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_perturbed_fork_leaves_the_base_run(bases, tmp_path, name):
    fork(bases[name], tmp_path, name, size=1e-4)
    log = storage.read_table(tmp_path / "log.parquet").set_index("iteration")
    assert (log.loc[[7, 14], list(distances.OF_PAIR)] > 0).all(axis=None)


def test_its_log_has_the_distances_from_the_checkpoints_of_both(bases, tmp_path):
    """By formulas written out elsewhere; where only distances are asked for, there is no checkpoint."""
    fork(bases["sgd"], tmp_path, t1s=[14], dense=[7], size=1e-3)
    assert [name for name in files(tmp_path) if name.startswith("step")] == [step_file(14)]
    fork(bases["sgd"], tmp_path / "kept", t1s=[7, 14], size=1e-3)
    log = storage.read_table(tmp_path / "log.parquet").set_index("iteration")
    assert log.index[log["l2"].notna()].tolist() == [7, 14]
    for t1 in (7, 14):
        pair = checkpoint(tmp_path / "kept", t1), checkpoint(bases["sgd"], t1)
        expected = apart(*pair, network_state.trainable(net()))
        assert log.loc[t1, list(distances.OF_PAIR)].to_dict() == pytest.approx(expected, rel=1e-9, abs=0)


class Stop(BaseException):
    """Like a KeyboardInterrupt: nothing may catch it."""


@pytest.mark.parametrize("kind", [{}, {"noise": "both", "norm": "l2", "direction": "gradient"}], ids=["", "other"])
@pytest.mark.parametrize(("crash", "from_"), [(6, 6), (7, 7), (8, 8), (9, 8), (13, 12)])
@pytest.mark.parametrize("name", CONFIGS)
def test_interrupted_and_gone_on_with_it_is_the_undisturbed_fork(
    bases, tmp_path, monkeypatch, name, crash, from_, kind
):
    """Its distances, too: those recorded before the interruption are in the log."""
    options = {"t1s": [14], "dense": [7], "size": 1e-3, **kind}
    fork(bases[name], tmp_path / "whole", name, **options)
    original = loop.batch

    def batch(content, config, seed, t, *new):
        if t == crash:
            raise Stop
        return original(content, config, seed, t, *new)

    with monkeypatch.context() as patch:
        patch.setattr("twophase.training.output.SAVE_AFTER", 0.0)
        patch.setattr(loop, "PAUSE", 2)
        patch.setattr(loop, "batch", batch)
        with pytest.raises(Stop):
            fork(bases[name], tmp_path / "again", name, **options)
    assert files(tmp_path / "again").keys() == {"perturbation.parquet", "resume.safetensors"}
    assert storage.read_tensors(tmp_path / "again" / "resume.safetensors")["iteration"] == from_
    fork(bases[name], tmp_path / "again", name, **options)
    assert files(tmp_path / "again") == files(tmp_path / "whole")


def test_draws_and_t0s_are_forks_of_their_own(bases, tmp_path):
    for draw in (0, 1):
        fork(bases["sgd"], tmp_path / str(draw), draw=draw)
    fork(bases["sgd"], tmp_path / "again", draw=0)
    first, second = (checkpoint(tmp_path / name, 14) for name in "01")
    assert not np.array_equal(first["fc.weight"], second["fc.weight"])
    assert files(tmp_path / "again") == files(tmp_path / "0")


@pytest.mark.parametrize("norm", NORMS)
def test_it_starts_from_the_base_state_with_epsilon_alone_added(bases, tmp_path, monkeypatch, norm):
    started = {}
    original = loop.run

    def spy(*args, **options):
        started.update(options)
        yield from original(*args, **options)

    monkeypatch.setattr(loop, "run", spy)
    fork(bases["sgd"], tmp_path, norm=norm, size=1e-3, draw=1)
    base, names = checkpoint(bases["sgd"], 3), network_state.trainable(net())
    initial = started["initial"]
    assert started["start"] == 3
    others = {key: value for key, value in initial.items() if key not in names}
    assert same_bits(others, {key: value for key, value in base.items() if key not in names})
    assert any(key.startswith("optimizer/momentum_buffer/") for key in others)
    assert any(key.endswith("running_var") for key in others)

    moves = np.concatenate([(initial[n].astype(np.float64) - base[n]).ravel() for n in names])
    (facts,) = storage.read_table(tmp_path / "perturbation.parquet").to_dict("records")
    assert (facts["t0"], facts["draw"], facts["norm"], facts["size"]) == (3, 1, norm, 1e-3)
    assert facts["realised"] == pytest.approx(np.linalg.norm(moves), rel=1e-12)
    assert facts["changed"] == np.mean(moves != 0)
    assert facts["realised"] == pytest.approx(facts["requested"], rel=1e-2)


def test_the_control_is_recorded_as_one(bases, tmp_path):
    fork(bases["sgd"], tmp_path, draw=CONTROL, size=0.5)
    (facts,) = storage.read_table(tmp_path / "perturbation.parquet").to_dict("records")
    assert facts == {
        "t0": 3, "draw": -1, "norm": "per_coordinate", "size": 0, "requested": 0, "realised": 0, "changed": 0,
    }  # fmt: skip


def test_batches_augmentation_and_dropout_are_the_base_runs(tmp_path, monkeypatch):
    seen = []
    original = loop.batch

    def spy(content, config, seed, t, new):
        inputs, labels = original(content, config, seed, t, new)
        seen.append((t, inputs, labels))
        return inputs, labels

    monkeypatch.setattr(loop, "batch", spy)
    drawn_from = []  # where torch's generator stands as dropout draws its mask

    def watched(model):
        model.dropout.register_forward_pre_hook(lambda *_: drawn_from.append(torch.random.get_rng_state()))
        return model

    config = CONFIGS["sgd"]
    run(tmp_path / "base", watched(net(dropout=0.4)), data(), config, STEPS, SEED)
    base = list(zip(seen, drawn_from, strict=True))[3:]
    seen.clear()
    drawn_from.clear()
    model = watched(net(9, dropout=0.4))
    experiment = Experiment(model, data(), config, SEED)
    output = Output(tmp_path / "fork", {}, distances.OF_PAIR)
    base_at = partial(checkpoint, tmp_path / "base")
    forks.train(experiment, Fork(3, 0), base_at, Stops((7, 14)), Perturbation("linf", 1e-3), output)
    twin = list(zip(seen, drawn_from, strict=True))
    assert [t for (t, _, _), _ in twin] == list(range(3, 14))
    for ((_, *of_twin), twin_state), ((_, *of_base), base_state) in zip(twin, base, strict=True):
        assert all(map(torch.equal, of_twin, of_base))
        assert torch.equal(twin_state, base_state)
    assert len({bytes(state) for _, state in twin}) == len(twin)


def batches(t0, kind):
    """Inputs and labels of a run with dropout and crops, from `t0` on, of an epoch and a half."""
    new = None if kind is None else NewNoise(kind, Fork(t0, 0))
    return [loop.batch(data(), CONFIGS["sgd"], SEED, t, new) for t in range(t0, 8)]


def rows(part):
    """The examples of batches, as bytes, in order."""
    return [example.numpy().tobytes() for inputs, _ in part for example in inputs]


@pytest.mark.parametrize("t0", [0, 2])  # of four iterations an epoch
def test_new_noise_in_the_tensors_of_batches(t0):
    """A new order has the same augmented images in every epoch, a new augmentation the same labels in every batch."""
    base, order, augmentation, both = (batches(t0, kind) for kind in (None, "order", "augmentation", "both"))
    for first, last in ((0, 4 - t0), (4 - t0, None)):
        assert rows(order[first:last]) != rows(base[first:last])
        assert sorted(rows(order[first:last])) == sorted(rows(base[first:last]))
        assert sorted(rows(augmentation[first:last])) != sorted(rows(base[first:last]))
        assert sorted(rows(both[first:last])) != sorted(rows(base[first:last]))
    for (_, mine), (_, its) in zip(augmentation, base, strict=True):
        assert torch.equal(mine, its)
    assert [labels.tolist() for _, labels in both] == [labels.tolist() for _, labels in order]


@pytest.mark.parametrize("noise", ["order", "augmentation", "both"])
def test_with_new_noise_alone_forks_leave_the_base_run_and_each_other(bases, tmp_path, noise):
    for draw in (0, 1):
        fork(bases["sgd"], tmp_path / str(draw), draw=draw, size=0.0, noise=noise)
        log = storage.read_table(tmp_path / str(draw) / "log.parquet").set_index("iteration")
        assert (log.loc[[7, 14], list(distances.OF_PAIR)] > 0).all(axis=None)
        (facts,) = storage.read_table(tmp_path / str(draw) / "perturbation.parquet").to_dict("records")
        assert facts["realised"] == facts["changed"] == 0
    fork(bases["sgd"], tmp_path / "again", draw=0, size=0.0, noise=noise)
    assert files(tmp_path / "again") == files(tmp_path / "0")
    first, second = (checkpoint(tmp_path / name, 14) for name in "01")
    assert not np.array_equal(first["fc.weight"], second["fc.weight"])


def test_dropout_masks_are_the_base_run_s_with_new_noise(bases, tmp_path):
    drawn_from = {}  # where torch's generator stands as dropout draws its mask
    for kind in ("shared", "both"):
        model, states = net(9, dropout=0.4), drawn_from.setdefault(kind, [])
        model.dropout.register_forward_pre_hook(lambda *_, to=states: to.append(torch.random.get_rng_state()))
        experiment = Experiment(model, data(), CONFIGS["sgd"], SEED)
        output = Output(tmp_path / kind, {}, distances.OF_PAIR)
        perturbation = Perturbation("l2", 0.0, noise=kind)
        forks.train(experiment, Fork(3, 0), partial(checkpoint, bases["sgd"]), Stops((7,)), perturbation, output)
    assert all(map(torch.equal, *drawn_from.values()))


@pytest.mark.parametrize("norm", ["l2", "relative", "linf"])
def test_only_the_parameters_named_move_and_by_the_size_asked_for(bases, tmp_path, monkeypatch, norm):
    started, original, where = {}, loop.run, ("conv1.weight", "fc.bias")
    monkeypatch.setattr(loop, "run", lambda *args, **options: (started.update(options), original(*args, **options))[1])
    fork(bases["sgd"], tmp_path, norm=norm, size=1e-2, where=where)
    base = checkpoint(bases["sgd"], 3)
    others = [name for name in base if name not in where]
    assert same_bits({n: started["initial"][n] for n in others}, {n: base[n] for n in others})
    theta, moved = (
        np.concatenate([state[n].astype(np.float64).ravel() for n in where]) for state in (base, started["initial"])
    )
    lengths = {"l2": 1e-2, "relative": 1e-2 * np.sqrt(theta @ theta), "linf": 1e-2 * np.sqrt(len(theta))}
    assert np.linalg.norm(moved - theta) == pytest.approx(lengths[norm], rel=1e-4)
    (facts,) = storage.read_table(tmp_path / "perturbation.parquet").to_dict("records")
    assert facts["requested"] == pytest.approx(lengths[norm], rel=1e-12)
    assert facts["changed"] == 1


@pytest.mark.parametrize("where", [(), ("conv1.weight", "fc.bias")])
@pytest.mark.parametrize("t0", [0, 3])
def test_along_the_gradient_of_the_batch_at_t0(bases, tmp_path, monkeypatch, t0, where):
    """By autograd, written out: the loss in training mode with the iteration's dropout mask, as the base run had it."""
    started = {}
    original = loop.run
    monkeypatch.setattr(loop, "run", lambda *args, **options: (started.update(options), original(*args, **options))[1])
    fork(bases["sgd"], tmp_path, t0=t0, norm="l2", size=1e-2, direction="gradient", where=where)
    base, model = checkpoint(bases["sgd"], t0), net(dropout=0.4)
    network_state.load_state(model, base)
    indices, offsets, flips = (torch.from_numpy(a) for a in noise.batch(SEED, t0, 17, 5, 1))
    images = noise.augment(data().train_images[indices], offsets, flips, 1, True)
    torch.manual_seed(noise.torch_seed(SEED, "dropout", t0))
    logits = model.train()((images.float() / 255 - 0.45) / 0.25)
    torch.nn.functional.cross_entropy(logits, data().train_labels[indices]).backward()
    names = where or network_state.trainable(model)
    parameters = dict(model.named_parameters())
    along = np.concatenate([parameters[n].grad.double().numpy().ravel() for n in names])
    moved = np.concatenate([(started["initial"][n].astype(np.float64) - base[n]).ravel() for n in names])
    np.testing.assert_allclose(moved, 1e-2 * along / np.linalg.norm(along), rtol=0, atol=2e-7)
    others = [name for name in base if name not in names]
    assert same_bits({n: started["initial"][n] for n in others}, {n: base[n] for n in others})


def test_metadata_of_a_fork(bases, tmp_path):
    fork(bases["sgd"], tmp_path)
    facts = storage.read_metadata(tmp_path / step_file(7))
    assert (facts["iteration"], facts["settings"]) == (7, "x")
    assert facts["trainable"] == network_state.trainable(net())
    assert storage.read_metadata(tmp_path / "perturbation.parquet")["settings"] == "x"
