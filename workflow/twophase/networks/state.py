"""The state of a network and of its optimizer: as arrays by name, and in the file of a checkpoint."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from twophase.files import storage
from twophase.files.layout import OPTIMIZER


def state_of(model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> dict[str, np.ndarray]:
    """Parameters and buffers under their state_dict names, and the optimizer's buffers behind `optimizer/`."""
    state = {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}
    if optimizer is not None:
        names = {parameter: name for name, parameter in model.named_parameters()}
        for parameter, buffers in optimizer.state.items():
            for key, value in buffers.items():
                if value is not None:
                    state[f"{OPTIMIZER}{key}/{names[parameter]}"] = torch.as_tensor(value).cpu().numpy()
    return state


def load_state(model: nn.Module, state: dict[str, np.ndarray], optimizer: torch.optim.Optimizer | None = None) -> None:
    """The inverse of `state_of`, bit for bit."""
    device = next(model.parameters()).device
    model.load_state_dict({k: torch.from_numpy(v) for k, v in state.items() if not k.startswith(OPTIMIZER)})
    if optimizer is None:
        return
    parameters = dict(model.named_parameters())
    for key, value in state.items():
        if key.startswith(OPTIMIZER):
            buffer, name = key.removeprefix(OPTIMIZER).split("/", 1)
            # torch keeps Adam's step counter on the CPU.
            place = torch.device("cpu") if buffer == "step" else device
            optimizer.state[parameters[name]][buffer] = torch.from_numpy(value.copy()).to(place)


def trainable(model: nn.Module) -> list[str]:
    """Names of the parameters that are trained: the coordinates of theta."""
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def write_checkpoint(path: Path, model: nn.Module, optimizer, metadata: dict) -> None:
    """One checkpoint: state of the model, with the optimizer's where one is given."""
    storage.write_tensors(path, state_of(model, optimizer), {**metadata, "trainable": trainable(model)})
