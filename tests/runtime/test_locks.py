"""Locks die with their process; one run at a time writes to the results."""

import os
import signal
import subprocess
import sys

import pytest

from twophase.errors import UserError
from twophase.runtime import locks


def elsewhere(code: str, folder) -> subprocess.Popen:
    """A process that runs `code`, says so, and stays until it is killed or this one ends."""
    whole = f"import sys; from twophase.runtime import locks; {code}; print('done', flush=True); sys.stdin.read()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", whole], env=environment, cwd=folder, **pipes)
    assert process.stdout.readline() == "done\n"
    return process


def kill(process) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_lock_is_another_s_until_that_is_killed(tmp_path):
    other = elsewhere("locks.hold('lock')", tmp_path)
    assert locks.hold(tmp_path / "lock") is None
    assert locks.hold(tmp_path / "lock", shared=True) is None
    kill(other)
    os.close(locks.hold(tmp_path / "lock"))


def test_a_shared_lock_is_shared(tmp_path):
    other = elsewhere("locks.hold('lock', shared=True)", tmp_path)
    os.close(locks.hold(tmp_path / "lock", shared=True))
    assert locks.hold(tmp_path / "lock") is None
    kill(other)


@pytest.mark.parametrize("left", ["locks.start_run('results')", "locks.start_job('results')"], ids=["run", "job"])
def test_a_run_waits_for_no_dead_one_but_for_all_that_live(tmp_path, left):
    """A job that outlives its run keeps the next away: both would write the same files."""
    first = elsewhere("locks.start_run('results')", tmp_path)
    second = elsewhere(left, tmp_path) if "job" in left else first
    if second is not first:
        kill(first)
    with pytest.raises(UserError, match=rf"is writing to .*results: process {first.pid} on .* run the same command"):
        locks.start_run(tmp_path / "results")
    kill(second)
    code = "locks.start_run('results'); locks.start_job('results')"
    kill(elsewhere(code, tmp_path))


def test_results_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(UserError, match=r"results cannot be written to .* set another `results`"):
        locks.start_run(tmp_path / "results")


def test_a_file_system_without_locks_guards_nothing(tmp_path, monkeypatch):
    def unsupported(descriptor, operation):
        raise OSError(locks.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", unsupported)
    assert locks.hold(tmp_path / "lock") is not None


@pytest.mark.parametrize("start", [locks.start_run, locks.start_job])
def test_a_link_in_the_place_of_the_lock_is_named_and_not_followed(tmp_path, start):
    """Somebody else's results may have one that leads to a file of the reader's."""
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / ".lock").symlink_to(mine)
    with pytest.raises(UserError, match=r"\.lock is a link, which no run of this workflow makes\. Delete it\."):
        start(tmp_path)
    with pytest.raises(OSError, match="symbolic links"):
        locks.hold(tmp_path / ".lock")
    assert mine.read_text() == "mine"
