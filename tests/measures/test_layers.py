"""C, S and perturbations layer by layer, against networks that differ in one layer and kernels made by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import net
from twophase.files import folders, layout, storage
from twophase.files.layout import CONTROL, Fork
from twophase.measures import distances, layers
from twophase.networks import state as network_state

TIMES = [0, 4, 6]
LAYERS = ["conv1", "bn1", "conv2", "bn2", "fc"]


def states(count: int = 3) -> list[dict]:
    return [network_state.state_of(net(seed)) for seed in range(count)]


NAMES = network_state.trainable(net())


def write(path, state):
    storage.write_tensors(path, state, {"trainable": NAMES})


def test_a_layer_holds_the_weight_and_bias_of_a_module_in_the_networks_order():
    assert layers.of(NAMES) == {name: [f"{name}.weight", f"{name}.bias"] for name in LAYERS}


@given(st.lists(st.text("ab.", min_size=1), unique=True))
def test_every_parameter_is_in_one_layer_and_the_order_is_kept(names):
    parts = layers.of(names)
    assert sorted(itertools.chain(*parts.values())) == sorted(names)
    assert [part[0] for part in parts.values()] == [n for n in names if n in {part[0] for part in parts.values()}]


def test_what_no_module_holds_is_a_layer_of_its_own():
    assert layers.of(["token", "head.weight", "position"]) == {
        layers.ROOT: ["token", "position"],
        "head": ["head.weight"],
    }


@pytest.mark.parametrize("layer", LAYERS)
def test_a_perturbation_of_one_layer_is_in_no_other(layer):
    (b,) = states(1)
    name = f"{layer}.weight"
    epsilon = np.full_like(b[name], 2.0**-7)
    table = layers.between({**b, name: b[name] + epsilon}, b, NAMES).set_index("layer")
    assert [*table.index] == LAYERS
    assert [*table["place"]] == [*range(len(LAYERS))]
    moved = table["l2"] > 0
    assert [*table.index[moved]] == [layer]
    assert (table.loc[~moved, "C"] == 0).all()
    assert table.loc[layer, "C"] > 0
    realised = (b[name] + epsilon).astype(float) - b[name]
    assert table.loc[layer, "l2"] == pytest.approx(np.linalg.norm(realised))


def test_layers_make_the_distance_and_the_norm_of_the_whole():
    a, b = states(2)
    table, whole = layers.between(a, b, NAMES), distances.between(a, b, NAMES)
    assert (table["l2"] ** 2).sum() == pytest.approx(whole["l2"] ** 2, rel=1e-12)
    assert (table["norm"] ** 2).sum() == pytest.approx(sum(np.vdot(b[n], b[n].astype(float)) for n in NAMES), rel=1e-12)
    # 1 - cos of the whole from the layers' own: their inner products add up.
    mine = np.sqrt([sum(np.square(a[n], dtype=float).sum() for n in part) for part in layers.of(NAMES).values()])
    inner = ((1 - table["C"]) * table["norm"] * mine).sum()
    cosine = inner / np.linalg.norm(table["norm"]) / np.linalg.norm(mine)
    assert whole["C_parameters"] == pytest.approx(1 - cosine, rel=1e-10)


@pytest.fixture
def run(tmp_path):
    """Checkpoints, and kernels: at the k-th time k + 1 times what it was in the first layer, turned in the last."""
    trajectory, kernels = tmp_path / "trajectory", tmp_path / "layer_kernels"
    first = np.diag([1.0, 2.0, 3.0])
    for k, (t, state) in enumerate(zip(TIMES, states(), strict=True)):
        write(trajectory / layout.step_file(t), state)
        parts = {layer: (k + 1) * first for layer in LAYERS} | {"fc": np.roll(first, (k, k), (0, 1)), "bn2": 0 * first}
        storage.write_tensors(kernels / layout.step_file(t), parts, {})
    return [[folder / layout.step_file(t) for t in TIMES] for folder in (trajectory, kernels)]


def test_layers_of_checkpoints(run):
    alone, pairs = layers.of_checkpoints(*run, TIMES)
    assert [*alone["t"]] == sorted(TIMES * len(LAYERS))
    assert [*alone["layer"]] == LAYERS * len(TIMES)
    by_layer = alone.set_index(["t", "layer"])
    assert by_layer.loc[(0, "conv1"), "parameters"] == 3 * 9 + 3
    assert by_layer.loc[(6, "conv1"), "trace"] == 18.0
    assert by_layer.loc[(6, "conv1"), "share"] == pytest.approx(18 / (3 * 18 + 6))
    assert (by_layer.xs("bn2", level="layer")["trace"] == 0).all()
    for k, t in enumerate(TIMES):
        norm = np.sqrt(sum(np.square(states()[k][f"fc.{part}"], dtype=float).sum() for part in ("weight", "bias")))
        assert by_layer.loc[(t, "fc"), "norm"] == pytest.approx(norm)

    for (i, j), table in pairs.groupby(["i", "j"]):
        mine, other = (states()[TIMES.index(t)] for t in (i, j))
        expected = layers.between(mine, other, NAMES)
        assert [*table["layer"]] == LAYERS
        np.testing.assert_allclose(table["C"], expected["C"], rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(table["l2"], expected["l2"], rtol=1e-9)
        s = table.set_index("layer")["S"]
        assert s[["conv1", "bn1", "conv2"]].abs().max() < 1e-15  # S does not see a factor
        assert np.isnan(s["bn2"])
        assert s["fc"] == pytest.approx(0 if i == j else 1 - 11 / 14)  # 1 2 3 against 3 1 2, or 2 3 1


def test_layers_of_forks(tmp_path):
    """The control is the base run; the fork moves one layer at its start, and another one later."""
    base = dict(zip((0, 4), states(2), strict=True))
    for t, state in base.items():
        write(tmp_path / "trajectory" / layout.step_file(t), state)
    control, fork = Fork(0, CONTROL), Fork(0, 0)
    later = {**base[4], "fc.bias": base[4]["fc.bias"] + 1}
    with folders.resumable(tmp_path / "forks", "key") as folder:
        write(folder / control.folder / layout.step_file(4), base[4])
        write(folder / fork.folder / layout.step_file(4), later)

    def start(fork, state):
        return {"conv2.weight": state["conv2.weight"] + (0 if fork.is_control else 1)}

    table = layers.of_forks(tmp_path / "trajectory", [tmp_path / "forks"], start)
    assert (table[table["draw"] == CONTROL][["C", "l2"]] == 0).all(axis=None)
    moved = table[table["l2"] > 0].set_index("t1")
    assert moved["layer"].to_dict() == {0: "conv2", 4: "fc"}
    assert moved.loc[0, "l2"] == pytest.approx(np.sqrt(base[0]["conv2.weight"].size), rel=1e-6)
    assert moved.loc[4, "l2"] == pytest.approx(np.sqrt(base[0]["fc.bias"].size), rel=1e-6)
    assert len(table) == 2 * 2 * len(LAYERS)
