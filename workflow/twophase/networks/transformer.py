"""A small transformer: whether what the papers find needs images, convolutions or batch norms (it is in neither paper).

Like all of `models` it runs under `torch.func`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TransformerBlock(nn.Module):
    """Attention to earlier positions, then a perceptron at each, both added to what they read: [N, L, width] -> same.

    A layer norm, where there is one, comes first in either branch.
    """

    def __init__(self, width: int, heads: int, layer_norm: bool):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = (nn.LayerNorm(width) if layer_norm else nn.Identity() for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.out(self.attention(*self.qkv(self.norm1(x)).chunk(3, -1)))
        return x + self.down(F.gelu(self.up(self.norm2(x))))

    def attention(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """softmax(Q K^T / sqrt(d)) V of each head, later positions left out: three of [N, L, width] -> one."""
        # As the formula says: torch's fused kernels have no forward derivative, and do not stack.
        query, key, value = (t.unflatten(-1, (self.heads, -1)).transpose(-3, -2) for t in (query, key, value))
        scores = query @ key.mT / query.shape[-1] ** 0.5
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        return (scores.masked_fill(later, -torch.inf).softmax(-1) @ value).transpose(-3, -2).flatten(-2)


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

    def __init__(
        self, num_classes: int, in_channels: int, length: int, width: int, depth: int, heads: int, layer_norm: bool
    ):
        super().__init__()
        # The product with one-hot vectors of character and position is the sum of two learned embeddings. As a linear
        # layer it stacks, and has the kernel's closed form, like the others.
        self.embedding = nn.Linear(in_channels + length, width, bias=False)
        nn.init.normal_(self.embedding.weight)
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads, layer_norm) for _ in range(depth)))
        self.norm = nn.LayerNorm(width) if layer_norm else nn.Identity()
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).mT
        places = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).expand(len(x), -1, -1)
        x = self.blocks(self.embedding(torch.cat([x, places], 2)))
        return self.head(self.norm(x[:, -1]))
