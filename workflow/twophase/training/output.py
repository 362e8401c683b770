"""The folder of a run: checkpoints, its log and, until it ends, the state from which it can continue."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from twophase.data.sources import iterations_per_epoch
from twophase.files import storage
from twophase.files.layout import state_file, step_file
from twophase.networks import state as network_state
from twophase.training.schedule import learning_rate
from twophase.training.setup import Experiment

LOGGED = ("loss", "accuracy", "gradient")  # columns of a run's log that every iteration fills
SAVE_AFTER = 30.0  # seconds of work that an interruption may cost


class Output:
    """The folder of a run, or of a block of runs that train as one.

    A run that is stopped leaves `resume.safetensors`, its state at an iteration with the log up to there; its log says
    that it has ended.

    Args:
        folder: receives the files.
        provenance: metadata of each.
        columns: further columns of the log, which `record` fills.
    """

    def __init__(self, folder: str | Path, provenance: Mapping, columns: Sequence[str] = ()):
        self.folder, self.provenance = Path(folder), provenance
        self.folder.mkdir(parents=True, exist_ok=True)
        self.recorded: dict[str, dict[int, float]] = {name: {} for name in columns}
        self._saved_at = time.monotonic()

    @property
    def label(self) -> str:
        """The folder's name for people, without the digest of a working folder."""
        return self.folder.name.partition(".partial")[0]

    @property
    def finished(self) -> bool:
        return (self.folder / "log.parquet").exists()

    def checkpoint(self, t: int, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Writes the checkpoint of iteration `t`, with the optimizer's state where a run may start from it."""
        metadata = {**self.provenance, "iteration": t}
        network_state.write_checkpoint(self.folder / step_file(t), model, optimizer, metadata)

    def state(self, t: int, model: nn.Module) -> None:
        """Writes the state of iteration `t` for distances alone: it is no checkpoint, and nothing starts from it."""
        metadata = {**self.provenance, "iteration": t}
        network_state.write_checkpoint(self.folder / state_file(t), model, None, metadata)

    def record(self, t: int, **values: float) -> None:
        """Notes values of iteration `t` for columns of the log."""
        for name, value in values.items():
            self.recorded[name][t] = value

    # Resuming --------------------------------------------------------------------------------------------------------

    @property
    def _path_to_resume(self) -> Path:
        return self.folder / "resume.safetensors"

    @property
    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() - self._saved_at >= SAVE_AFTER

    def save(self, t: int, state: Mapping[str, np.ndarray], log: torch.Tensor) -> None:
        """Keeps what it takes to continue from iteration `t`."""
        extra = {f"extra/{name}": self._column(name, t) for name in self.recorded}
        saved = {**state, **extra, "iteration": np.array(t), "log": log[:t].cpu().numpy()}
        storage.write_tensors(self._path_to_resume, saved, {})
        self._saved_at = time.monotonic()

    def resume(self, log: torch.Tensor) -> tuple[int, dict[str, np.ndarray] | None]:
        """The iteration and the state to continue from, None if there is none; fills `log` and columns up to there."""
        if not self._path_to_resume.exists():
            return 0, None
        state = storage.read_tensors(self._path_to_resume)
        t, known = int(state.pop("iteration")), state.pop("log")
        log[:t] = torch.from_numpy(known).to(log)
        for name in self.recorded:
            column = state.pop(f"extra/{name}")
            self.recorded[name] = {int(k): column[k] for k in np.flatnonzero(~np.isnan(column))}
        print(f"resumed at iteration {t} of {len(log)}")
        return t, state

    def close(self, experiment: Experiment, start: int, log: torch.Tensor) -> None:
        """Writes the log of a run from iteration `start` to the end T, a row each: it has ended.

        Args:
            log: [T, 3].
        """
        last, settings = len(log), experiment.settings
        times = np.arange(start, last + 1)
        end = np.full((1, len(LOGGED)), np.nan, np.float32)  # theta_T is reached, not trained on
        values = np.vstack([log.cpu().numpy(), end])[start:]
        per_epoch = iterations_per_epoch(len(experiment.data.train_labels), settings["batch_size"])
        table = {
            "iteration": times,
            "epoch": times // per_epoch,
            "lr": [learning_rate(int(t), settings) for t in times],
            **dict(zip(LOGGED, values.T, strict=True)),
            **{name: self._column(name, last)[start:] for name in self.recorded},
        }
        storage.write_table(self.folder / "log.parquet", table, self.provenance)
        self.drop_resume()

    def drop_resume(self) -> None:
        """Removes what the run, now that it has ended, could have continued from."""
        self._path_to_resume.unlink(missing_ok=True)

    def _column(self, name: str, last: int) -> np.ndarray:
        """The values of a column [last + 1], NaN where there is none."""
        column = np.full(last + 1, np.nan)
        for t, value in self.recorded[name].items():
            column[t] = value
        return column
