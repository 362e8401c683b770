"""Forward passes over a fixed set, and scores, against numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax
from torch import nn

from helpers import net
from twophase.files.predicted import STATISTICS
from twophase.networks import evaluation, models


@pytest.mark.parametrize("size", [1, 6, 7, 8, 21, 23])
def test_logits_in_batches_are_those_of_every_input_alone(monkeypatch, size):
    model = net(dtype=torch.float64).eval()
    inputs = torch.randn(size, 1, 6, 6, dtype=torch.float64)
    seen = []
    model.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    monkeypatch.setitem(evaluation.PIXELS, "cpu", 8 * 36 - 1)
    outputs = evaluation.logits(model, inputs)
    assert torch.equal(outputs, evaluation.logits(model, inputs, 7))
    seen = seen[: len(seen) // 2]
    assert seen == [7] * (size // 7) + [size % 7] * (size % 7 > 0)
    assert not outputs.requires_grad
    one_by_one = torch.cat([model(inputs[k : k + 1]) for k in range(size)])
    torch.testing.assert_close(outputs, one_by_one.detach(), rtol=1e-12, atol=1e-12)


@given(st.integers(0, 2**31), st.integers(1, 30), st.sampled_from([0.1, 1.0, 30.0]))
def test_scores_against_numpy(seed, n, scale):
    rng = np.random.default_rng(seed)
    outputs, labels = (scale * rng.standard_normal((n, 4))).astype(np.float32), rng.integers(0, 4, n)
    loss, error = evaluation.score(torch.from_numpy(outputs), torch.from_numpy(labels))
    picked = log_softmax(outputs.astype(np.float64), axis=1)[np.arange(n), labels]
    assert loss == pytest.approx(-picked.mean(), rel=1e-12, abs=1e-15)
    assert error == pytest.approx(np.mean(outputs.argmax(1) != labels), abs=1e-15)
    assert isinstance(loss, float)
    assert isinstance(error, float)


def test_a_small_difference_of_losses_survives_a_large_test_set():
    """One input among 10^4 changes its logit by 1e-6; a sum in float32 would not show it."""
    outputs = torch.randn(10_000, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(10_000, dtype=torch.int64)
    outputs[0] = torch.tensor([1.0, 0.0, 0.0])
    moved = outputs.clone()
    moved[0, 1] = 1e-6
    change = evaluation.score(moved, labels)[0] - evaluation.score(outputs, labels)[0]
    slope = 1 / (np.e + 2)  # the softmax of the logit that moves
    assert change == pytest.approx(float(moved[0, 1]) * slope / 10_000, rel=1e-3)


# --- folded batch norms


class Shared(nn.Module):
    """Convolutions whose output more than their batch norm takes, or that are called twice: nothing to fold."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.again = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)
        self.twice = nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.conv(x)
        x = x + self.bn(x)
        x = self.twice(self.again(x))
        return (self.twice(self.again(x)) + self.twice(x)).mean((2, 3))


class ByLength(nn.Module):
    """A function that cannot be traced."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.bn(self.conv(x))
        return (x if len(x) > 2 else 2 * x).mean((2, 3))


FOLDED = {  # a network, the side of its images, and how many batch norms it can do without
    "plain": (lambda: net(), 6, 2),
    "resnet": (lambda: models.build("resnet8", 3, 1, 8), 8, 7),
    "wide": (lambda: models.build("resnet8", 3, 1, 8, width=32, shortcut="B"), 8, 9),
    "vgg": (lambda: models.build("vgg11", 3, 1, 32, width=0.25), 32, 8),
    "no batch norm": (lambda: models.build("lenet5", 3, 1, 12), 12, 0),
    "shared": (Shared, 8, 0),
    "not traceable": (ByLength, 8, 0),
    "transformer": (lambda: models.build("transformer", 3, 1, (1, 8), width=8), (1, 8), 0),
}


@pytest.mark.parametrize("name", FOLDED)
def test_a_folded_network_is_the_same_function_of_the_values_it_took_over(name):
    build, side, count = FOLDED[name]
    torch.manual_seed(0)
    model = build().double().eval()
    folded = evaluation.Folded(model)
    size = (side, side) if isinstance(side, int) else side
    x = torch.randn(5, 1, *size, dtype=torch.float64)
    assert len(folded.pairs) == count
    for seed in (1, 2):
        torch.manual_seed(seed)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for value in (module.weight, module.bias, module.running_mean, module.running_var):
                    value.data.uniform_(0.5, 2)
            elif isinstance(module, nn.Conv2d | nn.Linear):
                module.reset_parameters()
        before = {key: value.clone() for key, value in model.state_dict().items()}
        folded.refresh()
        expected = model(x)
        torch.testing.assert_close(evaluation.logits(folded, x), expected.detach(), rtol=1e-10, atol=1e-10)
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
        assert torch.equal(model(x), expected)


def test_channels_lie_together_where_all_convolutions_have_whole_vectors_of_them():
    formats = {name: evaluation.Folded(FOLDED[name][0]().eval()).format for name in ("plain", "wide", "vgg")}
    assert formats == {"plain": torch.contiguous_format, "wide": torch.channels_last, "vgg": torch.channels_last}


# --- batch norms' statistics computed anew


@pytest.mark.parametrize("chosen", STATISTICS)
def test_a_network_is_evaluated_under_the_statistics_of_choice_first(chosen):
    with_norms = [net(), models.build("resnet8", 3, 1, 8), nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))]
    for model in with_norms:
        kinds = evaluation.statistics_of(model, chosen)
        assert kinds[0] == chosen
        assert set(kinds) == set(STATISTICS)
        assert len(kinds) == 2
    assert evaluation.statistics_of(models.build("lenet5", 3, 1, 12), chosen) == ["running"]


def recalibrated(model, inputs):
    evaluation.recalibrate(model, inputs)
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_recalibrated_statistics_are_those_of_the_inputs_whatever_they_were(monkeypatch):
    monkeypatch.setattr(evaluation, "BATCH", 8)
    inputs = torch.randn(20, 1, 6, 6, dtype=torch.float64)
    model, other = (net(dtype=torch.float64) for _ in range(2))
    for value in other.buffers():
        value.copy_(torch.full_like(value, 7))
    first, second = recalibrated(model, inputs), recalibrated(other, inputs)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    again = recalibrated(model, inputs)
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    outputs = [model.conv1(part) for part in inputs.split(8)]
    means = torch.stack([part.mean((0, 2, 3)) for part in outputs]).mean(0)
    torch.testing.assert_close(first["bn1.running_mean"], means.detach(), rtol=1e-12, atol=1e-12)


def test_a_recalibrated_network_has_the_weights_and_flags_that_it_had():
    model = net().train()
    model.bn2.momentum = 0.3
    before = {name: value.clone() for name, value in model.named_parameters()}
    evaluation.recalibrate(model, torch.randn(9, 1, 6, 6))
    assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())
    assert (model.bn1.momentum, model.bn2.momentum) == (0.1, 0.3)
    assert not any(module.training for module in model.modules())
