"""Jobs share the machine's GPUs: nobody meets another on a device, nobody waits for the dead. With false devices."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from twophase.runtime import gpus

UUIDS = ["GPU-aaaa-0", "GPU-bbbb-1", "GPU-cccc-2"]
PATIENCE = 600  # seconds for what takes a few
PREAMBLE = f"""
import os, sys, time
from pathlib import Path
from twophase.runtime import gpus
gpus.WAIT = 0.01
def until(there):
    deadline = time.monotonic() + {PATIENCE}
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""


def until(there) -> None:
    deadline = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Machine:
    """A machine with `count` devices: an `nvidia-smi` that lists them, and a folder for locks."""

    def __init__(self, folder: Path, count: int, parts: bool = False):
        self.folder = folder
        lines = []
        for k, uuid in enumerate(UUIDS[:count]):
            lines.append(f"GPU {k}: A Device (with brackets) (UUID: {uuid})")
            if parts and k == 0:
                lines += [f"  MIG 1g.10gb     Device  {p}: (UUID: MIG-{p})" for p in range(2)]
        command = folder / "nvidia-smi"
        command.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(lines) + "\nEND\n")
        command.chmod(0o755)
        if not os.access(command, os.X_OK):
            pytest.skip(f"programs in {folder} may not be executed")
        (folder / "tmp").mkdir()
        self.variables = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self.environment = os.environ | self.variables
        self.environment.pop("CUDA_VISIBLE_DEVICES", None)

    def start(self, code: str, **environment: str) -> subprocess.Popen:
        """A process; one that reads its input to the end lives until it is killed or this one ends."""
        command = [sys.executable, "-u", "-c", PREAMBLE + textwrap.dedent(code)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=self.environment | environment, cwd=self.folder, **pipes)

    def run(self, code: str, **environment: str) -> str:
        process = self.start(code, **environment)
        printed, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, printed
        return printed


@pytest.fixture
def machine(tmp_path):
    return lambda count, **options: Machine(tmp_path, count, **options)


def test_many_jobs_on_few_devices_never_meet(machine):
    job = """
    gpus.take()
    mine = Path(os.environ["CUDA_VISIBLE_DEVICES"])
    mine.touch(exist_ok=False)
    Path(f"{mine}.used").touch()
    until(lambda: len(list(Path().glob("*.used"))) == 2)  # the first ones meet, however long others take to start
    time.sleep(0.05)
    mine.unlink()
    """
    here = machine(2)
    processes = [here.start(job) for _ in range(12)]
    assert [(p.wait(), p.stdout.read()[-200:]) for p in processes if p.wait(PATIENCE)] == []
    # The marks show devices by their UUIDs, which mean the same to CUDA in whatever order it numbers them.
    assert {p.name for p in (here.folder / "tmp").glob("*/*")} == set(UUIDS[:2])


def test_a_shared_device_has_as_many_jobs_as_the_config_allows(machine):
    """Two jobs meet on it, a third has to wait for one of them."""
    here = machine(1)
    job = """
    gpus.take(share=2)
    Path(f"{os.getpid()}.here").touch()
    until(lambda: len(list(Path().glob("*.here"))) >= 2 and Path("go").exists())
    """
    first = [here.start(job) for _ in range(2)]
    until(lambda: len(list(here.folder.glob("*.here"))) == 2)
    third = here.start(job)
    assert "waiting for a GPU" in third.stdout.readline()
    (here.folder / "go").touch()
    assert [p.wait(PATIENCE) for p in (*first, third)] == [0, 0, 0]


def test_who_shares_does_not_join_one_who_does_not(machine):
    here = machine(1)
    alone = here.start("gpus.take(); print('taken'); sys.stdin.read()")
    try:
        while "taken" not in alone.stdout.readline():
            pass
        sharing = here.start("gpus.take(share=3); print('taken')")
        assert "waiting for a GPU" in sharing.stdout.readline()
    finally:
        alone.send_signal(signal.SIGKILL)
    assert "taken" in sharing.communicate(timeout=PATIENCE)[0]


def test_a_killed_job_frees_its_device(machine):
    here = machine(1)
    holder = here.start("gpus.take(); print('taken'); sys.stdin.read()")
    assert "on GPU" in holder.stdout.readline()
    waiting = here.start("gpus.take()")
    line = waiting.stdout.readline()
    assert line == "waiting for a GPU: all that this job may use are taken (1)\n"
    holder.send_signal(signal.SIGKILL)
    assert waiting.communicate(timeout=PATIENCE)[0] == f"on GPU {UUIDS[0]}\n"
    assert waiting.returncode == 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", [("1", UUIDS[1])]),
        ("2,0", [("2", UUIDS[2]), ("0", UUIDS[0])]),
        ("GPU-bbbb-1", [("GPU-bbbb-1", UUIDS[1])]),
        ("GPU-bb", [("GPU-bb", UUIDS[1])]),
        ("MIG-elsewhere", [("MIG-elsewhere", "MIG-elsewhere")]),
        ("0,-1,2", [("0", UUIDS[0])]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_devices_given_from_outside_are_the_only_ones(machine, monkeypatch, value, expected):
    for name, text in machine(3).variables.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert gpus.visible() == expected


def test_a_job_keeps_to_the_devices_it_was_given(machine):
    here = machine(3)
    job = "gpus.take(); print('taken'); sys.stdin.read()"
    taken = [here.start(job, CUDA_VISIBLE_DEVICES="2") for _ in range(2)]
    try:
        said = sorted(process.stdout.readline() for process in taken)
        assert said == ["on GPU 2\n", "waiting for a GPU: all that this job may use are taken (1)\n"]
    finally:
        for process in taken:
            process.kill()
            process.communicate()
    show = "gpus.take(); print(os.environ.get('CUDA_VISIBLE_DEVICES'))"
    assert here.run(show, CUDA_VISIBLE_DEVICES="-1") == "-1\n"


def test_parts_of_a_device_are_devices(machine, monkeypatch):
    for name, text in machine(2, parts=True).variables.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [name for name, _ in gpus.visible()] == ["MIG-0", "MIG-1", UUIDS[1]]


def test_without_a_device_a_job_goes_on(machine, monkeypatch):
    """And the network's own set-up says what the config asks for and is not there."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "_numbers", lambda: [])
    monkeypatch.setattr(gpus.shutil, "which", lambda name: None)
    gpus.take()
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_devices_are_numbered_where_nvidia_smi_is_missing(monkeypatch):
    paths = [Path(f"/dev/nvidia{k}") for k in ("10", "0", "2")]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus.shutil, "which", lambda name: None)
    monkeypatch.setattr(gpus, "Path", lambda folder: SimpleNamespace(glob=lambda pattern: paths))
    assert gpus.visible() == [("0", "0"), ("2", "2"), ("10", "10")]


def test_a_job_that_asks_for_a_gpu_has_it_before_it_begins_and_others_take_none(machine):
    here = machine(1)
    job = """
    from types import SimpleNamespace
    from twophase.runtime import job
    def main(facts):
        Path("said").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
    config = {"results": ".", "gpus": {"share": 1}}
    parts = dict(input={}, output={}, params={}, wildcards={}, log=["log"], config=config)
    job.run(main, SimpleNamespace(**parts, rule="r", resources={"gpu": GPU}))
    """
    job = textwrap.dedent(job)
    here.run("GPU = 1\n" + job)
    assert (here.folder / "said").read_text() == UUIDS[0]
    assert (here.folder / "log").read_text() == f"on GPU {UUIDS[0]}\n"
    here.run("GPU = 0\n" + job)
    assert (here.folder / "said").read_text() == "none"
