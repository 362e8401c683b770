"""Convolutions as matrix products in float32, to be compared with cuDNN's: on small channels those reach a tenth of it.

A convolution of inputs [b, C, H, W] is one product of its weights [K, C h w] and of the inputs' windows as columns
[C h w, b L]; so is the gradient by the weights, and that by the inputs is a convolution again.
"""

import torch
from torch import nn
from torch.nn.functional import pad


def columns(x, kernel, stride, padding):
    """Windows of x [b, C, H, W] as columns: [C h w, b L], L the number of places."""
    x = pad(x, (padding[1], padding[1], padding[0], padding[0]))
    b, channels, height, width = x.shape
    rows, places = (height - kernel[0]) // stride[0] + 1, (width - kernel[1]) // stride[1] + 1
    of_image, of_channel, down, right = x.stride()
    windows = x.as_strided(
        (channels, *kernel, b, rows, places),
        (of_channel, down, right, of_image, stride[0] * down, stride[1] * right),
    )
    return windows.reshape(channels * kernel[0] * kernel[1], b * rows * places), (rows, places)


class Product(torch.autograd.Function):
    """y = W * x for square kernels of odd size with padding to match; the backward convolution is for stride 1."""

    @staticmethod
    def forward(context, x, weight, stride, padding):
        cols, size = columns(x, weight.shape[2:], stride, padding)
        context.save_for_backward(cols, weight)
        context.about = x.shape, stride, padding
        return (weight.flatten(1) @ cols).view(len(weight), len(x), *size).transpose(0, 1).contiguous()

    @staticmethod
    def backward(context, g):
        cols, weight = context.saved_tensors
        shape, stride, padding = context.about
        flat = g.transpose(0, 1).reshape(len(weight), -1)
        by_weight = (flat @ cols.T).view_as(weight)
        by_input = None
        if context.needs_input_grad[0] and stride == (1, 1):
            turned = weight.flip(2, 3).transpose(0, 1)
            own, size = columns(g, weight.shape[2:], (1, 1), padding)
            by_input = (turned.flatten(1) @ own).view(shape[1], shape[0], *size).transpose(0, 1).contiguous()
        elif context.needs_input_grad[0]:
            by_input = torch.nn.grad.conv2d_input(shape, weight, g, stride, padding)
        return by_input, by_weight, None, None


class Convolution(nn.Conv2d):
    """A convolution without bias or groups, as matrix products."""

    def forward(self, x):
        return Product.apply(x, self.weight, self.stride, self.padding)


def as_products(model):
    """Turns the 3x3 convolutions of a network into `Convolution`, in place."""
    for module in model.modules():
        if type(module) is nn.Conv2d and module.bias is None and module.kernel_size == (3, 3) and module.groups == 1:
            module.__class__ = Convolution
    return model
