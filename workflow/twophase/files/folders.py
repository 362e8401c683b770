"""Folders that a job fills over hours: one that was stopped goes on in its own, a finished one is whole. No torch."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from twophase.errors import UserError
from twophase.files import integrity, storage
from twophase.files.integrity import CONTENTS, damaged


@contextlib.contextmanager
def resumable(path_to_folder: str | Path, key: str, *inputs: str | Path) -> Iterator[Path]:
    """Yields a working folder beside `path_to_folder` which takes its name, whole, when the block ends well.

    Its name carries `key`, a digest of settings and machine, and what is in `inputs`, so that a run that was stopped
    continues in it, and one with other settings, other inputs or elsewhere cannot. It survives a failure, which the
    declared output of a Snakemake job does not. What a killed job was writing goes, and all of it where a file is
    damaged. In the end the folder lists its files and its key.
    """
    if inputs:
        key = storage.digest([key, [storage.checksum(path) for path in inputs]])
    final = Path(path_to_folder)
    work = _working(final, key)
    if work.is_symlink():
        work.unlink()
    if work.exists() and (damage := _damage(work)):
        print(f"starts anew: {damage}")
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    (work / CONTENTS).unlink(missing_ok=True)  # of a folder that was reopened
    for left in work.rglob(f".*{storage.TEMPORARY}.*"):
        left.unlink()
    yield work
    listing = {"key": key, "files": {name: integrity.check(work / name) for name in _files(work)}}
    storage.write_text(work / CONTENTS, json.dumps(listing, indent=0))
    if final.exists():
        shutil.rmtree(final)
    os.replace(work, final)
    for stale in final.parent.glob(f"{final.name}.partial-*"):
        shutil.rmtree(stale)


def reopen(path_to_folder: str | Path) -> None:
    """Makes a folder that a job finished a working folder again, in which the same job finds all of its work done.

    For a job that ended well when nobody was there to note it. What the job thinks of the folder, whether its files are
    whole, its settings, its inputs and its machine the same, is up to `resumable`.
    """
    folder = Path(path_to_folder)
    with contextlib.suppress(UserError):  # no folder of ours, or of an older version: made anew
        if key := integrity.contents(folder)["key"]:
            work = _working(folder, key)
            if not work.exists():
                os.replace(folder, work)


def _working(final: Path, key: str) -> Path:
    return final.with_name(f"{final.name}.partial-{key}")


def _damage(work: Path) -> str | None:
    """What is wrong with a working folder: a file is damaged, or missing where it was whole before."""
    try:
        for name in files(work) if (work / CONTENTS).exists() else _files(work):
            integrity.check(work / name)
    except integrity.Damaged as error:
        return error.what
    return None


def _files(folder: Path) -> list[str]:
    """Tensors and tables in a folder, less what is hidden or in a hidden folder."""
    paths = [
        path.relative_to(folder) for path in folder.rglob("*") if path.suffix in storage.SUFFIXES and path.is_file()
    ]
    return sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))


def files(folder: str | Path) -> list[str]:
    """The files of a folder that `resumable` made, as paths relative to it, sorted.

    Whatever else is there, a note or an editor's copy, is none of them and stays.

    Raises:
        UserError: one is missing.
    """
    listed = sorted(integrity.contents(folder)["files"])
    for name in listed:
        if not (Path(folder) / name).is_file():
            raise damaged(Path(folder) / name, "is missing")
    return listed
