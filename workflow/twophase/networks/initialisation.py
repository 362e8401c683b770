"""How networks start. Random numbers come from torch's global generator: whoever calls this seeds it."""

from torch import nn


def initialise(net: nn.Module, init: str, bn_gamma: str) -> None:
    """Sets the weights of a network that torch has just made, in place.

    Every normal distribution is that of He et al. 2015 for ReLU, of variance 2/fan.

    Args:
        init: torch (leaves all as it is) | kaiming_convolutions (convolutions by fan-in, without biases; linear layers
            stay torch's) | kaiming_fan_in (convolutions and linear layers by fan-in; biases stay torch's) |
            kaiming_fan_out (convolutions by fan-out, linear layers of standard deviation 0.01, all without biases)
        bn_gamma: scales of the batch, layer or group norms, ones | uniform in [0, 1). They are drawn after all other
            weights.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _weights(module, init)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm) and bn_gamma == "uniform":
            nn.init.uniform_(module.weight)


def _weights(module: nn.Conv2d | nn.Linear, init: str) -> None:
    linear = isinstance(module, nn.Linear)
    if init == "torch" or (init == "kaiming_convolutions" and linear):
        return
    if init == "kaiming_fan_out" and linear:
        nn.init.normal_(module.weight, std=0.01)
    else:
        mode = "fan_out" if init == "kaiming_fan_out" else "fan_in"
        nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
    if init != "kaiming_fan_in" and module.bias is not None:
        nn.init.zeros_(module.bias)
