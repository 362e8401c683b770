"""Small transformers, in neither paper: whether what the papers find needs images, convolutions or batch norms.

Like all of `models` they run under `torch.func`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TransformerBlock(nn.Module):
    """Attention, then a perceptron at each position, both added to what they read: [N, L, width] -> same.

    A layer norm, where there is one, comes first in either branch.

    Args:
        causal: whether positions attend to earlier ones alone, and themselves.
    """

    def __init__(self, width: int, heads: int, layer_norm: bool, causal: bool):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm1, self.norm2 = (nn.LayerNorm(width) if layer_norm else nn.Identity() for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.out(self.attention(*self.qkv(self.norm1(x)).chunk(3, -1)))
        return x + self.down(F.gelu(self.up(self.norm2(x))))

    def attention(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """softmax(Q K^T / sqrt(d)) V of each head, if causal without later positions: three of [N, L, width] -> one."""
        # As the formula says: torch's fused kernels have no forward derivative, and do not stack.
        query, key, value = (t.unflatten(-1, (self.heads, -1)).transpose(-3, -2) for t in (query, key, value))
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if self.causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        return (scores.softmax(-1) @ value).transpose(-3, -2).flatten(-2)


def with_places(x: Tensor) -> Tensor:
    """Appends to what is at each position the one-hot vector of the position: [N, L, K] -> [N, L, K + L].

    The product with a matrix is then the sum of two embeddings, of what is there and of the place, both learned. As one
    linear layer they stack, and have the kernel's closed form, like the others.
    """
    places = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).expand(len(x), -1, -1)
    return torch.cat([x, places], 2)


class Transformer(nn.Module):
    """A decoder-only transformer (GPT's, with the norms first) that predicts what follows: [N, c, 1, L] -> [N, c].

    Args:
        num_classes, in_channels: characters; the inputs are one-hot vectors along the channels.
        length: L, positions of a context.
        width: numbers for each position, `heads` times those of a head.
        depth: number of blocks.
        layer_norm: whether blocks and head read layer norms of the positions.

    All weights start as torch makes them, those of the embedding as its embeddings.
    """

    causal = True

    def __init__(
        self, num_classes: int, in_channels: int, length: int, width: int, depth: int, heads: int, layer_norm: bool
    ):
        super().__init__()
        self.embedding = nn.Linear(in_channels + length, width, bias=False)
        nn.init.normal_(self.embedding.weight)
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads, layer_norm, self.causal) for _ in range(depth)))
        self.norm = nn.LayerNorm(width) if layer_norm else nn.Identity()
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.embedding(with_places(x.flatten(2).mT)))
        return self.head(self.norm(x[:, -1]))


class VisionTransformer(Transformer):
    """A vision transformer (Dosovitskiy et al. 2021) that averages over positions: [N, C, H, W] -> [N, c].

    The mean, after the last layer norm, is the head's input, as in Beyer et al. 2022 (Better plain ViT baselines), who
    find it as good as a class token. Positions are learned.

    Args:
        size: pixels (H, W), both multiples of `patch`.
        patch: side in pixels of the squares that are the L = HW/patch^2 positions.
        shape: width, depth, heads and layer_norm of `Transformer`.

    All weights start as torch makes them, those of positions normal of standard deviation 0.02.
    """

    causal = False

    def __init__(self, num_classes: int, in_channels: int, size: tuple[int, int], patch: int, **shape: int | bool):
        pixels, length = in_channels * patch**2, size[0] * size[1] // patch**2
        super().__init__(num_classes, pixels, length, **shape)
        self.patch = patch
        of_pixels, of_places = self.embedding.weight.detach().split([pixels, length], 1)
        nn.init.uniform_(of_pixels, -(pixels**-0.5), pixels**-0.5)  # as torch makes a layer of so many inputs
        nn.init.normal_(of_places, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.embedding(with_places(self.patches(x))))
        return self.head(self.norm(x).mean(1))

    def patches(self, x: Tensor) -> Tensor:
        """Squares of an image, row by row: [N, C, H, W] -> [N, L, C patch^2]."""
        x = x.unflatten(3, (-1, self.patch)).unflatten(2, (-1, self.patch))
        return x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
