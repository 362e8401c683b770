"""The linearized network: the tangent at the switch, as a function and in training."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from helpers import checkpoint, data, net, run, settings
from twophase.files import layout, storage
from twophase.networks import evaluation, models
from twophase.networks import state as network_state
from twophase.training import loop, noise
from twophase.training.linearized import PREFIX, Linearized, initial_state


def smooth(seed=0, dtype=torch.float64):
    """A network without kinks, so that finite differences converge."""
    return net(seed, dtype, activation=nn.Tanh())


def inputs(n=5, dtype=torch.float64):
    return torch.randn(n, 1, 6, 6, dtype=dtype, generator=torch.Generator().manual_seed(1))


def directions(model, count=1, scale=0.1):
    torch.manual_seed(7)
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    return [{name: scale * torch.randn_like(p) for name, p in named.items()} for _ in range(count)]


def move(model, direction, factor=1.0):
    """theta + factor * direction, in place."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in direction:
                p.add_(factor * direction[name])


def moved(network, direction, factor=1.0):
    tangent = Linearized(network)
    move(network, direction, factor)
    return tangent


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
@pytest.mark.parametrize("name", ["net", "resnet8", "lenet5", "transformer"])
def test_at_the_switch_it_is_the_network(name, dtype, tolerance):
    torch.manual_seed(0)
    if name == "net":
        network, x = net(dtype=dtype), inputs(dtype=dtype)
    else:
        options = {"width": 2} if name == "resnet8" else {}
        network, x = models.build(name, 4, 1, 12, **options).to(dtype), torch.randn(5, 1, 12, 12).to(dtype)
    tangent = Linearized(network)
    torch.testing.assert_close(tangent(x), network.eval()(x), rtol=tolerance, atol=tolerance)


def test_its_derivative_along_a_direction_is_the_networks():
    network, x = smooth().eval(), inputs()
    (v,) = directions(network)
    value = network(x).detach()
    central = []
    for h in (1e-4, 5e-5):
        move(network, v, h)
        ahead = network(x).detach()
        move(network, v, -2 * h)
        central.append((ahead - network(x).detach()) / (2 * h))
        move(network, v, h)
    slope = (4 * central[1] - central[0]) / 3  # Richardson
    step = moved(network, v)(x) - value
    assert step.abs().max() > 0.05
    torch.testing.assert_close(step.detach(), slope, rtol=1e-8, atol=1e-10)


def test_its_output_is_linear_in_theta():
    network, x = smooth(), inputs()
    u, v = directions(network, 2)
    tangent = Linearized(network)
    f = tangent(x).detach()

    def at(a, b):
        move(network, u, a)
        move(network, v, b)
        output = tangent(x).detach()
        move(network, v, -b)
        move(network, u, -a)
        return output - f

    along_u, along_v = at(1, 0), at(0, 1)
    assert min(along_u.abs().max(), along_v.abs().max()) > 0.05
    torch.testing.assert_close(at(2.5, -40.0), 2.5 * along_u - 40 * along_v, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("model", ["net", "resnet8"])
def test_its_gradient_is_j_transposed_times_the_residual(model):
    """At theta, off the switch: J of the switch, residual of the linearized output."""
    if model == "net":
        network, x = net(dtype=torch.float64), inputs()
    else:
        torch.manual_seed(2)
        network, x = models.build("resnet8", 3, 1, 6, width=2).double(), inputs()
    labels = torch.tensor([0, 1, 2, 1, 0])
    (v,) = directions(network)
    point = {name: p.detach().clone() for name, p in network.named_parameters()}
    buffers = {name: b.clone() for name, b in network.named_buffers()}
    network.eval()
    _, pull_back = torch.func.vjp(lambda p: torch.func.functional_call(network, (p, buffers), (x,)), point)

    tangent = moved(network, v)
    outputs = tangent(x)
    cross_entropy(outputs, labels).backward()
    residual = (outputs.detach().softmax(1) - nn.functional.one_hot(labels, 3)) / len(labels)
    (expected,) = pull_back(residual)
    for name, p in network.named_parameters():
        torch.testing.assert_close(p.grad, expected[name], rtol=1e-10, atol=1e-12)
    assert sum(float(g.abs().sum()) for g in expected.values()) > 0


def test_its_gradient_against_finite_differences_of_its_loss():
    network, x, labels = smooth(), inputs(), torch.tensor([0, 1, 2, 1, 0])
    v, w = directions(network, 2)
    tangent = moved(network, v)
    cross_entropy(tangent(x), labels).backward()
    slope = sum(float((p.grad * w[name]).sum()) for name, p in network.named_parameters())
    losses = []
    for h in (1e-4, -2e-4):
        move(network, w, h)
        losses.append(float(cross_entropy(tangent(x), labels).detach()))
    assert slope == pytest.approx((losses[0] - losses[1]) / 2e-4, rel=1e-6)


def test_frozen_parameters_are_no_direction():
    network, x = smooth(), inputs()
    network.conv1.weight.requires_grad_(False)
    tangent = Linearized(network)
    assert "conv1.weight" not in tangent.point
    tangent(x).sum().backward()
    assert network.conv1.weight.grad is None
    assert network.fc.weight.grad is not None


def test_evaluation_without_gradients_gives_the_same_outputs():
    network, x = net(), inputs(dtype=torch.float32)
    (v,) = directions(network)
    tangent = moved(network, v)
    assert torch.equal(evaluation.logits(tangent, x), tangent(x).detach())


def test_training_mode_has_no_effect():
    network, x = net(dropout=0.5), inputs(dtype=torch.float32)
    tangent = Linearized(network)
    tangent.train()
    assert not any(module.training for module in tangent.modules())
    assert torch.equal(tangent(x), tangent(x))


# --- training

CONFIGS = {"sgd": settings(weight_decay=0.02), "adam": settings(optimizer="adam", lr=0.003)}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A base run of 14 iterations in float64 for each optimizer."""
    folders = {}
    for name, config in CONFIGS.items():
        folders[name] = tmp_path_factory.mktemp(name)
        run(folders[name], net(dtype=torch.float64), data(torch.float64), config, [0, 3, 6, 14])
    return folders


def switch(base, folder, config, momentum, t=3, stops=(3, 6, 14)):
    state = checkpoint(base, t)
    network = net(9, torch.float64)
    network_state.load_state(network, state)
    tangent = Linearized(network)
    run(folder, tangent, data(torch.float64), config, stops, start=t, initial=initial_state(state, momentum))
    return tangent


@pytest.mark.parametrize("momentum", ["carry", "reset"])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_switch_is_seamless_in_its_first_loss_and_its_state(bases, tmp_path, name, momentum):
    tangent = switch(bases[name], tmp_path, CONFIGS[name], momentum)
    base, start = checkpoint(bases[name], 3), checkpoint(tmp_path, 3)
    assert all(np.array_equal(start[PREFIX + key], base[key]) for key in tangent.network.state_dict())
    buffers = {key.replace(PREFIX, "") for key in start if key.startswith(layout.OPTIMIZER)}
    assert buffers == ({key for key in base if key.startswith(layout.OPTIMIZER)} if momentum == "carry" else set())
    for key in buffers:
        prefix, kind, parameter = key.split("/")
        assert np.array_equal(start[f"{prefix}/{kind}/{PREFIX}{parameter}"], base[key])

    # The first loss is the network's, in eval mode, on the batch of the base run.
    log = storage.read_table(tmp_path / "log.parquet")
    assert log["iteration"].tolist() == list(range(3, 15))
    network = net(dtype=torch.float64)
    network_state.load_state(network, base)
    x, labels = loop.batch(data(torch.float64), CONFIGS[name], 3, 3)
    assert log["loss"][0] == pytest.approx(cross_entropy(network.eval()(x), labels).item(), rel=1e-12)


@pytest.mark.parametrize("momentum", ["carry", "reset"])
def test_the_first_step_carries_or_forgets_the_momentum(bases, tmp_path, momentum):
    config = CONFIGS["sgd"]
    switch(bases["sgd"], tmp_path, config, momentum, stops=(3, 4))
    base, after = checkpoint(bases["sgd"], 3), checkpoint(tmp_path, 4)
    network = net(dtype=torch.float64)
    network_state.load_state(network, base)
    x, labels = loop.batch(data(torch.float64), config, 3, 3)
    cross_entropy(network.eval()(x), labels).backward()
    for name, p in network.named_parameters():
        step = p.grad.numpy() + 0.02 * base[name]
        if momentum == "carry":
            step = step + 0.9 * base[f"optimizer/momentum_buffer/{name}"]
        np.testing.assert_allclose(after[PREFIX + name], base[name] - 0.05 * step, rtol=1e-9, atol=1e-12)


def test_the_first_step_of_adam_forgets_its_moments_and_their_age(bases, tmp_path):
    config = CONFIGS["adam"]
    switch(bases["adam"], tmp_path, config, "reset", stops=(3, 4))
    base, after = checkpoint(bases["adam"], 3), checkpoint(tmp_path, 4)
    network = net(dtype=torch.float64)
    network_state.load_state(network, base)
    x, labels = loop.batch(data(torch.float64), config, 3, 3)
    cross_entropy(network.eval()(x), labels).backward()
    for name, p in network.named_parameters():
        # A first step of Adam has both corrections cancel: lr times the gradient over its modulus.
        gradient = p.grad.numpy() + config["weight_decay"] * base[name]
        expected = base[name] - 0.003 * gradient / (np.abs(gradient) + 1e-8)
        np.testing.assert_allclose(after[PREFIX + name], expected, rtol=1e-7, atol=1e-10)


def test_training_leaves_buffers_and_the_point_alone_and_lowers_the_loss(bases, tmp_path):
    tangent = switch(bases["sgd"], tmp_path, CONFIGS["sgd"], "carry")
    base, last = checkpoint(bases["sgd"], 3), checkpoint(tmp_path, 14)
    for name, _ in tangent.network.named_buffers():
        assert np.array_equal(last[PREFIX + name], base[name])
    for name, value in tangent.point.items():
        assert np.array_equal(value.numpy(), base[name])
        assert not np.array_equal(last[PREFIX + name], base[name])
    x, labels = data(torch.float64).normalise(data().train_images), data().train_labels
    after = float(cross_entropy(evaluation.logits(tangent, x), labels))
    network_state.load_state(tangent.network, base)
    assert after < float(cross_entropy(evaluation.logits(tangent, x), labels))


def test_it_is_linear_regression_on_features_that_do_not_change(bases, tmp_path):
    """Two steps at once: the second gradient uses J of the switch, not of where training has got to."""
    config = CONFIGS["sgd"] | {"momentum": 0.0, "weight_decay": 0.0}
    switch(bases["sgd"], tmp_path, config, "reset", stops=(3, 5))
    network = net(dtype=torch.float64)
    network_state.load_state(network, checkpoint(bases["sgd"], 3))
    network.eval()
    point = {name: p.detach().clone() for name, p in network.named_parameters()}
    theta = point
    for t in (3, 4):
        x, labels = loop.batch(data(torch.float64), config, 3, t)
        f, pull_back = torch.func.vjp(lambda p, x=x: torch.func.functional_call(network, p, (x,)), point)
        moved_by = {name: theta[name] - point[name] for name in point}
        jacobian = torch.func.jacrev(lambda p, x=x: torch.func.functional_call(network, p, (x,)))(point)
        outputs = f + sum((jacobian[n].flatten(2) @ moved_by[n].flatten()) for n in point)
        (gradient,) = pull_back((outputs.softmax(1) - nn.functional.one_hot(labels, 3)) / len(labels))
        theta = {name: theta[name] - 0.05 * gradient[name] for name in point}
    after = checkpoint(tmp_path, 5)
    for name in point:
        np.testing.assert_allclose(after[PREFIX + name], theta[name].detach().numpy(), rtol=1e-10, atol=1e-12)


def test_initial_state_renames_the_buffers_with_their_parameters():
    state = {"fc.weight": np.zeros(2), "bn.running_mean": np.ones(2), "optimizer/exp_avg/fc.weight": np.ones(2)}
    assert initial_state(state, "carry").keys() == {
        "network.fc.weight", "network.bn.running_mean", "optimizer/exp_avg/network.fc.weight",
    }  # fmt: skip
    assert initial_state(state, "reset").keys() == {"network.fc.weight", "network.bn.running_mean"}


def test_batches_are_the_base_runs(bases, tmp_path, monkeypatch):
    asked = []
    original = noise.batch
    monkeypatch.setattr(noise, "batch", lambda seed, t, *rest: (asked.append((seed, t)), original(seed, t, *rest))[1])
    switch(bases["sgd"], tmp_path, CONFIGS["sgd"], "carry", stops=(3, 6))
    assert asked == [(3, 3), (3, 4), (3, 5)]


class Attentive(nn.Module):
    """Attention over the rows of an image, as torch computes it with a fused kernel where it may."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.encoder, self.fc = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(self.encoder(x[:, 0]).mean(1))


def test_the_tangent_of_attention_is_exact():
    torch.manual_seed(0)
    network, x = Attentive().double().eval(), inputs()
    (v,) = directions(network)
    value = network(x).detach()
    h, ends = 1e-4, []
    for factor in (h, -2 * h):
        move(network, v, factor)
        ends.append(network(x).detach())
    move(network, v, h)
    step = moved(network, v)
    output = step(x)
    assert (output - value).abs().max() > 0.01
    torch.testing.assert_close((output - value).detach(), (ends[0] - ends[1]) / (2 * h), rtol=1e-5, atol=1e-7)
    output.sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert torch.backends.mha.get_fastpath_enabled()
