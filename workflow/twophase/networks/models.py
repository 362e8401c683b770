"""The networks of the papers, any classifier of torchvision or timm, and what a file of the user's builds.

Everything here runs under `torch.func` (functional_call, jvp, vmap): no in-place operation, no control flow that
depends on data, every parameter in a layer that is called once. Initial weights come from torch's global generator:
whoever calls `build` seeds it. (In training mode torch's batch norm updates its buffers in place: inside a
derivative hand it copies of them.)
"""

import itertools
import textwrap
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twophase.errors import UserError
from twophase.networks import foreign, initialisation
from twophase.networks.names import (
    DEFAULTS,
    HEADS,
    TRANSFORMER_WIDTH,
    VGG_CHANNELS,
    VGG_STAGES,
    family,
    known_model,
    norm_of,
    wrong_size,
)
from twophase.networks.norms import norm_layer
from twophase.networks.transformer import Transformer, VisionTransformer


def build(name: str, num_classes: int, in_channels: int, image_size: int | tuple[int, int], **options) -> nn.Module:
    """Returns a network, float32 on the CPU, that maps images [N, in_channels, H, W] to logits [N, num_classes].

    Args:
        name: lenet5 | lenet300 | resnet{6k+2} | vgg{11,13,16,19} | transformer | vit | torchvision:<name> |
            timm:<name> | <file>.py:<function>
        image_size: pixels, the side of a square or (H, W); of a context of L characters (1, L)
        options: any of these, by default as in `names.DEFAULTS`.
            width: channels of a ResNet's first stage (None: 16), the factor on all channels of a VGG (None: 1), or
                numbers for each position of a transformer or ViT (None: 64)
            shortcut: of a ResNet where the shape changes, A (parameter-free) | B (1x1 convolution and norm)
            norm: of a ResNet or VGG, see `norm_layer`; of a transformer or ViT, layer | none
            head: of a VGG, linear (512-c) | mlp128 (512-128-c) | mlp4096 (512-4096-4096-c)
            dropout: probability after each hidden layer of the mlp4096 head
            init, bn_gamma: of LeNets, ResNets and VGGs, see `initialisation`
            depth, heads, patch: of a transformer or ViT, see `Transformer` and `VisionTransformer`
            options: further arguments of a function of the user's
            sha256: of the bytes that its file must have

    Raises:
        UserError: an unknown name, an option that does not fit the model, images of a size that does not, or a fault in
            the user's file.
    """
    if message := known_model(name, **options):
        raise UserError(f"model: {message}")
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if message := wrong_size(name, size, **options):
        raise UserError(f"model: {message}")
    options = DEFAULTS | options
    width, kind, norm = options["width"], family(name), norm_of(name, options["norm"])
    match kind:
        case "lenet5":
            net = LeNet5(num_classes, in_channels, size)
        case "lenet300":
            net = LeNet300(num_classes, in_channels, size)
        case "resnet":
            net = ResNet(int(name[6:]), num_classes, in_channels, int(width or 16), options["shortcut"], norm)
        case "vgg":
            head, dropout = HEADS[options["head"]], options["dropout"] if options["head"] == "mlp4096" else 0.0
            net = VGG(VGG_STAGES[name], num_classes, in_channels, width or 1.0, norm, head, dropout)
        case "transformer" | "vit":
            shape = {key: options[key] for key in ("depth", "heads")}
            shape |= {"width": int(width or TRANSFORMER_WIDTH), "layer_norm": norm == "layer"}
            if kind == "vit":
                return VisionTransformer(num_classes, in_channels, size, options["patch"], **shape)
            return Transformer(num_classes, in_channels, size[0] * size[1], **shape)
        case "torchvision":
            return foreign.of_torchvision(name.partition(":")[2], num_classes, in_channels, size)
        case "timm":
            return foreign.of_timm(name.partition(":")[2], num_classes, in_channels, size)
        case "own":
            return foreign.of_file(name, num_classes, in_channels, size, options["options"], options["sha256"])
        case _:
            raise UserError(f"model: {name} is named in names.py, but `build` in models.py has no case for it; add one")
    init = options["init"]
    if init == "default":
        init = "torch" if kind.startswith("lenet") else "kaiming_convolutions"
    initialisation.initialise(net, init, options["bn_gamma"])
    if kind == "resnet" and norm == "none":
        net.downscale_branches()
    return net


def check(net: nn.Module, num_classes: int, images: Sequence[int]) -> None:
    """Tries a network on a batch of the shape `images` [N, C, H, W], in training, at no cost: without arithmetic.

    Raises:
        UserError: it has nothing to train, a parameter under two names, or a batch norm without running statistics;
            it cannot take such a batch, or returns something else than [N, num_classes].
    """
    names: dict[int, str] = {}
    for name, parameter in net.named_parameters(remove_duplicate=False):
        if names.setdefault(id(parameter), name) != name:
            raise UserError(
                f"model: {names[id(parameter)]} and {name} are one parameter, and forks, barriers and kernels take "
                "each name for a tensor of its own; give each layer its own, or apply one layer twice under one name"
            )
    for name, module in net.named_modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and not module.track_running_stats:
            raise UserError(
                f"model: the batch norm {name} keeps no running statistics, without which the logits of an image "
                "depend on the others of its batch, and there is no kernel; let it track them, or take another norm"
            )
    if not any(parameter.requires_grad for parameter in net.parameters()):
        raise UserError("model: the network has no trainable parameters; give it some")
    try:
        logits = foreign.on_meta(net, images)
    except Exception as error:  # whatever a layer raises about the shape of its inputs
        reason = textwrap.shorten(str(error), 160)
        single = "; with training.batch_size the last batch of an epoch has a single image" if images[0] == 1 else ""
        raise UserError(
            f"model: the network cannot be trained on batches of shape {[*images]} ({reason}){single}; "
            "change the model, the images or training.batch_size"
        ) from error
    if not isinstance(logits, Tensor) or logits.shape != (images[0], num_classes):
        found = [*logits.shape] if isinstance(logits, Tensor) else type(logits).__name__
        raise UserError(
            f"model: for a batch of {images[0]} images and {num_classes} classes the network returns {found}; "
            f"it must return logits of shape [{images[0]}, {num_classes}]"
        )


def max_pool(x: Tensor) -> Tensor:
    """Largest of each 2x2 pixels, [N, C, H, W] -> [N, C, H // 2, W // 2]."""
    if torch.is_grad_enabled():
        return F.max_pool2d(x, 2)
    # Without a derivative, the same values by plain maxima: several times faster on a CPU.
    x = x[..., : x.shape[-2] // 2 * 2, : x.shape[-1] // 2 * 2]
    rows = torch.maximum(x[..., ::2, :], x[..., 1::2, :])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


class LeNet5(nn.Module):
    """LeNet-5 with ReLU and max pooling, [N, C, H, W] -> [N, c]: 61,706 parameters on 28x28 grey images, 10 classes."""

    def __init__(self, num_classes: int, in_channels: int, size: tuple[int, int]):
        super().__init__()
        height, width = ((side // 2 - 4) // 2 for side in size)
        self.conv1 = nn.Conv2d(in_channels, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * height * width, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(max_pool(self.conv1(x)))
        x = F.relu(max_pool(self.conv2(x)))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


class LeNet300(nn.Module):
    """LeNet-300-100 (LeCun et al. 1998), fully connected, [N, C, H, W] -> [N, c]: 266,610 parameters on MNIST."""

    def __init__(self, num_classes: int, in_channels: int, size: tuple[int, int]):
        super().__init__()
        self.fc1 = nn.Linear(in_channels * size[0] * size[1], 300)
        self.fc2 = nn.Linear(300, 100)
        self.fc3 = nn.Linear(100, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class PadShortcut(nn.Module):
    """Option A of He et al. 2016: every second pixel, and zeros for the new channels on both sides."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        before = (out_channels - in_channels) // 2
        self.padding = (0, 0, 0, 0, before, out_channels - in_channels - before)

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, ::2, ::2], self.padding)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, each with a norm, beside a shortcut: [N, in, H, W] -> [N, out, H/stride, W/stride].

    Whichever norm it is has the name that it has in checkpoints, as in torchvision's ResNets.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, shortcut: str, norm: str):
        super().__init__()
        bias = norm == "none"
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=bias)
        self.bn1 = norm_layer(norm, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=bias)
        self.bn2 = norm_layer(norm, out_channels)
        if stride == 1:
            self.shortcut = nn.Identity()
        elif shortcut == "A":
            self.shortcut = PadShortcut(in_channels, out_channels)
        else:
            conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=bias)
            self.shortcut = nn.Sequential(conv, norm_layer(norm, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """The CIFAR ResNet of He et al. 2016, section 4.2: three stages of (depth-2)/6 blocks with w, 2w and 4w channels.

    ResNet-20 on 3x32x32 and 10 classes: 269,722 parameters with shortcut A, 272,474 with B. Without norms, convolutions
    have biases, and `downscale_branches` is part of the initialisation.
    """

    def __init__(self, depth: int, num_classes: int, in_channels: int, width: int, shortcut: str, norm: str):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3, padding=1, bias=norm == "none")
        self.bn = norm_layer(norm, width)
        blocks = [BasicBlock(width, width, 1, shortcut, norm) for _ in range((depth - 2) // 6)]
        for channels in (width, 2 * width):
            blocks.append(BasicBlock(channels, 2 * channels, 2, shortcut, norm))
            blocks += [BasicBlock(2 * channels, 2 * channels, 1, shortcut, norm) for _ in range((depth - 2) // 6 - 1)]
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(4 * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        # A plain mean: the backward pass of adaptive pooling is not deterministic on a GPU.
        return self.fc(self.blocks(F.relu(self.bn(self.conv(x)))).mean((2, 3)))

    @torch.no_grad()
    def downscale_branches(self) -> None:
        """Divides the last convolution of each of d blocks by sqrt(d).

        Batch norms do that at initialisation, and without it deep residual networks do not train (De & Smith 2020).
        Their SkipInit has the factor as a parameter, which starts at 1/sqrt(d) or 0.
        """
        for block in self.blocks:
            for parameter in block.conv2.parameters():
                parameter /= len(self.blocks) ** 0.5


class VGG(nn.Module):
    """VGG (Simonyan & Zisserman 2015) for 32x32 images, [N, C, H, W] -> [N, c].

    VGG-16 with batch norm on 3 channels and 10 classes: 14,728,266 parameters with the linear head, 14,790,090 with
    mlp128, 33,646,666 with mlp4096. The counts say that the convolutions carry biases, though batch norm makes them
    redundant.
    """

    def __init__(
        self,
        stages: tuple[int, ...],
        num_classes: int,
        in_channels: int,
        width: float,
        norm: str,
        hidden: tuple[int, ...],
        dropout: float,
    ):
        super().__init__()
        stage_channels = [max(1, round(width * channels)) for channels in VGG_CHANNELS]
        convolutions = [c for c, repeats in zip(stage_channels, stages, strict=True) for _ in range(repeats)]
        last_of_stage = {end - 1 for end in itertools.accumulate(stages)}
        layers, before = [], in_channels
        for index, channels in enumerate(convolutions):
            layers += [nn.Conv2d(before, channels, 3, padding=1)]
            layers += [norm_layer(norm, channels)] if norm != "none" else []
            layers += [nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if index in last_of_stage else []
            before = channels
        self.features = nn.Sequential(*layers)
        head = []
        for units in hidden:
            head += [nn.Linear(before, units), nn.ReLU(), nn.Dropout(dropout)]
            before = units
        last = nn.Linear(before, num_classes)
        self.head = nn.Sequential(*head, last) if head else last

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))
