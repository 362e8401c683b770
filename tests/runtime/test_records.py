"""What outputs were made with and from, noted beside them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from twophase.files import folders, storage
from twophase.runtime import records


@pytest.fixture
def results(tmp_path):
    """A table made with a width and a rate, and a page made from it."""
    storage.write_table(tmp_path / "net/seed0/C.parquet", {"i": [0]}, {})
    (tmp_path / "page.html").write_text("a page")
    made(tmp_path, width=2, code="abc")
    records.write(
        tmp_path, {"title": "Net"}, [tmp_path / "net/seed0/C.parquet", "/elsewhere/images"], [tmp_path / "page.html"]
    )
    return tmp_path


def made(results, **params):
    records.write(results, {"settings": {"lr": 0.1}, "widths": (1, 2), **params}, [], [results / "net/seed0/C.parquet"])


def test_a_record_has_params_inputs_and_what_is_in_the_file(results):
    record = records.read(results, results / "page.html")
    assert record["params"] == {"title": "Net"}
    assert record["inputs"] == {"net/seed0/C.parquet": storage.checksum(results / "net/seed0/C.parquet")}
    assert record["checksum"] == storage.checksum(results / "page.html")
    assert records.read(results, results / "none.html") is None


def test_nothing_is_noted_of_an_output_elsewhere(results, tmp_path_factory):
    before = sorted((results / records.FOLDER).rglob("*"))
    elsewhere = tmp_path_factory.mktemp("storage") / "page.html"
    elsewhere.write_text("a page on its way to a storage")
    records.write(results, {"title": "Net"}, [], [elsewhere])
    assert sorted((results / records.FOLDER).rglob("*")) == before
    assert [path.name for path in elsewhere.parent.iterdir()] == ["page.html"]


@pytest.mark.parametrize("text", ["", "{", None])
def test_a_record_that_is_lost_says_nothing(results, text):
    path = results / records.FOLDER / "page.html.json"
    path.unlink() if text is None else path.write_text(text)
    assert records.read(results, results / "page.html") is None
    assert records.objection(results, results / "page.html", {"title": "another"}) is None


def test_a_checksum_is_of_what_is_there(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("one")
    before = storage.checksum(path)
    path.write_text("two")
    assert storage.checksum(path) != before
    checksums = []
    for value in (1.0, 2.0, 1.0):
        with folders.resumable(tmp_path / "run", f"key{value}") as work:
            storage.write_tensors(work / "step-0.safetensors", {"x": np.array([value])}, {})
        checksums.append(storage.checksum(tmp_path / "run"))
    assert checksums[0] == checksums[2] != checksums[1]


def test_an_objection_names_file_key_and_both_values(results):
    path = results / "net/seed0/C.parquet"
    params = {"settings": {"lr": 0.1}, "widths": [1, 2], "width": 2, "code": "of another day"}
    assert records.objection(results, path, params) is None
    for changed, said in (
        ({"settings": {"lr": 0.2}}, ("settings.lr = 0.1", "settings.lr = 0.2")),
        ({"width": 3}, ("width = 2", "width = 3")),
    ):
        objection = records.objection(results, path, params | changed)
        assert objection == f"{path} was made with {said[0]}, where the config has {said[1]}"


def test_an_output_of_another_input_is_named(results):
    assert records.objection(results, results / "page.html") is None
    storage.write_table(results / "net/seed0/C.parquet", {"i": [5]}, {})
    made(results)
    assert "page.html was made from another net/seed0/C.parquet than there is" in records.objection(
        results, results / "page.html"
    )


class Snakemakes:
    """Snakemake's records, which are lost."""

    def has_metadata(self, job):
        return False

    def params_changed(self, job, file=None):
        return None


def test_snakemake_compares_with_these_records_where_its_own_are_lost(results):
    class Persistence(Snakemakes):
        pass

    records.remember(Persistence, SimpleNamespace, results)
    output = [results / "net/seed0/C.parquet"]
    params = {"settings": {"lr": 0.1}, "widths": [1, 2], "width": 2, "code": "abc"}
    known, unknown = (SimpleNamespace(output=of, params=params) for of in (output, [*output, "other"]))
    assert Persistence().has_metadata(known)
    assert not Persistence().has_metadata(unknown)
    assert not Persistence().params_changed(known)
    known.params = params | {"code": "abd"}
    found = Persistence().params_changed(known)
    assert (found.only_old, found.only_new) == ({'code = "abc"'}, {'code = "abd"'})


def test_records_are_json(results):
    for path in (results / records.FOLDER).rglob("*.json"):
        json.loads(path.read_text())
