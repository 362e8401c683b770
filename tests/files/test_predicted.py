"""Files of predictions: classes by the statistics of batch norms and by state."""

import numpy as np
import pytest

from twophase.files import predicted, storage
from twophase.files.predicted import STATISTICS

STATES = ["t0-5/draw-0/step-20.safetensors", "t0-5/control/step-20.safetensors", "twin/step-20.safetensors"]


def written(path, found, metadata):
    storage.write_tensors(path, found, {"states": STATES, **metadata})
    return path


@pytest.mark.parametrize("chosen", STATISTICS)
def test_classes_under_either_statistics_the_choice_first(tmp_path, chosen):
    rng = np.random.default_rng(0)
    (other,) = set(STATISTICS) - {chosen}
    found = {bn: rng.integers(0, 10, (3, 7)).astype(np.int16) for bn in STATISTICS}
    tensors = {"predictions": found[chosen], f"predictions_{other}": found[other], "loss": np.zeros(3)}
    classes = predicted.classes(written(tmp_path / "p.safetensors", tensors, {"bn": chosen}))
    assert list(classes) == [chosen, other]
    for bn, of_states in classes.items():
        assert list(of_states) == STATES
        assert np.array_equal(np.stack([*of_states.values()]), found[bn])


@pytest.mark.parametrize("metadata", [{}, {"bn": "running"}])
def test_without_batch_norms_there_is_one_kind(tmp_path, metadata):
    """As in files of before there was a choice."""
    one = np.arange(21).reshape(3, 7)
    classes = predicted.classes(written(tmp_path / "p.safetensors", {"predictions": one}, metadata))
    assert list(classes) == ["running"]
    assert np.array_equal(np.stack([*classes["running"].values()]), one)


def test_a_file_with_fewer_predictions_than_states_is_refused(tmp_path):
    path = written(tmp_path / "p.safetensors", {"predictions": np.zeros((2, 7), np.int16)}, {})
    with pytest.raises(ValueError, match="shorter"):
        predicted.classes(path)


@pytest.mark.parametrize("chosen", STATISTICS)
def test_names_of_tensors(chosen):
    names = {bn: predicted.tensor("loss", bn, chosen) for bn in STATISTICS}
    assert names.pop(chosen) == "loss"
    assert names == {bn: f"loss_{bn}" for bn in names}
