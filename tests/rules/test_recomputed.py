"""Tables of a finished run and two of its claims, computed again from its checkpoint files by other means.

Of the library it takes the network, and which images are sampled. Files are read with safetensors; kernels are products
of Jacobians by autograd, all in float64.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from twophase.data.dataset import Data
from twophase.networks import models
from workflow_runner import TINY

pytestmark = pytest.mark.workflow

TINY_NETWORK = TINY["experiments"]["tiny"]
TIMES = (0, 4, 8, 16, 24)
VECTORS = ("parameters", "statistics", "state_dict")


@pytest.fixture(scope="module")
def run(whole_run) -> Path:
    return whole_run.folder / "results" / "tiny" / "seed0"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return models.build("resnet8", 10, 1, 8, width=TINY_NETWORK["model"]["width"]).double().eval()


@pytest.fixture(scope="module")
def data(whole_run):
    return Data.load(whole_run.folder / "results" / "data" / "digits.safetensors", dtype="float64")


@pytest.fixture(scope="module")
def tested(data):
    """The test images, normalised, and the labels."""
    return data.sample("test", len(data.test_labels))


@pytest.fixture(scope="module")
def of_barriers(data):
    """Those of the test images that barriers are computed on, and their labels."""
    return data.sample("test", TINY_NETWORK["barrier"]["test_size"])


@pytest.fixture(scope="module")
def base(run):
    return {t: load_file(run / "trajectory" / f"step-{t}.safetensors") for t in TIMES}


@pytest.fixture(scope="module")
def forks(run):
    """The state of every fork's checkpoint, by t0, draw and t1."""
    found = {}
    for path in run.glob("forks/*/t0-*/draw-*/step-*.safetensors"):
        t0, draw, t1 = (int(part.rpartition("-")[2]) for part in (*path.parts[-3:-1], path.stem))
        found[t0, draw, t1] = load_file(path)
    assert len(found) > 8
    return found


def table(run, name, index):
    return pd.read_parquet(run / f"{name}.parquet").set_index(index).sort_index()


def vector(network, state, kind):
    """All numbers of a kind in a state, in float64."""
    names = {name for name, _ in network.named_parameters()}
    if kind != "parameters":
        names |= {name for name, _ in network.named_buffers() if not name.endswith("num_batches_tracked")}
    if kind == "state_dict":
        names |= {name for name, _ in network.named_buffers()}
    return torch.cat([state[name].double().flatten() for name in sorted(names)]).numpy()


def dissimilarity(a, b):
    """1 - cos of the angle between two vectors, exact where it is small."""
    apart = a / np.linalg.norm(a) - b / np.linalg.norm(b)
    return apart @ apart / 2


def put(network, state):
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    return network


@torch.no_grad()
def loss(network, state, inputs, labels):
    return float(cross_entropy(put(network, state)(inputs), labels))


@torch.no_grad()
def classes(network, state, inputs):
    return put(network, state)(inputs).argmax(1)


def between(one, other, alpha):
    """The state between two; counters of batch norms, which evaluation does not use, are those of one."""
    return {
        name: torch.lerp(value.double(), other[name].double(), alpha) if value.is_floating_point() else value
        for name, value in one.items()
        if name in other
    }


def barriers(network, one, other, inputs, labels):
    """B and B+ between two states."""
    alphas = np.linspace(0, 1, TINY_NETWORK["barrier"]["alphas"])
    losses = np.array([loss(network, between(one, other, alpha), inputs, labels) for alpha in alphas])
    line = losses[0] + alphas * (losses[-1] - losses[0])
    return losses.max() - (losses[0] + losses[-1]) / 2, (losses - line).max()


def kernel(network, state, inputs):
    """The sum over classes of J_k J_k^T."""
    put(network, state)
    parameters = list(network.parameters())
    rows = []
    for outputs in (network(image[None])[0] for image in inputs):
        gradients = [torch.autograd.grad(output, parameters, retain_graph=True) for output in outputs]
        rows.append(torch.stack([torch.cat([part.flatten() for part in parts]) for parts in gradients]))
    jacobian = torch.stack(rows)  # inputs, classes, parameters
    return torch.einsum("ikp,jkp->ij", jacobian, jacobian).numpy().ravel()


@pytest.mark.parametrize("kind", VECTORS)
def test_distances_of_checkpoints(run, network, base, kind):
    found = table(run, "C", ["i", "j"])
    for i, j in pairwise(TIMES):
        expected = dissimilarity(vector(network, base[i], kind), vector(network, base[j], kind))
        assert found.loc[(i, j), f"C_{kind}"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", VECTORS)
def test_distances_of_forks(run, network, base, forks, kind):
    found = table(run, "distances", ["t0", "draw", "t1"])
    for (t0, draw, t1), state in forks.items():
        expected = dissimilarity(vector(network, state, kind), vector(network, base[t1], kind))
        assert found.loc[(t0, draw, t1), f"C_{kind}"] == pytest.approx(expected, rel=1e-9)
        apart = np.linalg.norm(vector(network, state, "parameters") - vector(network, base[t1], "parameters"))
        assert found.loc[(t0, draw, t1), "l2"] == pytest.approx(apart, rel=1e-9)


def test_normalised_images(whole_run, tested):
    file = load_file(whole_run.folder / "results" / "data" / "digits.safetensors")
    pixels = file["train_images"].double() / 255
    expected = (file["test_images"].double() / 255 - pixels.mean()) / pixels.std(correction=0)
    torch.testing.assert_close(tested[0], expected, rtol=1e-5, atol=1e-5)


def test_disagreement(run, network, base, forks, tested):
    inputs, _ = tested
    found, of_forks = table(run, "D", ["i", "j"]), table(run, "chaos", ["t0", "draw", "t1"])
    said = {t: classes(network, state, inputs) for t, state in base.items()}
    for i, j in pairwise(TIMES):
        assert found.loc[(i, j), "value"] == pytest.approx(float((said[i] != said[j]).double().mean()))
    for (t0, draw, t1), state in forks.items():
        expected = float((classes(network, state, inputs) != said[t1]).double().mean())
        assert of_forks.loc[(t0, draw, t1), "D"] == pytest.approx(expected)


def test_barriers(run, network, base, forks, of_barriers):
    inputs, labels = of_barriers
    found, of_forks = table(run, "B", ["i", "j"]), table(run, "chaos", ["t0", "draw", "t1"])
    for i, j in ((0, 8), (8, 16), (0, 24)):
        expected = barriers(network, base[i], base[j], inputs, labels)
        assert found.loc[(i, j), ["value", "hump"]].tolist() == pytest.approx(expected, abs=1e-5)
    for (t0, draw, t1), state in forks.items():
        expected = barriers(network, base[t1], state, inputs, labels)
        assert of_forks.loc[(t0, draw, t1), ["B", "hump"]].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.fixture(scope="module")
def kernels(run, network, data):
    """Kernels of all checkpoints."""
    inputs, _ = data.sample("train", TINY_NETWORK["kernel"]["n"])
    states = {int(p.stem.rpartition("-")[2]): load_file(p) for p in run.glob("trajectory/step-*.safetensors")}
    return {t: kernel(network, states[t], inputs) for t in sorted(states)}


def test_kernel_distances(run, kernels):
    found = table(run, "S", ["i", "j"])
    for i in kernels:
        for j in (t for t in kernels if t > i):
            assert found.loc[(i, j), "value"] == pytest.approx(
                dissimilarity(kernels[i], kernels[j]), rel=2e-3, abs=1e-8
            )


def claims_of(whole_run):
    claims = pd.read_parquet(whole_run.folder / "results" / "claims.parquet")
    return claims[claims["experiment"] == "tiny"].set_index("claim")


def test_claim_that_the_kernel_slows_down(whole_run, kernels):
    """Mean S(t, t + 4) before the best knot of two straight lines, over that after it."""
    step = min(TINY_NETWORK["cone"]["dt"])
    t = np.array([start for start in kernels if start + step in kernels])
    moved = np.array([dissimilarity(kernels[start], kernels[start + step]) for start in t])

    def error(knot):
        design = np.stack([np.ones(len(t)), t, np.maximum(t - knot, 0)], axis=1)
        return np.sum((moved - design @ np.linalg.lstsq(design, moved, rcond=None)[0]) ** 2)

    knot = min(t[1:-1], key=error)
    expected = moved[t < knot].mean() / moved[t > knot].mean()
    assert claims_of(whole_run).loc["kernel slows down", "value"] == pytest.approx(expected, rel=1e-2)


def test_claim_that_a_barrier_is_there_from_the_start(whole_run, network, base, forks, of_barriers):
    """The mean over draws at the last t1 of the fork from 0."""
    last = max(t1 for t0, _, t1 in forks if t0 == 0)
    ends = [state for (t0, _, t1), state in forks.items() if (t0, t1) == (0, last)]
    humps = [barriers(network, base[last], state, *of_barriers)[1] for state in ends]
    assert len(humps) == TINY_NETWORK["chaos"]["draws"]
    found = claims_of(whole_run).loc["barrier from the start", "value"]
    assert found == pytest.approx(np.mean(humps), abs=1e-5)


def test_the_t1_at_which_c_is_largest(run, network, base, forks):
    """By hand for each t0, from the checkpoints, against what the library makes of the tables."""
    from twophase.analysis import peaks, surfaces

    C = {}
    for (t0, draw, t1), state in forks.items():
        value = dissimilarity(vector(network, state, "parameters"), vector(network, base[t1], "parameters"))
        C.setdefault((t0, t1), {})[draw] = np.log10(value)
    rows = {t0: {t1: np.mean([*C[t0, t1].values()]) for (of, t1) in sorted(C) if of == t0} for t0, _ in C}
    chaos = pd.read_parquet(run / "chaos.parquet")
    places = peaks.places(surfaces.surface(chaos, "C"), least=0.0)
    for t0, row in rows.items():
        times, values = list(row), list(row.values())
        k = int(np.argmax(values))
        inner = 0 < k < len(values) - 1
        assert places[t0] == times[k] if inner else np.isnan(places[t0])
