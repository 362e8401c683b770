"""A folder of results is one config's: another one is refused before it destroys anything."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from twophase.config.resolve import resolve, settings_of
from twophase.errors import UserError
from twophase.runtime import guard
from workflow_runner import REPOSITORY, TINY

MINE = {
    "dataset": "digits",
    "model": {"name": "resnet8"},
    "training": {"iterations": 100},
    "checkpoints": {"every": 10},
    "chaos": {"t0": [0, 50]},
}


RUNNING = {"config": {"results": "results", "experiments": {"tiny": {"kernel": {"n": 12}}}}, "code": {"grid": "abc"}}


def enter(folder: Path, name: str, of: dict) -> None:
    guard.enter(folder, name, of, RUNNING)


def experiments(config: dict) -> dict:
    config = resolve(config)
    return {name: settings_of(config, name) for name in config["experiments"]}


def changed(**parts) -> dict:
    """Settings of TINY after changes of its only experiment, key by key."""
    config = copy.deepcopy(TINY)
    tiny = config["experiments"]["tiny"]
    for key, value in parts.items():
        tiny[key] = tiny.get(key, {}) | value if isinstance(value, dict) else value
    return experiments(config)


@pytest.fixture
def results(tmp_path) -> Path:
    """Of config/tiny.yaml, with a table."""
    folder = tmp_path / "results"
    (folder / "tiny" / "seed0").mkdir(parents=True)
    (folder / "tiny/seed0/C.parquet").touch()
    enter(folder, "config/tiny.yaml", changed())
    return folder


@pytest.mark.parametrize(
    "parts",
    [
        {"training": {"lr": 0.1}},
        {"training": {"schedule": {"milestones": [20]}}},
        {"model": {"width": 4}},
        {"chaos": {"size": 1e-5}},
        {"chaos": {"noise": "both"}},
        {"chaos": {"where": ["fc.*"]}},
        {"linearized": {"momentum": "reset"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["config/tiny.yaml", "config/other.yaml"])
def test_what_would_train_anew_is_refused(results, parts, name):
    before = (results / guard.RECORD).read_text()
    with pytest.raises(UserError) as error:
        enter(results, name, changed(**parts))
    message = str(error.value)
    assert f"{results} holds experiment tiny of config/tiny.yaml" in message
    assert f"; {name} has" in message
    assert "`results`" in message
    assert "\n" not in message
    assert (results / guard.RECORD).read_text() == before


@pytest.mark.parametrize(
    "parts",
    [
        {"seeds": [0, 1, 2]},
        {"chaos": {"t0": [0, 4, 8, 16], "draws": 3}},
        {"training": {"engine": "solo"}},
        {"phases": {"level": 0.9}},
        {"title": "another"},
        {"linearized": {"switch": []}},
        {"pairs": {"block": 2}},
    ],
    ids=str,
)
def test_what_adds_to_the_results_is_not(results, parts):
    enter(results, "config/copy.yaml", changed(**parts))


def test_another_experiment_is_added(results):
    config = copy.deepcopy(TINY)
    config["experiments"]["more"] = MINE
    enter(results, "config/tiny.yaml", experiments(config))
    assert json.loads((results / guard.RECORD).read_text())["experiments"].keys() == {"tiny", "more"}


def test_only_the_same_file_may_measure_otherwise(results):
    enter(results, "config/tiny.yaml", changed(kernel={"n": 16}))
    with pytest.raises(UserError, match=r"tiny of config/tiny.yaml, made with kernel.n 16; config/other.yaml has"):
        enter(results, "config/other.yaml", changed())


def test_a_config_of_other_experiments_is_refused_with_both_names(results):
    others = experiments({**TINY, "experiments": {"mine": MINE}})
    with pytest.raises(UserError, match=r"holds tiny of config/tiny.yaml; config/mine.yaml has none of these"):
        enter(results, "config/mine.yaml", others)


def test_what_is_moved_away_or_was_never_made_refuses_nobody(results):
    (results / "tiny").rename(results.parent / "kept")
    enter(results, "config/mine.yaml", experiments({**TINY, "experiments": {"mine": MINE}}))
    enter(results, "config/tiny.yaml", changed(training={"lr": 0.1}))


def test_results_without_a_record_are_taken_over(results):
    """They are of an older version, or restored."""
    (results / guard.RECORD).unlink()
    enter(results, "config/tiny.yaml", changed(training={"lr": 0.1}))
    assert (results / guard.RECORD).exists()


def test_a_key_that_a_new_version_adds_changes_nothing(results):
    record = json.loads((results / guard.RECORD).read_text())
    assert record["experiments"]["tiny"].pop("training.weight_decay") is not None
    (results / guard.RECORD).write_text(json.dumps(record))
    enter(results, "config/tiny.yaml", changed())


def test_a_damaged_record_says_what_to_do(results):
    (results / guard.RECORD).write_text("{")
    with pytest.raises(UserError, match="Delete it"):
        enter(results, "config/tiny.yaml", changed())


def test_another_configs_results_are_not_even_looked_at(results):
    """Of a dry run or a report, which write nothing."""
    before = (results / guard.RECORD).read_text()
    with pytest.raises(UserError, match=r"made with training.lr 0.05; config/other.yaml has training.lr 0.1"):
        guard.check(results, "config/other.yaml", changed(training={"lr": 0.1}))
    guard.check(results, "config/other.yaml", changed(seeds=[0, 1]))
    assert (results / guard.RECORD).read_text() == before


def test_a_job_of_a_run_whose_config_was_edited_names_key_and_values(results):
    edited = copy.deepcopy(RUNNING["config"])
    guard.check_config(results, edited)
    edited["experiments"]["tiny"]["kernel"]["n"] = 10
    with pytest.raises(UserError) as error:
        guard.check_config(results, edited)
    assert "experiments.tiny.kernel.n was 12 when it began and is 10 now" in str(error.value)
    assert "\n" not in str(error.value)
    edited["experiments"]["more"] = {"seeds": [0]}
    edited["experiments"]["tiny"]["kernel"]["n"] = 12
    with pytest.raises(UserError, match=r"experiments.more.seeds was None when it began and is \[0\] now"):
        guard.check_config(results, edited)


def test_a_job_of_a_run_whose_code_was_edited_stops(results):
    guard.check_code(results, "grid", lambda: "abc")
    guard.check_code(results, "a rule without code", lambda: "abd")
    with pytest.raises(UserError, match="The code of grid was edited while the run goes on"):
        guard.check_code(results, "grid", lambda: "abd")


def test_a_record_of_an_older_version_stops_no_job(results):
    record = json.loads((results / guard.RECORD).read_text())
    del record["run"]
    (results / guard.RECORD).write_text(json.dumps(record))
    guard.check_config(results, {"results": "elsewhere"})
    guard.check_code(results, "grid", lambda: "abd")


def test_no_two_configs_write_into_one_folder():
    configs = {path.stem: yaml.safe_load(path.read_text()) for path in (REPOSITORY / "config").glob("*.yaml")}
    assert {name: config.get("results", "results") for name, config in configs.items()} == {
        name: "results" if name == "demo" else f"results/{name}" for name in configs
    }
