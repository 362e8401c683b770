"""The other sides: what a user without this workflow would write today, from the libraries' own tutorials."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, vmap
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from twophase.torchvision_ops import import_torchvision

import_torchvision()
from torchvision import transforms  # noqa: E402  (as soon as the import is sure to work)


def _parts(model: nn.Module) -> tuple[Callable, dict[str, Tensor]]:
    """f(parameters, x) of one input x, and the parameters: how the `torch.func` tutorials begin."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    buffers = dict(model.named_buffers())

    def one(parameters, x):
        return functional_call(model, (parameters, buffers), (x.unsqueeze(0),)).squeeze(0)

    return one, parameters


def tutorial_ntk(model: nn.Module, left: Tensor, right: Tensor) -> Tensor:
    """Trace of the NTK [n, m] as in torch's tutorial "Neural Tangent Kernels": a Jacobian for each argument."""
    one, parameters = _parts(model)
    jacobians_l = [j.flatten(2) for j in vmap(jacrev(one), (None, 0))(parameters, left).values()]
    jacobians_r = [j.flatten(2) for j in vmap(jacrev(one), (None, 0))(parameters, right).values()]
    return _trace(jacobians_l, jacobians_r)


def tutorial_ntk_once(model: nn.Module, inputs: Tensor) -> Tensor:
    """The same kernel [n, n] of the inputs with themselves, from one Jacobian."""
    one, parameters = _parts(model)
    jacobians = [j.flatten(2) for j in vmap(jacrev(one), (None, 0))(parameters, inputs).values()]
    return _trace(jacobians, jacobians)


def _trace(left: list[Tensor], right: list[Tensor]) -> Tensor:
    products = [torch.einsum("Naf,Maf->NM", l, r) for l, r in zip(left, right, strict=True)]  # noqa: E741
    return torch.stack(products).sum(0)


def ntk_of_logit(model: nn.Module, inputs: Tensor, logit: int) -> Tensor:
    """One class's kernel [n, n] from per-sample gradients; their sum over classes is the trace, in less memory."""
    one, parameters = _parts(model)
    gradients = vmap(grad(lambda p, x: one(p, x)[logit]), (None, 0))(parameters, inputs).values()
    return torch.stack([(g := j.flatten(1)) @ g.T for j in gradients]).sum(0)


def nngeometry_ntk(model: nn.Module, inputs: Tensor) -> Tensor:
    """Trace of the NTK [n, n] from nngeometry's Jacobian [c, n, P]; its own Gram matrix is the full one."""
    from nngeometry import Jacobian

    loader = DataLoader(torch.utils.data.TensorDataset(inputs), batch_size=len(inputs))
    jacobian = Jacobian(model, loader).to_torch()
    return torch.einsum("knp,kmp->nm", jacobian, jacobian)


def cosine_pair(path_i: Path, path_j: Path, names: Sequence[str]) -> float:
    """1 - cos of the named arrays of two files, in float64."""
    files = [load_file(path) for path in (path_i, path_j)]
    a, b = (np.concatenate([file[name].ravel() for name in names]).astype(np.float64) for file in files)
    return 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def disagreement_pair(path_i: Path, path_j: Path) -> float:
    """Share of differing entries of two files' predictions."""
    a, b = (load_file(path)["predictions"] for path in (path_i, path_j))
    return float((a != b).mean())


class Images(Dataset):
    """uint8 images [N, C, H, W] handed out one by one through a transform, as torchvision's data sets do."""

    def __init__(self, images: Tensor, labels: Tensor, transform: Callable):
        self.images, self.labels, self.transform = images.permute(0, 2, 3, 1).numpy(), labels, transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.images[index]
        image = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        return self.transform(image), int(self.labels[index])


def per_image(data, crop: int = 0, flip: bool = False) -> transforms.Compose:
    """The usual transforms of one image: crop, flip, to tensor, normalise."""
    augment = [transforms.RandomCrop(data.train_images.shape[-1], padding=crop)] if crop else []
    augment += [transforms.RandomHorizontalFlip()] if flip else []
    mean, std = (statistics.flatten().tolist() for statistics in (data.mean, data.std))
    return transforms.Compose([*augment, transforms.ToTensor(), transforms.Normalize(mean, std)])


def train(model: nn.Module, optimizer: torch.optim.Optimizer, batches) -> list[float]:
    """The usual loop over `batches` of inputs and labels; returns the losses."""
    model.train()
    losses = []
    for inputs, labels in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def mean_loss(model: nn.Module, batches) -> float:
    """Mean cross-entropy over `batches` of inputs and labels."""
    model.eval()
    total = count = 0
    for inputs, labels in batches:
        total += cross_entropy(model(inputs), labels, reduction="sum").item()
        count += len(labels)
    return total / count


def barrier(model: nn.Module, path_i: Path, path_j: Path, alphas: int, batches, read: Callable) -> float:
    """Loss barrier of two checkpoints: load, interpolate and evaluate for each alpha, the ends included."""
    state_i, state_j = read(path_i), read(path_j)
    losses = []
    for alpha in torch.linspace(0, 1, alphas).tolist():
        model.load_state_dict(
            {name: torch.lerp(state_j[name].float(), state_i[name].float(), alpha) for name in state_i}
        )
        losses.append(mean_loss(model, batches))
    return max(losses) - (losses[0] + losses[-1]) / 2


def resident(inputs: Tensor, labels: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    """Batches of a test set that is in memory, already normalised."""
    return list(zip(inputs.split(size), labels.split(size), strict=True))


def replayed(data, image: Tensor, top: int, left: int, mirrored: bool, crop: int) -> Tensor:
    """One image [C, H, W] through torchvision's own crop, flip, to tensor and normalise, for given draws."""
    f = transforms.functional
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    if crop:
        picture = f.crop(f.pad(picture, crop), top, left, *image.shape[1:])
    if mirrored:
        picture = f.hflip(picture)
    tensor = f.to_tensor(picture)
    return f.normalize(tensor, data.mean.flatten().tolist(), data.std.flatten().tolist())
