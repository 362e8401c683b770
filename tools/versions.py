"""Tries the versions that pyproject.toml declares: the least of every package, and the newest. `make test-versions`.

    python tools/versions.py FOLDER [ARGUMENT OF PYTEST ...]

Each environment is made anew in the folder, and the tests run in it. A Python that the machine lacks is not tried. What
passed is printed as a table, and kept beside the environments. Packages come from where pip is told to look: without a
GPU, a source of torch for CPUs (PIP_EXTRA_INDEX_URL) saves gigabytes.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
SHOWN = ("snakemake", "torch", "torchvision", "numpy", "pandas", "pyarrow", "seaborn")  # packages, in the table


def main(folder: Path, *arguments: str) -> int:
    """Makes and tests each environment below `folder`; `arguments` are pytest's. Returns the exit status."""
    rows, failed = [], False
    for name, python, packages in environments(declared()):
        there = folder / name
        shutil.rmtree(there, ignore_errors=True)
        problem = install(there, python, packages)
        result = f"not installed: {problem}" if problem else test(there, arguments)
        failed |= not result.startswith("passed")
        rows.append([name, *versions(there), result])
        table = markdown(["environment", "Python", *SHOWN, "tests"], rows)
        (folder / "versions.md").write_text(table)
    print(table)
    return int(failed)


def declared() -> dict[str, list[str]]:
    """What pyproject.toml asks for: `needs` of those who use it, and `tests`."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"needs": project["dependencies"], "tests": project["optional-dependencies"]["dev"]}


def environments(packages: dict[str, list[str]]) -> Iterator[tuple[str, str, list[str]]]:
    """Name, Python and packages of each: the least versions on the oldest Python there is, the newest on all."""
    pythons = [python for python in PYTHONS if runs(python)]
    least = [requirement.replace(">=", "==") for requirement in packages["needs"]]
    yield f"least-{pythons[0]}", pythons[0], [*least, *packages["tests"]]
    for python in pythons:
        yield f"newest-{python}", python, [*packages["needs"], *packages["tests"]]


def runs(python: str) -> bool:
    return bool(shutil.which(python)) and not subprocess.run([python, "--version"], capture_output=True).returncode


def install(folder: Path, python: str, packages: Sequence[str]) -> str | None:
    """An environment with the packages, and this repository in it; what went wrong, or None."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for arguments in (["--upgrade", *packages], ["--no-deps", "--editable", REPOSITORY]):
        done = subprocess.run([*pip, *arguments], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            return re.sub(r"\s+", " ", done.stderr.strip().rpartition("ERROR: ")[2])
    return None


def test(folder: Path, arguments: Sequence[str]) -> str:
    """Runs the tests: pytest's last line, after `passed` or `FAILED`."""
    command = [folder / "bin" / "python", "-m", "pytest", *arguments]
    with open(folder / "tests.log", "w") as log:
        code = subprocess.run(command, cwd=REPOSITORY, stdout=log, stderr=log).returncode
    said = [line for line in (folder / "tests.log").read_text().splitlines() if re.search(r"\d+ (passed|failed)", line)]
    return f"{'FAILED' if code else 'passed'} ({said[-1].strip('= ') if said else 'see tests.log'})"


def versions(folder: Path) -> list[str]:
    """Of Python and of the packages of SHOWN; a dash where it has none."""
    code = (
        "import importlib.metadata as m, platform, sys\n"
        "found = {d.name.lower(): d.version for d in m.distributions()}\n"
        "print(platform.python_version(), *(found.get(name, '–') for name in sys.argv[1:]))"
    )
    return subprocess.check_output([folder / "bin" / "python", "-c", code, *SHOWN], text=True).split()


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    sys.exit(main(folder, *sys.argv[2:]))
