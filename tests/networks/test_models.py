"""Networks: sizes from the papers and from formulas, shapes, and what torch.func does with them."""

import importlib
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from torch import nn
from torch.func import functional_call, jvp, vjp, vmap

from twophase.errors import UserError
from twophase.networks import names as model_names
from twophase.networks.models import PadShortcut, build, check, max_pool
from twophase.networks.names import known_model, timm_names, torchvision_names
from twophase.networks.norms import norm_layer
from twophase.torchvision_ops import import_torchvision

# name, in_channels, image_size, options: every family, every option, and the data sets at hand
OWN = [
    ("lenet5", 1, 28, {}),
    ("lenet5", 3, (12, 17), {}),
    ("lenet300", 2, (5, 3), {"init": "kaiming_fan_in"}),
    ("resnet8", 1, 8, {"width": 8}),
    ("resnet14", 3, (10, 7), {"width": 5, "shortcut": "B"}),
    ("vgg11", 3, 32, {"width": 0.125}),
    ("vgg13", 1, (40, 64), {"width": 0.06, "norm": "none"}),
    ("vgg11", 1, 32, {"width": 0.2, "norm": "group"}),
    ("resnet8", 2, (9, 8), {"width": 5, "norm": "layer", "shortcut": "B"}),
    ("resnet8", 1, 8, {"width": 16, "norm": "group", "bn_gamma": "uniform"}),
    ("resnet14", 1, 8, {"width": 4, "norm": "none", "shortcut": "B"}),
    ("vit", 2, (6, 9), {"patch": 3, "width": 6, "heads": 3}),
    ("vit", 1, 8, {"width": 8, "heads": 2, "depth": 1, "norm": "none"}),
    ("vgg11", 3, 32, {"width": 0.06, "head": "mlp128", "init": "kaiming_fan_out", "bn_gamma": "uniform"}),
    ("transformer", 5, (1, 6), {"width": 8, "heads": 2}),
    ("transformer", 3, (1, 7), {"width": 6, "heads": 3, "depth": 1, "norm": "none"}),
    ("vgg16", 3, 32, {"width": 0.06, "head": "mlp4096", "dropout": 0.2}),
]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def trainable(net):
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


def images(in_channels, image_size, count=3, **options):
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    return torch.randn(count, in_channels, *size, **options)


@pytest.mark.parametrize(
    ("name", "in_channels", "options", "published"),
    [
        ("lenet5", 1, {}, 61_706),
        ("lenet300", 1, {}, 266_610),
        ("resnet20", 3, {"shortcut": "A"}, 269_722),
        ("resnet20", 3, {"shortcut": "B"}, 272_474),
        ("vgg16", 3, {}, 14_728_266),
        ("vgg16", 3, {"head": "mlp4096"}, 33_646_666),
        ("vgg16", 3, {"head": "mlp128"}, 14_728_266 - 513 * 10 + 513 * 128 + 129 * 10),
    ],
)
def test_parameter_counts_of_the_papers(name, in_channels, options, published):
    with torch.device("meta"):
        net = build(name, 10, in_channels, 28 if name.startswith("lenet") else 32, **options)
    assert trainable(net) == published


@pytest.mark.parametrize("depth", [8, 14, 20, 32, 44, 56, 110])
@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_resnet_size_is_that_of_the_formula(depth, shortcut):
    per_stage, w, colours, classes = (depth - 2) // 6, 12, 3, 7
    expected = 9 * colours * w + 2 * w + classes * (4 * w + 1)
    for c in (w, 2 * w, 4 * w):
        expected += 2 * per_stage * (9 * c * c + 2 * c)
    for c in (w, 2 * w):  # the first convolution of a stage has half the input channels
        expected += 9 * c * (2 * c) - 9 * (2 * c) ** 2
        expected += (c * 2 * c + 2 * 2 * c) if shortcut == "B" else 0
    with torch.device("meta"):
        net = build(f"resnet{depth}", classes, colours, 32, width=w, shortcut=shortcut)
    assert trainable(net) == expected
    assert sum(isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) for m in net.modules()) == depth - 1


@pytest.mark.parametrize(("depth", "norm"), [(11, "batch"), (13, "none"), (16, "group"), (19, "layer")])
def test_vgg_has_as_many_weight_layers_as_its_name_says(depth, norm):
    with torch.device("meta"):
        net = build(f"vgg{depth}", 10, 3, 32, norm=norm)
    kinds = [type(module) for module in net.modules()]
    # The original counts three fully connected layers, of which the linear head for CIFAR keeps one.
    assert kinds.count(nn.Conv2d) == depth - 3
    assert kinds.count(nn.Linear) == 1
    assert kinds.count(nn.BatchNorm2d) == (depth - 3 if norm == "batch" else 0)
    assert kinds.count(nn.GroupNorm) == (depth - 3 if norm in ("group", "layer") else 0)
    assert kinds.count(nn.MaxPool2d) == 5


@pytest.mark.parametrize(("name", "in_channels", "image_size", "options"), OWN)
def test_logits_and_untouched_inputs(name, in_channels, image_size, options):
    net, x = build(name, 7, in_channels, image_size, **options), images(in_channels, image_size)
    before = x.clone()
    for training in (True, False):
        logits = net.train(training)(x)
        assert logits.shape == (3, 7)
        assert torch.isfinite(logits).all()
    assert torch.equal(x, before)
    assert not any(getattr(module, "inplace", False) for module in net.modules())
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize(("name", "in_channels", "image_size", "options"), OWN)
def test_forward_mode_is_the_transpose_of_reverse_mode(name, in_channels, image_size, options):
    """<u, J v> = <J^T u, v> for the Jacobian of the logits by the parameters."""
    net = build(name, 4, in_channels, image_size, **options).double().eval()
    x = images(in_channels, image_size, dtype=torch.float64)
    parameters = {key: value.detach() for key, value in net.named_parameters()}
    v = {key: torch.randn_like(value) for key, value in parameters.items()}

    def logits(parameters):
        return functional_call(net, parameters, (x,))

    out, j_v = jvp(logits, (parameters,), (v,))
    again, pull_back = vjp(logits, parameters)
    u = torch.randn_like(out)
    (jt_u,) = pull_back(u)
    torch.testing.assert_close(out, again)
    assert j_v.abs().max() > 0
    torch.testing.assert_close((u * j_v).sum(), sum((jt_u[key] * v[key]).sum() for key in v), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "in_channels", "image_size", "options"), OWN[:-1])
def test_stacked_networks_under_vmap_equal_each_alone(name, in_channels, image_size, options, training):
    nets = [build(name, 4, in_channels, image_size, **options).double().train(training) for _ in range(2)]
    x = images(in_channels, image_size, dtype=torch.float64)
    parameters, buffers = torch.func.stack_module_state(nets)
    stacked = vmap(lambda p, b: functional_call(nets[0], (p, b), (x,)))(parameters, buffers)
    for net, logits in zip(nets, stacked, strict=True):
        torch.testing.assert_close(logits, net(x))


def test_batch_norm_in_training_mode_under_a_derivative_with_copied_buffers():
    net, x = build("resnet8", 10, 1, 8, width=4), images(1, 8)

    def loss(parameters):
        buffers = {key: value.clone() for key, value in net.named_buffers()}
        return functional_call(net, (parameters, buffers), (x,)).logsumexp(1).sum()

    grads = torch.func.grad(loss)({key: value.detach() for key, value in net.named_parameters()})
    net(x).logsumexp(1).sum().backward()
    for key, parameter in net.named_parameters():
        torch.testing.assert_close(grads[key], parameter.grad)


@pytest.mark.parametrize(("name", "in_channels", "image_size", "options"), OWN)
def test_the_seed_decides_the_weights(name, in_channels, image_size, options):
    def state(seed):
        torch.manual_seed(seed)
        return build(name, 4, in_channels, image_size, **options).state_dict()

    first, second, other = state(1), state(1), state(2)
    assert all(torch.equal(first[key], second[key]) for key in first)
    matrices = [key for key in first if first[key].ndim > 1]
    assert not any(torch.equal(first[key], other[key]) for key in matrices)


@pytest.mark.parametrize(("name", "in_channels", "image_size", "options"), OWN)
def test_by_default_torch_makes_all_layers_and_he_the_convolutions(name, in_channels, image_size, options):
    """The same numbers of the same generator, in this order; and those of a LeNet or transformer are torch's alone."""
    options = {key: value for key, value in options.items() if key not in ("init", "bn_gamma")}
    torch.manual_seed(3)
    net = build(name, 4, in_channels, image_size, **options)
    torch.manual_seed(3)
    own = "lenet" in name or name in ("transformer", "vit")
    expected = build(name, 4, in_channels, image_size, **options, **({} if own else {"init": "torch"}))
    convolutions = [m for m in expected.modules() if isinstance(m, nn.Conv2d) and "lenet" not in name]
    for module in convolutions:
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if "resnet" in name and options.get("norm") == "none":
        expected.downscale_branches()
    wanted = expected.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize(("name", "size"), [("lenet5", 12), ("lenet300", 4)])
def test_a_lenet_starts_as_torch_makes_its_layers(name, size):
    torch.manual_seed(4)
    net = build(name, 5, 1, size)
    torch.manual_seed(4)
    for module in (m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)):
        if isinstance(module, nn.Linear):
            again = nn.Linear(module.in_features, module.out_features)
        else:
            again = nn.Conv2d(module.in_channels, module.out_channels, module.kernel_size)
        assert torch.equal(module.weight, again.weight)
        assert torch.equal(module.bias, again.bias)


def is_normal(weight, deviation):
    """Standard errors of n normal numbers: 1/sqrt(n) of the mean, sqrt(2/n) of the variance, sqrt(24/n) of kurtosis."""
    scaled, n = weight.detach().flatten() / deviation, weight.numel()
    assert abs(scaled.mean()) < 6 * n**-0.5
    assert abs(scaled.var() - 1) < 6 * (2 / n) ** 0.5
    assert abs((scaled**4).mean() - 3) < 10 * (24 / n) ** 0.5


def is_uniform(weight, low, high):
    """Bounds, mean and variance of uniform numbers, (high - low)^2 / 12 with a kurtosis of 9/5."""
    values, n, variance = weight.detach().flatten(), weight.numel(), (high - low) ** 2 / 12
    assert low <= values.min() < values.max() <= high
    assert abs(values.mean() - (low + high) / 2) < 6 * (variance / n) ** 0.5
    assert abs(values.var() / variance - 1) < 6 * (0.8 / n) ** 0.5


@pytest.mark.parametrize("init", ["default", "torch", "kaiming_fan_in", "kaiming_fan_out"])
@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet20", {"shortcut": "B"}), ("vgg16", {"head": "mlp128"}), ("lenet5", {}), ("lenet300", {})],
)
def test_weights_start_with_the_distribution_of_their_init(name, options, init):
    if init == "torch" and "lenet" in name:
        return
    net = build(name, 10, 3, 32, **options, init=init)
    torch_s = init == "torch" or (init == "default" and "lenet" in name)
    for module in net.modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        linear = isinstance(module, nn.Linear)
        area = 1 if linear else module.kernel_size[0] * module.kernel_size[1]
        fan_in, fan_out = module.weight.shape[1] * area, module.weight.shape[0] * area
        if torch_s or (init == "default" and linear):
            is_uniform(module.weight, -(fan_in**-0.5), fan_in**-0.5)
        elif init == "kaiming_fan_out":
            is_normal(module.weight, 0.01 if linear else (2 / fan_out) ** 0.5)
        else:
            is_normal(module.weight, (2 / fan_in) ** 0.5)
        if module.bias is not None:
            zero = not torch_s and (init == "kaiming_fan_out" or (init == "default" and not linear))
            assert (module.bias == 0).all() == zero
            assert module.bias.abs().max() <= fan_in**-0.5


@pytest.mark.parametrize("norm", ["batch", "layer", "group"])
@pytest.mark.parametrize(("name", "options"), [("resnet20", {"shortcut": "B"}), ("vgg11", {"width": 0.5})])
def test_uniform_scales_of_norms_leave_all_else_as_it_is(name, options, norm):
    options = options | {"norm": norm}
    torch.manual_seed(2)
    ones = build(name, 10, 3, 32, **options)
    torch.manual_seed(2)
    uniform = build(name, 10, 3, 32, **options, bn_gamma="uniform")
    kind = nn.BatchNorm2d if norm == "batch" else nn.GroupNorm
    scales = {f"{key}.weight" for key, module in ones.named_modules() if isinstance(module, kind)}
    other = uniform.state_dict()
    for key, value in ones.state_dict().items():
        assert torch.equal(value, other[key] if key not in scales else torch.ones_like(value))
    is_uniform(torch.cat([other[key] for key in sorted(scales)]), 0, 1)


@pytest.mark.parametrize("channels", [4, 8, 12, 16, 20, 31, 64])
@pytest.mark.parametrize("norm", ["layer", "group"])
def test_norms_of_an_image_alone_make_mean_0_and_variance_1_of_each_group(norm, channels):
    """Over its pixels and all channels, or those of a group: 8, or the next more of which there is a whole number."""
    per_group = channels if norm == "layer" else {12: 12, 20: 10, 31: 31}.get(channels, min(channels, 8))
    x = 3 + 2 * torch.randn(2, channels, 5, 4, dtype=torch.float64)
    layer = norm_layer(norm, channels).double()
    groups = x.view(2, -1, per_group * 20)
    variance = groups.var(2, correction=0, keepdim=True)
    expected = (groups - groups.mean(2, keepdim=True)) / (variance + layer.eps).sqrt()
    gain, bias = torch.randn(2, channels, 1, 1, dtype=torch.float64)
    layer.load_state_dict({"weight": gain.flatten(), "bias": bias.flatten()})
    torch.testing.assert_close(layer(x), gain * expected.view_as(x) + bias)


@pytest.mark.parametrize("norm", ["layer", "group", "none"])
@pytest.mark.parametrize(("name", "options"), [("resnet8", {"width": 16}), ("vgg11", {"width": 0.1})])
def test_without_batch_norm_an_image_is_seen_alone(name, options, norm):
    """Its logits in training are those in evaluation, whatever else is in the batch."""
    net, x = build(name, 5, 1, 32, **options, norm=norm).double(), images(1, 32, dtype=torch.float64)
    assert not [*net.buffers()]
    torch.testing.assert_close(net.train()(x)[:1], net.eval()(x[:1]))


def test_a_resnet_without_norms_starts_with_branches_smaller_by_the_root_of_their_number():
    """So that, in units of the first block's input, the variance at the end does not grow with the depth."""
    ratios = []
    for depth in (8, 110):
        net = build(f"resnet{depth}", 10, 3, 32, width=16, norm="none")
        x, d = torch.randn(4, 16, 16, 16).relu(), len(net.blocks)
        weights = torch.cat(
            [block.conv2.weight.flatten() * (9 * block.conv2.in_channels / 2) ** 0.5 for block in net.blocks]
        )
        is_normal(weights, d**-0.5)
        assert all((module.bias == 0).all() for module in net.modules() if isinstance(module, nn.Conv2d))
        with torch.no_grad():
            ratios.append(float(net.blocks[: d // 3](x).square().mean() / x.square().mean()))
    assert max(ratios) / min(ratios) < 2


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize(("depth", "heads", "patch", "size"), [(1, 2, 2, (2, 2)), (2, 4, 3, (6, 9)), (3, 1, 1, (2, 3))])
def test_a_vision_transformer_is_torchs_with_the_same_weights(depth, heads, patch, size, norm):
    """Of `nn.TransformerEncoderLayer`, norms first, on torch's patches as a convolution sees them."""
    channels, width, length = 2, 8, size[0] * size[1] // patch**2
    net = build("vit", 5, channels, size, patch=patch, depth=depth, heads=heads, width=width, norm=norm)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    state, x = net.double().state_dict(), images(channels, size, dtype=torch.float64)
    pixels, positions = state["embedding.weight"].split([channels * patch**2, length], 1)
    kernel = pixels.view(width, channels, patch, patch)
    y = nn.functional.conv2d(x, kernel, stride=patch).flatten(2).mT + positions.T
    for k in range(depth):
        y = encoder_layer(state, k, width, heads, norm)(y)
    if norm == "layer":
        y = nn.functional.layer_norm(y, [width], state["norm.weight"], state["norm.bias"])
    torch.testing.assert_close(net(x), y.mean(1) @ state["head.weight"].T + state["head.bias"])


def test_a_vision_transformer_starts_with_the_distributions_of_torchs_layers_and_of_positions():
    net = build("vit", 10, 3, 32, patch=4, width=64, depth=1)
    pixels, places = net.embedding.weight.split([48, 64], 1)
    is_uniform(pixels, -(48**-0.5), 48**-0.5)
    is_normal(places, 0.02)
    for module in (m for m in net.modules() if isinstance(m, nn.Linear) and m is not net.embedding):
        is_uniform(module.weight, -(module.in_features**-0.5), module.in_features**-0.5)


def encoder_layer(state, k, width, heads, norm):
    """Torch's layer with the weights of block `k` of a transformer of ours."""
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0, activation="gelu", batch_first=True, norm_first=True, dtype=torch.float64
    )
    if norm == "none":
        layer.norm1, layer.norm2 = nn.Identity(), nn.Identity()
    renamed = {"qkv": "self_attn.in_proj_", "out": "self_attn.out_proj.", "up": "linear1.", "down": "linear2."}
    own = {key.removeprefix(f"blocks.{k}."): v for key, v in state.items() if key.startswith(f"blocks.{k}.")}
    parts = ((*key.split("."), v) for key, v in own.items())
    layer.load_state_dict({renamed.get(part, f"{part}.") + kind: v for part, kind, v in parts})
    return layer


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize(("depth", "heads", "length"), [(1, 1, 1), (1, 4, 5), (3, 2, 7)])
def test_a_transformer_is_torchs_with_the_same_weights(depth, heads, length, norm):
    """Of `nn.TransformerEncoderLayer`, norms first and earlier positions alone, on torch's embeddings."""
    characters, width = 6, 8
    net = build("transformer", characters, characters, (1, length), depth=depth, heads=heads, width=width, norm=norm)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    state = net.double().state_dict()
    tokens, positions = state["embedding.weight"].T.split([characters, length])
    text = torch.randint(characters, (9, length))
    x = tokens[text] + positions
    mask = nn.Transformer.generate_square_subsequent_mask(length, dtype=torch.float64)
    for k in range(depth):
        x = encoder_layer(state, k, width, heads, norm)(x, mask, is_causal=True)
    x = x[:, -1]
    if norm == "layer":
        x = nn.functional.layer_norm(x, [width], state["norm.weight"], state["norm.bias"])
    one_hot = nn.functional.one_hot(text, characters).mT[:, :, None].double()
    torch.testing.assert_close(net(one_hot), x @ state["head.weight"].T + state["head.bias"])


def test_a_transformer_starts_with_the_distributions_of_torchs_layers():
    net = build("transformer", 50, 50, (1, 30), width=64, depth=1)
    is_normal(net.embedding.weight, 1)
    for module in (m for m in net.modules() if isinstance(m, nn.Linear) and m is not net.embedding):
        is_uniform(module.weight, -(module.in_features**-0.5), module.in_features**-0.5)


def test_shortcut_a_subsamples_and_pads_with_zero_channels():
    x = torch.randn(2, 3, 7, 4)
    y = PadShortcut(3, 8)(x)
    assert y.shape == (2, 8, 4, 2)
    nonzero = [channel for channel in range(8) if y[:, channel].abs().sum() > 0]
    assert nonzero == [2, 3, 4]
    for source, channel in enumerate(nonzero):
        for row in range(4):
            for column in range(2):
                assert torch.equal(y[:, channel, row, column], x[:, source, 2 * row, 2 * column])


def test_a_block_without_its_branch_is_its_shortcut():
    net = build("resnet8", 10, 1, 8, width=4).eval()
    block = net.blocks[1]
    nn.init.zeros_(block.bn2.weight)
    x = torch.rand(2, 4, 8, 8)
    torch.testing.assert_close(block(x), block.shortcut(x))


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (2, 3)])
def test_pooling_is_torchs_with_and_without_a_derivative(size):
    x = torch.randn(3, 2, *size, generator=torch.Generator().manual_seed(0))
    x[0, 0, :2, :2] = 1.5  # a tie
    with torch.no_grad():
        plain = max_pool(x)
    assert torch.equal(plain, torch.nn.functional.max_pool2d(x, 2))
    assert torch.equal(max_pool(x), plain)


def test_dropout_acts_in_training_alone_and_at_its_rate():
    def zeros(dropout):
        net = build("vgg11", 10, 3, 32, width=0.125, head="mlp4096", dropout=dropout)
        seen = []
        for layer in (m for m in net.modules() if isinstance(m, nn.Dropout)):
            layer.register_forward_hook(lambda _m, args, out: seen.append((out == 0)[args[0] != 0].float().mean()))
        net(torch.randn(8, 3, 32, 32))
        trained, seen[:] = list(seen), []
        net.eval()(torch.randn(8, 3, 32, 32))
        return trained, list(seen)

    trained, evaluated = zeros(0.3)
    assert trained == pytest.approx([0.3, 0.3], abs=0.02)
    assert evaluated == [0, 0]
    assert zeros(0.0)[0] == [0, 0]


@pytest.mark.parametrize(("name", "side"), [("lenet5", 12), ("vgg11", 32)])
def test_images_too_small(name, side):
    assert build(name, 2, 1, side)(images(1, side)).shape == (3, 2)
    with pytest.raises(UserError, match=rf"{name} needs images of at least {side}x{side} .*resize"):
        build(name, 2, 1, (side + 9, side - 1))


@pytest.mark.parametrize("size", [(8, 10), (10, 8)])
def test_images_that_patches_do_not_divide(size):
    assert build("vit", 2, 1, size, patch=2)(images(1, size)).shape == (3, 2)
    with pytest.raises(UserError, match=rf"patch 4 does not divide images of {size[0]}x{size[1]} pixels; take a patch"):
        build("vit", 2, 1, size)


# --- what is tried before training


class Own(nn.Module):
    """A network as a user may write it, [n, 1, 8, 8] -> [n, outputs]."""

    def __init__(self, outputs=5, inputs=64, trained=True):
        super().__init__()
        self.fc, self.bn = nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs)
        self.requires_grad_(trained)

    def forward(self, x):
        return self.bn(self.fc(x.flatten(1)))


class Pair(Own):
    def forward(self, x):
        return super().forward(x), x


@pytest.mark.parametrize(
    ("net", "shape", "expected"),
    [
        (Own(trained=False), (4, 1, 8, 8), "the network has no trainable parameters; give it some"),
        (nn.Flatten(), (4, 1, 8, 8), "the network has no trainable parameters; give it some"),
        (Own(4), (4, 1, 8, 8), r"for a batch of 4 images and 5 classes the network returns \[4, 4\]; it must return"),
        (Pair(), (4, 1, 8, 8), "the network returns tuple; it must return logits of shape .4, 5."),
        (Own(), (4, 3, 8, 8), r"the network cannot be trained on batches of shape \[4, 3, 8, 8\] .*change the model"),
        (
            Own(),
            (1, 1, 8, 8),
            "the last batch of an epoch has a single image; change the model, the images or training",
        ),
    ],
)
def test_networks_that_cannot_be_trained_are_refused(net, shape, expected):
    with pytest.raises(UserError, match=f"^model: .*{expected}") as info:
        check(net, 5, shape)
    assert "\n" not in str(info.value)


def test_trying_a_network_changes_nothing():
    for net, shape in ((Own(), (2, 1, 8, 8)), (build("resnet8", 5, 1, 8, width=2), (1, 1, 8, 8))):
        before, drawn = {k: v.clone() for k, v in net.state_dict().items()}, torch.random.get_rng_state()
        check(net, 5, shape)
        assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
        assert torch.equal(torch.random.get_rng_state(), drawn)
        assert all(parameter.grad is None for parameter in net.parameters())


def test_a_buffer_that_no_checkpoint_keeps_is_no_fault():
    class Shifted(Own):
        def __init__(self):
            super().__init__()
            self.register_buffer("shift", torch.ones(5), persistent=False)

        def forward(self, x):
            return super().forward(x) + self.shift

    check(Shifted(), 5, (4, 1, 8, 8))


def test_a_name_without_a_network_is_told_where_to_add_one(monkeypatch):
    monkeypatch.setitem(model_names.OPTIONS, "mlp", ())
    with pytest.raises(UserError, match=r"mlp is named in .* but `build` in models\.py has no case for it"):
        build("mlp", 10, 1, 8)


# --- torchvision


@pytest.mark.parametrize("in_channels", [1, 3, 5])
@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_torchvision_classifiers_take_any_number_of_channels(name, in_channels):
    net = build(f"torchvision:{name}", 6, in_channels, 33)
    assert net.training
    assert net(images(in_channels, 33)).shape == (3, 6)
    assert not any(getattr(module, "inplace", False) for module in net.modules())
    twin = import_torchvision().models.get_model(name, weights=None, num_classes=6)
    convs = [next(m for m in each.modules() if isinstance(m, nn.Conv2d)) for each in (net, twin)]
    outside_first = trainable(twin) - convs[1].weight.numel()
    assert trainable(net) - convs[0].weight.numel() == outside_first
    for setting in ("out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"):
        assert getattr(convs[0], setting) == getattr(convs[1], setting)


@pytest.mark.parametrize(
    ("name", "size"), [("googlenet", 32), ("inception_v3", 75), ("vit_b_16", 32), ("maxvit_t", 224), ("swin_t", 32)]
)
def test_torchvision_classifiers_with_peculiarities_answer_with_plain_logits(name, size):
    with torch.device("meta"):
        net = build(f"torchvision:{name}", 6, 1, size)
        assert net.train()(torch.empty(2, 1, size, size)).shape == (2, 6)


@pytest.mark.parametrize(("name", "size"), [("alexnet", 28), ("vit_b_16", 40), ("maxvit_t", 32)])
def test_torchvision_images_of_a_wrong_size(name, size):
    with (
        pytest.raises(UserError, match=rf"torchvision:{name} does not take images of {size}x{size}.*resize"),
        torch.device("meta"),
    ):
        build(f"torchvision:{name}", 6, 3, size)


def test_torchvision_is_importable_and_other_failures_pass_through(monkeypatch):
    assert import_torchvision() is sys.modules["torchvision"]

    def fail(name):
        raise RuntimeError("operator torchvision::other does not exist")

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(RuntimeError, match="torchvision::other"):
        import_torchvision()


# --- timm


def imported_timm():
    if find_spec("timm") is None:
        pytest.skip("needs timm, which is no dependency: pip install timm")
    import_torchvision()
    return importlib.import_module("timm")


@pytest.mark.parametrize(
    ("name", "in_channels", "size"),
    [("resnet18", 1, 33), ("vit_tiny_patch16_224", 5, 32), ("swin_tiny_patch4_window7_224", 3, 56)],
)
def test_timm_networks_take_any_number_of_channels_and_the_size_of_the_images(name, in_channels, size):
    """Of its parameters, those of the first convolution alone depend on the channels."""
    imported_timm()
    net = build(f"timm:{name}", 6, in_channels, size)
    assert net.training
    check(net, 6, (3, in_channels, size, size))
    assert net.eval()(images(in_channels, size)).shape == (3, 6)
    assert not any(getattr(module, "inplace", False) for module in net.modules())
    first = next(module for module in net.modules() if isinstance(module, nn.Conv2d))
    per_channel = first.weight[:, :1].numel()
    twin = build(f"timm:{name}", 6, in_channels + 2, size)
    assert trainable(twin) - trainable(net) == 2 * per_channel


def test_timm_images_of_a_wrong_size():
    imported_timm()
    with pytest.raises(UserError, match=r"timm:vgg11 does not take images of 8x8.*resize"):
        build("timm:vgg11", 6, 3, 8)


# --- names


def test_names_read_from_the_source_are_those_that_torchvision_registers():
    models = import_torchvision().models
    assert set(torchvision_names()) == set(models.list_models(module=models))


def test_names_read_from_the_source_are_those_that_timm_registers():
    timm = imported_timm()
    assert set(timm_names()) == set(timm.list_models())


def test_a_missing_timm_is_told_with_its_remedy(monkeypatch):
    monkeypatch.setitem(model_names.LIBRARIES, "timm", tuple)
    assert known_model("timm:resnet18") == "timm:resnet18 needs timm, which is not installed; pip install timm"


@pytest.mark.parametrize(
    "name", ["lenet5", "lenet300", "resnet20", "resnet26", "vgg19", "transformer", "vit", "torchvision:resnet18"]
)
def test_known_names(name):
    assert known_model(name) is None


def test_every_depth_is_6k_plus_2_or_told_the_nearest():
    depths = [6 * k + 2 for k in range(1, 40)]
    for depth in range(1, 200):
        message = known_model(f"resnet{depth}")
        assert (message is None) == (depth in depths)
        if message:
            named = int(re.search(r"resnet(\d+) is the nearest", message)[1])
            assert abs(named - depth) == min(abs(d - depth) for d in depths)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("lenet", {}, r"'lenet' is unknown.*did you mean lenet5.*known are .*vgg16.*torchvision:<name>"),
        ("alexnet", {}, "did you mean torchvision:alexnet"),
        ("resnet18", {}, "resnet20 is the nearest.*torchvision:resnet18"),
        ("resnet020", {}, "unknown"),
        ("vgg12", {}, "11, 13, 16, 19"),
        ("torchvision:resnet181", {}, "no classifier 'resnet181'.*torchvision:resnet18"),
        ("torchvision:raft_large", {}, "no classifier"),
        ("lenet5", {"width": 2}, "width 2 has no effect on lenet5"),
        ("vgg16", {"batch_norm": False}, "batch_norm is no option of a model; there are .*norm"),
        ("vgg16", {"shortcut": "B"}, "shortcut 'B' has no effect"),
        ("torchvision:resnet18", {"head": "mlp4096"}, "head 'mlp4096' has no effect"),
        ("vgg16", {"dropout": 0.3}, "dropout 0.3 has no effect on vgg16 with head linear"),
        ("vgg16", {"head": "mlp4096", "dropout": 1.0}, "dropout 1.0 must be a probability"),
        ("vgg16", {"width": 0}, "width 0 must be a factor above 0"),
        ("resnet20", {"width": 2.5}, "width 2.5 must be the number of channels"),
        ("resnet20", {"shortcut": "C"}, "shortcut 'C' must be one of A, B"),
        ("vgg16", {"head": "conv"}, "head 'conv' must be one of linear, mlp128, mlp4096"),
        ("vgg16", {"head": "mlp128", "dropout": 0.3}, "dropout 0.3 has no effect on vgg16 with head mlp128; set head"),
        ("resnet20", {"head": "mlp128"}, "head 'mlp128' has no effect on resnet20"),
        ("resnet20", {"init": "he"}, "init 'he' must be one of default, torch, kaiming_fan_in, kaiming_fan_out"),
        ("lenet300", {"init": "torch"}, "init 'torch' has no effect on lenet300, whose default it is"),
        ("torchvision:resnet18", {"init": "torch"}, "init 'torch' has no effect on torchvision:resnet18"),
        ("lenet5", {"bn_gamma": "uniform"}, "bn_gamma 'uniform' has no effect on lenet5"),
        (
            "vgg16",
            {"norm": "none", "bn_gamma": "uniform"},
            "'uniform' has no effect on vgg16 with norm none; leave one",
        ),
        ("resnet8", {"norm": "none", "bn_gamma": "uniform"}, "has no effect on resnet8 with norm none"),
        ("vit", {"bn_gamma": "uniform"}, "bn_gamma 'uniform' has no effect on vit"),
        ("lenet-300", {}, "did you mean lenet300"),
        ("vgg16", {"stride": 3}, "stride is no option"),
        ("transfomer", {}, "did you mean transformer"),
        ("vgg16", {"depth": 3}, "depth 3 has no effect on vgg16"),
        ("lenet5", {"norm": "none"}, "norm 'none' has no effect on lenet5"),
        ("resnet20", {"norm": "instance"}, "norm 'instance' must be one of default, batch, layer, group, none"),
        ("resnet20", {"patch": 2}, "patch 2 has no effect on resnet20"),
        ("resnet20", {"options": {"depth": 3}}, r"options \{'depth': 3\} has no effect on resnet20; leave it out"),
        ("transformer", {"init": "torch"}, "init 'torch' has no effect on transformer"),
        ("transformer", {"norm": "batch"}, "norm 'batch' of transformer must be one of layer, none"),
        ("vit", {"norm": "group"}, "norm 'group' of vit must be one of layer, none"),
        ("vit", {"patch": 0}, "patch 0 must be a whole number from 1"),
        ("vit", {"width": 6}, "width 6 must be a multiple of heads, 4, which share it"),
        ("transformer", {"heads": 3}, "width 64 must be a multiple of heads, 3, which share it"),
        ("transformer", {"width": 30}, "width 30 must be a multiple of heads, 4, which share it"),
        ("transformer", {"width": 0}, "width 0 must be a multiple of heads, 4"),
        ("transformer", {"depth": 0}, "depth 0 must be a whole number from 1"),
        ("transformer", {"heads": 0}, "heads 0 must be a whole number from 1"),
        ("transformer", {"heads": 1.5}, "heads 1.5 must be a whole number from 1"),
    ],
)
def test_wrong_names_and_options_are_explained(name, options, expected):
    message = known_model(name, **options)
    assert re.search(expected, message)
    assert "\n" not in message
    if "stride" not in options:
        with pytest.raises(UserError, match=re.escape(message)):
            build(name, 10, 3, 32, **options)


def test_asking_for_a_name_loads_no_torch():
    code = (
        "import sys; from twophase.networks.names import known_model;"
        "assert known_model('torchvision:resnet81') and known_model('torchvision:resnet18') is None;"
        "assert not {'torch', 'torchvision'} & sys.modules.keys()"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_what_kernels_or_forks_would_fail_at_hours_later_is_refused_at_once():
    layer = nn.Linear(4, 4)
    for net, said in (
        (nn.Sequential(nn.Flatten(), layer, layer, nn.Linear(4, 2)), r"model: 1.weight and 2.weight are one parameter"),
        (
            nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten(), nn.Linear(4, 2)),
            r"model: the batch norm 0 keeps no running statistics",
        ),
    ):
        with pytest.raises(UserError, match=said):
            check(net, 2, (3, 1, 2, 2))
