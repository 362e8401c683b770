"""Makes results current that were copied, downloaded or unpacked without their dates, once they have been checked.

`python tools/adopt.py RESULTS` compares every output that is there with its record: what is in it, and which files it
was made from. All get one date, so that Snakemake finds none older than what it was made from. Those that are not as
they were made are named, and marked in their records: the next run makes them anew. Outputs that were not copied are
made where they are needed. Whether the settings are those of the config is Snakemake's to compare, with the same
records.
"""

import os
import sys
import time
from pathlib import Path

from twophase.errors import UserError
from twophase.files import folders, integrity, storage
from twophase.runtime import locks, records


def adopt(results: Path, now: float) -> tuple[int, list[str]]:
    """How many outputs are current, and a line for each that is not; dates them all.

    Raises:
        UserError: an output cannot be read, which says nothing of what is in it; nothing is marked or dated.
    """
    there = sorted(path for name in _recorded(results) if (path := results / name.with_suffix("")).exists())
    problems = {path: _problem(results, path) for path in there}
    for path, problem in problems.items():
        records.mark(results, path, problem)
        for part in (path, path / ".snakemake_timestamp"):
            if part.exists():
                os.utime(part, (now, now))
    for path in (results / "benchmarks").rglob("*.tsv"):  # an output, too, in Snakemake's eyes
        os.utime(path, (now, now))
    found = [f"{problem}; the next run makes it anew." for problem in problems.values() if problem]
    return len(problems) - len(found), found


def _recorded(results: Path) -> list[Path]:
    return [path.relative_to(results / records.FOLDER) for path in (results / records.FOLDER).rglob("*.json")]


def _problem(results: Path, path: Path) -> str | None:
    """What is wrong with an output; None if nothing is."""
    record = records.read(results, path)
    if record is None:
        return f"the record of {path} is damaged"
    try:
        if path.is_dir():
            for name in folders.files(path):
                storage.checksum(path / name)
        if record["checksum"] != storage.checksum(path):
            return f"{path} is not what was recorded"
    except integrity.Damaged as error:
        return error.what
    return records.objection(results, path)


def main(results: Path) -> int:
    if not _recorded(results):
        raise UserError(
            f"{results} has no {records.FOLDER} by which to check it: it is of an older version or no folder of a run. "
            "Copy it with its dates, by rsync -a, cp -a or tar."
        )
    locks.start_run(results)
    current, problems = adopt(results, time.time())
    print(*problems, sep="\n", end="\n" if problems else "")
    print(f"{current} outputs of {results} are as they were made, and current.")
    return bool(problems)


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except UserError as error:
        sys.exit(f"{error}")
