"""The barrier B, against evaluations written out, and what is known of it in advance."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from torch import nn

from helpers import net
from twophase.data.dataset import Data
from twophase.files import storage
from twophase.files.predicted import STATISTICS
from twophase.measures import barrier
from twophase.measures.barrier import Barrier, Level
from twophase.networks import evaluation, models

LABELS = torch.arange(23) % 3


def images(n=23, seed=1, dtype=torch.float64):
    return torch.randn(n, 1, 6, 6, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def state(seed, dtype=torch.float64):
    model = net(seed, dtype)
    model.bn1.num_batches_tracked.fill_(10 + seed)
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def measure(bn="running", metric="loss", alphas=7, dtype=torch.float64, seed=9):
    calibration = images(20, seed=2, dtype=dtype) if bn == "recalibrate" else None
    return Barrier(net(seed, dtype), images(dtype=dtype), LABELS.clone(), alphas, metric, calibration)


def numpy_score(outputs):
    outputs = outputs.detach().double().numpy()
    loss = -log_softmax(outputs, axis=1)[np.arange(len(outputs)), LABELS.numpy()].mean()
    return Level(loss, np.mean(outputs.argmax(1) != LABELS.numpy()))


def forward(values, x, statistics):
    """`Net` in eval mode, written out; `statistics(k, h)` gives mean and variance of the k-th batch norm's input."""
    h = x
    for k, stride in ((1, 1), (2, 2)):
        h = nn.functional.conv2d(h, values[f"conv{k}.weight"], values[f"conv{k}.bias"], stride, 1)
        mean, variance = (s[None, :, None, None] for s in statistics(k, h))
        scale, shift = (values[f"bn{k}.{part}"][None, :, None, None] for part in ("weight", "bias"))
        h = ((h - mean) / torch.sqrt(variance + 1e-5) * scale + shift).clamp(min=0)
    return h.flatten(1) @ values["fc.weight"].T + values["fc.bias"]


def of_batch(k, h):
    return h.mean((0, 2, 3)), h.var((0, 2, 3), unbiased=False)


def level_by_hand(values, bn, size):
    """Loss and error, with statistics from batches of `size` inputs."""
    x, calibration = images(), images(20, seed=2)
    if bn == "running":
        outputs = forward(values, x, lambda k, h: (values[f"bn{k}.running_mean"], values[f"bn{k}.running_var"]))
    else:
        seen = {1: [], 2: []}

        def collect(k, h):
            seen[k].append((h.mean((0, 2, 3)), h.var((0, 2, 3), unbiased=True)))
            return of_batch(k, h)

        for part in calibration.split(size):
            forward(values, part, collect)
        averages = {k: [torch.stack(s).mean(0) for s in zip(*parts, strict=True)] for k, parts in seen.items()}
        outputs = forward(values, x, lambda k, h: averages[k])
    return numpy_score(outputs)


@pytest.mark.parametrize("size", [512, 9])
@pytest.mark.parametrize("metric", barrier.METRICS)
@pytest.mark.parametrize("bn", STATISTICS)
def test_against_a_direct_evaluation(monkeypatch, bn, metric, size):
    monkeypatch.setattr(evaluation, "BATCH", size)
    alphas, (a, b) = np.linspace(0, 1, 7), (state(1), state(2))
    scores = []
    for alpha in alphas:
        mixed = {name: alpha * a[name] + (1 - alpha) * b[name] for name in a if a[name].is_floating_point()}
        scores.append(level_by_hand(mixed, bn, size))
    levels = np.array([getattr(score, metric) for score in scores])
    m = measure(bn, metric)
    # Each order of evaluation gives the same: nothing is left over from the one before.
    level_b, level_a = m.level(b), m.level(a)
    assert [*level_b, *level_a] == pytest.approx([*scores[0], *scores[-1]], rel=1e-10)
    over_line = levels - (1 - alphas) * levels[0] - alphas * levels[-1]
    for _ in range(2):
        found = m.pair(a, b, level_a, level_b)
        assert found["loss_max"] == pytest.approx(levels.max(), rel=1e-10)
        assert found["value"] == pytest.approx(levels.max() - (levels[0] + levels[-1]) / 2, abs=1e-10)
        assert found["hump"] == pytest.approx(over_line.max(), abs=1e-10)
        assert (found["loss_i"], found["error_i"]) == level_a
        assert (found["loss_j"], found["error_j"]) == level_b
        np.testing.assert_allclose(found["path"], levels, rtol=1e-10)
        assert levels[round(found["alpha_max"] * 6)] == pytest.approx(levels.max(), rel=1e-10)
        assert m.level(a) == level_a
    if metric == "loss":
        assert found["value"] > 1e-3


@pytest.mark.parametrize("bn", STATISTICS)
def test_dropout_is_off(bn):
    m = measure(bn)
    assert m.model.dropout.p > 0
    m.level(state(1))
    assert not m.model.dropout.training
    assert m.level(state(1)) == m.level(state(1))


def test_statistics_matter():
    running, anew = (measure(bn).level(state(1)).loss for bn in STATISTICS)
    assert abs(running - anew) > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bn", STATISTICS)
def test_equal_networks_have_no_barrier(bn, dtype):
    """Exactly 0: so the control of a fork shows nothing but the control."""
    m = measure(bn, dtype=dtype)
    one, copy = state(1, dtype), state(1, dtype)
    level = m.level(one)
    assert m.level(copy) == level
    for other in (one, copy):
        found = m.pair(one, other, level, level)
        assert found["value"] == found["hump"] == 0
        assert found["loss_i"] == found["loss_j"] == found["loss_max"] == level.loss
        assert found["alpha_max"] in (0, 1)


@pytest.mark.parametrize("bn", STATISTICS)
def test_swapping_the_ends_mirrors_the_path(bn):
    m = measure(bn, alphas=8)
    for seeds in ((1, 2), (3, 4), (5, 1)):
        a, b = (state(seed) for seed in seeds)
        la, lb = m.level(a), m.level(b)
        there, back = m.pair(a, b, la, lb), m.pair(b, a, lb, la)
        assert there["value"] == pytest.approx(back["value"], rel=1e-9)
        assert there["alpha_max"] == pytest.approx(1 - back["alpha_max"], abs=1e-12)
        assert there["hump"] == pytest.approx(back["hump"], rel=1e-9, abs=1e-12)
        assert (there["loss_i"], there["loss_j"]) == (back["loss_j"], back["loss_i"])


@settings(max_examples=15)
@given(seeds=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), bn=st.sampled_from(STATISTICS))
def test_the_hump_and_the_barrier_differ_by_at_most_half_of_what_the_levels_do(seeds, bn):
    """B measures the path from the mean of its ends, B+ from the line between them, which leaves it by no more."""
    m = measure(bn, alphas=5)
    a, b = (state(seed) for seed in seeds)
    la, lb = m.level(a), m.level(b)
    found = m.pair(a, b, la, lb)
    assert found["hump"] >= 0
    assert abs(found["value"] - found["hump"]) <= abs(la.loss - lb.loss) / 2 + 1e-12


# --- a convex loss


def linear(dtype=torch.float64):
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).to(dtype)


def linear_state(seed, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "1.weight": scale * torch.randn(3, 36, dtype=torch.float64, generator=generator),
        "1.bias": scale * torch.randn(3, dtype=torch.float64, generator=generator),
    }


@settings(max_examples=25)
@given(seeds=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), alphas=st.integers(2, 9))
def test_a_convex_loss_is_largest_at_an_end(seeds, alphas):
    """So B is half the difference of the ends' losses, which the definition leaves, and the path adds nothing."""
    m = Barrier(linear(), images(), LABELS, alphas)
    a, b = (linear_state(seed) for seed in seeds)
    la, lb = m.level(a), m.level(b)
    found = m.pair(a, b, la, lb)
    assert found["value"] == pytest.approx(abs(la.loss - lb.loss) / 2, abs=1e-12)
    assert found["hump"] <= 1e-12
    assert found["alpha_max"] == (1 if la > lb else 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_convex_loss_has_no_barrier_between_equal_levels(seed):
    """The two ends are where a line through the loss's bowl crosses one level, found by bisection."""
    m = Barrier(linear(), images(), LABELS, 11)
    a, b = linear_state(seed, 3.0), linear_state(seed + 100, 3.0)

    def at(s):
        return {name: (1 - s) * a[name] + s * b[name] for name in a}

    level, low, high = m.level(a), 0.01, 1.0
    assert m.level(at(low)).loss < level.loss  # the line goes down first
    while m.level(at(high)).loss < level.loss:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if m.level(at(middle)).loss < level.loss else (low, middle)
    found = m.pair(a, at(high), level, m.level(at(high)))
    assert -1e-12 < found["value"] < 1e-12
    assert found["hump"] <= 1e-12


# --- the top of a path


class Bump(nn.Module):
    """Logits (c - w^2, 0): the only weight's path from -1 to 1 has its one maximum where w = 0."""

    def __init__(self, c):
        super().__init__()
        self.w, self.c = nn.Parameter(torch.zeros((), dtype=torch.float64)), c

    def forward(self, x):
        first = (self.c - self.w**2).expand(len(x))
        return torch.stack([first, torch.zeros_like(first)], dim=1)


@pytest.mark.parametrize(
    ("w_i", "w_j", "alphas", "alpha"), [(-1, 1, 5, 0.5), (1, -1, 21, 0.5), (-1, 3, 9, 0.75), (3, -1, 9, 0.25)]
)
def test_the_place_and_height_of_a_known_barrier(w_i, w_j, alphas, alpha):
    m = Barrier(Bump(2.0), torch.zeros(4, 1, dtype=torch.float64), torch.ones(4, dtype=torch.int64), alphas)
    i, j = ({"w": torch.tensor(float(w), dtype=torch.float64)} for w in (w_i, w_j))

    def loss(w):  # of the second class
        return np.log1p(np.exp(2 - w**2))

    found = m.pair(i, j, m.level(i), m.level(j))
    assert found["alpha_max"] == alpha
    assert found["loss_max"] == pytest.approx(loss(0), rel=1e-12)
    assert found["loss_i"] == pytest.approx(loss(w_i), rel=1e-12)
    assert found["loss_j"] == pytest.approx(loss(w_j), rel=1e-12)
    assert found["value"] == pytest.approx(loss(0) - (loss(w_i) + loss(w_j)) / 2, rel=1e-12)
    grid = np.linspace(0, 1, alphas)
    over_line = loss(grid * w_i + (1 - grid) * w_j) - grid * loss(w_i) - (1 - grid) * loss(w_j)
    assert found["hump"] == pytest.approx(over_line.max(), rel=1e-12)


def test_alphas_are_evenly_spaced_with_both_ends(monkeypatch):
    m = measure(alphas=30)
    a, b = state(1), state(2)
    asked = []
    original = barrier.lerp
    monkeypatch.setattr(barrier, "lerp", lambda i, j, alpha: (asked.append(alpha), original(i, j, alpha))[1])
    m.pair(a, b, Level(0.0, 0.0), Level(0.0, 0.0))
    assert asked == pytest.approx([k / 29 for k in range(1, 29)])  # the ends' levels are known


def test_lerp_ends_and_counters():
    a, b = state(1), state(2)
    ends = barrier.lerp(a, b, 1.0), barrier.lerp(a, b, 0.0)
    for end, expected in zip(ends, (a, b), strict=True):
        for name, value in end.items():
            if value.is_floating_point():
                torch.testing.assert_close(value, expected[name], rtol=1e-14, atol=1e-14)
            else:
                assert value == a[name]
    middle = barrier.lerp(a, b, 0.25)
    torch.testing.assert_close(middle["fc.weight"], 0.25 * a["fc.weight"] + 0.75 * b["fc.weight"])
    torch.testing.assert_close(middle["bn1.running_var"], 0.25 * a["bn1.running_var"] + 0.75 * b["bn1.running_var"])


# --- files


@pytest.fixture
def checkpoints(tmp_path):
    paths = []
    for seed in range(4):
        arrays = {name: value.numpy() for name, value in state(seed).items()}
        arrays["optimizer/momentum_buffer/fc.weight"] = np.ones((3, 36))
        paths.append(tmp_path / f"step-{seed}.safetensors")
        storage.write_tensors(paths[-1], arrays, {})
    return paths


def both(**options):
    return {bn: measure(bn, **options) for bn in STATISTICS}


@pytest.mark.parametrize("keep", [2, 6])
def test_files_give_the_barriers_of_their_pairs_and_each_level_once(checkpoints, monkeypatch, keep):
    measures = both(alphas=5)
    indices = [(i, j) for j in range(4) for i in range(4) if i <= j]
    expected = []
    for i, j in indices:
        a = state(i)
        b = a if i == j else state(j)
        found = {bn: m.pair(a, b, m.level(a), m.level(b)) for bn, m in measures.items()}
        suffixed = {f"{name}_{bn}": pair[name] for bn, pair in found.items() for name in barrier.IN_TABLES}
        expected.append(found["running"] | suffixed)
    evaluated, done = [], []
    level = Barrier.level
    monkeypatch.setattr(Barrier, "level", lambda self, s: (evaluated.append(s), level(self, s))[1])
    pairs = [(checkpoints[i], checkpoints[j]) for i, j in indices]
    assert barrier.of_files(measures, pairs, keep, done.append) == expected
    assert done == list(range(1, len(pairs) + 1))
    names = measures["running"].values.keys()
    assert all(state.keys() == names for state in evaluated)  # no optimizer's buffers on the way
    distinct = sum(i != j for i, j in indices)
    assert len(evaluated) == 2 * (4 + 3 * distinct)  # 4 ends, and 3 inner points of every path


def test_the_statistics_of_choice_come_under_plain_names(checkpoints):
    pair = [checkpoints[:2]]
    (anew,) = barrier.of_files(dict(reversed(both().items())), pair, 2, lambda _: None)
    (running,) = barrier.of_files(both(), pair, 2, lambda _: None)
    for row, bn in ((anew, "recalibrate"), (running, "running")):
        assert {name: row[name] for name in barrier.IN_TABLES} == {
            name: row[f"{name}_{bn}"] for name in barrier.IN_TABLES
        }
    assert anew["hump_running"] == running["hump_running"]


def test_states_kept_in_memory_are_read_once(checkpoints, monkeypatch):
    read = []
    original = storage.read_tensors
    monkeypatch.setattr(storage, "read_tensors", lambda path: (read.append(path), original(path))[1])
    pairs = [(i, j) for j in checkpoints for i in checkpoints]
    barrier.of_files(both(alphas=3), pairs, 6, lambda _: None)
    assert sorted(read) == sorted(checkpoints)


def test_on_test_set_takes_the_configs_samples(digits):
    data = Data.load(digits)
    network = models.build("resnet8", data.num_classes, 1, 8, width=2)
    evaluated = {"bn": "recalibrate", "calibration_size": 30}
    measures = barrier.on_test_set(network, data, evaluated, 5, "error", test_size=20)
    assert list(measures) == ["recalibrate", "running"]
    assert measures["running"].calibration is None
    m = measures["recalibrate"]
    assert (m.inputs.shape, len(m.labels), m.calibration.shape) == ((20, 1, 8, 8), 20, (30, 1, 8, 8))
    assert torch.equal(m.inputs, data.sample("test", 20)[0])
    assert torch.equal(m.calibration, data.sample("train", 30)[0])
    assert (m.metric, len(m.alphas)) == ("error", 5)
    whole = barrier.on_test_set(network, data, {**evaluated, "bn": "running"}, 5, "loss", test_size=None)
    assert list(whole) == ["running", "recalibrate"]
    assert len(whole["running"].labels) == 40


@pytest.mark.parametrize("bn", STATISTICS)
def test_a_network_without_batch_norms_has_one_barrier_whatever_is_chosen(digits, checkpoints, bn):
    data = Data.load(digits)
    evaluated = {"bn": bn, "calibration_size": 30}
    measures = barrier.on_test_set(linear(), data, evaluated, 5, "loss", test_size=20)
    assert [m.calibration for m in measures.values()] == [None]
    (row,) = barrier.of_files({"running": measure(alphas=3)}, [checkpoints[:2]], 2, lambda _: None)
    for name in barrier.IN_TABLES:
        assert row[name] == row[f"{name}_running"] == row[f"{name}_recalibrate"]
