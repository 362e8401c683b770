"""What the workflow reads is data: nothing in a file, or in the config, is ever run."""

import ast
import io
import os
import pickle
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from image_files import files, folder, mnist_files, no_network, pack
from twophase.data import torchvision_sets
from twophase.data.dataset import Data
from twophase.data.prepare import prepare
from twophase.errors import UserError
from twophase.files import storage
from twophase.torchvision_ops import import_torchvision

WORKFLOW = Path(__file__).parents[2] / "workflow"
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle", "runpy"}
CALLS = {
    *("eval", "exec", "compile", "__import__", "breakpoint"),
    *("torch.load", "torch.hub.load", "np.load", "numpy.load", "pd.read_pickle", "pandas.read_pickle"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "os.system", "os.popen"),
    *("subprocess.getoutput", "subprocess.getstatusoutput"),
}
OPTIONS = {"shell", "allow_pickle"}


def dangers(source: str) -> set[str]:
    """What in a Python source may run data as code."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] in MODULES}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.add(node.module)
        elif isinstance(node, ast.Call):
            found |= {ast.unparse(node.func)} & CALLS
            given = {option.arg: option.value for option in node.keywords}
            found |= {o for o in OPTIONS & given.keys() if ast.unparse(given[o]) != "False"}
    return found


@pytest.mark.parametrize("path", sorted(WORKFLOW.rglob("*.py")), ids=lambda path: path.name)
def test_no_source_runs_data(path):
    # A config may name a file of the user's, to be run: that is what it is for.
    asked_for = {"exec", "compile"} if path.name == "own.py" else set()
    assert dangers(path.read_text(encoding="utf-8")) == asked_for


@pytest.mark.parametrize(
    "source",
    [
        *("import pickle", "from joblib import load", "torch.load(f)", "np.load(f)", "np.load(f, allow_pickle=True)"),
        *("yaml.load(f)", "eval(x)", "exec(x)", "os.system(x)", "subprocess.run(x, shell=True)"),
    ],
)
def test_what_would_run_data_is_found(source):
    assert dangers(source)


def test_rules_have_no_shell_commands():
    """Values of the config reach scripts as Python objects; a command line would need each of them quoted."""
    for path in [WORKFLOW.parent / "Snakefile", WORKFLOW / "Snakefile", *sorted((WORKFLOW / "rules").glob("*.smk"))]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?m)^\s+(shell|run):|\bshell\(|\b(eval|exec|system|popen)\(|pickle", text), path


# Files that would run something --------------------------------------------------------------------------------------


class Payload:
    """Leaves a folder where it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "it-ran"


def payloads(mark: Path) -> dict[str, bytes]:
    """Malicious files of every kind that something reads by unpickling."""
    array, tensors = io.BytesIO(), io.BytesIO()
    np.save(array, np.array([Payload(mark)], dtype=object), allow_pickle=True)
    torch.save({"weight": Payload(mark)}, tensors)
    return {"pickle": pickle.dumps(Payload(mark)), "numpy": array.getvalue(), "torch": tensors.getvalue()}


@pytest.mark.parametrize("kind", ["pickle", "numpy", "torch"])
def test_the_payloads_are_live(tmp_path, mark, kind):
    path = tmp_path / "file"
    path.write_bytes(payloads(mark)[kind])
    if kind == "pickle":
        pickle.loads(path.read_bytes())
    elif kind == "numpy":
        np.load(path, allow_pickle=True)
    else:
        torch.load(path, weights_only=False)
    assert mark.exists()


@pytest.mark.parametrize("kind", ["pickle", "numpy", "torch"])
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("step-0.safetensors", storage.read_tensors),
        ("step-0.safetensors", storage.read_metadata),
        ("data.safetensors", Data.load),
        ("log.parquet", storage.read_table),
        ("log.parquet", storage.read_metadata),
    ],
)
def test_a_malicious_file_in_the_place_of_a_result_is_refused(tmp_path, mark, kind, name, read):
    path = tmp_path / name
    path.write_bytes(payloads(mark)[kind])
    with pytest.raises(UserError, match=rf"{re.escape(name)} cannot be read"):
        read(path)
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["pickle", "numpy", "torch"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_malicious_file_among_images_is_refused(tmp_path, mark, kind, zipped):
    members = files(**{"train/Ant/2.png": payloads(mark)[kind]})
    root = pack(tmp_path / "set.zip", members) if zipped else folder(tmp_path / "set", members)
    with pytest.raises(UserError, match=r"train/Ant/2\.png in .* is not an image"):
        prepare(tmp_path / "out", "imagefolder", root)
    assert not mark.exists()


def test_postscript_is_not_handed_to_ghostscript(tmp_path, mark, monkeypatch):
    """Pillow asks another program to draw it."""
    bin_ = folder(tmp_path / "bin", {"gs": f"#!/bin/sh\nmkdir {mark}\n".encode()})
    (bin_ / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    stream = io.BytesIO()
    Image.fromarray(np.zeros((6, 6, 3), np.uint8)).save(stream, "eps")
    root = folder(tmp_path / "set", files(**{"train/Ant/2.png": stream.getvalue()}))
    with pytest.raises(UserError, match=r"train/Ant/2\.png in .* is not an image"):
        prepare(tmp_path / "out", "imagefolder", root)
    assert not mark.exists()


CIFAR = {
    "cifar10": ("cifar-10-batches-py", [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch", "batches.meta"]),
    "cifar100": ("cifar-100-python", ["train", "test", "meta"]),
}


@pytest.mark.parametrize("source", CIFAR)
def test_batches_of_cifar_are_read_only_where_their_digests_are_right(tmp_path, mark, monkeypatch, source):
    """They are pickles, as their authors published them."""
    no_network(monkeypatch)
    below, names = CIFAR[source]
    evil = dict.fromkeys(names, pickle.dumps(Payload(mark)))
    root = tmp_path / "root"
    folder(root / below, evil)
    with tarfile.open(root / torchvision_sets.SETS[source][2][0], "w:gz") as archive:
        archive.add(root / below, below)
    with pytest.raises(UserError, match=rf"^root: {source} is not \(intact\) under"):
        prepare(tmp_path / "out", source, root)
    assert not mark.exists()

    kind = getattr(import_torchvision().datasets, torchvision_sets.SETS[source][0])
    monkeypatch.setattr(kind, "_check_integrity", lambda self: True)
    with pytest.raises(UserError):
        prepare(tmp_path / "out", source, root)
    assert mark.exists()  # so it is the digests that keep them out


@pytest.mark.parametrize("source", ["mnist", "fashionmnist", "kmnist"])
def test_pickled_tensors_of_old_versions_of_torchvision_are_not_read(tmp_path, mark, monkeypatch, source):
    no_network(monkeypatch)
    raw = Path(torchvision_sets.SETS[source][1])
    evil = payloads(mark)["torch"]
    folder(tmp_path / raw.parent / "processed", {"training.pt": evil, "test.pt": evil})
    with pytest.raises(UserError, match=rf"^root: {source} is not \(intact\) under"):
        prepare(tmp_path / "out", source, tmp_path)
    folder(tmp_path / raw, mnist_files())
    prepare(tmp_path / "out", source, tmp_path)
    assert storage.read_tensors(tmp_path / "out")["train_images"].shape == (30, 1, 28, 28)
    assert not mark.exists()
