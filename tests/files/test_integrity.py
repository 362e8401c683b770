"""An intact file in the place of another is noticed; a file that the system refuses to read is not called damaged."""

import builtins
import errno
import os
import re
import shutil

import numpy as np
import pytest

from twophase.errors import UserError
from twophase.files import folders, integrity, storage, tables, vectors
from workflow_runner import REPOSITORY


def checkpoint(path, value: float = 0.0):
    storage.write_tensors(path, {"weight": np.arange(5.0) + value}, {"trainable": ["weight"], "kind": str(value)})
    return path


def table(path, value: float = 0.0):
    storage.write_table(path, {"i": [0], "j": [0], "value": [value]}, {})
    return path


@pytest.fixture
def results(tmp_path):
    """Two experiments with two seeds each, with files of every kind."""
    for name in ("one", "two"):
        for seed in (0, 1):
            run = tmp_path / name / f"seed{seed}"
            for k, folder in enumerate(("trajectory", "kernels/trajectory", "forks/0", "forks/1")):
                parts = ("t0-0/draw-0", "t0-0/draw-1", "t0-8/control") if "forks" in folder else (".",)
                with folders.resumable(run / folder, "key") as work:
                    for p, part in enumerate(parts):
                        for t in (8, 16):
                            checkpoint(work / part / f"step-{t}.safetensors", t + k + p + seed)
            for name_of in ("trajectory", "forks/0", "forks/1"):
                checkpoint(run / "predictions" / f"{name_of}.safetensors")
            for file in ("C", "blocks/C/0-0", "blocks/C/0-1", "fork_barriers/0", "fork_barriers/1"):
                table(run / f"{file}.parquet")
    for dataset in ("digits", "mnist"):
        checkpoint(tmp_path / "data" / f"{dataset}.safetensors")
    return tmp_path


RUN = "one/seed0"
SWAPS = {  # what lies in whose place
    "a checkpoint of another iteration": ("trajectory/step-16.safetensors", "trajectory/step-8.safetensors"),
    "a kernel of another iteration": (
        "kernels/trajectory/step-16.safetensors",
        "kernels/trajectory/step-8.safetensors",
    ),
    "a checkpoint as kernel": ("trajectory/step-8.safetensors", "kernels/trajectory/step-8.safetensors"),
    "another draw": ("forks/0/t0-0/draw-1/step-8.safetensors", "forks/0/t0-0/draw-0/step-8.safetensors"),
    "the control": ("forks/0/t0-8/control/step-8.safetensors", "forks/0/t0-0/draw-0/step-8.safetensors"),
    "another block's fork": ("forks/1/t0-0/draw-0/step-8.safetensors", "forks/0/t0-0/draw-0/step-8.safetensors"),
    "predictions of other forks": ("predictions/forks/1.safetensors", "predictions/forks/0.safetensors"),
    "another block of pairs": ("blocks/C/0-1.parquet", "blocks/C/0-0.parquet"),
    "barriers of other forks": ("fork_barriers/1.parquet", "fork_barriers/0.parquet"),
    "another seed's checkpoint": ("../seed1/trajectory/step-8.safetensors", "trajectory/step-8.safetensors"),
    "another seed's predictions": ("../seed1/predictions/trajectory.safetensors", "predictions/trajectory.safetensors"),
    "another seed's table": ("../seed1/C.parquet", "C.parquet"),
    "another experiment's checkpoint": (
        "../../two/seed0/trajectory/step-8.safetensors",
        "trajectory/step-8.safetensors",
    ),
    "another experiment's table": ("../../two/seed0/C.parquet", "C.parquet"),
    "another data set": ("../../data/mnist.safetensors", "../../data/digits.safetensors"),
}


@pytest.mark.parametrize("listed", [True, False], ids=["", "in a folder of an older version"])
@pytest.mark.parametrize("swap", SWAPS)
def test_an_intact_file_in_the_place_of_another_is_named_and_not_read(swap, listed, results):
    source, target = ((results / RUN / name).resolve() for name in SWAPS[swap])
    if not listed:
        for path in results.rglob(integrity.CONTENTS):
            path.unlink()
    shutil.copy(source, target)
    read = storage.read_table if target.suffix == ".parquet" else storage.read_tensors
    with pytest.raises(UserError) as error:
        read(target)
    assert str(error.value).startswith(str(target))
    assert "\n" not in str(error.value)
    read(source)


def test_c_of_two_unequal_times_is_not_zero_unnoticed(results):
    paths = [results / RUN / "trajectory" / f"step-{t}.safetensors" for t in (8, 16)]
    shutil.copy(paths[1], paths[0])
    with pytest.raises(UserError, match="step-8"):
        list(vectors.networks(paths)())


def test_the_same_checkpoint_of_another_config_is_noticed(results):
    """Of the same experiment, seed and iteration, trained otherwise: nothing in it says that it is not the one."""
    path = results / RUN / "trajectory/step-8.safetensors"
    checkpoint(path, 99.0)
    with pytest.raises(UserError, match="is intact, but not the file of this name that was made with the others"):
        storage.read_tensors(path)


def test_a_file_that_its_folder_does_not_list_is_not_read(results):
    path = checkpoint(results / RUN / "trajectory/step-24.safetensors")
    with pytest.raises(UserError, match="step-24"):
        storage.read_tensors(path)


def test_a_renamed_experiment_ends_in_a_line_that_says_how_to_rename(results):
    (results / "one").rename(results / "three")
    with pytest.raises(UserError) as error:
        tables.by_run([results / "three/seed0/C.parquet"])
    assert "is of experiment one, not of three" in str(error.value)
    assert "three was renamed, give it its name back: what figures and pages call an experiment is its `title`" in str(
        error.value
    )


def test_files_elsewhere_and_published_ones_are_read(results, tmp_path):
    copy = shutil.copy(results / RUN / "C.parquet", tmp_path / "mine.parquet")
    assert storage.read_table(copy).attrs["experiment"] == "one"
    moved = shutil.copytree(results, tmp_path / "elsewhere" / "results")
    storage.read_table(moved / RUN / "C.parquet")
    for path in (REPOSITORY / "results/reference").glob("*/*/seed0/C.parquet"):
        storage.read_table(path)


def test_names_of_folders_around_the_results_do_not_matter(tmp_path):
    path = table(tmp_path / "seed5" / "results" / "seed7" / "phases" / "chaos.parquet")
    assert integrity.place(path) == {}
    assert integrity.place(tmp_path / "seed5/r/seed7/seed2/C.parquet") == {
        "experiment": "seed7",
        "seed": "2",
        "file": "C.parquet",
    }


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ETIMEDOUT, errno.ESTALE, errno.EMFILE])
@pytest.mark.parametrize("where", ["stat", "open"])
def test_what_the_system_refuses_to_read_is_not_to_be_deleted(code, where, results, monkeypatch):
    paths = [results / RUN / "C.parquet", results / RUN / "trajectory/step-8.safetensors"]
    module = os if where == "stat" else builtins
    original = getattr(module, where)

    def refuse(path, *arguments, **keywords):
        if str(path) in map(str, paths):
            raise OSError(code, os.strerror(code), str(path))
        return original(path, *arguments, **keywords)

    monkeypatch.setattr(module, where, refuse)
    integrity._sums.cache_clear()
    for path, read in zip(paths, (storage.read_table, storage.read_tensors), strict=True):
        with pytest.raises(UserError, match=re.escape(f"{path} cannot be read ({os.strerror(code)})")) as error:
            read(path)
        assert "elete" not in str(error.value)
        assert not isinstance(error.value, integrity.Damaged)


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
def test_files_obey_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        for path in (checkpoint(tmp_path / "a.safetensors"), table(tmp_path / "a.parquet")):
            assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    finally:
        os.umask(before)
