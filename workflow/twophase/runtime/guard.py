"""Whose results a folder holds: no config trains over what another one left. No torch."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from twophase.errors import UserError
from twophase.files import integrity, storage

RECORD = "config.json"  # in the folder of the results: the config, and the settings of its experiments
# Settings that a run cannot change without training, or measuring, what is there anew. Those that extend it (another
# seed, t0 or grid), and those of estimates and figures, are free.
TRAINED = ("dataset", "model", "training", "chaos.norm", "chaos.size", "linearized.momentum", "linearized.lr")
MEASURED = ("kernel", "barrier")
FREE = {"training.engine", "kernel.grid", "kernel.chunk", "barrier.grid", "barrier.block"}


def enter(results: str | Path, config: str, experiments: Mapping[str, Mapping]) -> None:
    """Makes the folder this config's, or refuses: if it would train over the results of another one.

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
    present = {name: dict(_settings(settings)) for name, settings in experiments.items()}
    record = _read(results / RECORD)
    there = {name: settings for name, settings in record["experiments"].items() if _has_work(results / name)}
    if there:
        _check(results, record["config"], there, config, present)
    content = json.dumps({"config": config, "experiments": there | present}, indent=1, sort_keys=True)
    with storage.atomic(results / RECORD) as path:
        path.write_text(content + "\n", encoding="utf-8")


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


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:  # a new folder, or restored results
        return {"config": "", "experiments": {}}
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error}). Delete it: the next run writes it anew.") from error
    except OSError as error:
        raise integrity.unread(path, error) from error


def _has_work(folder: Path) -> bool:
    """Whether a base run has ended in it, or its tables are there."""
    return any(folder.glob(f"seed*/trajectory/{integrity.CONTENTS}")) or any(folder.glob("seed*/*.parquet"))
