"""Forward passes over a fixed set of inputs: losses, errors, predictions."""

import torch
from torch import fx, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_conv_bn_weights

from twophase.files.predicted import STATISTICS

BATCH = 512  # inputs per forward pass where it matters which of them are seen together
# Pixels per forward pass where it does not: on a CPU, activations that fit its caches take half the time.
PIXELS = {"cpu": 2**17, "gpu": 2**20}
LANES = 16  # float32 numbers in a CPU's widest vector
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@torch.no_grad()
def logits(model, inputs: torch.Tensor, batch: int | None = None) -> torch.Tensor:
    """Outputs [n, c] for normalised inputs [n, C, H, W].

    Args:
        batch: inputs per forward pass; by default as many as the device is fast with.
    """
    if batch is None:
        batch = max(1, PIXELS["cpu" if inputs.device.type == "cpu" else "gpu"] // inputs[0, 0].numel())
    return torch.cat([model(part) for part in inputs.split(batch)])


def score(outputs: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and error (share of wrong argmax) of logits [n, c], summed in float64."""
    loss = cross_entropy(outputs.double(), labels)
    wrong = (outputs.argmax(1) != labels).double().mean()
    return float(loss), float(wrong)


def statistics_of(model: nn.Module, first: str) -> list[str]:
    """The `STATISTICS` that a network can be evaluated under, `first` before the other; one without batch norms."""
    if not any(isinstance(module, BATCH_NORMS) for module in model.modules()):
        return [STATISTICS[0]]
    return [first, *(other for other in STATISTICS if other != first)]


@torch.no_grad()
def recalibrate(model: nn.Module, inputs: torch.Tensor) -> None:
    """Replaces the running statistics of batch norms by those of `inputs` under the model's parameters as they are.

    They are means over batches of `BATCH` inputs, with dropout off. Leaves the model in eval mode. One without batch
    norms has nothing to replace.

    Args:
        inputs: normalised training inputs [m, C, H, W].
    """
    model.eval()
    norms = {module: module.momentum for module in model.modules() if isinstance(module, BATCH_NORMS)}
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average over the batches
        norm.train()
    logits(model, inputs, BATCH)
    for norm, momentum in norms.items():
        norm.momentum = momentum
    model.eval()


class Folded:
    """A network in eval mode as a function of fewer passes over memory, to rounding the same.

    Batch norms are folded into the convolutions whose output they alone take, and images are laid out with their
    channels together where, on a CPU, all convolutions fill whole vectors with them (there a third faster for
    ResNet-20, slower for LeNet-5; on a GPU a quarter slower).

    Args:
        model: in eval mode. Its later values are used after a `refresh`. One that `torch.fx` cannot trace is called
            as it is.
    """

    @torch.no_grad()  # already while it is traced: `models` has other ways to compute without gradients
    def __init__(self, model: nn.Module):
        self.pairs = []  # a convolution and a batch norm of the model, and the convolution in place of both
        try:
            traced = fx.symbolic_trace(model)
        except Exception:  # whatever the model's code makes of the stand-in for a tensor
            self.network = model
        else:
            self.network = self._fold(traced)
        channels = [module.out_channels for module in model.modules() if isinstance(module, nn.Conv2d)]
        together = channels and all(count % LANES == 0 for count in channels)
        on_cpu = next(model.parameters()).device.type == "cpu"
        self.format = torch.channels_last if together and on_cpu else torch.contiguous_format

    def _fold(self, traced: fx.GraphModule) -> fx.GraphModule:
        modules = dict(traced.named_modules())
        calls = [node for node in traced.graph.nodes if node.op == "call_module"]
        targets = [node.target for node in calls]
        for node in calls:
            before = node.args[0]
            if (
                isinstance(norm := modules[node.target], nn.BatchNorm2d)
                and before.op == "call_module"
                and isinstance(conv := modules[before.target], nn.Conv2d)
                and len(before.users) == targets.count(before.target) == targets.count(node.target) == 1
            ):
                both = fuse_conv_bn_eval(conv, norm)
                self.pairs.append((conv, norm, both))
                traced.set_submodule(before.target, both)
                node.replace_all_uses_with(before)
                traced.graph.erase_node(node)
        traced.recompile()
        return traced

    @torch.no_grad()
    def refresh(self) -> None:
        """Takes over the model's values as they are now."""
        for conv, norm, both in self.pairs:
            weight, bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            both.weight.copy_(weight)
            both.bias.copy_(bias)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits [n, c] of inputs [n, C, H, W]."""
        return self.network(inputs.contiguous(memory_format=self.format))
