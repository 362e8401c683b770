"""Files: what is written comes back, whole or not at all, and the same content gives the same bytes."""

import contextlib
import errno
import importlib.metadata
import json
import os
import re
import string
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from small_files import FILES, content, killed_while_writing
from twophase.errors import UserError
from twophase.files import integrity, storage, unmapped, vectors

DTYPES = [np.float32, np.float64, np.float16, np.int64, np.int32, np.int16, np.uint8, np.bool_]
NAMES = st.text(string.ascii_letters + string.digits + "./_", min_size=1, max_size=12)
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
METADATA = st.dictionaries(st.text(max_size=6), JSON, max_size=4)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# --- atomic writes


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "deep" / "file.txt"
    with storage.atomic(path) as temporary:
        temporary.write_text("old")
        assert not path.exists()

    def break_off():
        with storage.atomic(path) as temporary:
            temporary.write_text("half of the n")
            assert path.read_text() == "old"
            assert temporary.parent == path.parent  # os.replace is atomic within one file system only
            raise error

    with pytest.raises(UserError if error is OSError else error):
        break_off()
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]
    assert path.read_text() == "old"


def test_a_first_write_that_fails_leaves_nothing(tmp_path):
    def break_off():
        with storage.atomic(tmp_path / "file") as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(UserError, match=r"file cannot be written \(disk full\)\. Make room"):
        break_off()
    assert not list(tmp_path.iterdir())


def test_what_a_killed_write_leaves_goes_with_the_next(tmp_path):
    path = tmp_path / "step-5.safetensors"
    killed_while_writing(path)
    (left,) = tmp_path.iterdir()
    assert left != path
    storage.write_tensors(path, {"x": np.arange(3)}, {})
    assert list(tmp_path.iterdir()) == [path]


def test_tensors_and_tables_are_written_atomically(tmp_path, monkeypatch):
    tensors, table = tmp_path / "a.safetensors", tmp_path / "a.parquet"
    storage.write_tensors(tensors, {"x": np.zeros(3)}, {})
    storage.write_table(table, {"x": [1]}, {})
    before = {path: path.read_bytes() for path in (tensors, table)}

    def fail(_, path, **options):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("safetensors.numpy.save_file", fail)
    monkeypatch.setattr("pyarrow.parquet.write_table", fail)
    with pytest.raises(UserError, match="full"):
        storage.write_tensors(tensors, {"x": np.ones(3)}, {})
    with pytest.raises(UserError, match="full"):
        storage.write_table(table, {"x": [2]}, {})
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


# --- tensors


@settings(max_examples=40)
@given(tensors=st.dictionaries(NAMES, ARRAYS, min_size=1, max_size=4), metadata=METADATA)
def test_tensors_round_trip(tensors, metadata):
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "a.safetensors", Path(folder) / "b.safetensors"
        storage.write_tensors(path, tensors, metadata)
        read = storage.read_tensors(path)
        assert list(read) == sorted(tensors)
        assert all(same(read[name], tensors[name]) for name in tensors)
        assert storage.read_metadata(path) == metadata
        other_order = dict(reversed(list(tensors.items()))), dict(reversed(list(metadata.items())))
        storage.write_tensors(again, *other_order)
        assert again.read_bytes() == path.read_bytes()


def test_a_view_is_written_by_its_values(tmp_path):
    whole = np.arange(24.0).reshape(4, 6)
    views = {"transposed": whole.T, "strided": whole[::2, ::3], "reversed": whole[::-1], "column": whole[:, 1]}
    storage.write_tensors(tmp_path / "a", views, {})
    assert all(same(value, np.array(views[name])) for name, value in storage.read_tensors(tmp_path / "a").items())


def test_one_tensor_can_be_read_alone(tmp_path):
    storage.write_tensors(tmp_path / "a", {"x": np.arange(3), "step": np.array(7.0, np.float32)}, {"t": 1})
    with storage.open_tensors(tmp_path / "a") as file:
        assert set(file.keys()) == {"x", "step"}
        assert file.get_tensor("step").shape == ()
        assert file.get_tensor("step") == 7


def test_errors_inside_the_block_of_open_tensors_are_not_blamed_on_the_file(tmp_path):
    storage.write_tensors(tmp_path / "a", {"x": np.arange(3)}, {})
    with pytest.raises(OSError, match="elsewhere"), storage.open_tensors(tmp_path / "a"):
        raise OSError("elsewhere")


# --- tables

COLUMNS = {
    "integer": st.integers(-(2**62), 2**62),
    "float": st.floats(),
    "bool": st.booleans(),
    "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
}


@settings(max_examples=40)
@given(rows=st.lists(st.tuples(*COLUMNS.values()), min_size=1, max_size=6), metadata=METADATA, frame=st.booleans())
def test_tables_round_trip(rows, metadata, frame):
    columns = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    columns["float32"] = np.array(columns["integer"], np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "a.parquet", Path(folder) / "b.parquet"
        # An index is no part of the table.
        given_as = pd.DataFrame(columns, index=range(5, 5 + len(rows))) if frame else columns
        storage.write_table(path, given_as, metadata)
        read = storage.read_table(path)
        assert list(read.columns) == list(columns)
        assert list(read.index) == list(range(len(rows)))
        assert read.attrs == metadata == storage.read_metadata(path)
        for name, values in columns.items():
            np.testing.assert_array_equal(read[name].to_numpy(), np.asarray(values))
        kinds = {name: read[name].dtype for name in ("integer", "float", "bool", "float32")}
        assert kinds == {"integer": np.int64, "float": np.float64, "bool": np.bool_, "float32": np.float32}
        storage.write_table(again, given_as, metadata)
        assert again.read_bytes() == path.read_bytes()


def test_an_empty_table_keeps_its_columns(tmp_path):
    storage.write_table(tmp_path / "a.parquet", {"i": np.empty(0, np.int64), "value": np.empty(0)}, {"seed": "1"})
    read = storage.read_table(tmp_path / "a.parquet")
    assert (len(read), list(read.columns), read.attrs) == (0, ["i", "value"], {"seed": "1"})


def test_a_table_of_other_origin_has_no_metadata(tmp_path):
    pd.DataFrame({"x": [1, 2]}).to_parquet(tmp_path / "a.parquet")
    assert storage.read_table(tmp_path / "a.parquet").attrs == {}
    assert storage.read_metadata(tmp_path / "a.parquet") == {}


def test_no_file_is_compressed_by_the_clock_or_the_process(tmp_path):
    code = (
        "import sys; import numpy as np; from twophase.files import storage;"
        "metadata = {'b': 1, 'a': [2], 'c': 'x'};"
        "storage.write_tensors(sys.argv[1] + '.safetensors', {n: np.arange(3) for n in 'xyz'}, metadata);"
        "storage.write_table(sys.argv[1] + '.parquet', {n: np.arange(3) for n in 'xyz'}, metadata)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for name in "ab":
        subprocess.run([sys.executable, "-c", code, tmp_path / name], check=True, env=environment)
    for suffix in (".safetensors", ".parquet"):
        first, second = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in "ab")
        assert first == second


# --- damaged files


@pytest.mark.parametrize(
    ("read", "suffix"),
    [
        (storage.read_tensors, ".safetensors"),
        (storage.read_metadata, ".safetensors"),
        (storage.read_table, ".parquet"),
        (storage.read_metadata, ".parquet"),
    ],
)
def test_missing_empty_and_truncated_files_are_named(tmp_path, read, suffix):
    path = tmp_path / f"step-5{suffix}"
    if suffix == ".parquet":
        storage.write_table(path, {"x": np.arange(100)}, {"a": 1})
    else:
        storage.write_tensors(path, {"x": np.arange(100)}, {"a": 1})
    whole = path.read_bytes()
    for length in (0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1, None):
        if length is None:
            path.unlink()
        else:
            path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=str(path)) as info:
            read(path)
        assert str(info.value).endswith("un the same command again.")


def test_a_file_of_another_kind_is_named(tmp_path):
    (tmp_path / "notes.parquet").write_text("some notes, longer than any header of a table could be")
    with pytest.raises(UserError, match=r"notes\.parquet"):
        storage.read_table(tmp_path / "notes.parquet")
    with pytest.raises(UserError, match=r"notes\.parquet"):
        storage.read_tensors(tmp_path / "notes.parquet")


@pytest.mark.parametrize("suffix", FILES)
def test_a_flipped_bit_is_noticed_in_every_byte(tmp_path, suffix):
    """Values, names, shapes, metadata, checksum. Only the checksum's label may suffer unnoticed: it is no content."""
    path = tmp_path / f"whole{suffix}"
    FILES[suffix](path)
    whole, expected = path.read_bytes(), content(path)
    label = whole.index(integrity.CHECKSUM.encode())
    in_label = range(label, label + len(integrity.CHECKSUM))
    path = tmp_path / f"flipped{suffix}"
    for k in range(len(whole)):
        flipped = bytearray(whole)
        flipped[k] ^= 1 << k % 8
        path.write_bytes(flipped)
        integrity._sums.cache_clear()  # writing is faster than the clock ticks
        if k in in_label:
            with contextlib.suppress(UserError):
                assert content(path) == expected
            continue
        with pytest.raises(UserError, match=re.escape(f"Delete {path} and run the same command again.")):
            integrity.check(path)


def test_a_file_is_checked_again_when_it_changes(tmp_path):
    path = tmp_path / "a.parquet"
    FILES[".parquet"](path)
    storage.read_table(path)
    changed = bytearray(path.read_bytes())
    changed[10] ^= 1
    path.write_bytes(changed)
    os.utime(path, ns=(1, 1))
    with pytest.raises(UserError, match="checksum differs"):
        storage.read_table(path)


def test_a_part_of_a_damaged_file_cannot_be_read_either(tmp_path):
    path = tmp_path / "step-5.safetensors"
    FILES[".safetensors"](path)
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(UserError, match="checksum differs"), storage.open_tensors(path):
        pass


def test_a_header_is_read_without_the_arrays(tmp_path):
    path, shapes = tmp_path / "a.safetensors", {"x": [2, 3], "step": [], "none": [0, 4]}
    storage.write_tensors(path, {name: np.zeros(shape) for name, shape in shapes.items()}, {"t": 1})
    path.write_bytes(path.read_bytes()[:-48] + b"\xff" * 48)
    assert storage.read_header(path) == (shapes, {"t": 1})
    with pytest.raises(UserError, match="checksum differs"):
        storage.read_tensors(path)


@pytest.mark.parametrize("left", [0, 7, 40, -1])
def test_a_header_that_is_not_whole_is_refused(tmp_path, left):
    path = tmp_path / "a.safetensors"
    FILES[".safetensors"](path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(UserError, match=re.escape(f"{path} cannot be read (")):
        storage.read_header(path)
    path.unlink()
    with pytest.raises(UserError, match=re.escape(f"{path} cannot be read (")):
        storage.read_header(path)


# --- provenance


@given(JSON)
def test_digests_name_a_value(value):
    name = storage.digest(value)
    assert len(bytes.fromhex(name)) == 8
    assert storage.digest(json.loads(json.dumps(value))) == name
    assert storage.digest([value]) != name


def test_digests_ignore_the_order_of_keys_and_see_every_value():
    value = {"a": 1, "b": {"c": [1, 2.5, None], "d": True}}
    assert storage.digest({"b": {"d": True, "c": (1, 2.5, None)}, "a": 1}) == storage.digest(value)
    others = [{**value, "a": 2}, {**value, "e": 0}, {**value, "b": {"c": [2.5, 1, None], "d": True}}]
    assert len({storage.digest(other) for other in [value, *others]}) == 4


def test_provenance_says_what_by_whom_and_with_which_versions():
    facts = storage.provenance("C, a number", seed="3", settings="abc")
    assert (facts["definition"], facts["seed"], facts["settings"]) == ("C, a number", "3", "abc")
    # The package's: a wheel for CUDA says more of itself in torch.__version__.
    assert facts["torch"] == importlib.metadata.version("torch")
    assert facts["numpy"] == np.__version__
    assert facts["commit"]
    assert facts["twophase"]


def test_provenance_needs_no_git(monkeypatch, tmp_path):
    storage.versions.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        assert storage.provenance("x")["commit"] == "unknown"
    finally:
        storage.versions.cache_clear()


def test_metadata_is_one_key_in_both_formats(tmp_path):
    """Other tools read it as JSON, without this library."""
    storage.write_tensors(tmp_path / "a", {"x": np.arange(2)}, {"iteration": 4})
    header = (tmp_path / "a").read_bytes()
    size = int.from_bytes(header[:8], "little")
    text = json.loads(header[8 : 8 + size])["__metadata__"]["twophase"]
    facts = json.loads(text)
    assert facts.pop("checksum").startswith("crc32 of this file")
    assert facts == {"iteration": 4}
    storage.write_table(tmp_path / "b.parquet", {"x": [1]}, {"iteration": 4})
    facts = json.loads(pq.read_schema(tmp_path / "b.parquet").metadata[b"twophase"])
    assert facts.pop("checksum").startswith("crc32 of this file")
    assert facts == {"iteration": 4}


# --- what somebody else's folder, or file system, may be like


@pytest.mark.parametrize("write", ["text", "tensors", "table"])
def test_a_link_in_the_place_of_a_temporary_file_leads_nowhere(tmp_path, write):
    mine, path = (
        tmp_path / "mine",
        tmp_path / "theirs" / {"text": "a.txt", "tensors": "a.safetensors"}.get(write, "a.parquet"),
    )
    mine.write_text("mine")
    with storage.atomic(path) as temporary:
        name = temporary.name
    (path.parent / name).symlink_to(mine)
    if write == "text":
        storage.write_text(path, "new")
    elif write == "tensors":
        storage.write_tensors(path, {"x": np.arange(3)}, {})
    else:
        storage.write_table(path, {"x": [1]}, {})
    assert mine.read_text() == "mine"
    assert not path.is_symlink()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_files_are_read_and_written_where_there_are_no_memory_maps(tmp_path, monkeypatch):
    def unsupported(*arguments, **options):
        raise OSError(errno.ENODEV, "No such device")

    def unsupported_in_rust(*arguments, **options):
        raise safetensors.SafetensorError("Error while opening: No such device (os error 19)")

    arrays = {"x": np.arange(12, dtype=np.float32).reshape(3, 4), "n": np.array(7), "b": np.array([True])}
    path, mapped, table = tmp_path / "a.safetensors", tmp_path / "b.safetensors", tmp_path / "a.parquet"
    storage.write_tensors(mapped, arrays, {"trainable": ["x"]})
    (expected,) = vectors.networks([mapped], "state_dict")()
    monkeypatch.setattr(unmapped.mmap, "mmap", unsupported)
    monkeypatch.setattr(safetensors, "safe_open", unsupported_in_rust)
    storage.write_tensors(path, arrays, {"trainable": ["x"]})
    storage.write_table(table, {"x": [1, 2]}, {"a": 1})
    assert all(same(array, arrays[name]) for name, array in storage.read_tensors(path).items())
    assert storage.read_metadata(path) == {"trainable": ["x"]}
    assert storage.read_header(path)[0] == {"b": [1], "n": [], "x": [3, 4]}
    assert storage.read_table(table)["x"].tolist() == [1, 2]
    (parts,) = vectors.networks([path], "state_dict")()
    assert same(parts, expected)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    integrity._sums.cache_clear()
    with pytest.raises(UserError, match="its checksum differs"):
        storage.read_tensors(path)
