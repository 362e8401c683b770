"""The chain's promises on a CUDA device. CI has none; run `pytest tests/gpu` on a machine that does."""

import numpy as np
import pytest
import torch

import helpers
from twophase.data import prepare
from twophase.files import storage
from twophase.files.layout import CONTROL, step_file
from twophase.measures import ntk
from twophase.training import forks, loop

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture
def experiment(tmp_path):
    """A ResNet-8 on digits with crops and flips, on the GPU: network, data, settings."""
    prepare.prepare(tmp_path / "digits.safetensors", "digits", train_size=200, test_size=60)
    settings = helpers.settings(device="cuda", batch_size=32, augment={"crop": 1, "flip": True})
    model = {"name": "resnet8", "width": 8}
    network, data = loop.set_up(tmp_path / "digits.safetensors", model, settings, seed=0)
    return network, data, settings


def test_control_and_replay(experiment, tmp_path):
    network, data, settings = experiment
    helpers.run(tmp_path / "base", network, data, settings, [0, 5, 12], seed=0)
    base = storage.read_tensors(tmp_path / "base" / step_file(5))
    log = storage.read_table(tmp_path / "base" / "log.parquet").set_index("iteration")
    loop.replay(network, data, settings, 0, 5, base, log.loc[5:7], {})
    forks.fork(network, data, settings, 0, base, 5, CONTROL, [12], "l2", 1e-7, tmp_path / "fork", {})
    end, twin = (storage.read_tensors(tmp_path / name / step_file(12)) for name in ("base", "fork"))
    assert all(np.array_equal(end[name], twin[name]) for name in twin)


def test_kernel_equals_the_cpu_s(experiment):
    network, data, _ = experiment
    network = network.double()
    inputs = data.sample("train", 16)[0].double()
    there = ntk.empirical_ntk(network, inputs).cpu()
    here = ntk.empirical_ntk(network.cpu(), inputs.cpu())
    assert torch.linalg.norm(there - here) <= 1e-10 * torch.linalg.norm(here)
