"""Whose results a folder holds: no config trains over what another one left, or changes while it runs. No torch."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from twophase.errors import UserError
from twophase.files import integrity, storage
from twophase.runtime.records import flat

# In the folder of the results: the config, the settings of its experiments, and what its last run began with.
RECORD = "config.json"
# Settings that a run cannot change without training, or measuring, what is there anew. Those that extend it (another
# seed, t0 or grid), and those of estimates and figures, are free.
FORKED = ("chaos.norm", "chaos.size", "chaos.noise", "chaos.direction", "chaos.where")
TRAINED = ("dataset", "model", "training", *FORKED, "linearized.momentum", "linearized.lr")
MEASURED = ("checkpoints", "chaos.dense", "pairs.vector", "evaluation", "kernel", "barrier", "pointwise")
FREE = {"training.engine", "kernel.grid", "kernel.chunk", "barrier.grid", "barrier.block", "pointwise.grid"}


def enter(results: str | Path, config: str, experiments: Mapping[str, Mapping], run: Mapping) -> None:
    """Makes the folder this config's, or refuses, see `check`. Notes what the run begins with.

    Args:
        run: `config`, the resolved one, and `code`, digests by the names of rules: see `check_config`, `check_code`.
    """
    check(results, config, experiments)
    results = Path(results)
    there = _there(results, _read(results / RECORD))
    present = {name: dict(_settings(settings)) for name, settings in experiments.items()}
    record = {"config": config, "experiments": there | present, "run": run}
    storage.write_text(results / RECORD, json.dumps(record, indent=1, sort_keys=True, default=str) + "\n")


def check(results: str | Path, config: str, experiments: Mapping[str, Mapping]) -> None:
    """Refuses a config that would train over the results of another one, or show them as its own.

    The same file may change what is measured, since that is how one works with a config; it may not change how the
    networks that are there were trained.

    Args:
        results: the folder of the results.
        config: the name of the config's file.
        experiments: settings by the experiment's name, see `config.resolve.settings_of`.

    Raises:
        UserError: names both configs and the remedy; the folder is left as it was.
    """
    results = Path(results)
    record = _read(results / RECORD)
    if there := _there(results, record):
        present = {name: dict(_settings(settings)) for name, settings in experiments.items()}
        _check(results, record["config"], there, config, present)


def check_config(results: str | Path, config: Mapping) -> None:
    """Stops a job, on a cluster, that reads another config than its run began with.

    Raises:
        UserError: names the first key that differs, and both values.
    """
    before, now = (dict(flat(part)) for part in (_run(results).get("config", config), config))
    for key in [*before, *now]:
        if before.get(key) != now.get(key):
            raise UserError(
                f"The config was edited while its run goes on: {key} was {before.get(key)} when it began and is "
                f"{now.get(key)} now. Take that back, or let the run end and start it again."
            )


def check_code(results: str | Path, rule: str, code: Callable[[], str]) -> None:
    """Stops a job whose code is not that with which its run began.

    Args:
        code: gives the digest of the code as it is.

    Raises:
        UserError: names the rule.
    """
    before = _run(results).get("code", {}).get(rule)
    if before is not None and before != code():
        raise UserError(
            f"The code of {rule} was edited while the run goes on, which recorded the code that it began with. Take "
            "that back, or let the run end and start it again."
        )


def _check(results: Path, other: str, there: Mapping, config: str, present: Mapping) -> None:
    remedy = f"Give {config} a folder of its own (the key `results`), or move"
    parts = TRAINED if config == other else TRAINED + MEASURED
    for name in there.keys() & present.keys():
        for key, value in present[name].items():
            before = there[name].get(key, value)  # a key that came with a newer version had this value
            if key.startswith(parts) and before != value:
                raise UserError(
                    f"{results} holds experiment {name} of {other}, made with {key} {before}; {config} has {key} "
                    f"{value} and would overwrite it. {remedy} {results / name} away."
                )
    if config != other and not there.keys() & present.keys():
        raise UserError(
            f"{results} holds {', '.join(there)} of {other}; {config} has none of these experiments, and would "
            f"overwrite their figures and claims. {remedy} {results} away."
        )


def _settings(part: Mapping, path: str = "") -> Iterator[tuple[str, object]]:
    """The settings that matter, by their path in the config, as JSON gives them back."""
    for key, value in part.items():
        full = f"{path}{key}"
        if full in FREE:
            continue
        if isinstance(value, Mapping):
            yield from _settings(value, f"{full}.")
        elif full.startswith(TRAINED + MEASURED):
            yield full, json.loads(json.dumps(value))


def _run(results: str | Path) -> dict:
    return _read(Path(results) / RECORD).get("run", {})


def _there(results: Path, record: Mapping) -> dict:
    """The experiments of a record of which there is something."""
    return {name: settings for name, settings in record["experiments"].items() if _has_work(results / name)}


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:  # a new folder, or restored results
        return {"config": "", "experiments": {}}
    except ValueError as error:
        raise UserError(
            f"{path} cannot be read ({error}). Delete it, and run with the config that made these results: until then "
            "no other is refused."
        ) from error
    except OSError as error:
        raise integrity.unread(path, error) from error


def _has_work(folder: Path) -> bool:
    """Whether a base run has ended in it, or its tables are there."""
    return any(folder.glob(f"seed*/trajectory/{integrity.CONTENTS}")) or any(folder.glob("seed*/*.parquet"))
