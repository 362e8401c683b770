"""Files: safetensors for tensors, Parquet for tables, provenance in both. No torch, no pickle.

Every write is atomic. A file holds a checksum of itself, which is looked at whenever it is opened; a folder lists what
belongs to it. So whatever is damaged, missing or not its own is noticed where it would enter a result.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata as package_metadata
from pathlib import Path

import numpy as np

from twophase.errors import UserError
from twophase.files import unmapped

# One key that holds JSON: safetensors writes several keys in an order that changes from run to run.
KEY = "twophase"
CHECKSUM = "crc32 of this file with zeros here: "  # value of `checksum` in that JSON, before eight digits
CONTENTS = "contents.json"  # of a folder: the files that belong to it
TEMPORARY = ".part"


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yields a temporary sibling of `path` that takes its name when the block ends well and goes when it fails.

    A process that is killed leaves it behind; it is made anew when the same file is written again, so that a link of
    that name leads nowhere.

    Raises:
        UserError: the file cannot be written: a full disk, a folder without permission.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}{TEMPORARY}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        temporary.touch(exist_ok=False)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error}). Make room, or the folder writable, and run the same command again: "
            "it continues from there."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Writes a file whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _json(metadata: Mapping) -> str:
    """Metadata of a file that has not its checksum yet."""
    return json.dumps({**metadata, "checksum": CHECKSUM + "0" * 8}, sort_keys=True)


def _metadata(text: str | bytes | None) -> dict:
    facts = json.loads(text or "{}")
    facts.pop("checksum", None)
    return facts


def _checksum(content) -> tuple[int, bytes] | None:
    """Where a file's checksum is, and what it should be; None for a file of other origin, which has none."""
    at = content.find(CHECKSUM.encode()) + len(CHECKSUM)
    if at < len(CHECKSUM):
        return None
    with memoryview(content) as view:
        crc = zlib.crc32(view[at + 8 :], zlib.crc32(b"0" * 8, zlib.crc32(view[:at])))
    return at, b"%08x" % crc


def _seal(path: Path) -> None:
    """Writes the checksum into its place in a file."""
    with open(path, "r+b") as file, unmapped.content(file) as content:
        at, digits = _checksum(content)
        file.seek(at)
        file.write(digits)


def _check(path: str | Path) -> None:
    """Stops at a file that is missing, empty, or not as it was written; reads its bytes once in a process."""
    try:
        stat = os.stat(path)
        if not _is_whole(str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns):
            raise damaged(path, "is not as it was written: its checksum differs")
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise damaged(path, f"cannot be read ({error})") from error


@cache
def _is_whole(path: str, *version: int) -> bool:
    with open(path, "rb") as file, unmapped.content(file) as content:
        found = _checksum(content)
        return found is None or content[found[0] : found[0] + 8] == found[1]


def damaged(path: str | Path, what: str) -> UserError:
    """The error about a file that a job finds missing or damaged: `what` is wrong, and how it is mended.

    Snakemake makes a folder anew as a whole: where the file belongs to one, this has to be deleted.
    """
    path = Path(path)
    marks = (CONTENTS, ".snakemake_timestamp")
    whole = next((folder for folder in path.parents if any((folder / mark).exists() for mark in marks)), path)
    remedy = f"Delete {whole} and run" if whole.exists() else "Run"
    return UserError(f"{path} {what}. {remedy} the same command again.")


def write_tensors(path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping) -> None:
    """Writes named arrays and JSON-able `metadata` as one safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    with atomic(path) as temporary:
        try:
            save_file(arrays, str(temporary), metadata={KEY: _json(metadata)})
        except SafetensorError as error:  # its name for an OSError
            raise OSError(error) from error
        _seal(temporary)


@contextlib.contextmanager
def open_tensors(path: str | Path):
    """The memory-mapped file as safetensors' own handle: `.keys()`, `.get_tensor(name)`, `.metadata()`.

    Raises:
        UserError: the file is missing, empty or damaged.
    """
    _check(path)
    with _handle(path) as file:
        yield file


def _handle(path: str | Path):
    """The file, of which this reads the header."""
    from safetensors import SafetensorError

    try:
        return unmapped.handle(path)
    except (SafetensorError, OSError) as error:
        raise damaged(path, f"cannot be read ({error})") from error


def read_header(path: str | Path) -> tuple[dict[str, list[int]], dict]:
    """Shapes of a safetensors file's arrays by name, and its metadata, without a look at the arrays or the checksum.

    For planning, which needs no more and is done at every start: what enters a result is read by the other functions.

    Raises:
        UserError: the file is missing, empty or shorter than its header says, or the header is damaged.
    """
    with _handle(path) as file:
        try:
            facts = _metadata((file.metadata() or {}).get(KEY))
        except ValueError as error:
            raise damaged(path, f"cannot be read ({error})") from error
        return {name: file.get_slice(name).get_shape() for name in sorted(file.keys())}, facts


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """Every array of a safetensors file by name, in the order of the names."""
    with open_tensors(path) as file:
        return {name: file.get_tensor(name) for name in sorted(file.keys())}


def write_table(path: str | Path, columns: Mapping, metadata: Mapping) -> None:
    """Writes a table (a mapping of column name to values, or a DataFrame) as Parquet.

    The bytes depend on the values and the metadata alone: no time stamp, no index.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({str(name): pa.array(np.asarray(columns[name])) for name in columns})
    table = table.replace_schema_metadata({KEY: _json(metadata)})
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
        _seal(temporary)


def read_table(path: str | Path):
    """The table as a pandas DataFrame; its metadata is in `.attrs`.

    Raises:
        UserError: the file is missing, empty or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    _check(path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, f"cannot be read ({error})") from error
    frame = table.replace_schema_metadata(None).to_pandas()
    frame.attrs = _metadata((table.schema.metadata or {}).get(KEY.encode()))
    return frame


def read_metadata(path: str | Path) -> dict:
    """The provenance of a safetensors or Parquet file."""
    if Path(path).suffix == ".parquet":
        return read_table(path).attrs
    with open_tensors(path) as file:
        return _metadata((file.metadata() or {}).get(KEY))


def digest(value) -> str:
    """Sixteen hexadecimal digits that name a JSON-able value, the same in every run."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


@cache
def versions() -> dict[str, str]:
    """Package versions and the commit of the source tree; read without importing torch.

    The commit is that of this repository, not of one that the package is installed in.
    """

    def version(package):
        try:
            return package_metadata.version(package)
        except package_metadata.PackageNotFoundError:
            return "unknown"

    package, repository = Path(__file__).parents[1], Path(__file__).parents[3]
    own = package == repository / "workflow" / "twophase" and (repository / ".git").exists() and shutil.which("git")
    git = ["git", "-C", repository, "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip() if own else ""
    return {
        "twophase": version("twophase"),
        "torch": version("torch"),
        "numpy": np.__version__,
        "commit": commit or "unknown",
    }


def provenance(definition: str, **facts) -> dict:
    """Metadata for a file: what it holds (with units), the `facts` given, and the versions that made it."""
    return {"definition": definition, **facts, **versions()}


@contextlib.contextmanager
def resumable(path_to_folder: str | Path, key: str, *inputs: str | Path) -> Iterator[Path]:
    """Yields a working folder beside `path_to_folder` which takes its name, whole, when the block ends well.

    Its name carries `key`, a digest of settings and machine, and the times at which `inputs` were made, so that a run
    that was stopped continues in it, and one with other settings, other inputs or elsewhere cannot. It survives a
    failure, which the declared output of a Snakemake job does not. What a killed job was writing goes. In the end the
    folder lists its files.
    """
    if inputs:
        key = digest([key, [Path(path).stat().st_mtime_ns for path in inputs]])
    final = Path(path_to_folder)
    work = final.with_name(f"{final.name}.partial-{key}")
    if work.is_symlink():
        work.unlink()
    work.mkdir(parents=True, exist_ok=True)
    for left in work.rglob(f".*{TEMPORARY}.*"):
        left.unlink()
    yield work
    with atomic(work / CONTENTS) as temporary:
        temporary.write_text(json.dumps(_files(work), indent=0), encoding="utf-8")
    if final.exists():
        shutil.rmtree(final)
    os.replace(work, final)
    for stale in final.parent.glob(f"{final.name}.partial-*"):
        shutil.rmtree(stale)


def _files(folder: Path) -> list[str]:
    paths = [path for path in folder.rglob("[!.]*") if path.is_file() and path.name != CONTENTS]
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def files(folder: str | Path) -> list[str]:
    """The files of a folder that `resumable` made, as paths relative to it, sorted.

    Raises:
        UserError: one is missing, or there is one that is not the folder's own.
    """
    path = Path(folder) / CONTENTS
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, f"cannot be read ({error})") from error
    there = _files(Path(folder))
    for name in listed:
        if name not in there:
            raise damaged(Path(folder) / name, "is missing")
    for name in there:
        if name not in listed:
            raise damaged(Path(folder) / name, "does not belong where it is")
    return listed
