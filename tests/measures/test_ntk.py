import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, jacrev
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from twophase.measures import layers, ntk
from twophase.networks import models

pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop")  # of batching rules that torch lacks

CLASSES = 3
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Block(nn.Module):
    """A residual block whose operations work in place wherever they can."""

    def __init__(self, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 2 * channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(2 * channels)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, 1, 1)
        self.shortcut = nn.Conv2d(channels, 2 * channels, 1, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.norm1(self.conv1(x)))
        out = self.conv2(out)
        out += self.shortcut(x)
        return self.relu(out)


class Head(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, CLASSES)

    def forward(self, x):
        return self.linear(x.mean((2, 3)))


class Twice(nn.Module):
    """One convolution called twice, and two linear layers that share a weight but not a bias."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.norm2.weight = self.norm1.weight
        self.linear1, self.linear2 = nn.Linear(4, 4), nn.Linear(4, 4)
        self.linear2.weight = self.linear1.weight
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x):
        x = torch.tanh(self.norm1(self.stem(x)))
        x = torch.tanh(self.norm2(self.conv(torch.tanh(self.conv(x)))))
        return self.head(torch.tanh(self.linear2(self.linear1(x.mean((2, 3))))))


class Functional(nn.Module):
    """Layers that are also called without a gradient, whose weight is also used otherwise, and both."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(48, 6), nn.Linear(6, 6), nn.Linear(6, CLASSES)

    def forward(self, x):
        x = F.avg_pool2d(x, 2).flatten(1)
        x = self.first(x) * self.first(-x).detach()
        x = torch.tanh(self.second(x)) + torch.sin(F.linear(x, self.second.weight))
        with torch.no_grad():
            self.third(x)
        return F.linear(x, self.third.weight, self.third.bias)


class Tokens(nn.Module):
    """A transformer: class token, positions, attention, layer norms, linear layers on sequences."""

    def __init__(self, batch_first):
        super().__init__()
        self.batch_first = batch_first
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.token, self.position = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.encoder = nn.TransformerEncoderLayer(8, 2, 12, batch_first=batch_first)
        self.mixer, self.head = nn.Linear(8, 8), nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.patches(x).flatten(2).mT
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        x = self.encoder(x) if self.batch_first else self.encoder(x.transpose(0, 1)).transpose(0, 1)
        x = F.relu_(self.mixer(x))
        return self.head(x[:, 0] + x.mean(1))


class Windows(nn.Module):
    """A linear layer whose first axis holds windows, several of each input, and one on a grid of positions."""

    def __init__(self):
        super().__init__()
        self.window, self.grid, self.head = nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, CLASSES)

    def forward(self, x):
        n = len(x)
        x = torch.tanh(self.window(x.permute(0, 2, 3, 1).reshape(4 * n, 16, 3)))
        return self.head(torch.tanh(self.grid(x.reshape(n, 8, 8, 5))).mean((1, 2)))


def hooked():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3), Head(4))
    net[0].register_forward_pre_hook(lambda module, args: (args[0] / 2,))
    net[2].register_forward_hook(lambda module, args, output: output.square())
    return net


def frozen():
    """Layers of which nothing, only the weight or only the bias is trained, and an unused one."""
    net = nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.Tanh()),
        *(nn.Flatten(), nn.Linear(80, 6), nn.Tanh(), nn.Linear(6, CLASSES)),
    )
    for p in (net[0].weight, net[0].bias, net[1].bias, net[3].weight, net[4].weight, net[7].bias):
        p.requires_grad_(False)
    net[2].unused = nn.Linear(2, 2)
    return net


NETS = {
    "convolutions": lambda: nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
        *(
            nn.Conv2d(8, 10, (3, 2), (2, 1), (2, 1), (1, 2), bias=False),
            nn.BatchNorm2d(10, eps=0.1),
            nn.ReLU(inplace=True),
        ),
        *(nn.Conv2d(10, 8, 1, bias=False), nn.Tanh(), nn.Conv2d(8, 8, 1, 2), nn.MaxPool2d(2)),
        *(
            nn.Flatten(),
            nn.Dropout(),
            nn.LazyLinear(9),
            nn.BatchNorm1d(9),
            nn.ReLU(inplace=True),
            nn.Linear(9, CLASSES),
        ),
    ),
    "residual": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), Block(4, 2), Block(8, 1), Head(16)),
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, CLASSES)),
    "grouped": lambda: nn.Sequential(
        *(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.SiLU(inplace=True), nn.Conv2d(16, 16, 3, groups=16), nn.SiLU()),
        *(nn.Conv2d(16, 8, 3, 2, 1, groups=2), nn.Tanh(), Head(8)),
    ),
    "normalized": lambda: nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.LayerNorm([4, 4, 4]), nn.PReLU()),
        Head(4),
    ),
    "padding": lambda: nn.Sequential(
        *(nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), nn.Tanh(), nn.Conv2d(4, 4, (3, 5), padding="same")),
        *(nn.Tanh(), nn.Conv2d(4, 4, 3), Head(4)),
    ),
    "parametrized": lambda: nn.Sequential(
        *(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.Tanh(), nn.Conv2d(4, 4, 3), Head(4))
    ),
    "norm first": lambda: nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), Head(4)),
    "shared": Twice,
    "functional": Functional,
    "tokens": lambda: Tokens(True),
    "tokens, sequence first": lambda: Tokens(False),
    "layer norms": lambda: nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.LayerNorm(6, eps=0.1), nn.Tanh(), nn.Flatten(2), nn.LayerNorm(36, bias=False)),
        *(nn.Linear(36, 5), nn.LayerNorm(5, elementwise_affine=False), nn.Tanh(), nn.Flatten(), nn.LayerNorm(20)),
        nn.Linear(20, CLASSES),
    ),
    "group norms": lambda: nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8, eps=0.1), nn.Tanh(), nn.GroupNorm(1, 8), nn.Conv2d(8, 4, 3)),
        *(nn.GroupNorm(4, 4, affine=False), nn.Tanh(), nn.Flatten(), nn.Linear(64, 6), nn.GroupNorm(3, 6)),
        nn.Linear(6, CLASSES),
    ),
    "transformer": lambda: models.build("transformer", CLASSES, 3, 8, width=8, heads=2),
    "transformer without norms": lambda: models.build("transformer", CLASSES, 3, 8, width=6, heads=3, norm="none"),
    "windows": Windows,
    "hooked": hooked,
    "frozen": frozen,
}


def make(name, dtype, n=5, side=8):
    torch.manual_seed(0)
    net = NETS[name]()
    x = torch.randn(n, 3, side, side)
    net(x.repeat(2, 1, 1, 1))  # lazy layers
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
        elif isinstance(module, nn.LayerNorm | nn.GroupNorm):
            for parameter in module.parameters():
                nn.init.normal_(parameter)
    return net.to(dtype), x.to(dtype)


def dense(net, x, reduce, names=None):
    """The kernel from the Jacobian [n, c, P] of the definition, by all parameters or those of the `names`."""
    net.eval()
    parameters = {name: p.detach() for name, p in net.named_parameters() if p.requires_grad}
    parameters = {name: parameters[name] for name in names or parameters}
    jacobian = jacrev(lambda p: functional_call(net, p, (x,)))(parameters)
    jacobian = torch.cat([j.flatten(2) for j in jacobian.values()], 2)
    if reduce == "trace":
        return torch.einsum("acp,bcp->ab", jacobian, jacobian)
    if reduce == "per_class":
        return torch.einsum("acp,bcp->cab", jacobian, jacobian)
    rows = jacobian.sum(1) if reduce == "sum_logits" else jacobian.flatten(0, 1)
    return rows @ rows.T


@pytest.mark.parametrize("name", ["layer norms", "group norms", "transformer", "transformer without norms"])
def test_norms_and_transformers_have_a_closed_form(name):
    net, x = make(name, torch.float64)
    assert ntk._plan(net.eval(), x, "trace", 2).dense == [{}]


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


@pytest.mark.parametrize(
    ("name", "reduce"), [*((name, "trace") for name in NETS), *(("residual", r) for r in ntk.REDUCTIONS)]
)
def test_a_layers_part_is_the_kernel_of_its_own_parameters_and_all_parts_make_the_kernel(name, reduce):
    net, x = make(name, torch.float64)
    known = layers.of(name for name, p in net.named_parameters() if p.requires_grad)
    parts = ntk.by_layer(net, x, known, reduce, chunk=3)
    assert [*parts] == [*known]
    for layer, part in parts.items():
        expected = dense(net, x, reduce, known[layer])
        assert (part - expected).norm() <= 1e-10 * expected.norm(), layer
        assert torch.equal(part, part.mT)
    assert relative(sum(parts.values()), ntk.empirical_ntk(net, x, reduce, chunk=3)) < 1e-12


def test_a_parameter_that_another_module_uses_belongs_to_the_layer_that_names_it():
    """Two linear layers share a weight, of which only the second is used: the weight is the first one's."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, CLASSES), nn.Linear(192, CLASSES)).double()
    net[2].weight = net[1].weight
    net.forward = lambda x: net[2](net[0](x))
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    parts = ntk.by_layer(net, x, layers.of(name for name, _ in net.named_parameters()))
    torch.testing.assert_close(parts["1"], CLASSES * x.flatten(1) @ x.flatten(1).T)
    torch.testing.assert_close(parts["2"], torch.full_like(parts["2"], CLASSES))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("reduce", ntk.REDUCTIONS)
@pytest.mark.parametrize("name", NETS)
def test_equals_the_dense_kernel(name, reduce, dtype):
    net, x = make(name, dtype)
    kernel = ntk.empirical_ntk(net, x, reduce, chunk=3)
    assert kernel.dtype == dtype
    assert relative(kernel, dense(net, x, reduce)) <= TOLERANCE[dtype]


@pytest.mark.parametrize(
    ("name", "side", "options"),
    [
        *(("resnet8", 8, {"width": 16, "shortcut": "B", "norm": norm}) for norm in ("batch", "layer", "group", "none")),
        *(("vgg11", 32, {"width": 0.06, "norm": norm}) for norm in ("batch", "layer", "group", "none")),
        *(("vit", 8, {"patch": 2, "width": 8, "heads": 2, "norm": norm}) for norm in ("layer", "none")),
    ],
)
def test_networks_with_any_norm_have_a_closed_form_that_equals_the_dense_kernel(monkeypatch, name, side, options):
    monkeypatch.setitem(NETS, name, lambda: models.build(name, CLASSES, 3, side, **options))
    net, x = make(name, torch.float64, side=side)
    assert ntk._plan(net.eval(), x, "full", 3).dense == [{}]
    assert relative(ntk.empirical_ntk(net, x, "full", chunk=3), dense(net, x, "full")) <= TOLERANCE[torch.float64]


@pytest.mark.parametrize("limit", [1, 40, 200])
def test_groups_of_other_parameters_agree(monkeypatch, limit):
    monkeypatch.setattr(ntk, "DENSE_SLICE", limit)
    net, x = make("tokens", torch.float64)
    assert relative(ntk.empirical_ntk(net, x, "full", chunk=3), dense(net, x, "full")) <= 1e-10


def test_sequence_as_long_as_the_chunk():
    net, x = make("tokens, sequence first", torch.float64)
    kernel = ntk.empirical_ntk(net, x, chunk=5)  # five tokens, too
    assert relative(kernel, dense(net, x, "trace")) <= 1e-10


@pytest.mark.parametrize("path", ["positions", "convolution", "jacobian"])
@pytest.mark.parametrize(
    ("limit", "memory_format"),
    [(1, torch.contiguous_format), (50, torch.channels_last), (2**16, torch.contiguous_format)],
)
@pytest.mark.parametrize(
    ("name", "reduce"), [("convolutions", "trace"), ("residual", "full"), ("grouped", "per_class")]
)
def test_contractions_agree(monkeypatch, name, reduce, limit, path, memory_format):
    taken = set()
    for kind in ("positions", "by_convolution", "jacobian"):
        method = getattr(ntk._Contraction, f"_contract_{kind}")

        def contract(self, *args, kind=kind, method=method):
            taken.add(kind)
            method(self, *args)

        monkeypatch.setattr(ntk._Contraction, f"_contract_{kind}", contract)
    positions = path == "positions" and name != "grouped"
    by_convolution = path == "convolution" and reduce != "full"
    monkeypatch.setattr(ntk, "SLICE", limit)
    monkeypatch.setattr(ntk, "_prefers_positions", lambda *_: positions)
    monkeypatch.setattr(
        ntk, "_prefers_convolution", lambda layer, _: by_convolution and isinstance(layer.module, nn.Conv2d)
    )
    net, x = make(name, torch.float64)
    kernel = ntk.empirical_ntk(net, x.to(memory_format=memory_format), reduce, chunk=4)
    assert relative(kernel, dense(net, x, reduce)) <= 1e-10
    assert taken == ({"positions"} if positions else {"by_convolution", "jacobian"} if by_convolution else {"jacobian"})


@settings(max_examples=25, deadline=None, derandomize=True)
@given(name=st.sampled_from(["convolutions", "residual", "shared"]), n=st.integers(1, 7), data=st.data())
def test_chunks_change_nothing(name, n, data):
    reduce = data.draw(st.sampled_from(ntk.REDUCTIONS))
    chunk = data.draw(st.integers(1, n))
    net, x = make(name, torch.float64, n)
    assert relative(ntk.empirical_ntk(net, x, reduce, chunk), ntk.empirical_ntk(net, x, reduce, 2 * n)) <= 1e-12


@pytest.mark.parametrize("chunk", [2, 5])
@pytest.mark.parametrize("name", ["convolutions", "residual", "tokens"])
def test_reductions_of_one_matrix(name, chunk):
    net, x = make(name, torch.float64)
    kernels = {reduce: ntk.empirical_ntk(net, x, reduce, chunk) for reduce in ntk.REDUCTIONS}
    n = len(x)
    assert {reduce: tuple(h.shape) for reduce, h in kernels.items()} == {
        "trace": (n, n),
        "sum_logits": (n, n),
        "per_class": (CLASSES, n, n),
        "full": (n * CLASSES, n * CLASSES),
    }
    full = kernels["full"].view(n, CLASSES, n, CLASSES)
    assert relative(kernels["trace"], torch.einsum("acbc->ab", full)) <= 1e-12
    assert relative(kernels["trace"], kernels["per_class"].sum(0)) <= 1e-12
    assert relative(kernels["per_class"], torch.einsum("acbc->cab", full)) <= 1e-12
    assert relative(kernels["sum_logits"], full.sum((1, 3))) <= 1e-12
    for kernel in kernels.values():
        assert torch.equal(kernel, kernel.mT)
        values = torch.linalg.eigvalsh(kernel)
        assert (values[..., 0] >= -1e-12 * values[..., -1]).all()


@pytest.mark.parametrize("name", ["convolutions", "residual", "tokens", "shared"])
def test_model_is_left_as_it_was(name):
    net, x = make(name, torch.float32)
    net.train()
    next(iter(net.children())).eval()
    flags = [module.training for module in net.modules()]
    state = {key: value.clone() for key, value in net.state_dict().items()}
    before = x.clone()
    with torch.no_grad():
        kernel = ntk.empirical_ntk(net, x, chunk=2)
        assert not torch.is_grad_enabled()
    ntk.cost(net, x)
    assert flags == [module.training for module in net.modules()]
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert torch.equal(x, before)
    assert not kernel.requires_grad


def test_inputs_follow_the_parameters():
    net, x = make("residual", torch.float64)
    assert ntk.empirical_ntk(net, x.float()).dtype == torch.float64
    pixels = torch.randint(0, 256, x.shape, dtype=torch.uint8)
    assert relative(ntk.empirical_ntk(net, pixels), dense(net, pixels.double(), "trace")) <= 1e-10


class Largest(TorchDispatchMode):
    """The largest tensor that any operation makes."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **kwargs or {})
        for value in result if isinstance(result, tuple | list) else [result]:
            if isinstance(value, torch.Tensor) and not func.is_view:
                self.numel = max(self.numel, value.numel())
        return result


@pytest.mark.parametrize("reduce", ntk.REDUCTIONS)
def test_jacobian_is_never_whole(monkeypatch, reduce):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.Tanh(), nn.Conv2d(16, 64, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(256, CLASSES)
    )
    monkeypatch.setattr(ntk, "SLICE", 2**11)
    n, chunk = 12, 2
    with Largest() as largest:
        ntk.empirical_ntk(net, torch.randn(n, 3, 8, 8), reduce, chunk)
    weights = max(p.numel() for p in net.parameters())
    activations = 2 * chunk * CLASSES * 16 * 36
    assert largest.numel <= max(weights, activations, 2 * chunk * ntk.SLICE, (n * CLASSES) ** 2)
    assert largest.numel < n * sum(p.numel() for p in net.parameters()) / 10


def operations(net, x, reduce, chunk):
    in_place = {torch.ops.aten.addmm_: lambda _, a, b, **__: 2 * a[0] * a[1] * b[1]}
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
        ntk.empirical_ntk(net, x, reduce, chunk)
    return counter.get_total_flops()


def test_trace_is_linear_in_the_classes():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.AvgPool2d(4), nn.Flatten()).double()
    x = torch.randn(8, 3, 8, 8)
    few, many = (operations(nn.Sequential(trunk, nn.Linear(4, c).double()), x, "trace", 8) for c in (5, 20))
    assert many <= 4.2 * few


@pytest.mark.parametrize("chunk", [4, 12])
@pytest.mark.parametrize("reduce", ntk.REDUCTIONS)
@pytest.mark.parametrize("name", ["convolutions", "residual"])
def test_cost_counts_the_operations(name, reduce, chunk):
    net, x = make(name, torch.float64, 12)
    counted = operations(net, x, reduce, chunk)
    assert ntk.cost(net, x, reduce, chunk)["flops"] == pytest.approx(counted, rel=0.15)


def test_memory_follows_the_chunk():
    net, x = make("residual", torch.float32, 64)
    small, large = (ntk.cost(net, x, "trace", chunk)["peak_bytes"] for chunk in (4, 8))
    kernel = 2 * 4 * 64**2
    assert 1.9 <= (large - kernel) / (small - kernel) <= 2.3
    assert ntk.cost(net, x, "full", 8)["peak_bytes"] > large


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"reduce": "mean"}, "reduce is 'mean', expected one of trace"), ({"chunk": 0}, "chunk is 0")],
)
def test_wrong_arguments(arguments, message):
    net, x = make("linear", torch.float32)
    with pytest.raises(ValueError, match=message):
        ntk.empirical_ntk(net, x, **arguments)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.Flatten(), "no trainable parameter"),
        (nn.Conv2d(3, 4, 3), r"maps 2 inputs to \(2, 4, 6, 6\), expected logits \[2, c\]"),
        (nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.Flatten()), "batch norm '0' has no running"),
    ],
)
def test_models_without_a_kernel(net, message):
    net.train()
    with pytest.raises(ValueError, match=message):
        ntk.empirical_ntk(net, torch.randn(2, 3, 8, 8))
    assert net.training


def test_unused_parameters_only():
    net = nn.Flatten()
    net.unused = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="depend on none"):
        ntk.empirical_ntk(net, torch.randn(2, 3, 8, 8))


def test_no_input():
    net, x = make("linear", torch.float32)
    with pytest.raises(ValueError, match="no sample"):
        ntk.empirical_ntk(net, x[:0])
