"""What every output was made with, and from, kept among the results themselves. No torch.

Snakemake keeps that, too, but in `.snakemake`: results that are copied without it, or whose records there are lost,
would pass for those of any config.
"""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from twophase.files import storage

FOLDER = "records"  # in the folder of the results: a file for each output, under its name


def write(results: str | Path, params: Mapping, inputs: Collection[str], outputs: Collection[str]) -> None:
    """Notes of each output of a job the params, and which files they were that it was made from.

    Of outputs elsewhere, on their way to a storage of Snakemake's, it has its own records alone.
    """
    outputs = [path for path in outputs if not _name(results, path).startswith("../")]
    found = {_name(results, path): read(results, path) for path in inputs}
    of_inputs = {name: record["checksum"] for name, record in found.items() if record is not None}
    for path in outputs:
        record = {"params": params, "inputs": of_inputs, "checksum": storage.checksum(path)}
        storage.write_text(_path(results, path), json.dumps(record, indent=1, sort_keys=True, default=str))


def read(results: str | Path, path: str | Path) -> dict | None:
    """What is noted of an output: `params`, `inputs` (checksums by their paths in the results) and `checksum`, its own.

    None where nothing is: of an older version, restored, or damaged.
    """
    try:
        return json.loads(_path(results, path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def mark(results: str | Path, path: str | Path, problem: str | None) -> None:
    """Notes of an output what is wrong with it, so that the next run makes it anew; None takes such a note away."""
    record = read(results, path) or {"params": {}, "inputs": {}, "checksum": ""}
    if record.get("problem") != problem:
        storage.write_text(_path(results, path), json.dumps(record | {"problem": problem}, indent=1, sort_keys=True))


def objection(results: str | Path, path: str | Path, params: Mapping | None = None) -> str | None:
    """Why an output is not what the config, or the files that are there now, would make it; None if nothing is known.

    Args:
        params: of the job that makes it; what they say of its code and, in a digest, of jobs before it does not count.
            None: of no interest.
    """
    record = read(results, path)
    if record is None:
        return None
    if params is not None:
        of_config = [
            {key: value for key, value in part.items() if key not in ("code", "origin")}
            for part in (record["params"], params)
        ]
        old, new = map(sorted, changes(*of_config))
        if old or new:
            return (
                f"{path} was made with {(old or ['nothing for it'])[0]}, where the config has {(new or ['nothing'])[0]}"
            )
    for name, of_input in record["inputs"].items():
        other = read(results, Path(results) / name)
        if other is not None and other["checksum"] != of_input:
            return f"{path} was made from another {name} than there is"
    return None


def changes(before: Mapping, now: Mapping) -> tuple[set[str], set[str]]:
    """Settings that differ, each as `key = value` with all keys that lead to it: as they were, and as they are."""
    old, new = ({f"{key} = {text}" for key, text in flat(part)} for part in (before, now))
    return old - new, new - old


def flat(part: Mapping, path: str = "") -> Iterator[tuple[str, str]]:
    """The values of nested mappings as JSON, by the keys that lead to them with dots between."""
    for key, value in part.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", json.dumps(value, default=str)


def remember(persistence: type, change: type, results: str | Path) -> None:
    """Lets Snakemake compare a job's params with these records, and redo what is marked in them.

    Its own records are of what it last made here, these of the files that are there, from wherever they were copied.

    Args:
        persistence, change: Snakemake's classes of its records and of a difference in params.
    """
    has_metadata, params_changed = persistence.has_metadata, persistence.params_changed

    def has(self, job):
        return has_metadata(self, job) or all(read(results, path) for path in job.output)

    def changed(self, job, *arguments, **keywords):
        found = params_changed(self, job, *arguments, **keywords)
        there = {path: read(results, path) for path in job.output}
        for path, record in there.items():
            if record and record.get("problem"):
                return change(only_old={record["problem"]}, only_new=set(), files={path})
        if found:
            return found
        for path, record in there.items():
            old, new = changes(record["params"], dict(job.params.items())) if record else (set(), set())
            if old or new:
                return change(only_old=old, only_new=new, files={path})
        return found

    persistence.has_metadata, persistence.params_changed = has, changed


def _path(results: str | Path, path: str | Path) -> Path:
    return Path(results) / FOLDER / f"{_name(results, path)}.json"


def _name(results: str | Path, path: str | Path) -> str:
    return Path(os.path.relpath(path, results)).as_posix()
