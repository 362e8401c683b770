"""Whether a file is as it was written, and the one that belongs where it lies. No torch.

A file of results holds a checksum of itself and says where it was written: of which experiment, seed and iteration it
is. A folder that a job made lists its files with their checksums. All are compared whenever a file is opened, so that
neither damage nor an intact file in the place of another one enters a result.
"""

import json
import os
import re
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from twophase.errors import UserError
from twophase.files import unmapped

CHECKSUM = "crc32 of this file with zeros here: "  # value of `checksum` in a file's metadata, before eight digits
CONTENTS = "contents.json"  # of a folder: the files that belong to it
PARTS = "trajectory|forks|linearized|kernels|predictions|blocks|fork_barriers"  # folders of a run
OF_RUN = re.compile(rf".*/(?P<experiment>[^/]+)/seed(?P<seed>\d+)/(?P<file>(?:{PARTS})/.+|[^/]+\.parquet)")
OF_DATA = re.compile(r".*/data/(?P<dataset>[^/]+)\.safetensors")
OF_ITERATION = re.compile(r".*/(?:step|state)-(?P<iteration>\d+)\.safetensors")
WORKING = re.compile(r"\.partial-[0-9a-z]+(?=/)")  # in the name of a folder until it is whole
NOWHERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class Damaged(UserError):
    """A file is missing, is not as it was written, or is not the one that belongs where it lies.

    Attributes:
        what: that, without a remedy.
        remedy: what to do, up to "the same command again".
    """

    def __init__(self, what: str, remedy: str):
        super().__init__(f"{what}. {remedy} the same command again.")
        self.what, self.remedy = what, remedy


def damaged(path: str | Path, what: str) -> Damaged:
    """The error about a file that a job finds missing or damaged: `what` is wrong, and how it is mended.

    Snakemake makes a folder anew as a whole: where the file belongs to one, this has to be deleted.
    """
    path = Path(path)
    marks = (CONTENTS, ".snakemake_timestamp")
    whole = next((folder for folder in path.parents if any((folder / mark).exists() for mark in marks)), path)
    remedy = f"Delete {whole} and run" if whole.exists() else "Run"
    return Damaged(f"{path} {what}", remedy)


def unread(path: str | Path, error: Exception) -> UserError:
    """The error about a file that could not be read: it is damaged, or it is the system that refuses an intact one."""
    refused = isinstance(error, OSError) and error.errno is not None and not isinstance(error, NOWHERE)
    if not refused:
        return damaged(path, f"cannot be read ({error})")
    return UserError(
        f"{path} cannot be read ({error.strerror}). It need not be damaged: see to its permissions, or to the disk, "
        "and run the same command again."
    )


def checksum(content) -> tuple[int, bytes] | None:
    """Where a file's checksum is, and what it should be; None for a file of other origin, which has none."""
    at = content.find(CHECKSUM.encode()) + len(CHECKSUM)
    if at < len(CHECKSUM):
        return None
    with memoryview(content) as view:
        crc = zlib.crc32(view[at + 8 :], zlib.crc32(b"0" * 8, zlib.crc32(view[:at])))
    return at, b"%08x" % crc


def seal(path: Path) -> None:
    """Writes the checksum into its place in a file."""
    with open(path, "r+b") as file, unmapped.content(file) as content:
        at, digits = checksum(content)
        file.seek(at)
        file.write(digits)


def check(path: str | Path) -> str:
    """Stops at a file that is missing, empty, or not as it was written; reads its bytes once in a process.

    Returns:
        the checksum, eight hexadecimal digits; none for a file of other origin.

    Raises:
        Damaged: see above, or the folder lists another file of this name, or none.
        UserError: the system refuses to read it.
    """
    try:
        found = _sums(str(path), *_version(path))
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise unread(path, error) from error
    if found is None:
        return ""
    if found[0] != found[1]:
        raise damaged(path, "is not as it was written: its checksum differs")
    listed = _listed_in(Path(path))
    if listed is not None and listed != found[0]:
        raise damaged(path, "is intact, but not the file of this name that was made with the others of its folder")
    return found[0]


def check_place(path: str | Path, facts: Mapping) -> None:
    """Raises Damaged where a file's metadata says that it was written elsewhere: for another iteration, seed or run."""
    for name, expected in place(path).items():
        if name not in facts or str(facts[name]) == str(expected):
            continue
        if name == "file":
            raise damaged(path, f"was written as {facts[name]} and is no substitute")
        if name == "experiment":
            depth = len(Path(place(path)["file"]).parts)
            folder = os.path.relpath(Path(os.path.abspath(path)).parents[depth])
            alone = damaged(path, f"is of experiment {facts[name]}, not of {expected}")
            raise UserError(
                f"{alone.what}. If {folder} was renamed, give it its name back: what figures and pages call an "
                "experiment is its `title`, which may change without training. If it was not, the file is in the wrong "
                f"place. {alone.remedy} the same command again."
            )
        raise damaged(path, f"is of {name} {facts[name]}, not of {name} {expected}")


def place(path: str | Path) -> dict[str, str | int]:
    """What a file has to be of, by where it lies: experiment, seed, `file` (its path in the run), iteration; data set.

    Of a file elsewhere than in a folder of results there is nothing to say.
    """
    text = WORKING.sub("", Path(os.path.abspath(path)).as_posix())
    found = {}
    for pattern in (OF_RUN, OF_DATA, OF_ITERATION):
        if match := pattern.fullmatch(text):
            found |= match.groupdict()
    return found | ({"iteration": int(found["iteration"])} if "iteration" in found else {})


def contents(folder: str | Path) -> dict:
    """What a folder that a job made says of itself.

    Returns:
        `files`, the checksums of its files by their paths relative to it, and `key`, see `folders.resumable`. A folder
        of an older version has neither checksums nor a key.

    Raises:
        UserError: it is missing, damaged, or cannot be read.
    """
    path = Path(folder) / CONTENTS
    try:
        listed = _json(str(path), *_version(path))
        return {"files": dict.fromkeys(listed, ""), "key": None} if isinstance(listed, list) else listed
    except (OSError, ValueError) as error:
        raise unread(path, error) from error


def _listed_in(path: Path) -> str | None:
    """The checksum that a file has according to the folder it belongs to; None where nothing is known of that."""
    for folder in path.parents[:4]:
        if (folder / CONTENTS).exists():
            return contents(folder)["files"].get(path.relative_to(folder).as_posix(), "of none") or None
    return None


def _version(path: str | Path) -> tuple[int, ...]:
    stat = os.stat(path)
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


@cache
def _sums(path: str, *version: int) -> tuple[str, str] | None:
    """The checksum that a file has, and the one that it should have."""
    with open(path, "rb") as file, unmapped.content(file) as content:
        found = checksum(content)
        return found and (content[found[0] : found[0] + 8].decode(errors="replace"), found[1].decode())


@cache
def _json(path: str, *version: int):
    return json.loads(Path(path).read_text(encoding="utf-8"))
