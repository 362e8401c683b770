"""One thread, and a data set of a few digits as the workflow prepares it."""

import sys

import pytest
from hypothesis import settings

settings.register_profile("twophase", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("twophase")


def _set_one_thread():
    # Torch-free tests stay quick: torch is not imported for their sake.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def _one_thread_in_fixtures():
    """Runs that fixtures prepare are compared bit for bit with those of the tests."""
    _set_one_thread()


@pytest.fixture(autouse=True)
def _one_thread():
    _set_one_thread()
    yield
    _set_one_thread()


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """Path of a prepared data set: 60 training and 40 test images of 8x8 digits."""
    from twophase import datasets

    path = tmp_path_factory.mktemp("data") / "digits.safetensors"
    datasets.prepare(path, "digits", train_size=60, test_size=40)
    return path
