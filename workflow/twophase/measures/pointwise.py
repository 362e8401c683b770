"""Measures on one network alone, which the papers' distances between two networks stand beside.

Curvature is that of the loss that training descends, the mean over batches of their cross-entropy: batch norms take the
statistics of the batch, as they do in training, and dropout is off. What is summed over single samples (gradients, and
the kernel) needs them to be independent: batch norms have fixed statistics, as wherever else a network is evaluated.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import nan
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor, nn
from torch.autograd import grad
from torch.func import functional_call, vmap
from torch.func import grad as gradient_of
from torch.nn.functional import cross_entropy

from twophase.networks.evaluation import BATCH_NORMS

BASIS = 10  # vectors that Lanczos keeps: 12 to 17 products for a ResNet-8 on digits, 22 with twice as many
TOLERANCE = 1e-3  # of the residual, as a share of the eigenvalue, at which Lanczos stops
RESTARTS = 50
NUMBERS = 2**24  # in the gradients of the samples that are differentiated together

Batches = Sequence[tuple[Tensor, Tensor]]


class Eigenvalue(NamedTuple):
    """An eigenvalue of a symmetric matrix H, and |Hv - value v| / |value| of its unit vector v.

    There is an eigenvalue of H within residual * |value| of it.
    """

    value: float
    residual: float


def of_network(model: nn.Module, inputs: Tensor, labels: Tensor, size: int) -> dict[str, float]:
    """All measures on a network at its parameters as they are.

    Args:
        model: left in eval mode, with the statistics of batch norms that it has.
        inputs, labels: a fixed sample of normalised training images [n, C, H, W] and their labels [n].
        size: of a batch in training.

    Returns:
        sharpness and sharpness_residual, batch_sharpness, gradient_covariance (a trace), gradient_norm, parameter_norm.
    """
    split = batches(inputs, labels, size)
    top, moments = sharpness(model, split), gradient_moments(model, inputs, labels)
    return {
        "sharpness": top.value,
        "sharpness_residual": top.residual,
        "batch_sharpness": batch_sharpness(model, split),
        "gradient_covariance": moments.covariance,
        "gradient_norm": moments.norm,
        "parameter_norm": float(_flat(_trainable(model)).detach().double().norm()),
    }


# Curvature ----------------------------------------------------------------------------------------------------------


def batches(inputs: Tensor, labels: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    """A fixed sample in batches of equal size, in a fixed random order, since a sample may be sorted by its classes.

    Args:
        inputs, labels: [n, C, H, W] and [n].
        size: of a batch; where there are fewer samples, they are one. What doesn't fill the last one is left out.
    """
    size = min(size, len(labels))
    order = np.random.RandomState(0).permutation(len(labels))[: len(labels) // size * size]
    return [(inputs[part], labels[part]) for part in torch.from_numpy(order).to(labels.device).split(size)]


def sharpness(model: nn.Module, batches: Batches) -> Eigenvalue:
    """The largest eigenvalue of the Hessian of the training loss (Cohen et al., 2021), by Lanczos (ARPACK).

    The start of Lanczos is fixed, so that equal networks have equal values.

    Returns:
        NaN where it has not converged after `RESTARTS` restarts.
    """
    count = sum(p.numel() for p in _trainable(model))
    like = _trainable(model)[0]

    def product(v: np.ndarray) -> np.ndarray:
        return hessian_product(model, batches, torch.from_numpy(v.ravel()).to(like)).double().cpu().numpy()

    hessian = LinearOperator((count, count), product, dtype=np.float64)
    start = np.random.RandomState(0).standard_normal(count)
    options = {"ncv": min(BASIS, count), "tol": TOLERANCE, "maxiter": RESTARTS}
    try:
        (value,), vectors = eigsh(hessian, k=1, which="LA", v0=start, **options)
    except ArpackNoConvergence:
        return Eigenvalue(nan, nan)
    residual = np.linalg.norm(product(vectors) - value * vectors[:, 0])
    return Eigenvalue(float(value), float(residual / abs(value)))


def hessian_product(model: nn.Module, batches: Batches, v: Tensor) -> Tensor:
    """H v [P], with H the Hessian of the mean over batches of their losses (Pearlmutter, 1994).

    Args:
        v: [P], over the trainable parameters one after the other.
    """
    total = torch.zeros_like(v)
    for gradient, parameters in _gradients(model, batches):
        total += _flat(grad(gradient @ v, parameters, materialize_grads=True))
    return total / len(batches)


def batch_sharpness(model: nn.Module, batches: Batches) -> float:
    """The mean over batches of g.Hg / |g|^2, with gradient and Hessian of each (Andreyev and Beneventano, 2024)."""
    quotients = []
    for gradient, parameters in _gradients(model, batches):
        g = gradient.detach()
        product = _flat(grad(gradient @ g, parameters, materialize_grads=True))
        quotients.append(float(torch.dot(g.double(), product.double()) / torch.dot(g.double(), g.double())))
    return float(np.mean(quotients))


def edges(lr: float, settings: Mapping) -> dict[str, float]:
    """The curvatures beyond which SGD with momentum b is unstable: the ends of `sharpness` and of `batch_sharpness`.

    `edge`, 2 (1 + b) / lr, is that of full batches (Cohen et al., 2021), and `small_batch_edge`, 2 (1 - b) / lr, that
    of small ones (Andreyev et al., 2026). Weight decay, which adds itself to every eigenvalue, is left out.

    Args:
        settings: the config's `training`; NaN for Adam and Nesterov's momentum, which have others.
    """
    plain = settings["optimizer"] == "sgd" and not settings["nesterov"]
    momentum = settings["momentum"] if plain else nan
    return {"edge": 2 * (1 + momentum) / lr, "small_batch_edge": 2 * (1 - momentum) / lr}


def _gradients(model: nn.Module, batches: Batches) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """The gradient [P] of the loss of each batch, to be differentiated again, and the parameters."""
    parameters = _trainable(model)
    with _statistics_of_batches(model), torch.enable_grad():
        for inputs, labels in batches:
            loss = cross_entropy(model(inputs), labels)
            yield _flat(grad(loss, parameters, create_graph=True, materialize_grads=True)), parameters


@contextmanager
def _statistics_of_batches(model: nn.Module):
    """Batch norms take the statistics of a batch, and keep their running ones; all else is in eval mode."""
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, BATCH_NORMS)]
    for norm in norms:
        norm.training, norm.track_running_stats = True, False
    try:
        yield
    finally:
        for norm in norms:
            norm.training, norm.track_running_stats = False, True


# Gradients of samples -----------------------------------------------------------------------------------------------


class Moments(NamedTuple):
    """Of the gradients of single samples: the norm of their mean, and the trace of their covariance."""

    norm: float
    covariance: float


def gradient_moments(model: nn.Module, inputs: Tensor, labels: Tensor) -> Moments:
    """Moments of the samples' gradients g_i, in eval mode, in float64.

    The trace of the covariance, with n - 1 as its divisor, is (sum |g_i|^2 - n |mean g|^2) / (n - 1): the noise of a
    gradient of one sample (McCandlish et al., 2018).

    Args:
        inputs, labels: [n, C, H, W] and [n].
    """
    model.eval()
    parameters = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}

    def loss(parameters, one, label):
        return cross_entropy(functional_call(model, parameters, (one[None],)), label[None])

    step = max(1, NUMBERS // sum(p.numel() for p in parameters.values()))
    total, squares = 0.0, 0.0
    for part, classes in zip(inputs.split(step), labels.split(step), strict=True):
        gradients = vmap(gradient_of(loss), (None, 0, 0))(parameters, part, classes)
        rows = torch.cat([g.flatten(1) for g in gradients.values()], 1).double()
        total, squares = total + rows.sum(0), squares + float(rows.square().sum())
    n = len(labels)
    square = float((total / n).square().sum())
    return Moments(square**0.5, (squares - n * square) / (n - 1))


def _trainable(model: nn.Module) -> list[Tensor]:
    return [p for p in model.parameters() if p.requires_grad]


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


# The kernel ---------------------------------------------------------------------------------------------------------


def of_kernel(kernel: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """What the empirical NTK is like at one time, to which S between two times is blind or which it mixes.

    A kernel that is not n x n is summed over the logits: `scale` is the trace of it as it is.

    Args:
        kernel: as of `ntk.empirical_ntk`, with any `reduce`, of n inputs.
        labels: of these inputs [n].

    Returns:
        scale: the trace.
        effective_rank: exp of the entropy of the eigenvalues as shares of the trace (Roy and Vetterli, 2007), 1 to n.
        alignment: <K', Y'> / (|K'| |Y'|) of the centred K' = C K C and Y' = C Y Y^T C, C = 1 - 1/n, with Y the labels
            one-hot (Cortes et al., 2012), -1 to 1.
        All NaN for a kernel that is 0 or not finite.
    """
    kernel, n = kernel.astype(np.float64), len(labels)
    if kernel.ndim == 3:
        kernel = kernel.sum(0)
    elif len(kernel) > n:
        kernel = np.einsum("ikjk->ij", kernel.reshape(n, len(kernel) // n, n, -1))
    scale = np.trace(kernel)
    if not np.isfinite(kernel).all() or scale <= 0:
        return dict.fromkeys(("scale", "effective_rank", "alignment"), nan)
    shares = np.linalg.eigvalsh(kernel / scale)
    shares = shares[shares > 0]  # rounding leaves some below 0
    centre = np.eye(n) - 1 / n
    centred, target = (centre @ k @ centre for k in (kernel, labels[:, None] == labels))
    size = np.linalg.norm(centred) * np.linalg.norm(target)
    return {
        "scale": float(scale),
        "effective_rank": float(np.exp(-(shares * np.log(shares)).sum())),
        "alignment": float((centred * target).sum() / size) if size > 0 else nan,
    }
