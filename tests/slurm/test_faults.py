"""One run of the tiny workflow with `--profile profiles/slurm` on a cluster where everything goes wrong that may.

It is interrupted and started again; then the node is drained, one training job is requeued, one cancelled, one hangs
past its time and one takes more memory than it asked for. Its tables are those of an undisturbed local run.
"""

import copy
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from slurm.cluster import GPU_MODEL, PATIENCE, WAIT_OF_REQUEUED, Cluster, until
from twophase.config.resolve import resolve
from workflow_runner import TINY, UNITS, Workflow, measured

pytestmark = [pytest.mark.slurm, pytest.mark.workflow]

LONGEST = 1800.0  # seconds that a run may take
SEED = "results/tiny/seed0"
TARGETS = ("fig3", f"{SEED}/S.parquet", f"{SEED}/linearized/0")
REQUEUED, CANCELLED, LATE, LARGE = "trajectory_tiny_0", "forks_tiny_0_0", "forks_tiny_0_1", "linearized_tiny_0_0"
TRAINED = {REQUEUED: "trajectory", CANCELLED: "forks/0", LATE: "forks/1"}


@pytest.fixture(scope="module")
def config() -> dict:
    """The tiny one with as few jobs as will do, which some seconds go to start, and training long enough to be hit."""
    config = copy.deepcopy(TINY)
    tiny = config["experiments"]["tiny"]
    del tiny["pairs"], tiny["barrier"]["block"]
    tiny["training"] |= {"iterations": 48, "schedule": {"milestones": [32]}}
    tiny["checkpoints"] = {"every": 8}
    tiny["cone"] = {"tau": [8], "dt": [8]}
    tiny["barrier"]["grid"] = {"every": 16}
    tiny["chaos"] |= {"t0": [0, 8], "t1": [32, 48], "lags": [], "dense": {}, "t0_per_job": 1}  # both train to the end
    tiny["linearized"]["switch"] = [8]
    return config


def slow(folder: Path, config: dict) -> Workflow:
    """A workflow whose training takes seconds on the fastest machine, too."""
    workflow = Workflow(folder, config)
    workflow.slow_training_down(0.05)
    return workflow


@pytest.fixture(scope="module")
def undisturbed(config, cluster, tmp_path_factory) -> dict[str, bytes]:
    """Tables of a run without a cluster."""
    workflow = slow(tmp_path_factory.mktemp("undisturbed"), config)
    workflow.snakemake("--cores", "2", *TARGETS)
    return workflow.tables()


class Run:
    """`snakemake --profile profiles/slurm` in the background, for as long as a `with` block lasts."""

    def __init__(self, workflow: Workflow, cluster: Cluster):
        self.workflow, self.cluster, self.began = workflow, cluster, time.time()
        command = [sys.executable, Path(__file__).with_name("impatient.py"), "--configfile", "config.yaml"]
        command += ["--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "1"]
        # A network on the CPU, in a job that has a GPU.
        command += ["--set-resources", "block_B:gpu=1", f"block_B:gpu_model={GPU_MODEL}"]
        command += ["--set-threads", "dataset=2", "--", *TARGETS]
        self.path_to_output = workflow.folder / "output.txt"
        with self.path_to_output.open("w") as output:
            self.process = subprocess.Popen(
                command,
                cwd=workflow.folder,
                env=cluster.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A shell's background processes, and so this one's children, may not listen to Ctrl-C.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )

    def trouble(self) -> str:
        return self.path_to_output.read_text()[-6000:] + self.cluster.trouble()

    def in_training(self, name: str) -> str | None:
        """The id of the job if it is training: if this run's job has written a checkpoint to its working folder."""
        folders = self.workflow.folder.glob(f"{SEED}/{TRAINED[name]}.partial-*")
        if not any(folder.stat().st_mtime > self.began for folder in folders):
            assert self.process.poll() is None, f"Snakemake ended\n{self.trouble()}"
            return None
        return next((job["JobId"] for job in self.cluster.jobs(name) if job["JobState"] == "RUNNING"), None)

    def when_training(self, *names: str) -> Iterator[tuple[str, str]]:
        """Yields each of these jobs and its id as soon as it trains."""
        names = list(names)
        while names:
            name, job = until(
                lambda: next(((name, job) for name in names if (job := self.in_training(name))), None),
                f"{' or '.join(names)} to train",
                self.trouble,
                patience=2 * PATIENCE,  # after some jobs before it
            )
            names.remove(name)
            yield name, job

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Waits for Snakemake; returns its exit status."""
        return self.process.wait(LONGEST)


@dataclass
class Story:
    """What happened."""

    after_interrupt: str = ""  # jobs that were left
    while_drained: list[str] = field(default_factory=list)  # states of the job that was requeued
    limit: int = 0  # minutes that the late job had been given
    status: int | None = None
    tables: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, list[dict[str, str]]] = field(default_factory=dict)  # submissions, by job


@pytest.fixture(scope="module")
def story(config, cluster, undisturbed, tmp_path_factory) -> Story:
    story, workflow = Story(), slow(tmp_path_factory.mktemp("disturbed"), config)
    write_calibration(workflow, config)

    with Run(workflow, cluster) as run:
        _, job = next(run.when_training(REQUEUED))
        cluster.stop_processes(job)  # so that it is there when Snakemake ends, and stays if it may
        run.process.send_signal(signal.SIGINT)
        run.end()
        deadline = time.monotonic() + PATIENCE
        while left := cluster.run("squeue", "--noheader", "--states=PENDING,RUNNING"):
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        story.after_interrupt = left

    with Run(workflow, cluster) as run:
        _, job = next(run.when_training(REQUEUED))
        cluster.run("scancel", "--signal=STOP", job)  # so that it can't end before the rest is done
        cluster.run("scontrol", "update", f"NodeName={cluster.host}", "State=DRAIN", "Reason=test")
        cluster.run("scontrol", "requeue", job, check=False)
        # How long the job takes to end, so as to wait again, is the machine's affair.
        until(
            lambda: cluster.state(REQUEUED) == "PENDING",
            "the requeued job to wait for the drained node",
            run.trouble,
        )
        for _ in range(2 * WAIT_OF_REQUEUED):  # in half of which a node that takes jobs would have started it
            time.sleep(1)
            story.while_drained.append(until(lambda: cluster.state(REQUEUED), "the controller's answer", run.trouble))
        cluster.run("scontrol", "update", f"NodeName={cluster.host}", "State=RESUME")
        cluster.run("scancel", "--signal=CONT", job, check=False)

        for name, job in run.when_training(CANCELLED, LATE):
            if name == CANCELLED:
                cluster.run("scancel", job)
            else:
                cluster.run("scancel", "--signal=STOP", job)
                story.limit = minutes(cluster.jobs(LATE)[-1])
                # Its limit is a matter of minutes; we are less patient.
                cluster.run("scontrol", "update", f"JobId={job}", "EndTime=now+2")

        story.status = run.end()
    story.tables = workflow.tables()
    names = (REQUEUED, CANCELLED, LATE, LARGE, "block_B_tiny", "dataset_digits")
    story.jobs = {name: until(partial(cluster.jobs, name), f"what became of {name}") for name in names}
    print(run.path_to_output.read_text())
    return story


def write_calibration(workflow: Workflow, config: dict) -> None:
    """As if `snakemake estimate` had measured, but for a linearized step far less memory than it takes."""
    calibration = measured(resolve(config))
    calibration["tiny"]["memory"] |= dict.fromkeys(UNITS, 1500) | {"tangent_step": 1}
    path = workflow.folder / "results" / "calibration.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"experiments": calibration}))


def minutes(job: dict[str, str]) -> int:
    days, _, clock = job["TimeLimit"].rpartition("-")
    hours, minutes, _ = map(int, clock.split(":"))
    return (int(days or 0) * 24 + hours) * 60 + minutes


def megabytes(job: dict[str, str]) -> int:
    return int(job["MinMemoryNode"].removesuffix("M"))


def test_an_interrupted_run_leaves_no_job(story):
    assert story.after_interrupt == ""


def test_the_same_command_goes_on_to_the_end_with_the_same_tables(story, undisturbed):
    assert story.status == 0
    assert undisturbed.keys() == story.tables.keys()
    assert [name for name in undisturbed if undisturbed[name] != story.tables[name]] == []


def test_what_was_done_before_an_interruption_is_not_done_again(story):
    assert len(story.jobs["dataset_digits"]) == 1


def test_jobs_wait_while_the_node_is_drained(story):
    assert set(story.while_drained) == {"PENDING"}


def test_a_requeued_job_runs_again_by_itself(story):
    interrupted, requeued = story.jobs[REQUEUED]
    assert interrupted["JobState"] == "CANCELLED"
    assert (requeued["JobState"], requeued["Restarts"]) == ("COMPLETED", "1")


def test_a_cancelled_job_is_submitted_again(story):
    states = [job["JobState"] for job in story.jobs[CANCELLED]]
    assert states == ["CANCELLED", "COMPLETED"]


def test_a_job_over_its_time_is_submitted_again_with_twice_the_time(story):
    late, again = story.jobs[LATE]
    assert (late["JobState"], again["JobState"]) == ("TIMEOUT", "COMPLETED")
    assert story.limit > 0
    assert minutes(again) == 2 * story.limit


def test_a_job_over_its_memory_is_submitted_again_with_twice_the_memory(story):
    """And with thrice the memory where torch itself takes more, as a build for CUDA does."""
    large, *rest = jobs = story.jobs[LARGE]
    assert rest
    for job in jobs[:-1]:
        assert "exceeded memory limit" in Path(job["StdOut"]).read_text()
    assert jobs[-1]["JobState"] == "COMPLETED"
    assert [megabytes(job) for job in jobs] == [(k + 1) * megabytes(large) for k in range(len(jobs))]


def test_a_job_has_as_many_cores_as_threads(story):
    assert [story.jobs[name][0]["CPUs/Task"] for name in ("dataset_digits", "block_B_tiny")] == ["2", "1"]


def test_a_job_with_a_gpu_goes_to_the_partition_that_has_one(story):
    (with_gpu,) = story.jobs["block_B_tiny"]
    assert (with_gpu["Partition"], with_gpu["TresPerJob"]) == ("gpu", f"gres:gpu:{GPU_MODEL}:1")
    (without,) = story.jobs["dataset_digits"]
    assert without["Partition"] == "cpu"
    assert "TresPerJob" not in without
