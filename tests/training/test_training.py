"""Training: formulas of the steps, exact resume, replay, and what is kept of a run."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import nn

from helpers import checkpoint, data, files, net, run, same_bits, settings
from scripts.cone import kernels
from twophase.data.dataset import Data
from twophase.errors import UserError
from twophase.files import layout, storage
from twophase.files.layout import step_file
from twophase.measures import barrier
from twophase.networks import state as network_state
from twophase.training import forks, loop, noise, output
from twophase.training.schedule import learning_rate
from twophase.training.setup import Experiment, set_up

AUGMENTED = {"crop": 1, "flip": True}
OPTIMIZERS = {
    "sgd": {"optimizer": "sgd"},
    "plain sgd": {"optimizer": "sgd", "momentum": 0.0},
    "nesterov": {"optimizer": "sgd", "nesterov": True},
    "adam": {"optimizer": "adam", "lr": 0.003},
}


def run_through(model, optimizer, content, config, seed, start, stops):
    """Runs the generator to its end; the log and the iterations at which it handed over."""
    log = loop.empty_log(max(stops), content)
    return log, list(loop.train(Experiment(model, content, config, seed), optimizer, start, stops, log))


# --- learning rate


def test_step_schedule():
    config = settings(lr=0.4, schedule={"kind": "step", "milestones": [5, 9], "gamma": 0.5})
    assert [learning_rate(t, config) for t in (0, 4, 5, 8, 9, 13)] == [0.4, 0.4, 0.2, 0.2, 0.1, 0.1]


@given(t=st.integers(0, 40), warmup=st.integers(0, 20), lr=st.floats(1e-4, 10))
def test_cosine_schedule_after_a_linear_warmup(t, warmup, lr):
    config = settings(lr=lr, iterations=40, schedule={"kind": "cosine", "warmup": warmup})
    descent = math.cos(math.pi / 2 * (t - warmup) / (40 - warmup)) ** 2
    expected = lr * ((t + 1) / warmup if t < warmup else descent)
    assert learning_rate(t, config) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_warmup_reaches_the_base_rate_and_constant_stays_there():
    config = settings(lr=0.3, schedule={"kind": "constant", "warmup": 3, "milestones": [1]})
    rates = [learning_rate(t, config) for t in range(6)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.3, 0.3])


# --- steps against formulas written out in numpy


def softmax_regression(x, y, weight, bias):
    """Loss, accuracy, and gradients of the mean cross-entropy."""
    logits = x @ weight.T + bias
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    one_hot = np.eye(p.shape[1])[y]
    residual = (p - one_hot) / len(y)
    loss = -np.log((p * one_hot).sum(axis=1)).mean()
    return loss, (logits.argmax(axis=1) == y).mean(), [residual.T @ x, residual.sum(axis=0)]


def sgd(config):
    def step(p, g, state, lr, k):
        g = g + config["weight_decay"] * p
        state["m"] = g if k == 0 else config["momentum"] * state["m"] + g
        return p - lr * (g + config["momentum"] * state["m"] if config["nesterov"] else state["m"])

    return step


def adam(config):
    def step(p, g, state, lr, k):
        g = g + config["weight_decay"] * p
        (b1, b2), t = config["betas"], k + 1
        state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
        state["v"] = b2 * state.get("v", 0) + (1 - b2) * g**2
        return p - lr * (state["m"] / (1 - b1**t)) / (np.sqrt(state["v"] / (1 - b2**t)) + 1e-8)

    return step


@pytest.mark.parametrize("augment", [{}, AUGMENTED], ids=["plain", "augmented"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_follow_the_written_formulas(name, augment):
    config = settings(
        **{"betas": [0.8, 0.99], "weight_decay": 0.02} | OPTIMIZERS[name],
        schedule={"milestones": [2], "gamma": 0.5},
        augment=augment,
    )
    content, seed, start, steps = data(torch.float64), 11, 3, 4
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).double()
    theta = [p.detach().numpy().copy() for p in model.parameters()]
    optimizer = loop.make_optimizer(model, config)
    log, _ = run_through(model, optimizer, content, config, seed, start, {start + steps})

    update, states = (adam if name == "adam" else sgd)(config), [{}, {}]
    crop = config["augment"]["crop"]
    for k, t in enumerate(range(start, start + steps)):
        indices, offsets, flips = noise.batch(seed, t, 17, 5, crop)
        pixels = content.train_images.numpy()[indices, 0]
        if augment:
            padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1)))
            cut = [image[a : a + 6, b : b + 6] for image, (a, b) in zip(padded, offsets, strict=True)]
            pixels = np.stack([image[:, ::-1] if flip else image for image, flip in zip(cut, flips, strict=True)])
        x = ((pixels / 255 - 0.45) / 0.25).reshape(len(indices), -1)
        loss, accuracy, gradients = softmax_regression(x, content.train_labels.numpy()[indices], *theta)
        assert log[t, :2].tolist() == pytest.approx([loss, accuracy], rel=1e-12)
        lr = config["lr"] * (0.5 if t >= 2 else 1)
        theta = [update(p, g, s, lr, k) for p, g, s in zip(theta, gradients, states, strict=True)]
    for p, expected in zip(model.parameters(), theta, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-10, atol=1e-12)
    assert torch.isnan(log[:start]).all()


def test_frozen_parameters_are_not_trained_and_not_in_theta(tmp_path):
    model = net()
    model.conv1.weight.requires_grad_(False)
    before = model.conv1.weight.detach().clone()
    run(tmp_path, model, data(), settings(), [0, 3])
    assert torch.equal(model.conv1.weight, before)
    names = storage.read_metadata(tmp_path / step_file(3))["trainable"]
    assert (
        names
        == [name for name, _ in net().named_parameters() if name != "conv1.weight"]
        == network_state.trainable(model)
    )
    buffers = [name for name in checkpoint(tmp_path, 3) if name.startswith(layout.OPTIMIZER)]
    assert sorted(buffers) == sorted(f"optimizer/momentum_buffer/{name}" for name in names)


def test_the_losses_of_a_stack_are_those_of_its_members():
    torch.manual_seed(0)
    logits, labels = torch.randn(3, 5, 4, dtype=torch.float64), torch.tensor([0, 3, 1, 1, 2])
    expected = [-logits[k].log_softmax(1)[torch.arange(5), labels].mean() for k in range(3)]
    torch.testing.assert_close(loop.mean_loss(logits, labels), torch.stack(expected))
    torch.testing.assert_close(loop.mean_loss(logits[1], labels), expected[1])


# --- the generator


def test_it_hands_over_at_every_stop_before_its_step_and_in_training_mode():
    model, config, content = net(), settings(), data()
    optimizer = loop.make_optimizer(model, config)
    log = loop.empty_log(9, data())
    seen = []
    for t in loop.train(Experiment(model, content, config, 3), optimizer, 2, {2, 5, 9}, log):
        seen.append((t, int(torch.isfinite(log[:, 0]).sum()), int(model.bn1.num_batches_tracked)))
        model.eval()  # as an evaluation at a checkpoint leaves it
    assert [t for t, _, _ in seen] == [2, 5, 9]
    assert [count for _, count, _ in seen] == [0, 3, 7]
    # A batch norm counts the batches that it saw in training mode.
    assert [batches for _, _, batches in seen] == [0, 3, 7]


def test_dropout_and_batches_do_not_follow_the_global_generator():
    def losses(disturb):
        model, config = net(dropout=0.5), settings(augment=AUGMENTED)
        optimizer = loop.make_optimizer(model, config)
        log = loop.empty_log(6, data())
        for t in loop.train(Experiment(model, data(), config, 3), optimizer, 0, set(range(7)), log):
            if disturb:
                torch.manual_seed(t)
                torch.rand(5)
                np.random.seed(t)
        return log

    assert torch.equal(losses(False), losses(True))


def test_dropout_masks_change_with_iteration_and_seed():
    masks = []
    model = net(dropout=0.5)
    model.dropout.register_forward_hook(lambda _, args, out: masks.append(tuple((out == 0).flatten().tolist())))
    config = settings(lr=1e-12, momentum=0.0, weight_decay=0.0, batch_size=17)
    for seed in (1, 2):
        optimizer = loop.make_optimizer(model, config)
        list(loop.train(Experiment(model, data(), config, seed), optimizer, 0, {3}, loop.empty_log(3, data())))
    assert len(set(masks)) == 6


@pytest.mark.parametrize("pause", [1, 3, 100])
def test_a_loss_that_is_not_finite_is_named(tmp_path, monkeypatch, pause):
    monkeypatch.setattr(loop, "PAUSE", pause)
    model, config = net(), settings(lr=1e18, momentum=0.0)
    log = loop.empty_log(14, data())
    with pytest.raises(UserError, match="not finite") as info:
        list(loop.train(Experiment(model, data(), config, 3), loop.make_optimizer(model, config), 0, {14}, log))
    t = int(re.search(r"loss of iteration (\d+)", str(info.value))[1])
    assert t > 0
    assert torch.isfinite(log[:t, 0]).all()
    assert not torch.isfinite(log[t, 0])
    assert "training.lr" in str(info.value)
    assert torch.isnan(log[(t // pause + 1) * pause :, 0]).all()  # it stopped at the first look

    with pytest.raises(UserError, match=f"iteration {t} "):
        run(tmp_path, net(), data(), config, range(0, 15, 2))
    kept = [int(path.stem.removeprefix("step-")) for path in tmp_path.glob("step-*")]
    assert sorted(kept) == [s for s in range(0, 15, 2) if s <= t]
    assert not (tmp_path / "log.parquet").exists()


@pytest.mark.parametrize("pause", [1, 4, 100])
def test_a_divergence_that_is_a_result_ends_the_log(tmp_path, monkeypatch, pause):
    monkeypatch.setattr(loop, "PAUSE", pause)
    config = settings(lr=1e18, momentum=0.0)
    with pytest.raises(loop.Diverged) as info:
        run(tmp_path / "error", net(), data(), config, range(15))
    t = int(re.search(r"loss of iteration (\d+)", str(info.value))[1])

    def keep(at, model, optimizer, row):
        row["score"] = at

    where = tmp_path / "result"
    run(where, net(), data(), config, range(0, 15, 2), at_checkpoint=keep, columns=("score",), may_diverge=True)
    log = storage.read_table(where / "log.parquet")
    assert files(where).keys() == {"log.parquet"}
    assert log["iteration"].tolist() == list(range(15))
    assert np.isfinite(log["loss"][:t]).all()
    assert not np.isfinite(log["loss"][t:]).any()
    assert log["score"].dropna().tolist() == [s for s in range(0, 15, 2) if s <= t]


# --- state


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_survives_a_file_bit_for_bit(tmp_path, name, dtype):
    config, content = settings(**OPTIMIZERS[name]), data(dtype)

    def fresh(seed):
        model = net(seed, dtype)
        return model, loop.make_optimizer(model, config)

    model, optimizer = fresh(1)
    run_through(model, optimizer, content, config, 3, 0, {4})
    network_state.write_checkpoint(tmp_path / "a", model, optimizer, {})
    saved = storage.read_tensors(tmp_path / "a")
    kinds = {"sgd": {"momentum_buffer"}, "nesterov": {"momentum_buffer"}, "plain sgd": set()}
    expected = {
        f"optimizer/{kind}/{p}"
        for kind in kinds.get(name, {"exp_avg", "exp_avg_sq", "step"})
        for p in network_state.trainable(model)
    }
    assert saved.keys() == model.state_dict().keys() | expected
    assert same_bits(saved, network_state.state_of(model, optimizer))

    other, other_optimizer = fresh(2)
    network_state.load_state(other, saved, other_optimizer)
    assert same_bits(network_state.state_of(other, other_optimizer), saved)
    for m, o in ((model, optimizer), (other, other_optimizer)):
        run_through(m, o, content, config, 3, 4, {7})
    after = network_state.state_of(model, optimizer)
    assert same_bits(network_state.state_of(other, other_optimizer), after)
    assert not same_bits(after, saved)
    # The arrays given were copied, not aliased: training on has left them alone.
    assert same_bits(storage.read_tensors(tmp_path / "a"), saved)


def test_a_checkpoint_without_optimizer_holds_the_model_alone(tmp_path):
    model, config = net(), settings()
    optimizer = loop.make_optimizer(model, config)
    run_through(model, optimizer, data(), config, 3, 0, {2})
    network_state.write_checkpoint(tmp_path / "a", model, None, {"iteration": 2})
    assert storage.read_tensors(tmp_path / "a").keys() == model.state_dict().keys()
    facts = storage.read_metadata(tmp_path / "a")
    assert facts == {"iteration": 2, "trainable": network_state.trainable(model)}


def test_a_state_for_distances_has_what_the_checkpoint_has_of_the_network_and_another_name(tmp_path):
    model, config = net(), settings()
    optimizer = loop.make_optimizer(model, config)
    run_through(model, optimizer, data(), config, 3, 0, {2})
    kept = output.Output(tmp_path, {"settings": "x"})
    kept.state(2, model)
    kept.checkpoint(2, model, optimizer)
    of_both, own = checkpoint(tmp_path, 2), storage.read_tensors(tmp_path / layout.state_file(2))
    assert any(name.startswith(layout.OPTIMIZER) for name in of_both)
    assert same_bits(own, {name: value for name, value in of_both.items() if not name.startswith(layout.OPTIMIZER)})
    facts = [storage.read_metadata(tmp_path / name(2)) for name in (layout.state_file, step_file)]
    assert facts[0] == facts[1]


# --- whole runs


def test_the_log_and_the_checkpoints_of_a_run(tmp_path):
    config = settings(augment=AUGMENTED, schedule={"milestones": [6]})
    model, content = net(), data()
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run(tmp_path, model, content, config, [0, 5, 14])
    assert sorted(files(tmp_path)) == sorted(["log.parquet", *(step_file(t) for t in (0, 5, 14))])
    first = checkpoint(tmp_path, 0)
    assert all(np.array_equal(first[name], tensor.numpy()) for name, tensor in start.items())
    assert not any(name.startswith(layout.OPTIMIZER) for name in first)

    log = storage.read_table(tmp_path / "log.parquet")
    assert list(log.columns) == ["iteration", "epoch", "lr", "loss", "accuracy", "gradient"]
    assert log["iteration"].tolist() == list(range(15))
    assert log["epoch"].tolist() == [t // 4 for t in range(15)]
    assert log["lr"].tolist() == pytest.approx([0.05] * 6 + [0.005] * 9)
    assert log["loss"].dtype == np.float32
    assert np.isfinite(log["loss"][:-1]).all()
    assert np.isnan(log["loss"].iloc[-1])
    assert log.attrs["definition"] == "a run"

    # The loss in row t is that of theta_t: a checkpoint reproduces it bit for bit.
    twin = net(9)
    for t in (0, 5):
        network_state.load_state(twin, checkpoint(tmp_path, t))
        twin.train()
        inputs, labels = loop.batch(content, config, 3, t)
        torch.manual_seed(noise.torch_seed(3, "dropout", t))
        with torch.no_grad():
            logits = twin(inputs)
        assert float(nn.functional.cross_entropy(logits, labels)) == log["loss"][t]
        assert (logits.argmax(1) == labels).float().mean() == log["accuracy"][t]


def test_a_finished_run_is_not_run_again(tmp_path, monkeypatch):
    run(tmp_path, net(), data(), settings(), [0, 4])
    before = files(tmp_path)
    monkeypatch.setattr(loop, "batch", None)
    run(tmp_path, net(), data(), settings(), [0, 4])
    assert files(tmp_path) == before


def test_a_run_may_start_later_from_a_given_state(tmp_path):
    """What a fork does: the second part of a run, from its checkpoint, is the second part of the run."""
    config, content = settings(augment=AUGMENTED), data()
    run(tmp_path / "whole", net(), content, config, [0, 6, 9, 14])
    initial = checkpoint(tmp_path / "whole", 6)
    run(tmp_path / "part", net(8), content, config, [0, 6, 9, 14], start=6, initial=initial)
    part, whole = files(tmp_path / "part"), files(tmp_path / "whole")
    assert part.keys() == {"log.parquet", *(step_file(t) for t in (6, 9, 14))}
    assert all(part[name] == whole[name] for name in part if name.startswith("step"))
    log, longer = (storage.read_table(tmp_path / name / "log.parquet") for name in ("part", "whole"))
    assert log.equals(longer[6:].reset_index(drop=True))


@pytest.mark.parametrize("change", [{"seed": 4}, {"lr": 0.0500001}, {"augment": {"flip": True}}, {"batch_size": 6}])
def test_settings_and_seed_make_a_difference(tmp_path, change):
    seeds = {"seed": change.pop("seed")} if "seed" in change else {}
    run(tmp_path / "a", net(), data(), settings(), [14])
    run(tmp_path / "b", net(), data(), settings(**change), [14], **seeds)
    a, b = (checkpoint(tmp_path / name, 14) for name in "ab")
    assert not np.array_equal(a["fc.weight"], b["fc.weight"])


# --- a run that is interrupted


class Stop(BaseException):
    """Like a KeyboardInterrupt: nothing may catch it."""


def keep_and_evaluate(folder, crash_at=None):
    def keep(t, model, optimizer, row):
        model.eval()
        row["scale"] = float(model.fc.weight.detach().abs().sum())
        network_state.write_checkpoint(folder / step_file(t), model, optimizer, {"iteration": t})
        if t == crash_at:
            raise Stop

    return keep


CHECKPOINTS = [0, 3, 8, 13]


def attempt(folder, config, pause, crash=None, crash_at=None):
    """Starts or goes on with a run. `crash`: iteration in whose batch it breaks off; the iterations it trained on."""
    trained = []
    original = loop.batch

    def batch(content, config, seed, t, new):
        if t == crash:
            raise Stop
        trained.append(t)
        return original(content, config, seed, t, new)

    # Whoever goes on has another network in hand: all that counts must come from the file.
    model = net(5 if (folder / "resume.safetensors").exists() else 0, dropout=0.4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "SAVE_AFTER", 0.0)
        patch.setattr(loop, "PAUSE", pause)
        patch.setattr(loop, "batch", batch)
        try:
            run(
                folder,
                model,
                data(),
                config,
                CHECKPOINTS,
                at_checkpoint=keep_and_evaluate(folder, crash_at),
                columns=("scale",),
            )
        except Stop:
            return trained
    assert crash not in trained
    return trained


CONFIGS = {
    name: settings(**options, augment=AUGMENTED, schedule={"kind": "cosine", "warmup": 2})
    for name, options in OPTIMIZERS.items()
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The files of one run for each optimizer which nobody interrupted and which never saved its state."""
    runs = {}
    for name, config in CONFIGS.items():
        folder = tmp_path_factory.mktemp("undisturbed")
        keep = keep_and_evaluate(folder)
        run(folder, net(0, dropout=0.4), data(), config, CHECKPOINTS, at_checkpoint=keep, columns=("scale",))
        runs[name] = files(folder)
    return runs


@hypothesis_settings(max_examples=20)
@given(
    name=st.sampled_from(list(OPTIMIZERS)),
    pause=st.integers(1, 6),
    crashes=st.lists(st.integers(0, 12), min_size=1, max_size=3).map(sorted),
)
def test_interrupted_anywhere_and_gone_on_with_it_is_the_undisturbed_run(
    undisturbed, tmp_path_factory, name, pause, crashes
):
    folder = tmp_path_factory.mktemp("interrupted")
    looks = sorted({*CHECKPOINTS, *range(0, 13, pause)})
    begin = 0
    for crash in [*crashes, None]:
        trained = attempt(folder, CONFIGS[name], pause, crash)
        assert trained == list(range(begin, 13 if crash is None else crash))
        if crash is not None:
            begin = max(t for t in looks if t <= crash)
            assert not (folder / "log.parquet").exists()
    assert files(folder) == undisturbed[name]


@pytest.mark.parametrize("crash_at", CHECKPOINTS)
def test_a_crash_at_a_checkpoint_too(undisturbed, tmp_path, crash_at):
    attempt(tmp_path, CONFIGS["adam"], 100, crash_at=crash_at)
    assert not (tmp_path / "log.parquet").exists()
    trained = attempt(tmp_path, CONFIGS["adam"], 100)
    assert trained == list(range(max([t for t in CHECKPOINTS if t < crash_at], default=0), 13))
    assert files(tmp_path) == undisturbed["adam"]


def test_the_extra_column_of_the_log(undisturbed, tmp_path):
    (tmp_path / "log.parquet").write_bytes(undisturbed["sgd"]["log.parquet"])
    log = storage.read_table(tmp_path / "log.parquet")
    assert log.index[log["scale"].notna()].tolist() == CHECKPOINTS
    for t in CHECKPOINTS:
        (tmp_path / "step").write_bytes(undisturbed["sgd"][step_file(t)])
        weight = torch.from_numpy(storage.read_tensors(tmp_path / "step")["fc.weight"])
        assert log["scale"][t] == float(weight.abs().sum())


@pytest.mark.parametrize(("after", "expected"), [(1e6, []), (45.0, [5, 10]), (0.0, list(range(14)))])
def test_the_state_is_saved_only_now_and_then(tmp_path, monkeypatch, after, expected):
    now, saved = [0.0], []
    write, batch = storage.write_tensors, loop.batch

    def ten_seconds(*args):
        now[0] += 10
        return batch(*args)

    def record(path, tensors, metadata):
        if path.name == "resume.safetensors":
            saved.append(int(tensors["iteration"]))
        write(path, tensors, metadata)

    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(loop, "batch", ten_seconds)
    monkeypatch.setattr(storage, "write_tensors", record)
    monkeypatch.setattr(loop, "PAUSE", 1)
    monkeypatch.setattr(output, "SAVE_AFTER", after)
    run(tmp_path, net(), data(), settings(), [0, 14])
    assert saved == expected


# --- what does not fit the data


def bare(**changes) -> dict:
    return settings(batch_size=8, **changes)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            settings(batch_size=61),
            "training.batch_size: asks for 61 examples, but there are 60 train examples; take at most",
        ),
        (bare(augment={"crop": 8}), "training.augment.crop: 8 pixels of padding would cut whole images of 8x8 pixels"),
        (bare(device="cuda"), "training.device is cuda, but torch sees no CUDA device here. Set it to cpu or auto."),
    ],
)
def test_settings_that_do_not_fit_stop_before_training(digits, config, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    set_up(digits, {"name": "resnet8", "width": 2}, bare(), 0)
    with pytest.raises(UserError, match=re.escape(expected)):
        set_up(digits, {"name": "resnet8", "width": 2}, config, 0)


def test_a_network_is_tried_on_the_smallest_batch_before_training(digits):
    """59 images leave a last batch of one, of which a batch norm over one pixel has no statistics."""
    set_up(digits, {"name": "torchvision:resnet18"}, settings(batch_size=20), 0)
    with pytest.raises(UserError, match="the last batch of an epoch has a single image"):
        set_up(digits, {"name": "torchvision:resnet18"}, settings(batch_size=59), 0)


def test_samples_larger_than_the_data_are_refused(digits):
    content = Data.load(digits)
    with pytest.raises(UserError, match=r"barrier\.test_size: asks for 41 examples, but there are 40 test examples"):
        barrier.on_test_set(net(), content, {"bn": "running", "calibration_size": 10}, 3, "loss", 41)
    with pytest.raises(UserError, match=r"kernel\.n: asks for 61 examples, but there are 60 train examples"):
        kernels.main(digits, "", "", {"name": "resnet8", "width": 2}, bare(), 0, [0], 61, "trace", 8, "running", 10, {})


# --- replay


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A run with dropout, augmentation and Adam, its content and its settings."""
    folder, config, content = tmp_path_factory.mktemp("base"), settings(optimizer="adam", augment=AUGMENTED), data()
    run(folder, net(), content, config, [0, 3, 8, 14])
    log = storage.read_table(folder / "log.parquet").set_index("iteration")
    return folder, config, content, log


@pytest.mark.parametrize("t0", [0, 3, 8])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_replay_passes_where_the_base_run_was_trained(base, t0, count):
    folder, config, content, log = base
    forks.replay(Experiment(net(4), content, config, 3), t0, checkpoint(folder, t0), log.loc[t0 : t0 + count - 1], {})


@pytest.mark.parametrize("k", [0, 1, 3])
def test_replay_notices_the_last_bit_of_one_loss(base, k):
    folder, config, content, log = base
    changed = log.loc[3:7].copy()
    loss = changed.loc[3 + k, "loss"]
    assert loss.dtype == np.float32
    changed.loc[3 + k, "loss"] = np.nextafter(loss, np.float32(np.inf))
    with pytest.raises(UserError, match=rf"Replay check failed: iteration {3 + k} ") as info:
        forks.replay(Experiment(net(4), content, config, 3), 3, checkpoint(folder, 3), changed, {})
    assert f"{loss:.9g} here" in str(info.value)


def test_replay_notices_the_bits_of_a_gradient_where_losses_are_equal(base):
    folder, config, content, log = base
    changed = log.loc[3:7].copy()
    changed.loc[5, "gradient"] = (changed.loc[5, "gradient"] + 1) % 2**24
    with pytest.raises(UserError, match=r"iteration 5 has the loss of the base run, but not the bits of its gradient"):
        forks.replay(Experiment(net(4), content, config, 3), 3, checkpoint(folder, 3), changed, {})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_checksum_sees_the_last_bit_of_any_coordinate_and_fits_into_the_log(dtype):
    gradient = torch.randn(3, 4, 2, dtype=dtype)
    plain, members = loop.checksum(gradient), loop.checksum(gradient, (3,))
    assert members.tolist() == [loop.checksum(part).item() for part in gradient]
    assert plain == members.sum() % 2**24
    assert 0 <= plain < 2**24
    assert float(torch.tensor(float(2**24 - 1), dtype=torch.float32)) == 2**24 - 1
    for k in range(gradient.numel()):
        other = gradient.clone().flatten()
        other[k] = torch.nextafter(other[k], torch.tensor(9.0, dtype=dtype))
        assert loop.checksum(other) != plain


HERE = {"device": "cpu", "threads": 1, "torch": "2.6", "commit": "x"}


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ({"commit": "y"}, "None of the recorded facts differs"),
        ({"device": "cuda:0"}, r"What differs: device \(cuda:0 there, cpu here\)\."),
    ],
)
def test_a_failed_replay_names_what_differs_and_what_to_do(base, there, expected):
    folder, config, content, log = base
    rows = log.loc[3:7].copy()
    rows["loss"] += 1
    rows.attrs = HERE | there
    with pytest.raises(UserError, match=expected) as info:
        forks.replay(Experiment(net(4), content, config, 3), 3, checkpoint(folder, 3), rows, HERE)
    assert "--forcerun trajectory" in str(info.value)
    assert "training.engine: lockstep" in str(info.value)
    assert "\n" not in str(info.value)


# Another instruction set in the environment of a new process, on the very same machine.
ELSEWHERE = """
import sys
sys.path[:0] = {path!r}
from test_training import *
from twophase.training import machine
torch.set_num_threads(1)
folder = Path(sys.argv[1])
log = storage.read_table(folder / "log.parquet").set_index("iteration")
content, config = data(), settings(optimizer="adam", augment=AUGMENTED)
state, network = checkpoint(folder, 3), net(4)
optimizer = loop.make_optimizer(network, config)
network_state.load_state(network, state, optimizer)
rows, _ = run_through(network, optimizer, content, config, 3, 3, {{6}})
print(rows[3:, [0, 2]].tolist())  # losses and the gradients' bits
try:
    here = machine.facts(content, config)
    forks.replay(Experiment(net(4), content, config, 3), 3, state, log.loc[3:5], here)
except UserError as error:
    print(error)
"""


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() == "DEFAULT", reason="has one instruction set only")
def test_replay_notices_another_instruction_set(base):
    folder, *_ = base
    program = ELSEWHERE.format(path=[str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path])
    command = [sys.executable, "-c", program, str(folder)]

    def said(**setting):
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | setting)
        assert done.returncode == 0, done.stderr
        rows, _, message = done.stdout.partition("\n")
        return rows, message

    here, message = said()
    assert message == ""
    there, message = said(ATEN_CPU_CAPABILITY="default")
    if there == here:
        assert message == ""
        pytest.skip("the other instruction set computes the same bits on this machine")
    assert "Replay check failed" in message
    assert "ATEN_CPU_CAPABILITY (not set there" in message


@pytest.mark.parametrize(
    "change", [{"lr": 0.0500001}, {"augment": {"flip": False}}, {"batch_size": 4}, {"betas": [0.9, 0.9]}]
)
def test_replay_notices_other_settings(base, change):
    folder, config, content, log = base
    merged = {key: config[key] | value if isinstance(value, dict) else value for key, value in change.items()}
    with pytest.raises(UserError, match="Replay check failed"):
        forks.replay(Experiment(net(4), content, config | merged, 3), 3, checkpoint(folder, 3), log.loc[3:8], {})


def test_replay_notices_another_seed_state_or_missing_optimizer(base):
    folder, config, content, log = base
    state = checkpoint(folder, 3)
    bare = {name: value for name, value in state.items() if not name.startswith(layout.OPTIMIZER)}
    for seed, start in [(4, state), (3, checkpoint(folder, 8)), (3, bare)]:
        with pytest.raises(UserError, match="Replay check failed"):
            forks.replay(Experiment(net(4), content, config, seed), 3, start, log.loc[3:5], {})


# --- setting up


def test_set_up_follows_seed_and_settings(digits):
    def state(seed, **changes):
        torch.manual_seed(99)
        torch.rand(3)
        experiment = set_up(digits, {"name": "resnet8", "width": 2}, settings(**changes), seed)
        return {name: tensor.numpy().copy() for name, tensor in experiment.network.state_dict().items()}

    assert same_bits(state(1), state(1))
    assert same_bits(state(1), state(1, batch_size=9))
    assert not np.array_equal(state(1)["conv.weight"], state(2)["conv.weight"])
    wide, narrow = state(1, dtype="float64"), state(1)
    assert all(wide[name].dtype == np.float64 for name in wide if narrow[name].dtype == np.float32)
    assert np.array_equal(wide["conv.weight"].astype(np.float32), narrow["conv.weight"])


@pytest.mark.parametrize("threads", [2, 1])
def test_the_number_of_threads_is_the_settings(digits, threads):
    torch.set_num_threads(3)
    set_up(digits, {"name": "resnet8", "width": 2}, settings(threads=threads), 0)
    assert torch.get_num_threads() == threads


def test_set_up_makes_arithmetic_repeatable(digits):
    torch.use_deterministic_algorithms(False)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    set_up(digits, {"name": "resnet8", "width": 2}, settings(), 0)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cudnn.benchmark


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_devices_without_a_gpu(digits):
    with pytest.raises(UserError, match=r"training\.device is cuda.*Set it to cpu or auto"):
        set_up(digits, {"name": "resnet8", "width": 2}, settings(device="cuda"), 0)
    experiment = set_up(digits, {"name": "resnet8", "width": 2}, settings(device="auto"), 0)
    assert {experiment.data.mean.device.type, experiment.network.fc.weight.device.type} == {"cpu"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_real_network_trains_on_real_digits_in_either_precision(digits, tmp_path, dtype):
    config = settings(dtype=dtype, batch_size=20, iterations=45, lr=0.1)
    experiment = set_up(digits, {"name": "resnet8", "width": 2}, config, 0)
    run(tmp_path, experiment.network, experiment.data, config, [0, 45])
    log = storage.read_table(tmp_path / "log.parquet")
    assert log["loss"].dtype == dtype
    assert checkpoint(tmp_path, 45)["conv.weight"].dtype == dtype
    # Chance is ln 10 nats for ten classes.
    assert log["loss"][40:45].mean() < 0.7 * math.log(10) < log["loss"][0]
    assert log["accuracy"][40:45].mean() > 0.4
