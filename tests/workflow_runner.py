"""The workflow in a copy of the repository, with a small config of its own."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from twophase.cost import sizes

REPOSITORY = Path(__file__).parents[1]

WHOLE = yaml.safe_load((REPOSITORY / ".test" / "config.yaml").read_text(encoding="utf-8"))
del WHOLE["results"]  # the default's, in a folder of its own; has rows in every figure but `readings`, `side_by_side`
TINY = WHOLE | {"experiments": {"tiny": WHOLE["experiments"]["tiny"]}}

UNITS = (
    *("start", "start_table", "start_figure", "step", "tangent_step", "image", "tangent_image", "kernel", "swap"),
    *("save", "load", "coordinate", "distance", "bend", "widths", "panel"),
)


class Workflow:
    """A copy of the repository with a config of its own, and Snakemake in it; without a config, that of its folder."""

    def __init__(self, folder: Path, config: dict | None = None):
        self.folder = folder
        if config is None:
            return
        for name in ("Snakefile", "workflow", "profiles", "envs", "config"):
            source = REPOSITORY / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / name)
        self.write(config)

    def copied(self, folder: Path) -> "Workflow":
        """Itself in another folder, as finished as here: all files keep their dates."""
        return Workflow(shutil.copytree(self.folder, folder, dirs_exist_ok=True))

    def write(self, config: dict) -> None:
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config))

    def change(self, name: str, old: str, new: str) -> None:
        """Replaces code that a file of the copied `workflow` has once."""
        path = self.folder / "workflow" / name
        code = path.read_text()
        assert code.count(old) == 1, f"{name}: {old}"
        path.write_text(code.replace(old, new))

    def slow_training_down(self, seconds: float) -> None:
        """Makes an iteration take so long at least, on the fastest machine; its results are the same."""
        step = "        inputs, labels = batch(data, settings, seed, t, experiment.new_noise)\n"
        self.change("twophase/training/loop.py", step, f"{step}        time.sleep({seconds})\n")
        self.change("twophase/training/loop.py", "import numpy as np\n", "import time\nimport numpy as np\n")

    def snakemake(self, *arguments: str, check: bool = True, environment: Mapping = os.environ) -> str:
        """Runs Snakemake; returns what it printed."""
        command = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml", *arguments]
        # The log of a job names what went wrong in it, on the screen as well.
        done = subprocess.run(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-6000:]}")
        return done.stdout

    def planned(self, *targets: str) -> Counter:
        """Jobs by rule that a run would start now."""
        printed = self.snakemake("--dry-run", *targets)
        table = re.search(r"^Job stats:\n.*?\n-.*?\n(.*?)^total", printed, re.MULTILINE | re.DOTALL)
        lines = table[1].splitlines() if table else []
        return Counter({line.split()[0]: int(line.split()[1]) for line in lines if not line.startswith("all ")})

    def tables(self) -> dict[str, bytes]:
        """Every Parquet table of the results, by its path, as bytes."""
        results = self.folder / "results"
        return {str(path.relative_to(results)): path.read_bytes() for path in sorted(results.rglob("*.parquet"))}


def measured(config: dict, **units) -> dict:
    """A calibration of a resolved config by hand: every unit takes 100 MiB, and a second, but those given."""
    found = {}
    for name, experiment in config["experiments"].items():
        shape = sizes.shape(config["datasets"][experiment["dataset"]], None)
        peaks = dict.fromkeys(("start", "start_table", "start_figure", *UNITS), 100.0)
        found[name] = {
            "about": sizes.about(experiment, shape),
            "units": dict.fromkeys(UNITS, 1.0) | units,
            "memory": peaks,
            "sizes": sizes.of_network(experiment, shape),
        }
    return found


def shared_data(part: str) -> Path:
    """A folder of real data beside the repository, or in $TWOPHASE_SHARED_DATA; skips the test where there is none."""
    folder = Path(os.environ.get("TWOPHASE_SHARED_DATA") or REPOSITORY.parent / "shared" / "data") / part
    if not folder.exists():
        pytest.skip(f"needs {part} in $TWOPHASE_SHARED_DATA or ../shared/data")
    return folder.resolve()
