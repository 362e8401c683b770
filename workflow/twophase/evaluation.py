"""Forward passes over a fixed set of inputs: losses, errors, predictions."""

import torch
from torch.nn.functional import cross_entropy

BATCH = 512  # inputs per forward pass; a bound on memory, without influence on which inputs are seen together


@torch.no_grad()
def logits(model, inputs: torch.Tensor) -> torch.Tensor:
    """Outputs [n, c] for normalised inputs [n, C, H, W], in batches."""
    return torch.cat([model(part) for part in inputs.split(BATCH)])


def score(outputs: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and error (share of wrong argmax) of logits [n, c], summed in float64."""
    loss = cross_entropy(outputs.double(), labels)
    wrong = (outputs.argmax(1) != labels).double().mean()
    return float(loss), float(wrong)
