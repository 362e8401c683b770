"""What an experiment asks of its network is tried before it trains."""

import copy

import pytest
import torch
from torch import nn

from helpers import Net, data, settings
from twophase.errors import UserError
from twophase.training.setup import Experiment
from twophase.training.trial import trial

ASKED = {
    "barrier": {"grid": [0, 4], "metric": "loss"},
    "chaos": {"t0": [], "where": []},
    "kernel": {"grid": [0, 4], "forks": False, "reduce": "trace"},
    "linearized": {"switch": [0]},
}
WITHOUT = {"barrier": {"grid": []}, "kernel": {"grid": []}, "linearized": {"switch": []}}


def without(*parts: str) -> dict:
    return {part: options | (WITHOUT[part] if part in parts else {}) for part, options in ASKED.items()}


def experiment(network: nn.Module) -> Experiment:
    return Experiment(network, data(), settings(), 0)


class NoTangent(torch.autograd.Function):
    """The identity, with gradients and without a forward derivative."""

    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient


class NoGradient(NoTangent):
    @staticmethod
    def backward(context, gradient):
        raise NotImplementedError("has none")

    @staticmethod
    def jvp(context, tangent):
        return tangent


class With(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_a_network_that_can_have_all_is_left_as_it_was():
    network = Net()
    before, random = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    trial(experiment(network), ASKED)
    assert network.training
    assert torch.equal(torch.get_rng_state(), random)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("function", "part", "said"),
    [
        (NoTangent.apply, "linearized", r"no linearized training \(.*\)\. .* `linearized.switch`"),
        (NoGradient.apply, "kernel", r"no kernel \(NotImplementedError: has none\)\. .* `kernel.grid`"),
        (torch.log, "barrier", r"no barriers \(not all of it is finite\)\. .* `barrier.grid`"),
    ],
    ids=["no forward derivative", "no gradient", "not finite"],
)
def test_what_a_network_cannot_have_is_named_with_the_part_that_asks_for_it(function, part, said):
    network = Net(activation=With(function))
    with pytest.raises(UserError, match=said):
        trial(experiment(network), without(*WITHOUT.keys() - {part}))
    trial(experiment(network), without(*WITHOUT))  # not asked for, not tried


def test_parameters_to_perturb_that_the_network_lacks_are_named_before_it_trains():
    asked = without(*WITHOUT)
    trial(
        experiment(Net()), asked | {"chaos": {"t0": [0], "where": ["conv1.*", "fc.bias"]}, "barrier": asked["barrier"]}
    )
    with pytest.raises(
        UserError, match=r"^chaos\.where: 'con1\.weight' is no .* nearest are conv[12]\.weight, [^\n]*$"
    ):
        trial(experiment(Net()), asked | {"chaos": {"t0": [0], "where": ["conv1.*", "con1.weight"]}})


def test_forks_alone_ask_for_barriers_and_where_they_have_kernels_for_these():
    nan, no_gradient = (experiment(Net(activation=With(function))) for function in (torch.log, NoGradient.apply))
    nothing = without("barrier", "kernel", "linearized")
    forks = nothing | {"chaos": {"t0": [0], "where": []}}
    with pytest.raises(UserError, match="no barriers"):
        trial(nan, forks)
    trial(no_gradient, forks)
    with pytest.raises(UserError, match="no kernel"):
        trial(no_gradient, forks | {"kernel": {"grid": [], "forks": True, "reduce": "trace"}})
