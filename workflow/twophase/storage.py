"""Files: safetensors for tensors, Parquet for tables, provenance in both, every write atomic. No torch, no pickle."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata as package_metadata
from pathlib import Path

import numpy as np

from twophase.errors import UserError

# One key that holds JSON: safetensors writes several keys in an order that changes from run to run.
KEY = "twophase"


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yields a temporary sibling of `path` that takes its name when the block ends well and goes when it fails."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_tensors(path: str | Path, tensors: Mapping[str, np.ndarray], metadata: Mapping) -> None:
    """Writes named arrays and JSON-able `metadata` as one safetensors file."""
    from safetensors.numpy import save_file

    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    with atomic(path) as temporary:
        save_file(arrays, str(temporary), metadata={KEY: json.dumps(dict(metadata), sort_keys=True)})


@contextlib.contextmanager
def open_tensors(path: str | Path):
    """The memory-mapped file as safetensors' own handle: `.keys()`, `.get_tensor(name)`, `.metadata()`.

    Raises:
        UserError: the file is missing, empty or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        handle = safe_open(str(path), framework="numpy")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}). Delete it and run the same command again.") from error
    with handle as file:
        yield file


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
    table = table.replace_schema_metadata({KEY: json.dumps(dict(metadata), sort_keys=True)})
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(path: str | Path):
    """The table as a pandas DataFrame; its metadata is in `.attrs`.

    Raises:
        UserError: the file is missing, empty or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}). Delete it and run the same command again.") from error
    frame = table.replace_schema_metadata(None).to_pandas()
    frame.attrs = json.loads((table.schema.metadata or {}).get(KEY.encode(), b"{}"))
    return frame


def read_metadata(path: str | Path) -> dict:
    """The provenance of a safetensors or Parquet file."""
    if Path(path).suffix == ".parquet":
        return read_table(path).attrs
    with open_tensors(path) as file:
        return json.loads((file.metadata() or {}).get(KEY, "{}"))


def digest(value) -> str:
    """Sixteen hexadecimal digits that name a JSON-able value, the same in every run."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


@cache
def versions() -> dict[str, str]:
    """Package versions and the commit of the source tree; read without importing torch."""

    def version(package):
        try:
            return package_metadata.version(package)
        except package_metadata.PackageNotFoundError:
            return "unknown"

    git = ["git", "-C", Path(__file__).parents[2], "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip() if shutil.which("git") else ""
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

    Its name carries `key`, a digest of the settings, and the times at which `inputs` were made, so that a run that was
    stopped goes on in it, and one with other settings or other inputs cannot. It survives a failure, which the declared
    output of a Snakemake job does not.
    """
    if inputs:
        key = digest([key, [Path(path).stat().st_mtime_ns for path in inputs]])
    final = Path(path_to_folder)
    work = final.with_name(f"{final.name}.partial-{key}")
    work.mkdir(parents=True, exist_ok=True)
    yield work
    if final.exists():
        shutil.rmtree(final)
    os.replace(work, final)
    for stale in final.parent.glob(f"{final.name}.partial-*"):
        shutil.rmtree(stale)
