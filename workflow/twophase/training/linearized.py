"""Linearized training from a switch: standard training until t, then that of the network's tangent (both papers)."""

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from twophase.files.layout import OPTIMIZER

PREFIX = "network."


class Linearized(nn.Module):
    """f_lin(x) = f(x; theta_t) + J(x; theta_t) (theta - theta_t), with theta its trainable parameters.

    Batch norms keep the statistics of the switch and dropout is off. A forward pass is one Jacobian-vector
    product; only its tangent depends on theta, so that backward is one vector-Jacobian product at theta_t.

    Args:
        network: the network at theta_t, on whose parameters training goes on.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.point = {name: p.detach().clone() for name, p in network.named_parameters() if p.requires_grad}
        self.eval()

    def train(self, mode: bool = True):
        """Stays in eval mode: the tangent is that of a fixed function."""
        return super().train(False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits [n, c] of inputs [n, C, H, W]."""
        theta = {name: p for name, p in self.network.named_parameters() if p.requires_grad}
        step = {name: p - self.point[name] for name, p in theta.items()}

        def network(point):
            return torch.func.functional_call(self.network, point, (inputs,))

        with _plain_attention():
            value, tangent = torch.func.jvp(network, (self.point,), (step,))
        return value + tangent


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """Has attention computed as the formula says: its fused kernels have no forward derivative."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def initial_state(state: Mapping[str, np.ndarray], momentum: str) -> dict[str, np.ndarray]:
    """A base run's checkpoint as the start of `Linearized`; `momentum`: `carry` or `reset` the optimizer's buffers."""
    start = {}
    for name, value in state.items():
        if not name.startswith(OPTIMIZER):
            start[PREFIX + name] = value
        elif momentum == "carry":
            prefix, buffer, parameter = name.split("/", 2)
            start[f"{prefix}/{buffer}/{PREFIX}{parameter}"] = value
    return start
