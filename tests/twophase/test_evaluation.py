"""Forward passes over a fixed set, and scores, against numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from helpers import net
from twophase import evaluation


@pytest.mark.parametrize("size", [1, 6, 7, 8, 21, 23])
def test_logits_in_batches_are_those_of_every_input_alone(monkeypatch, size):
    model = net(dtype=torch.float64).eval()
    inputs = torch.randn(size, 1, 6, 6, dtype=torch.float64)
    seen = []
    model.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    monkeypatch.setattr(evaluation, "BATCH", 7)
    outputs = evaluation.logits(model, inputs)
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
