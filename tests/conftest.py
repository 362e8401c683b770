"""One thread, a data set of a few digits as the workflow prepares it, and a whole run of the workflow to copy."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from workflow_runner import WHOLE, Workflow

settings.register_profile(
    "twophase", deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
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
    from twophase.data import prepare

    path = tmp_path_factory.mktemp("data") / "digits.safetensors"
    prepare.prepare(path, "digits", train_size=60, test_size=40)
    return path


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory) -> Workflow:
    """`WHOLE` after `snakemake --cores 2`, once for all processes that run tests: to be copied, and left as it is.

    Its file `printed` has what that printed, with the scheduler's own messages; its folder `called`, for each job, the
    functions of the library that it called.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "whole_run"
    with FileLock(f"{folder}.lock"):
        if not (folder / "printed").exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a process that failed left
            folder.mkdir()
            (folder / "called").mkdir()
            path = os.pathsep.join(
                [str(Path(__file__).parent / "called"), *filter(None, [os.environ.get("PYTHONPATH")])]
            )
            notes = {"PYTHONPATH": path, "TWOPHASE_CALLED": str(folder / "called")}
            printed = Workflow(folder, WHOLE).snakemake("--cores", "2", "--verbose", environment=os.environ | notes)
            (folder / "printed").write_text(printed)
    return Workflow(folder)
