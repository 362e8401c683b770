"""What sets a fork apart from its base run: the perturbation epsilon (2505.13900, chaos effect), or new noise."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from twophase.errors import UserError
from twophase.files.layout import Fork
from twophase.training import noise

NORMS = ("per_coordinate", "l2", "linf", "relative", "initial", "single_weight")


@dataclass(frozen=True)
class Perturbation:
    """What a fork's epsilon is drawn from, and whether it shares the base run's noise.

    The papers write |epsilon|_0 = 1e-7, which cannot be an L0 norm. `norm` chooses the reading of `size`:

    - `per_coordinate`: independent Gaussian coordinates of standard deviation `size`.
    - `l2`: Gaussian direction, Euclidean norm `size`.
    - `linf`: independent coordinates of +size or -size.
    - `relative`: Gaussian direction, Euclidean norm `size` times that of theta.
    - `initial`: Gaussian direction, Euclidean norm `size` times that of the initialisation.
    - `single_weight`: one coordinate, drawn uniformly, moved by +size or -size.

    Attributes:
        direction: `random`, or `gradient`: that of the gradient at t0 in place of a Gaussian one.
        where: names of the parameters that are perturbed, of which all of the above is said; empty for all of them.
        initial: their Euclidean norm at initialisation.
        noise: as the config's `chaos.noise`.
    """

    norm: str
    size: float
    direction: str = "random"
    where: tuple[str, ...] = ()
    initial: float = 1.0
    noise: str = "shared"


def matching(patterns: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The names of parameters that patterns stand for, in the network's order; all of them where there is no pattern.

    Args:
        patterns: names, or patterns of names as of files, such as `conv1.*`.
        names: of the network's trainable parameters.

    Raises:
        UserError: a pattern stands for none; gives the nearest names.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            close = difflib.get_close_matches(pattern, names, 3, cutoff=0.0)
            raise UserError(
                f"chaos.where: {pattern!r} is no trainable parameter of this network; the nearest are "
                f"{', '.join(close)}. A pattern such as 'conv1.*' stands for all that fit."
            )
    return tuple(name for name in names if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns))


def length(parameters: Mapping[str, np.ndarray], names: Sequence[str]) -> float:
    """The Euclidean norm of the parameters of these names together, in float64."""
    return float(np.sqrt(sum(float(np.vdot(a, a)) for a in (parameters[name].astype(np.float64) for name in names))))


def perturb(
    parameters: Mapping[str, np.ndarray],
    perturbation: Perturbation,
    seed: int,
    fork: Fork,
    gradient: Mapping[str, np.ndarray] | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """theta' = theta + epsilon on the trainable parameters, rounded to their dtype as training will see it.

    Args:
        parameters: name -> array, those of theta_t0 that are perturbed.
        seed, fork: name the draw; nothing else enters. The epsilon of a control is 0.
        gradient: at t0, of the same names, where that is the direction.

    Returns:
        the perturbed parameters, and what became of epsilon: `requested` and `realised` l2 norm, `changed`, the share
        of coordinates that rounding left different from theta.

    Raises:
        UserError: the gradient is 0 or not finite and has no direction, or `size` is a share of a length of 0.
    """
    norm, size = perturbation.norm, 0.0 if fork.is_control else perturbation.size
    rng = noise.generator(seed, "perturbation", fork.t0, 0 if fork.is_control else fork.draw)
    theta = {name: array.astype(np.float64) for name, array in parameters.items()}
    count = sum(array.size for array in theta.values())

    if norm == "linf":
        epsilon = rng.choice([-size, size], size=count)
    elif norm == "single_weight":
        epsilon = np.zeros(count)
        epsilon[rng.integers(count)] = rng.choice([-size, size])
    else:
        if perturbation.direction == "gradient":
            epsilon = np.concatenate([gradient[name].astype(np.float64).ravel() for name in theta])
        else:
            epsilon = rng.standard_normal(count)
        along = np.linalg.norm(epsilon)
        if not 0 < along < np.inf:
            raise UserError(
                f"chaos.direction: the gradient at t0 = {fork.t0} has length {along:g} and no direction. Take another "
                "t0, other parameters (chaos.where), or direction: random."
            )
        units = {"relative": length(theta, list(theta)), "initial": perturbation.initial}
        if units.get(norm) == 0:
            raise UserError(
                f"chaos.norm: {norm} takes size as a share of the length of the parameters that are perturbed, and "
                f"they are all 0 (t0 = {fork.t0}). Take norm: l2, or other parameters (chaos.where)."
            )
        scale = {"per_coordinate": size, "l2": size / along} | {
            name: size * unit / along for name, unit in units.items()
        }
        epsilon *= scale[norm]

    perturbed, start, squares, changed = {}, 0, 0.0, 0
    for name, array in theta.items():
        part = epsilon[start : start + array.size].reshape(array.shape)
        start += array.size
        perturbed[name] = (array + part).astype(parameters[name].dtype)
        realised = perturbed[name].astype(np.float64) - array
        squares += float(np.vdot(realised, realised))
        changed += np.count_nonzero(realised)
    return perturbed, {
        "requested": float(np.linalg.norm(epsilon)),
        "realised": float(np.sqrt(squares)),
        "changed": changed / count,
    }
