"""What a changed setting runs again: the table in docs/running.md, row by row, against dry runs."""

import copy
import re

import pytest

import configuration
from twophase.config.resolve import resolve
from workflow_runner import REPOSITORY, WHOLE, Workflow

WORDS = {
    "forks": "forks",
    "linearized runs": "linearized",
    "predictions": "predictions",
    "kernels": "kernels",
    "C": "block_C",
    "D": "block_D",
    "S": "block_S",
    "B": "block_B",
    "B of forks": "fork_barriers",
    "point-wise measures": "pointwise_measures",
    "kernels by layer": "layer_kernels",
}
EVERYTHING = {"trajectory", *WORDS.values()}
CHANGES = {  # one key of each row, of another value than in .test/config.yaml
    "title": "another",
    "pairs.vector": "statistics",
    "pairs.block": 8,
    "evaluation.bn": "recalibrate",
    "barrier.alphas": 5,
    "barrier.block": 2,
    "kernel.n": 10,
    "kernel.forks": False,
    "pointwise.examples": 30,
    "layers.grid": {"every": 12},
    "linearized.evaluate": {"every": 8},
    "linearized.switch": [0, 8, 16],
    "chaos.lags": [4, 8],
    "chaos.vector": "statistics",
    "chaos.t0": [0, 8, 16, 12],
    "chaos.dense": {"t1": {"every": 4}},
    "training.engine": "lockstep",
    "seeds": [0, 1],
    "training.lr": 0.1,
}


def rows() -> dict[str, tuple[str, str]]:
    """What the table says that a change of each key trains and measures."""
    text = (REPOSITORY / "docs" / "running.md").read_text(encoding="utf-8")
    table = re.search(r"^\| change \| trains \| measures \|\n.*?\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    found = {}
    for line in table.splitlines():
        keys, *said = (cell.strip() for cell in line.strip("|").split("|"))
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", keys), tuple(said))
    return found


def row(key: str) -> tuple[str, str]:
    """Of the key itself, or of the part of the config that it belongs to."""
    table, parts = rows(), key.split(".")
    return next(table[name] for k in range(len(parts), 0, -1) if (name := ".".join(parts[:k])) in table)


def rules(said: tuple[str, str]) -> set[str]:
    words = [word for cell in said for word in cell.partition(";")[0].split(", ") if word != "–"]
    return EVERYTHING if words == ["everything"] * 2 else {WORDS[word] for word in words}


@pytest.fixture(scope="module")
def finished(whole_run, tmp_path_factory) -> Workflow:
    return whole_run.copied(tmp_path_factory.mktemp("finished"))


@pytest.mark.workflow
@pytest.mark.parametrize("key", CHANGES)
def test_a_change_runs_again_what_the_table_says(finished, key):
    config = copy.deepcopy(WHOLE)
    part = config["experiments"]["tiny"]
    *path, last = key.split(".")
    for name in path:
        part = part.setdefault(name, {})
    part[last] = CHANGES[key]
    finished.write(config)
    said = row(key)
    if said == ("refused", "refused"):
        assert f"made with {key}" in finished.snakemake("--dry-run", check=False)
    else:
        assert EVERYTHING & set(finished.planned()) == rules(said)


def test_every_key_of_an_experiment_has_a_row():
    """Documented keys: `docs/configuration.md` is written from the schema."""
    parts = {*resolve(WHOLE)["experiments"]["tiny"]}
    documented = re.findall(r"^\| `([\w.]+)` \|", configuration.page(), re.MULTILINE)
    keys = [key for key in documented if key.partition(".")[0] in parts and f"{key}." not in " ".join(documented)]
    assert len(keys) > 50
    assert all(row(key) for key in keys)


def test_every_row_is_tried():
    assert {*rows().values()} == {row(key) for key in CHANGES}
