"""Folders of jobs: whole or not there, taken up where a job was stopped, and nobody else's."""

import contextlib
import json
import os
import re
from pathlib import Path

import pytest

from small_files import FILES, content, killed_while_writing
from twophase.errors import UserError
from twophase.files import folders, integrity


def test_a_folder_takes_its_name_when_whole(tmp_path):
    final = tmp_path / "runs" / "forks"
    with folders.resumable(final, "k1") as work:
        (work / "a").write_text("1")
        assert not final.exists()
        assert work.parent == final.parent
    assert [p.name for p in final.parent.iterdir()] == ["forks"]
    assert (final / "a").read_text() == "1"


def test_a_failure_keeps_the_work_for_the_same_key_alone(tmp_path):
    final = tmp_path / "forks"

    def break_off(key, error):
        with folders.resumable(final, key) as work:
            assert not list(work.iterdir())
            FILES[".parquet"](work / "a.parquet")
            raise error

    for key, error in (("k1", KeyboardInterrupt), ("k2", ValueError)):
        with pytest.raises(error):
            break_off(key, error)
        assert not final.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["forks.partial-k1", "forks.partial-k2"]
    with folders.resumable(final, "k1") as work:
        assert content(work / "a.parquet")
        FILES[".safetensors"](work / "b.safetensors")
    assert folders.files(final) == ["a.parquet", "b.safetensors"]


def test_success_replaces_the_old_folder_and_clears_other_attempts(tmp_path):
    final, neighbour = tmp_path / "forks", tmp_path / "forks2.partial-k1"
    for folder in (final, neighbour, tmp_path / "forks.partial-old"):
        folder.mkdir()
        (folder / "stale").write_text("stale")
    with folders.resumable(final, "new") as work:
        FILES[".parquet"](work / "fresh.parquet")
        assert (final / "stale").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["forks", "forks2.partial-k1"]
    assert folders.files(final) == ["fresh.parquet"]
    assert (neighbour / "stale").exists()


def whole_folder(final: Path, key: str = "key") -> Path:
    with folders.resumable(final, key) as work:
        for name in ("t0-5/log.parquet", "t0-5/step-6.safetensors", "t0-7/log.parquet"):
            FILES[Path(name).suffix](work / name)
    return final


def test_a_folder_names_what_is_missing(tmp_path):
    final = whole_folder(tmp_path / "forks" / "0")
    (final / ".snakemake_timestamp").touch()
    assert folders.files(final) == ["t0-5/log.parquet", "t0-5/step-6.safetensors", "t0-7/log.parquet"]
    remedy = f"Delete {final} and run the same command again."
    (final / "t0-7/log.parquet").unlink()
    with pytest.raises(UserError, match=re.escape(f"{final}/t0-7/log.parquet is missing. {remedy}")):
        folders.files(final)
    for damage in ("", '["t0-5/log"', None):
        path = final / integrity.CONTENTS
        path.unlink() if damage is None else path.write_text(damage)
        with pytest.raises(UserError, match=rf"{final}/contents\.json cannot be read .*{re.escape(remedy)}"):
            folders.files(final)


STRAYS = ("notes.txt", ".DS_Store", "t0-5/.step-6.safetensors.swp", "t0-5/.copies/step-6.safetensors")


def test_strays_are_nobodys_business(tmp_path):
    """A note, a desktop's or an editor's file, also while the job is at work, and a checkpoint that a user copied."""
    final = tmp_path / "forks" / "0"
    with folders.resumable(final, "key") as work:
        FILES[".safetensors"](work / "t0-5/step-6.safetensors")
        for name in STRAYS:
            (work / name).parent.mkdir(exist_ok=True)
            (work / name).touch()
    assert folders.files(final) == ["t0-5/step-6.safetensors"]
    FILES[".safetensors"](final / "t0-5/step-8.safetensors")
    assert folders.files(final) == ["t0-5/step-6.safetensors"]
    for name in STRAYS:
        assert (final / name).exists()


def test_a_folder_of_an_older_version_is_read(tmp_path):
    """It lists names alone."""
    final = whole_folder(tmp_path / "forks")
    names = folders.files(final)
    (final / integrity.CONTENTS).write_text(json.dumps(names))
    assert folders.files(final) == names
    assert content(final / "t0-5/log.parquet")


def test_a_finished_folder_is_taken_over_whole(tmp_path):
    """Its job ended after Snakemake, which would have it made anew: the job finds that all is done."""
    final = whole_folder(tmp_path / "forks")
    before = {name: (final / name).read_bytes() for name in folders.files(final)}
    folders.reopen(final)
    assert not final.exists()
    with folders.resumable(final, "key") as work:
        assert {name: (work / name).read_bytes() for name in before} == before
    assert folders.files(final) == sorted(before)


def test_a_finished_folder_of_other_settings_is_made_anew(tmp_path):
    final = whole_folder(tmp_path / "forks")
    folders.reopen(final)
    with folders.resumable(final, "another key") as work:
        assert not list(work.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["forks"]


def test_a_folder_is_not_taken_over_where_it_is_damaged(tmp_path):
    for spoil in (lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-9])):
        final = whole_folder(tmp_path / "forks")
        spoil(final / "t0-5/step-6.safetensors")
        folders.reopen(final)
        with folders.resumable(final, "key") as work:
            assert not list(work.iterdir())


def test_a_power_cut_leaves_no_damage_in_a_run_that_goes_on(tmp_path):
    """A file that was renamed but never reached the disk."""
    with contextlib.suppress(KeyboardInterrupt), folders.resumable(tmp_path / "run", "key") as work:
        FILES[".safetensors"](work / "step-4.safetensors")
        (work / "step-4.safetensors").write_bytes(b"")
        raise KeyboardInterrupt
    with folders.resumable(tmp_path / "run", "key") as work:
        assert not list(work.iterdir())


def test_what_is_no_folder_of_ours_is_not_reopened(tmp_path):
    (tmp_path / "forks").mkdir()
    folders.reopen(tmp_path / "forks")
    folders.reopen(tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["forks"]


def test_a_folder_forgets_what_a_killed_job_was_writing(tmp_path):
    with contextlib.suppress(KeyboardInterrupt), folders.resumable(tmp_path / "run", "key") as work:
        (work / "done").touch()
        killed_while_writing(work / "deep" / "resume.safetensors")
        raise KeyboardInterrupt
    assert len(list(work.rglob("*.safetensors"))) == 1
    with folders.resumable(tmp_path / "run", "key") as work:
        assert not list(work.rglob("*.safetensors"))
        assert (work / "done").exists()


def test_resumable_starts_anew_when_an_input_has_other_content(tmp_path):
    source = tmp_path / "input"
    source.write_text("one")

    def found(stop: bool) -> bool:
        """Whether the working folder holds what an earlier call left."""
        with contextlib.suppress(KeyboardInterrupt), folders.resumable(tmp_path / "out", "key", source) as work:
            there = (work / "done").exists()
            (work / "done").write_text("half")
            if stop:
                raise KeyboardInterrupt
        return there

    assert not found(stop=True)
    assert found(stop=True)
    os.utime(source, ns=(0, 12345))
    assert found(stop=True)  # the same again
    source.write_text("two")
    assert not found(stop=False)


def test_a_link_in_the_place_of_a_folder_at_work_leads_nowhere(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (tmp_path / "run.partial-key").symlink_to(mine)
    with folders.resumable(tmp_path / "run", "key") as work:
        FILES[".parquet"](work / "new.parquet")
    assert not any(mine.iterdir())
    assert folders.files(tmp_path / "run") == ["new.parquet"]
