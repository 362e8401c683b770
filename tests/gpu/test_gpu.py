"""The chain's promises on a CUDA device. CI has none; run `pytest tests/gpu` on a machine that does."""

import numpy as np
import pytest
import torch

import helpers
from twophase.data import prepare
from twophase.files import storage
from twophase.files.layout import CONTROL, Fork, step_file
from twophase.measures import ntk
from twophase.training import forks
from twophase.training.output import Output
from twophase.training.perturbation import Perturbation
from twophase.training.setup import set_up

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture
def experiment(tmp_path):
    """A ResNet-8 on digits with crops and flips, on the GPU."""
    prepare.prepare(tmp_path / "digits.safetensors", "digits", train_size=200, test_size=60)
    settings = helpers.settings(device="cuda", batch_size=32, augment={"crop": 1, "flip": True})
    model = {"name": "resnet8", "width": 8}
    return set_up(tmp_path / "digits.safetensors", model, settings, seed=0)


def test_control_and_replay(experiment, tmp_path):
    settings = experiment.settings
    helpers.run(tmp_path / "base", experiment.network, experiment.data, settings, [0, 5, 12], seed=0)
    base = storage.read_tensors(tmp_path / "base" / step_file(5))
    log = storage.read_table(tmp_path / "base" / "log.parquet").set_index("iteration")
    forks.replay(experiment, 5, base, log.loc[5:7], {})
    output = Output(tmp_path / "fork", {})
    forks.train(experiment, Fork(5, CONTROL), base, [12], Perturbation("l2", 1e-7), output)
    end, twin = (storage.read_tensors(tmp_path / name / step_file(12)) for name in ("base", "fork"))
    assert all(np.array_equal(end[name], twin[name]) for name in twin)


def test_kernel_equals_the_cpu_s(experiment):
    network = experiment.network.double()
    inputs = experiment.data.sample("train", 16)[0].double()
    there = ntk.empirical_ntk(network, inputs).cpu()
    here = ntk.empirical_ntk(network.cpu(), inputs.cpu())
    assert torch.linalg.norm(there - here) <= 1e-10 * torch.linalg.norm(here)
