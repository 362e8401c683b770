"""The norms behind convolutions: whether what the papers find is batch norm's (theirs have no other)."""

from torch import nn

GROUP = 8  # channels of a group norm


def norm_layer(norm: str, channels: int) -> nn.Module:
    """A norm with a gain and a bias for each channel, [N, C, H, W] -> [N, C, H, W].

    Args:
        norm: batch | layer (each image over C, H and W: a group norm of one group, Wu & He 2018) | group (each image
            over H, W and groups of 8 channels, with which Wu & He do as well as with 16 and 32, which leave a narrow
            network a single group) | none. Where 8 does not divide the channels, groups are of the next more that do.
    """
    match norm:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "layer":
            return nn.GroupNorm(1, channels)
        case "group":
            groups = max(g for g in range(1, max(1, channels // GROUP) + 1) if channels % g == 0)
            return nn.GroupNorm(groups, channels)
        case _:
            return nn.Identity()
