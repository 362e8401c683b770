"""A workflow that is killed again and again ends with the same files as one that is not, and leaves nothing else.

Killed is its whole process group, with SIGKILL, as by a power cut or by a scheduler that is out of patience; then the
same command is given again. `make test-faults` aims at every stage, `make test` at three.
"""

import contextlib
import copy
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from twophase.config import plan
from twophase.config.resolve import resolve
from twophase.errors import UserError
from twophase.files import storage
from workflow_runner import TINY, Workflow

pytestmark = pytest.mark.workflow

CONFIG = copy.deepcopy(TINY)
CONFIG["experiments"]["tiny"] |= {
    "checkpoints": {"every": 40},
    "chaos": {"t0": [0, 80], "t1": [80, 160, 240], "draws": 1, "t0_per_job": 1},
    "barrier": {"grid": {"every": 80}, "alphas": 4, "test_size": 30},
    "cone": {"tau": [80], "dt": [40, 80]},
    "pointwise": {"grid": {"every": 80}, "examples": 40},
    "layers": {"grid": {"every": 80}},
    "linearized": {"switch": [0], "evaluate": {"every": 80}},
}
CONFIG["experiments"]["tiny"]["training"] |= {"iterations": 240, "schedule": {"milestones": [160]}}
TRAINING = {"trajectory", "forks", "linearized"}
FEW = Counter(["trajectory", "kernels", "fig4"])
ALL = Counter({"trajectory": 2, "forks": 3, "kernels": 2}) + Counter(
    [
        *("dataset", "predictions", "fork_barriers", "linearized", "block_B", "block_C", "block_D", "block_S"),
        *("pointwise_measures", "layer_kernels", "layer_distances", "layer_chaos"),
        *("grid", "chaos", "inflection", "explorer", "fig3", "fig5"),
    ]
)
PATIENCE = 1800  # seconds for one attempt


class Victim(Workflow):
    """A workflow that saves its training at every look at the clock, so that little work has much to lose.

    On the fastest machine, too, no job ends before it is hit: it takes longer than the longest delay of `kill`.
    """

    def __init__(self, folder: Path):
        super().__init__(folder, CONFIG)
        self.change("twophase/training/output.py", "SAVE_AFTER = 30.0", "SAVE_AFTER = 0.0")
        self.slow_training_down(0.01)
        progress, main = "            progress(k + 1)\n", "        main(**paths, **params, **given, facts=facts)\n"
        self.change("scripts/cone/kernels.py", progress, f"{progress}            time.sleep(0.05)\n")
        self.change("scripts/cone/kernels.py", "from pathlib import Path\n", "import time\nfrom pathlib import Path\n")
        self.change("twophase/runtime/job.py", main, f"{main}        time.sleep(0.5)\n")
        self.change("twophase/runtime/job.py", "import sys\n", "import sys\nimport time\n")
        self.results = folder / "results"
        self.jobs = {job.name: job.rule for job in plan.jobs(resolve(CONFIG))}

    def start(self, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml", *arguments]
        with (self.folder / "printed").open("w") as printed:
            return subprocess.Popen(
                command, cwd=self.folder, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True
            )

    def printed(self) -> str:
        return (self.folder / "printed").read_text()

    def at_work(self, since: float) -> dict[str, str]:
        """Rules, by their jobs, of jobs that have begun since then and have not ended."""
        return {name: rule for name, rule in self.jobs.items() if self._began(name) > since > self._ended(name)}

    def _began(self, name: str) -> float:
        return modified(self.results / "logs" / f"{name}.log")

    def _ended(self, name: str) -> float:
        return modified(self.results / "benchmarks" / f"{name}.tsv")

    def saved(self, name: str) -> bool:
        """Whether a training job has saved a state that is worth something: of a later iteration than its first."""
        for path in self.results.glob(f"{name}.partial-*/**/resume.safetensors"):
            fork = re.search(r"/t0-(\d+)/", str(path))
            with contextlib.suppress(UserError):  # it has ended meanwhile
                if storage.read_tensors(path)["iteration"] > (int(fork[1]) if fork else 0):
                    return True
        return False

    def files(self) -> dict[str, bytes]:
        """Every file beside Snakemake's own: its bytes, where it is not about how the run went."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and not name.startswith(".snakemake/") and "__pycache__" not in name:
                told = name.startswith(("results/logs", "results/benchmarks")) or name in ("results/.lock", "printed")
                found[name] = b"" if told else path.read_bytes()
        return found

    def processes(self) -> list[str]:
        """Ids of the processes that work in the folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if Path(os.readlink(process / "cwd")) == self.folder.resolve():
                    found.append(process.name)
            except OSError:
                continue  # it has ended
        return found


def modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def kill(victim: Victim, wanted: Counter, rng: random.Random, arguments) -> tuple[str, set[str]] | None:
    """Starts the workflow and kills it a moment after a job of a wanted rule has begun to work.

    Returns:
        the rule aimed at, and all rules at work when it was hit, in training with more to do; None when the run ended
        before any began.
    """
    delay = 10 ** rng.uniform(-3, -0.4)  # seconds: as likely between 1 and 2 ms as between 200 and 400
    since = time.time()
    process = victim.start(*arguments)
    while process.poll() is None:
        assert time.time() - since < PATIENCE, victim.printed()
        for name, rule in victim.at_work(since).items():
            if wanted[rule] and (rule not in TRAINING or victim.saved(name)):
                time.sleep(delay)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                deadline = time.time() + PATIENCE
                while victim.processes():
                    assert time.time() < deadline, "processes outlive their group"
                    time.sleep(0.01)
                there = {r for n, r in victim.at_work(since).items() if r not in TRAINING or victim.saved(n)}
                print(f"killed {delay:.3f} s after {rule} began; at work: {', '.join(sorted(there)) or 'none'}")
                return rule, there
        time.sleep(0.002)
    assert process.returncode == 0, victim.printed()[-6000:]
    return None


def test_a_killed_workflow_ends_as_if_it_had_not_been(request, tmp_path_factory):
    everything = request.config.getoption("--all-kills", default=False)
    seed = request.config.getoption("--kill-seed", default=0)
    wanted, targets, cores = (ALL.copy(), [], "2") if everything else (FEW.copy(), ["fig4"], "1")
    print(f"\nseed of the moments: {seed}")
    rng = random.Random(seed)
    undisturbed, victim = (Victim(tmp_path_factory.mktemp(name)) for name in ("undisturbed", "killed"))
    peer = undisturbed.start("--cores", "1", *targets)
    try:
        kills, hit = 0, Counter()
        while found := kill(victim, wanted, rng, ["--cores", cores, *targets]):
            rule, there = found
            kills += 1
            wanted -= Counter([rule] if rule in there else [])
            hit.update(there)
        resumed = [
            int(t)
            for log in victim.results.glob("logs/tiny/seed0/**/*.log")
            for t in re.findall(r"resumed at iteration (\d+) of 240", log.read_text())
        ]
        print(f"{kills} kills; at work when hit: {dict(sorted(hit.items()))}; training resumed at {resumed}")
        assert not +wanted, "these stages ended before they were hit"
        # The last log of whatever was killed while it trained says that it did not begin anew.
        assert resumed
        assert min(resumed) > 0
        assert peer.wait(PATIENCE) == 0, undisturbed.printed()[-6000:]
    finally:
        if peer.poll() is None:
            os.killpg(peer.pid, signal.SIGKILL)
    expected, found = undisturbed.files(), victim.files()
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
