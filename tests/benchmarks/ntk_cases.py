"""The empirical NTK, trace over 10 classes: `ntk.empirical_ntk` with its chunk of 64, against torch's tutorial."""

import copy
from importlib.util import find_spec
from pathlib import Path

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from benchmarks import rivals, setups
from benchmarks.comparison import Case, Other, Sides, relative
from twophase.measures import ntk

GROUP = "Empirical NTK (trace over 10 classes, n = 64)"
N = 64
# Between the sides: the tutorial sums up to 24 million products in float32 (VGG-16), which leaves it an error of up to
# 1e-4. Our kernel is held to 1e-5 of the tutorial's in float64, on a few inputs.
ROUNDING = 1e-3


def _network(name: str):
    """In eval mode, with running statistics that say something."""
    model = setups.network(name).eval()
    generator = torch.Generator().manual_seed(3)
    for norm in (m for m in model.modules() if isinstance(m, _BatchNorm)):
        norm.running_mean.normal_(generator=generator).mul_(0.1)
        norm.running_var.uniform_(0.5, 1.5, generator=generator)
    return model


def _setting(name: str, quick: bool):
    """A network, its inputs, our side, its operations, and how our kernel is compared with the other side's."""
    model, inputs = _network(name), setups.images(name, 4 if quick else N)
    few = inputs[:2]

    def error(kernel, theirs):
        part = kernel[: len(theirs), : len(theirs)]
        assert relative(part, theirs) <= ROUNDING
        return relative(part[:2, :2], _in_double(model, few, few))

    return model, inputs, lambda: ntk.empirical_ntk(model, inputs), ntk.cost(model, inputs)["flops"], error


def resnet20(folder: Path, quick: bool) -> Sides:
    """The whole kernel on all sides."""
    model, inputs, ours, flops, error = _setting("resnet20", quick)
    others = [
        Other("torch.func tutorial as written", lambda: rivals.tutorial_ntk(model, inputs, inputs), error),
        Other("torch.func tutorial, Jacobian once", lambda: rivals.tutorial_ntk_once(model, inputs), error),
    ]
    note = (
        "Kernels: the difference is that of our kernel from the tutorial's in float64, on two inputs. From the other "
        f"side's float32, whose sums are rounded more, it is held to {ROUNDING:g}. "
    )
    if find_spec("nngeometry"):
        name = "nngeometry's Jacobian, then its product"
        others.append(Other(name, lambda: rivals.nngeometry_ntk(model, inputs), error))
        note += "nngeometry's own GramMatrix has the full kernel only, c² = 100 times the entries."
    else:
        note += "nngeometry is not installed here and has no row."
    return Sides(ours, others, 1e-5, flops, note=note)


def vgg16(folder: Path, quick: bool) -> Sides:
    """The other sides for a part of the inputs; their time for all of them is at least that in proportion."""
    model, inputs, ours, flops, error = _setting("vgg16", quick)
    jacobian, gradients = (2, 2) if quick else (4, 16)
    few, more = inputs[:jacobian], inputs[:gradients]

    def error_of_logit(kernel, theirs):
        assert relative(ntk.empirical_ntk(model, more[:2], "per_class")[0], theirs[:2, :2]) <= ROUNDING
        return error(kernel, kernel[:2, :2])

    return Sides(
        ours,
        [
            Other(
                f"torch.func tutorial, Jacobian once, of {jacobian} inputs; time x {N // jacobian}, a lower bound",
                lambda: rivals.tutorial_ntk_once(model, few),
                error,
                share=jacobian / len(inputs),
            ),
            Other(
                f"per-sample gradients (vmap of grad) of one logit, {gradients} inputs; "
                f"time x {10 * N // gradients}, a lower bound",
                lambda: rivals.ntk_of_logit(model, more, 0),
                error_of_logit,
                share=gradients / len(inputs) / 10,
            ),
        ],
        1e-5,
        flops,
        note="VGG-16's Jacobian for n = 64 takes 35 GiB. The other sides run for fewer inputs, and their time is taken "
        "in proportion to the inputs although their products grow with the square: a bound from below, as if memory "
        "were no limit. Their memory is that of the part they do.",
    )


def _in_double(model, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return rivals.tutorial_ntk(copy.deepcopy(model).double(), left.double(), right.double())


CASES = [Case(GROUP, "ResNet-20", resnet20), Case(GROUP, "VGG-16", vgg16)]
