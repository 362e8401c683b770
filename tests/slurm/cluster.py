"""A SLURM cluster of one node on the loopback interface: this machine, for as long as a test needs it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
PATIENCE = 300.0  # seconds for what takes a few
GPU_MODEL = "tiny"
WAIT_OF_REQUEUED = 5  # seconds

# Killed by SLURM is what takes more memory than it asked for. A job is requeued only where it asked for that, and soon:
# the life of a credential is how long it has to wait. Jobs that ended stay in `squeue` for the tests to look at.
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire={wait}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MpiDefault=none
ReturnToService=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MinJobAge=3600
KillWait=2
JobRequeue=0
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 Gres=gpu:{model}:1 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""


class Cluster:
    """The daemons, and what an administrator or a user does to jobs and nodes.

    Args:
        folder: private; everything of the cluster is below it.

    Attributes:
        environment: of commands that are to talk to this cluster.
    """

    def __init__(self, folder: Path):
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            pytest.skip(f"needs {', '.join(missing)}: on Debian, apt-get install slurm-wlm munge")
        if os.geteuid() != 0:
            pytest.skip("needs root, as which the daemons of SLURM run")
        self.folder, self.host = folder, socket.gethostname().partition(".")[0]
        # The plugin's job step takes SLURM_CONF from the environment of srun, which therefore sets it again.
        srun = folder / "bin" / "srun"
        srun.parent.mkdir()
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
        srun.chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SLURM_")},
            "SLURM_CONF": f"{folder}/slurm.conf",
            "PATH": f"{srun.parent}:{os.environ['PATH']}",
        }

    def start(self) -> None:
        """Starts the daemons; returns when the node is idle."""
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir()
        (self.folder / "munge").chmod(0o711)
        key = self.folder / "munge" / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        self.run(
            "munged", "--force", *(f"--{name}={self.folder}/munge/{name.removesuffix('-file')}" for name in
            ("key-file", "socket", "pid-file", "log-file", "seed-file")),
        )  # fmt: skip
        (self.folder / "gres.conf").write_text(
            f"NodeName={self.host} Name=gpu Type={GPU_MODEL} File=/dev/null\n"  # any device file will do
        )
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder, host=self.host, ports=free_ports(2), model=GPU_MODEL, wait=WAIT_OF_REQUEUED
            )
        )
        self.run("slurmctld", "-f", f"{self.folder}/slurm.conf")
        self.run("slurmd", "-f", f"{self.folder}/slurm.conf")
        until(lambda: self.node() == "idle", "an idle node", self.trouble)

    def stop(self) -> None:
        """Ends all jobs and daemons, whatever came up of them."""
        pids = [self.folder / name for name in ("slurmd.pid", "slurmctld.pid", "munge/pid")]
        try:
            if pids[1].exists():
                self.run("scancel", "--user=root", check=False)
                until(lambda: not self.run("squeue", "--noheader", check=False), "an end of all jobs", self.trouble)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            print(error)
        finally:
            end([int(path.read_text()) for path in pids if path.exists()])

    def run(self, *command: str, check: bool = True) -> str:
        """What a command prints."""
        done = subprocess.run(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stdout}\n{self.trouble()}"
        return done.stdout

    def trouble(self) -> str:
        """The ends of the daemons' logs."""
        logs = sorted(self.folder.glob("slurm*.log"))
        return "\n".join(f"{log.name}:\n{log.read_text()[-3000:]}" for log in logs)

    def node(self) -> str:
        return self.run("sinfo", "--noheader", "--nodes", self.host, "--format=%T", check=False).strip().split("\n")[0]

    def jobs(self, name: str) -> list[dict[str, str]]:
        """Submissions of a workflow's job in their order, as `scontrol show job` has them.

        Args:
            name: its rule and its wildcards, or the first of them, as in `forks_tiny_0_1`.
        """
        found = []
        for text in self.run("scontrol", "show", "job", "--oneliner", check=False).splitlines():
            job = dict(re.findall(r"(\w+(?:/\w+)?)=(\S*)", text))
            if job.get("Comment", "").replace("rule_", "").replace("_wildcards", "").startswith(name):
                found.append(job)
        return sorted(found, key=lambda job: int(job["JobId"]))

    def stop_processes(self, job: str) -> None:
        """Stops a job's processes unseen by SLURM, to which STOPPED is a state that even an end does not change."""
        lines = [line.split() for line in self.run("scontrol", "listpids", job).splitlines()[1:]]
        pids = [int(pid) for pid, _, step, *_ in lines if step != "batch"]
        assert pids, lines
        for pid in pids:
            send(pid, signal.SIGSTOP)

    def state(self, name: str) -> str:
        """That of the last submission; of a controller that is too busy to answer, an empty one."""
        jobs = self.jobs(name)
        return jobs[-1]["JobState"] if jobs else ""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def until(condition: Callable[[], object], what: str, trouble: Callable[[], str] = str, patience: float = PATIENCE):
    """Waits for a condition; returns its value."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}\n{trouble()}"
        time.sleep(0.02)
    return value


def end(pids: list[int]) -> None:
    """Ends processes, those that don't follow a request by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = [pid for pid in pids if send(pid, number)]
        deadline = time.monotonic() + 10
        while pids and time.monotonic() < deadline:
            time.sleep(0.05)
            pids = [pid for pid in pids if send(pid, 0)]


def send(pid: int, number: int) -> bool:
    """Whether there was a process to send the signal to."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
