"""Files: safetensors for tensors, Parquet for tables, provenance in both. No torch, no pickle.

Every write is atomic. Whatever is damaged, missing or not its own is noticed where it would enter a result: what is
read is checked by `integrity`.
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
from twophase.files import integrity, unmapped
from twophase.files.integrity import CHECKSUM, unread

# One key that holds JSON: safetensors writes several keys in an order that changes from run to run.
KEY = "twophase"
TEMPORARY = ".part"
SUFFIXES = (".safetensors", ".parquet")  # of the files of a folder


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


def _json(path: str | Path, metadata: Mapping) -> str:
    """Metadata of a file at `path` that has not its checksum yet, with what it has to be of there."""
    facts = {**metadata, **integrity.place(path), "checksum": CHECKSUM + "0" * 8}
    return json.dumps(facts, sort_keys=True)


def _metadata(text: str | bytes | None) -> dict:
    facts = json.loads(text or "{}")
    facts.pop("checksum", None)
    return facts


def write_tensors(path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping) -> None:
    """Writes named arrays and JSON-able `metadata` as one safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    with atomic(path) as temporary:
        mode = temporary.stat().st_mode  # as the umask wants it; safetensors gives the owner alone a right
        try:
            save_file(arrays, str(temporary), metadata={KEY: _json(path, metadata)})
        except SafetensorError as error:  # its name for an OSError
            raise OSError(error) from error
        temporary.chmod(mode)
        integrity.seal(temporary)


@contextlib.contextmanager
def open_tensors(path: str | Path):
    """The memory-mapped file as safetensors' own handle: `.keys()`, `.get_tensor(name)`, `.metadata()`.

    Raises:
        UserError: the file is missing, empty, damaged, or of another run or iteration than its place.
    """
    integrity.check(path)
    with _handle(path) as file:
        integrity.check_place(path, _facts(path, file))
        yield file


def _handle(path: str | Path):
    """The file, of which this reads the header."""
    from safetensors import SafetensorError

    try:
        Path(path).open("rb").close()  # whose error says more than safetensors'
        return unmapped.handle(path)
    except (SafetensorError, OSError) as error:
        raise unread(path, error) from error


def _facts(path: str | Path, file) -> dict:
    try:
        return _metadata((file.metadata() or {}).get(KEY))
    except ValueError as error:
        raise unread(path, error) from error


def read_header(path: str | Path) -> tuple[dict[str, list[int]], dict]:
    """Shapes of a safetensors file's arrays by name, and its metadata, without a look at the arrays or the checksum.

    For planning, which needs no more and is done at every start: what enters a result is read by the other functions.

    Raises:
        UserError: the file is missing, empty or shorter than its header says, or the header is damaged.
    """
    with _handle(path) as file:
        facts = _facts(path, file)
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
    table = table.replace_schema_metadata({KEY: _json(path, metadata)})
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
        integrity.seal(temporary)


def read_table(path: str | Path):
    """The table as a pandas DataFrame; its metadata is in `.attrs`.

    Raises:
        UserError: the file is missing, empty, damaged, or of another run than its place.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    integrity.check(path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise unread(path, error) from error
    frame = table.replace_schema_metadata(None).to_pandas()
    frame.attrs = _metadata((table.schema.metadata or {}).get(KEY.encode()))
    integrity.check_place(path, frame.attrs)
    return frame


def read_metadata(path: str | Path) -> dict:
    """The provenance of a safetensors or Parquet file."""
    if Path(path).suffix == ".parquet":
        return read_table(path).attrs
    with open_tensors(path) as file:
        return _metadata((file.metadata() or {}).get(KEY))


def checksum(path: str | Path) -> str:
    """Eight hexadecimal digits for what is in a file, or in a folder that a job made.

    Raises:
        UserError: it is damaged, or cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return f"{zlib.crc32(json.dumps(integrity.contents(path)['files'], sort_keys=True).encode()):08x}"
    of_ours = integrity.check(path) if path.suffix in SUFFIXES else ""
    try:
        return of_ours or f"{zlib.crc32(path.read_bytes()):08x}"
    except OSError as error:
        raise unread(path, error) from error


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
