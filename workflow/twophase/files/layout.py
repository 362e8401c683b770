"""Names of files and folders within one run's results, and how they are found again. No torch."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

CONTROL = -1  # the draw of a fork with epsilon = 0, in tables, too
OPTIMIZER = "optimizer/"  # prefix of the optimizer's buffers in a checkpoint file
TWIN = "twin"  # of the base run, in the batch of forks that train in lock-step


def step_file(t: int) -> str:
    """Name of the checkpoint of iteration `t` in its run's folder."""
    return f"step-{t}.safetensors"


def state_file(t: int) -> str:
    """Name of the state of iteration `t` in its run's folder, where that is no checkpoint: distances alone need it."""
    return f"state-{t}.safetensors"


def iteration(name: str | Path) -> int:
    """The iteration of a checkpoint file."""
    return int(Path(name).stem.removeprefix("step-"))


def switch_folder(switch: int) -> str:
    """Where a linearized run's files are within its block."""
    return f"switch-{switch}"


def switch(folder: str) -> int:
    """The switch iteration of a linearized run's folder."""
    return int(folder.removeprefix("switch-"))


def states(files: Iterable[str], steps: Iterable[int] | None = None) -> list[str]:
    """The checkpoints among the files of a base run or a block of forks, in a fixed order.

    Args:
        files: paths relative to the folder, as of `folders.files`.
        steps: keep these iterations only.
    """
    paths = [path for path in map(Path, files) if path.match("step-*.safetensors")]
    if steps is not None:
        wanted = set(steps)
        paths = [path for path in paths if iteration(path) in wanted]
    return [path.as_posix() for path in sorted(paths, key=lambda path: (path.parts[:-1], iteration(path)))]


class Fork(NamedTuple):
    """A fork by the iteration at which it leaves the base run and the number of its draw, or CONTROL."""

    t0: int
    draw: int

    @property
    def is_control(self) -> bool:
        return self.draw == CONTROL

    @property
    def folder(self) -> str:
        """Where its files are within its block: `t0-100/draw-0`, or `t0-100/control`."""
        return f"t0-{self.t0}/control" if self.is_control else f"t0-{self.t0}/draw-{self.draw}"

    @classmethod
    def of(cls, path: str | Path) -> "Fork":
        """The fork that has a file, named relative to its block."""
        t0, draw = Path(path).parts[:2]
        return cls(int(t0.removeprefix("t0-")), CONTROL if draw == "control" else int(draw.removeprefix("draw-")))

    def __str__(self) -> str:
        return f"fork at t0 = {self.t0}, {'control' if self.is_control else f'draw {self.draw}'}"


class Stops(NamedTuple):
    """When a fork is compared with the base run.

    Attributes:
        t1s: iterations, ascending, whose state is kept, for everything that is measured.
        dense: further iterations, for distances of the parameters alone.
    """

    t1s: tuple[int, ...]
    dense: tuple[int, ...] = ()

    @property
    def all(self) -> set[int]:
        return {*self.t1s, *self.dense}


def forks(t0s: Sequence[int], draws: int, control: Collection[int]) -> list[Fork]:
    """The forks of a block, controls before the draws of their t0."""
    return [Fork(t0, draw) for t0 in t0s for draw in [*([CONTROL] if t0 in control else []), *range(draws)]]


class State(NamedTuple):
    """A checkpoint of a fork: whose, at which iteration, and its path relative to the block."""

    fork: Fork
    t1: int
    path: str


class Base(NamedTuple):
    """What a fork's state is compared with: in the fork's own block, or in the base run; and its path there."""

    in_block: bool
    path: str

    def within(self, block, run):
        """`block` or `run`, whichever has it: folders, or mappings by path."""
        return block if self.in_block else run


class Block:
    """The states of a block of forks.

    Args:
        files: paths of all its states relative to its folder, as of `states`.

    Attributes:
        states: those of forks, in the order given.
    """

    def __init__(self, files: Iterable[str]):
        files = list(files)
        self.states = [State(Fork.of(f), iteration(f), f) for f in files if Path(f).parts[0] != TWIN]
        self._twins = {iteration(f): f for f in files if Path(f).parts[0] == TWIN}

    def base(self, state: State) -> Base:
        """What to compare a fork's state with: the twin where the block has one, else the base run."""
        twin = self._twins.get(state.t1)
        return Base(True, twin) if twin is not None else Base(False, step_file(state.t1))
