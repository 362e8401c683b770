"""A network of the user's own: found, refused in one line, held to its bytes, and the same as one of the library."""

import hashlib
import multiprocessing
import pickle
import subprocess
import sys
import textwrap

import pytest
import torch

from helpers import LENET300
from twophase.errors import UserError
from twophase.networks import models, own
from twophase.networks.names import family, known_model, wrong_kind

AT = LENET300.partition("def build")[0].count("\n") + 1  # the line of `build`
OPEN = LENET300.replace("=300):\n    return", "):\n    return")
FUNCTION = "def build(num_classes, in_channels, image_size):\n    "
TORCH = f"import torch\nfrom torch import nn\n\n{FUNCTION}"


@pytest.fixture
def written(tmp_path, monkeypatch):
    """`written(text)` writes it to `my nets.py` in the folder of the config, and gives the name of its `build`."""
    monkeypatch.setenv(own.FOLDER, str(tmp_path))

    def write(text):
        (tmp_path / "my nets.py").write_text(textwrap.dedent(text), encoding="utf-8")
        return "my nets.py:build"

    return write


def built(name, seed=0, **options):
    torch.manual_seed(seed)
    return models.build(name, 4, 2, (5, 3), **options)


def state(name, **options):
    """What a process of its own builds, as lists."""
    return {key: value.tolist() for key, value in built(name, **options).state_dict().items()}


# --- what it is


@pytest.mark.parametrize("name", ["nets.py:build", "a folder/my nets.py:Net", "../x/nets.py:make_2", "/n.py:f", "n.py"])
def test_names_of_files_are_told_from_those_of_the_library(name):
    assert family(name) == "own"
    assert wrong_kind(name, True) is wrong_kind(name, False) is None


@pytest.mark.parametrize("function", ["build", "Net"])
def test_it_is_the_library_s_network_to_the_last_bit(written, function):
    name = written(LENET300).replace("build", function)
    mine, theirs = built(name), built("lenet300")
    after = torch.rand(3)
    assert mine.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(value, theirs.state_dict()[key]) for key, value in mine.state_dict().items())
    x = torch.randn(6, 2, 5, 3)
    assert torch.equal(mine(x), theirs(x))
    built("lenet300")
    assert torch.equal(torch.rand(3), after)  # the generator goes on from the same place


def test_options_are_keyword_arguments(written):
    name = written(LENET300)
    assert built(name, options={"hidden": 7}).fc1.out_features == 7
    assert not torch.equal(built(name, 0).fc1.weight, built(name, 1).fc1.weight)


def test_paths_start_at_the_folder_of_the_config_at_the_root_or_here(written, tmp_path, monkeypatch):
    there = tmp_path / "my nets.py"
    assert own.path_of(written(LENET300)) == there
    assert own.path_of(f"{there}:build") == there
    monkeypatch.delenv(own.FOLDER)
    monkeypatch.chdir(tmp_path)
    assert own.path_of("my nets.py:build").samefile(there)


def test_layers_do_not_write_in_place_and_train(written):
    net = built(written(TORCH + "return nn.Sequential(nn.Flatten(), nn.Linear(30, 4), nn.ReLU(inplace=True)).eval()"))
    assert net.training
    assert not any(getattr(module, "inplace", False) for module in net.modules())


# --- its bytes


def test_its_digest_is_that_of_its_bytes(written, tmp_path):
    name = written(LENET300)
    assert own.sha256(name) == hashlib.sha256((tmp_path / "my nets.py").read_bytes()).hexdigest()
    built(name, sha256=own.sha256(name))


def test_other_bytes_than_those_of_the_run_stop_a_job(written):
    before = own.sha256(written(LENET300))
    name = written(LENET300 + "# nothing but a comment\n")
    with pytest.raises(UserError, match=r"my nets\.py was edited while the run goes on.*start it again") as info:
        built(name, sha256=before)
    assert "\n" not in str(info.value)


def test_an_edited_file_is_run_anew_in_the_same_process(written):
    assert built(written(LENET300)).fc2.out_features == 100
    assert built(written(LENET300.replace("100", "90"))).fc2.out_features == 90


def test_what_a_file_draws_when_it_is_run_moves_no_weights(written):
    name = written(LENET300 + "\nimport torch\nnoise = torch.rand(5)\n")
    first, again = built(name), built(name)
    assert torch.equal(first.fc1.weight, again.fc1.weight)
    assert torch.equal(first.fc1.weight, built("lenet300").fc1.weight)


# --- other processes


def test_a_network_can_be_pickled_where_its_file_was_run(written):
    net = built(written(LENET300))
    again = pickle.loads(pickle.dumps(net))
    assert type(again) is type(net)
    assert torch.equal(again.fc3.weight, net.fc3.weight)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_build_the_same(written, method):
    name = written(LENET300)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(state, (name,), {"sha256": own.sha256(name)}) == state(name)


# --- what is said about a wrong one: before a run starts, without torch


BEFORE = {
    "no function named": (LENET300, "my nets.py", {}, r"my nets\.py names no function.*write my nets\.py:build"),
    "no identifier": (LENET300, "my nets.py:1x", {}, "names no function"),
    "no file": (LENET300, "nets.py:build", {}, r"there is no file .*nets\.py; give its path as seen from the folder"),
    "a folder": (LENET300, "folder.py:build", {}, r"folder\.py cannot be read .*; name a Python file"),
    "no function": (LENET300, "my nets.py:biuld", {}, r"no function 'biuld' \(did you mean build\?\); define it"),
    "no Python": ("def build(:\n", None, {}, r"my nets\.py, line 1: .*; mend it"),
    "a null byte": ("x = 1\0\n", None, {}, r"my nets\.py.*null bytes; mend it"),
    "no such argument": (LENET300, None, {"depth": 2}, rf"line {AT}: build does not take depth, which it"),
    "not given": (
        OPEN,
        None,
        {},
        "give it as model.options.hidden",
    ),
    "nothing": ("def build():\n    pass\n", None, {}, "does not take num_classes, which it gets; it takes nothing"),
    "argument of the data": (LENET300, None, {"num_classes": 2}, "options.num_classes is what the function gets"),
    "no name of an argument": (LENET300, None, {"a b": 2}, "options has the key 'a b', which is no name"),
    "no plain value": (LENET300, None, {"hidden": {1, 2}}, r"options.hidden \{1, 2\} is no plain value"),
    "no plain value inside": (LENET300, None, {"hidden": [{"a": {1}}]}, "options.hidden .* is no plain value"),
    "a module beside it": ("import beside\n" + LENET300, None, {}, "line 1: it imports beside from beside it"),
    "a package beside it": ("from package.x import y\n" + LENET300, None, {}, "imports package.x from beside it"),
    "a relative import": ("from .z import y\n" + LENET300, None, {}, r"imports \.z from beside it"),
    "another's option": (LENET300, None, {"width": 2}, "width 2 has no effect on my nets.py:build; leave it out"),
}


@pytest.mark.parametrize("case", BEFORE)
def test_a_wrong_file_is_told_in_one_line(written, tmp_path, case):
    text, name, options, expected = BEFORE[case]
    name = name or written(text)
    written(text)
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "x.py").write_text("")
    keys = {"width": options.pop("width")} if "width" in options else {}
    message = known_model(name, options=options, **keys)
    assert message is not None
    assert "\n" not in message
    with pytest.raises(UserError, match=expected):
        built(name, options=options, **keys)


@pytest.mark.parametrize(
    "text",
    [
        "build = lambda **given: None\n",
        "from functools import partial as build\n",
        "from torch.nn import *\n",
        "try:\n    import torch as build\nexcept ImportError:\n    build = None\n",
        "if True:\n    def build(): pass\n",
        "def build(**given): pass\n",
        "def build(num_classes, in_channels, *, image_size, hidden=1): pass\n",
        "class build: pass\n",
    ],
)
def test_what_syntax_cannot_refuse_is_left_to_the_job(written, text):
    assert known_model(written(text)) is None


def test_plain_values_pass(written):
    values = {"a": [1, 2.5, "x", True, None, {"b": [[]]}]}
    assert known_model(written("def build(**given): pass\n"), options=values) is None


def test_a_run_is_planned_without_torch_and_without_running_the_file(written):
    name = written(LENET300 + "\nraise SystemExit('it was run')\n")
    code = (
        "import sys; from twophase.networks import own, names;"
        f"assert names.known_model({name!r}) is None and own.sha256({name!r});"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- what is said when it is run


WHEN_RUN = {
    "fails on import": ("import torch\n\n1 / 0\n" + LENET300, r"my nets\.py, line 3: ZeroDivisionError: division by"),
    "no such module": ("import nowhere\n" + LENET300, r"line 1: ModuleNotFoundError: No module named 'nowhere'"),
    "ends the process": ("raise SystemExit(3)\n" + LENET300, r"line 1: SystemExit: 3"),
    "fails to build": (TORCH + "return nn.Linear(3)", r"line 5: TypeError: .*__init__\(\) missing 1 required"),
    "says much": (TORCH + "raise ValueError('a\\nb ' * 500)", r"line 5: ValueError: a b"),
    "not a module": (TORCH + "return nn.Linear", "my nets.py:build returns type; it must return a torch.nn.Module"),
    "nothing": (TORCH + "nn.Linear(30, 4)", "returns NoneType; it must return"),
    "no function": ("build = 3\n", r"has no function build; define it"),
    "lazy": (TORCH + "return nn.LazyLinear(4)", "leaves the size of weight open"),
    "other numbers": (TORCH + "return nn.Linear(30, 4).double()", r"weight of my nets\.py:build is of torch\.float64"),
    "another generator": (
        f"import random\n{TORCH}net = nn.Linear(30, 4)\n    net.weight.data.fill_(random.random())\n    return net",
        "does not build the same again from the same seed; draw initial weights with torch's global generator",
    ),
    "one for all": (
        "import torch\nnet = torch.nn.Linear(30, 4)\n" + FUNCTION + "return net",
        "a new network at each",
    ),
}


@pytest.mark.parametrize("case", WHEN_RUN)
def test_a_fault_when_it_is_run_is_one_line_with_its_place(written, case):
    text, expected = WHEN_RUN[case]
    with pytest.raises(UserError, match=f"^model: .*{expected}") as info:
        built(written(text))
    assert "\n" not in str(info.value)
    assert len(str(info.value)) < 500


def test_a_file_that_failed_can_be_mended(written):
    with pytest.raises(UserError):
        built(written("1 / 0\n" + LENET300))
    assert built(written(LENET300))
