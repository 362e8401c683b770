"""Files that are damaged, missing or foreign, a disk that is full or read-only, two runs at once, clocks that moved.

Each is noticed where it would enter a result: an error that names the file and what to do, and no table.
"""

import copy
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from twophase.errors import UserError
from twophase.files import folders, integrity, layout, storage, tables, vectors
from workflow_runner import REPOSITORY, TINY, Workflow

TARGET = "results/tiny/seed0/C.parquet"

# --- what reads a file, and how each takes damage


def checkpoint(folder: Path, t: int) -> Path:
    path = folder / layout.step_file(t)
    storage.write_tensors(path, {"weight": np.arange(50.0) + t}, {"trainable": ["weight"], "iteration": t})
    return path


def kernel(folder: Path, t: int) -> Path:
    path = folder / layout.step_file(t)
    storage.write_tensors(path, {"kernel": np.eye(5) + t}, {})
    return path


def block(folder: Path, name: str, pairs, origin: str = "ours") -> Path:
    path = folder / f"{name}.parquet"
    i, j = np.array(pairs).T
    storage.write_table(path, {"i": i, "j": j, "value": i / (j + 1)}, {"origin": origin, "experiment": "e", "seed": 0})
    return path


def predictions(folder: Path) -> Path:
    path = folder / "trajectory.safetensors"
    tensors = {"loss": np.ones(2), "error": np.zeros(2), "predictions": np.zeros((2, 9), np.int16)}
    storage.write_tensors(path, tensors, {"states": ["step-0", "step-5"], "experiment": "e", "seed": 0})
    return path


def data_set(path: Path):
    from twophase.data.dataset import Data

    return Data.load(path)


def resumed(path: Path):
    """Training that goes on from a saved state."""
    from helpers import data, net, run, settings

    run(path.parent, net(0), data(), settings(iterations=4), [0, 4])


READERS = {  # how a file is made, and how it is read, with the others that are read along with it
    "checkpoint": (lambda f: checkpoint(f, 5), lambda p: list(vectors.networks([checkpoint(p.parent, 0), p])())),
    "kernel": (lambda f: kernel(f, 5), lambda p: list(vectors.kernels([kernel(p.parent, 0), p])())),
    "block": (lambda f: block(f, "0-0", [(0, 0)]), lambda p: tables.of_blocks([p], [0], "ours")),
    "table": (lambda f: block(f, "C", [(0, 0)]), lambda p: tables.of_runs([p])),
    "predictions": (predictions, lambda p: tables.standard_scores([p])),
    "data set": (None, data_set),
    "saved state": (lambda f: checkpoint(f, 5).rename(f / "resume.safetensors"), resumed),
}
DAMAGES = {
    "empty": lambda whole: b"",
    "truncated": lambda whole: whole[: len(whole) // 2],
    "one byte short": lambda whole: whole[:-1],
    "a bit in the metadata": lambda whole: flipped(whole, whole.index(integrity.CHECKSUM.encode()) - 3),
    "a bit in the middle": lambda whole: flipped(whole, len(whole) // 2),
    "of another kind": lambda whole: b"\x93NUMPY" + whole,
}


def flipped(whole: bytes, at: int) -> bytes:
    changed = bytearray(whole)
    changed[at] ^= 4
    return bytes(changed)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", READERS)
def test_a_damaged_file_is_named_and_not_read(kind, damage, tmp_path, digits):
    make, read = READERS[kind]
    path = shutil.copy(digits, tmp_path / "digits.safetensors") if make is None else make(tmp_path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(UserError, match=re.escape(f"Delete {path} and run the same command again.")) as info:
        read(path)
    assert str(info.value).startswith(str(path))


def test_what_is_mended_is_the_folder_that_snakemake_makes(tmp_path):
    """Nothing less can be asked of it: a single checkpoint is no output."""
    folder = tmp_path / "forks" / "0"
    with folders.resumable(folder, "key") as work:
        checkpoint(work / "t0-0" / "draw-0", 5)
        checkpoint(work / "t0-0" / "draw-0", 9)
    states = [folder / "t0-0" / "draw-0" / layout.step_file(t) for t in (5, 9)]
    states[1].write_bytes(b"")
    with pytest.raises(UserError, match=re.escape(f"Delete {folder} and run")):
        list(vectors.networks(states)())
    states[1].unlink()
    with pytest.raises(UserError, match=re.escape(f"Delete {folder} and run")):
        list(vectors.networks(states)())


def test_files_of_results_are_read_by_storage_alone():
    """Whatever else read them would read them unchecked."""
    readers = re.compile(r"safe_open|load_file|read_parquet|pq\.read|np\.load|torch\.load|unmapped\.handle")
    for path in [*(REPOSITORY / "workflow").rglob("*.py")]:
        assert path.name in ("storage.py", "integrity.py", "unmapped.py") or not readers.search(path.read_text()), path
    for path in (REPOSITORY / "workflow" / "scripts").glob("*/*.py"):
        assert not re.search(r"glob\(|iterdir|listdir", path.read_text()), f"{path} overlooks files that are missing"


# --- blocks


@pytest.mark.parametrize(
    ("pairs", "origin", "message"),
    [
        ([(0, 8), (4, 8), (8, 8)], "theirs", r"0-1\.parquet was computed with another config\. Delete .*0-1\.parquet"),
        ([(0, 9), (4, 9), (8, 9)], "ours", r"0-1\.parquet holds pairs that are not its own\. Delete .*0-1\.parquet"),
        ([(0, 4), (4, 8), (8, 8)], "ours", r"0-1\.parquet holds pairs that are not its own\. Delete .*0-1\.parquet"),
        ([(0, 8), (0, 8), (8, 8)], "ours", r"0-1\.parquet holds pairs that are not its own\. Delete .*0-1\.parquet"),
        ([(0, 8), (8, 8)], "ours", r"No block in .* has the pair \(4, 8\)\. Delete"),
    ],
    ids=["another config", "another grid", "another block's pair", "a pair twice", "a pair too few"],
)
def test_a_foreign_block_enters_no_grid(tmp_path, pairs, origin, message):
    first = block(tmp_path, "0-0", [(0, 0), (0, 4), (4, 4)])
    with pytest.raises(UserError, match=message):
        tables.of_blocks([first, block(tmp_path, "0-1", pairs, origin)], [0, 4, 8], "ours")


def test_blocks_become_the_grid_of_all_pairs(tmp_path):
    pairs = [(0, 8), (4, 8), (8, 8)], [(0, 0), (0, 4), (4, 4)]
    grid = tables.of_blocks([block(tmp_path, f"{k}", part) for k, part in enumerate(pairs)], [0, 4, 8], "ours")
    assert list(zip(grid["i"], grid["j"], strict=True)) == sorted(pairs[0] + pairs[1])
    assert (grid["value"] == grid["i"] / (grid["j"] + 1)).all()
    assert grid.attrs["experiment"] == "e"


# --- a whole run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The workflow after it made the grid C, and what a second run said that was started meanwhile."""
    workflow = Workflow(tmp_path_factory.mktemp("finished"), TINY)
    command = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml", "--cores", "1", TARGET]
    with (workflow.folder / "printed").open("w") as printed:
        first = subprocess.Popen(command, cwd=workflow.folder, stdout=printed, stderr=subprocess.STDOUT)
    while not list(workflow.folder.glob("results/logs/**/*.log")):  # its first job, which begins when it has the lock
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGSTOP)  # so that it can't end before the second one begins
    try:
        second = subprocess.run(
            command, cwd=workflow.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    finally:
        first.send_signal(signal.SIGCONT)
    assert first.wait() == 0, (workflow.folder / "printed").read_text()
    return workflow, first.pid, second


@pytest.fixture
def workflow(finished):
    return finished[0]


def table(workflow: Workflow) -> bytes:
    return (workflow.folder / TARGET).read_bytes()


@pytest.mark.workflow
def test_of_two_runs_in_one_folder_the_second_is_refused(finished):
    workflow, pid, second = finished
    assert second.returncode != 0
    assert f"Another run is writing to results: process {pid} on" in second.stdout
    assert "Traceback" not in second.stdout
    assert not workflow.planned(TARGET)


@pytest.mark.workflow
def test_what_the_message_says_mends_a_damaged_checkpoint(workflow):
    expected = table(workflow)
    damaged = workflow.folder / "results/tiny/seed0/trajectory/step-8.safetensors"
    damaged.write_bytes(flipped(damaged.read_bytes(), -9))
    command = ["--cores", "1", "--forcerun", "block_C", "--", TARGET]
    # Both blocks that have this checkpoint fail, whichever of them is tried first.
    printed = workflow.snakemake("--keep-going", *command, check=False)
    assert not list((workflow.folder / "results/tiny/seed0/blocks/C").glob("0-[01].parquet"))
    (remedy,) = set(re.findall(r"step-8\.safetensors is not as .* Delete (\S+) and run the same command", printed))
    assert "Traceback" not in printed
    shutil.rmtree(workflow.folder / remedy)
    workflow.snakemake(*command)
    assert table(workflow) == expected


@pytest.mark.workflow
def test_a_block_of_another_config_is_named(workflow):
    path = workflow.folder / "results/tiny/seed0/blocks/C/0-1.parquet"
    whole = storage.read_table(path)
    try:
        storage.write_table(path, whole, whole.attrs | {"origin": "that of another learning rate"})
        printed = workflow.snakemake("--cores", "1", TARGET, check=False)
        assert "blocks/C/0-1.parquet was computed with another config. Delete" in printed
        assert not (workflow.folder / TARGET).exists()
    finally:
        storage.write_table(path, whole, whole.attrs)
        workflow.snakemake("--cores", "1", TARGET)


@pytest.mark.workflow
def test_a_file_of_the_future_stops_the_job_that_reads_it(workflow):
    """What it makes would be older than what it is made from, and be made again with every run."""
    expected = table(workflow)
    stamp = workflow.folder / "results/tiny/seed0/trajectory/.snakemake_timestamp"
    os.utime(stamp, (time.time() + 86_400,) * 2)
    printed = workflow.snakemake("--cores", "1", TARGET, check=False)
    assert re.search(r"has older modification time .* than input results/tiny/seed0/trajectory .*clock", printed)
    assert not (workflow.folder / TARGET).exists() or table(workflow) == expected
    stamp.touch()
    workflow.snakemake("--cores", "1", TARGET)
    assert table(workflow) == expected


def mounted(*arguments: str) -> None:
    """Mounts a file system, or skips the test."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True) if shutil.which("mount") else None
    if done is None or done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr if done else 'there is no mount'}")


@pytest.mark.workflow
def test_results_that_are_read_only_stop_a_run_before_it_begins(tmp_path):
    workflow = Workflow(tmp_path, TINY)
    (tmp_path / "results").mkdir()
    mounted("-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path / "results"))
    try:
        printed = workflow.snakemake("--cores", "1", TARGET, check=False)
    finally:
        subprocess.run(["umount", str(tmp_path / "results")], check=True)
    assert "results cannot be written to" in printed
    assert "Traceback" not in printed


@pytest.mark.workflow
@pytest.mark.skipif(
    os.sysconf("SC_PAGE_SIZE") != 4096, reason="what fits on the small disk is known for pages of 4 KiB"
)
def test_a_run_goes_on_where_the_disk_was_full(workflow, tmp_path):
    small = Workflow(tmp_path, copy.deepcopy(TINY))
    results = str(tmp_path / "results")
    os.mkdir(results)
    mounted("-t", "tmpfs", "-o", "size=160k", "tmpfs", results)
    try:
        printed = small.snakemake("--cores", "1", TARGET, check=False)
        assert re.search(r"step-\d+\.safetensors cannot be written .*No space left.* Make room", printed)
        assert not list(Path(results).rglob(f".*{storage.TEMPORARY}.*"))
        subprocess.run(["mount", "-o", "remount,size=20m", results], check=True)
        small.snakemake("--cores", "1", TARGET)
        assert table(small) == table(workflow)
    finally:
        subprocess.run(["umount", results], check=True)
