"""Networks that others wrote: untrained classifiers of torchvision and timm, and what a file of the user's builds."""

import importlib
import itertools
import textwrap
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from twophase.errors import UserError
from twophase.networks import own
from twophase.torchvision_ops import import_torchvision


def on_meta(net: nn.Module, images: Sequence[int]) -> object:
    """What a network returns for a batch of the shape `images` [N, C, H, W]: on the meta device, without arithmetic."""
    values = itertools.chain(net.named_parameters(), net.named_buffers())  # also those that no checkpoint keeps
    values = {name: value.to("meta") for name, value in values}
    return torch.func.functional_call(net, values, torch.empty(*images, device="meta"))


def of_torchvision(name: str, num_classes: int, in_channels: int, size: tuple[int, int]) -> nn.Module:
    """An untrained classifier of torchvision; for other than 3 channels its first convolution is a fresh one."""
    options = {}
    if name.startswith("vit_"):
        options = {"image_size": size[0]}
    elif name == "maxvit_t":
        options = {"input_size": size}
    elif name in ("googlenet", "inception_v3"):
        options = {"aux_logits": False, "init_weights": True}
    models = import_torchvision().models

    def make():
        net = models.get_model(name, weights=None, num_classes=num_classes, **options)
        if in_channels != 3:
            _replace_first_convolution(net, in_channels)
        return net

    return _classifier(f"torchvision:{name}", make, (in_channels, *size))


def of_timm(name: str, num_classes: int, in_channels: int, size: tuple[int, int]) -> nn.Module:
    """An untrained network of timm, which is told the number of channels and, where it has one, the size of images."""
    import_torchvision()  # timm imports it
    timm = importlib.import_module("timm")
    about = timm.get_pretrained_cfg(name, allow_unregistered=True)
    options = {"img_size": size} if about is not None and about.fixed_input_size else {}

    def make():
        return timm.create_model(name, num_classes=num_classes, in_chans=in_channels, **options)

    return _classifier(f"timm:{name}", make, (in_channels, *size))


def _classifier(name: str, make: Callable[[], nn.Module], image: tuple[int, int, int]) -> nn.Module:
    """A network of a library, tried on images [C, H, W]."""
    try:
        net = _out_of_place(make())
        net.eval()
        on_meta(net, (2, *image))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = textwrap.shorten(str(error), 160)
        raise UserError(
            f"model: {name} does not take images of {image[1]}x{image[2]} pixels ({reason}); "
            "set `resize` for the data set or choose another model"
        ) from error
    return net.train()


def of_file(
    name: str, num_classes: int, in_channels: int, size: tuple[int, int], options: Mapping, sha256: str | None
) -> nn.Module:
    """What a function of the user's file returns; called twice, to see that torch's generator alone decides."""
    with torch.random.fork_rng(devices=[]):  # the file runs once in a process, however often it builds
        function = own.load(name, sha256)
    generator, built = torch.random.get_rng_state(), []
    for _ in range(2):
        torch.random.set_rng_state(generator)
        with own.reported(own.path_of(name)):
            built.append(function(num_classes=num_classes, in_channels=in_channels, image_size=size, **options))
        _check_own(name, built[-1])
    first, second = (net.state_dict() for net in built)
    equal = first.keys() == second.keys() and all(torch.equal(value, second[key]) for key, value in first.items())
    if built[0] is built[1] or not equal:
        raise UserError(
            f"model: {name} does not build the same again from the same seed; draw initial weights with torch's global "
            "generator alone, and make a new network at each call"
        )
    return _out_of_place(built[1]).train()


def _check_own(name: str, net: nn.Module) -> None:
    if not isinstance(net, nn.Module):
        raise UserError(f"model: {name} returns {type(net).__name__}; it must return a torch.nn.Module")
    for key, parameter in net.named_parameters():
        if nn.parameter.is_lazy(parameter):
            raise UserError(f"model: {name} leaves the size of {key} open; give it, as layers that are not lazy ask")
        if parameter.dtype != torch.float32:
            raise UserError(f"model: {key} of {name} is of {parameter.dtype}; leave it at torch's default, float32")


def _out_of_place(net: nn.Module) -> nn.Module:
    """The network with layers that write into new tensors, as `torch.func` asks."""
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return net


def _replace_first_convolution(net: nn.Module, in_channels: int) -> None:
    path, old = next((path, module) for path, module in net.named_modules() if isinstance(module, nn.Conv2d))
    bias = old.bias is not None
    new = nn.Conv2d(in_channels, old.out_channels, old.kernel_size, old.stride, old.padding, bias=bias)
    parent, _, attribute = path.rpartition(".")
    setattr(net.get_submodule(parent), attribute, new)
