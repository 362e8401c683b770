"""The page on a network of one's own, run as it stands; and what an edit of its file does."""

import re
import shlex
import subprocess
import sys

import pytest
import yaml

from twophase import load
from twophase.files import storage
from workflow_runner import REPOSITORY, Workflow

pytestmark = pytest.mark.workflow

PAGE = (REPOSITORY / "docs" / "your-own-network.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILES = {
    text.partition("\n")[0].removeprefix("# "): text for kind, text in BLOCK.findall(PAGE) if kind in ("python", "yaml")
}
COMMANDS = [line for kind, text in BLOCK.findall(PAGE) if kind == "bash" for line in text.splitlines()]
CONFIG = yaml.safe_load(FILES["mine/config.yaml"])


class Page(Workflow):
    """A copy of the repository with the files of the page, in which commands are those of a shell."""

    def write(self, config: dict) -> None:
        (self.folder / "mine").mkdir(exist_ok=True)
        for name, text in FILES.items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def shell(self, command: str) -> tuple[int, str]:
        program, *words = shlex.split(command)
        assert program == "snakemake"
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run([sys.executable, "-m", "snakemake", *words], cwd=self.folder, **pipes)
        return done.returncode, done.stdout

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Page:
    """After the script of the images."""
    workflow = Page(tmp_path_factory.mktemp("own"), CONFIG)
    assert "python mine/stripes.py" in PAGE
    subprocess.run([sys.executable, "mine/stripes.py"], cwd=workflow.folder, check=True)
    return workflow


@pytest.fixture(scope="module")
def finished(page) -> Page:
    """After the commands of the page."""
    for command in COMMANDS:
        code, printed = page.shell(command)
        assert not code, printed[-6000:]
    return page


def test_commands_of_the_page_make_its_figures(finished):
    results = finished.folder / CONFIG["results"]
    named = re.findall(r"^\| `(fig\d)` \|", PAGE, re.MULTILINE)
    assert named == [word for word in shlex.split(COMMANDS[-1]) if word.startswith("fig")]
    for name in named:
        assert (results / "figures" / f"{name}.pdf").stat().st_size > 0
    assert (load("mine", "chaos", results=results)["C"] > 0).all()
    assert (load("mine", "control", results=results)[["C", "D", "B", "l2", "S"]] == 0).all(axis=None)


def test_the_network_is_that_of_the_page_with_its_options(finished):
    """A convolution of 9 x 1 x 6 weights and one of 9 x 6 x 6, batch norms of 6, and a linear layer to 3 classes."""
    state = storage.read_tensors(finished.folder / CONFIG["results"] / "mine/seed0/trajectory/step-0.safetensors")
    assert state["features.0.weight"].shape == (6, 1, 3, 3)
    assert state["features.3.weight"].shape == (6, 6, 3, 3)
    assert state["last.weight"].shape == (3, 6)


def test_an_edit_of_the_file_is_another_network_and_one_beside_it_is_not(finished):
    dry = COMMANDS[-1] + " -n"
    (finished.folder / "mine" / "notes.py").write_text("anything = 1\n")
    assert "Nothing to be done" in finished.shell(dry)[1]
    try:
        finished.edit("mine/networks.py", "linear layer.", "last layer.")
        code, printed = finished.shell(dry)
        assert code
        assert re.search(r"results/mine holds experiment mine of .*made with model\.sha256 [0-9a-f]{64}; ", printed)
        assert "Traceback" not in printed
        # The results moved away, the edited file is trained.
        (finished.folder / CONFIG["results"] / "config.json").rename(finished.folder / "config.json")
        code, printed = finished.shell(dry)
        assert not code
        assert "Params have changed since last execution" in printed
        assert re.search(r"^trajectory +1$", printed, re.MULTILINE)
    finally:
        (finished.folder / "config.json").rename(finished.folder / CONFIG["results"] / "config.json")
        finished.edit("mine/networks.py", "last layer.", "linear layer.")
    assert "Nothing to be done" in finished.shell(dry)[1]


def test_what_is_wrong_is_one_line_before_anything_runs(page):
    try:
        page.edit("mine/networks.py", "def build", "def make")
        code, printed = page.shell(COMMANDS[0])
    finally:
        page.edit("mine/networks.py", "def make", "def build")
    assert code
    expected = "In the config: experiments.mine.model: networks.py has no function 'build'; define it, or name another."
    assert expected in printed
    assert "Traceback" not in printed


def test_a_fault_of_the_file_ends_the_first_job_that_builds_with_its_line(page):
    line = FILES["mine/networks.py"].partition("def build")[0].count("\n") + 2
    try:
        page.edit("mine/networks.py", "return Convolutional(", "return Convolution(")
        code, printed = page.shell(
            "snakemake results/mine2/mine/seed0/trajectory --cores 1 --config results=results/mine2 --configfile "
            "mine/config.yaml"
        )
    finally:
        page.edit("mine/networks.py", "return Convolution(", "return Convolutional(")
    assert code
    expected = rf"Error: model: .*networks\.py, line {line}: NameError: name 'Convolution' is not defined; mend it"
    assert re.search(expected, printed)
    assert "Traceback" not in printed
