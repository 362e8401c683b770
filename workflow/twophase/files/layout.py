"""Names of files and folders within one run's results, and how they are found again. No torch."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

CONTROL = "control"  # the fork with epsilon = 0
TWIN = "twin"  # of the base run, in the batch of forks that train in lock-step


def step_file(t: int) -> str:
    """Name of the checkpoint of iteration `t` in its run's folder."""
    return f"step-{t}.safetensors"


def iteration(name: str | Path) -> int:
    """The iteration of a checkpoint file."""
    return int(Path(name).stem.removeprefix("step-"))


def members(t0s: Sequence[int], draws: int, control: Sequence[int]) -> list[tuple[int, int | str]]:
    """The forks (t0, draw) of a block, controls before the draws of their t0."""
    return [(t0, draw) for t0 in t0s for draw in ([CONTROL] if t0 in control else []) + list(range(draws))]


def fork_folder(t0: int, draw: int | str) -> str:
    """Where a fork's files are within its block: `t0-100/draw-0`, or `t0-100/control`."""
    return f"t0-{t0}/{draw}" if draw == CONTROL else f"t0-{t0}/draw-{draw}"


def switch_folder(switch: int) -> str:
    """Where a linearized run's files are within its block."""
    return f"switch-{switch}"


def states(files: Iterable[str], steps: Iterable[int] | None = None) -> list[str]:
    """The checkpoints among the files of a base run or a block of forks, in a fixed order.

    Args:
        files: paths relative to the folder, as of `storage.files`.
        steps: keep these iterations only.
    """
    paths = [path for path in map(Path, files) if path.match("step-*.safetensors")]
    if steps is not None:
        wanted = set(steps)
        paths = [path for path in paths if iteration(path) in wanted]
    return [path.as_posix() for path in sorted(paths, key=lambda path: (path.parts[:-1], iteration(path)))]


def without_twin(states: Iterable[str]) -> list[str]:
    """Those of a block's states that are of forks, not of the base run's twin."""
    return [state for state in states if Path(state).parts[0] != TWIN]


def base_of(fork: str, states: Collection[str], block, run):
    """What a fork's state is compared with: the twin in its own block where the block has one, else the base run.

    Args:
        states: all states of the block.
        block, run: where the states of the block and of the base run are: folders, or mappings by state.

    Returns:
        `block` or `run`, and the state there of the same iteration.
    """
    step = step_file(iteration(fork))
    return (block, f"{TWIN}/{step}") if f"{TWIN}/{step}" in states else (run, step)


def switch(folder: str) -> int:
    """The switch iteration of a linearized run's folder."""
    return int(folder.removeprefix("switch-"))


def fork_of(state: str) -> tuple[int, int]:
    """t0 and draw of a fork's checkpoint, named relative to its block; the control's draw is -1."""
    t0, draw = Path(state).parts[:2]
    return int(t0.removeprefix("t0-")), -1 if draw == CONTROL else int(draw.removeprefix("draw-"))
