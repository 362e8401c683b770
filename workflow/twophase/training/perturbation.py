"""The perturbation epsilon that a fork starts from (2505.13900, section on the chaos effect)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from twophase.files.layout import Fork
from twophase.training import noise

NORMS = ("per_coordinate", "l2", "linf", "relative", "single_weight")


@dataclass(frozen=True)
class Perturbation:
    """What a fork's epsilon is drawn from.

    The papers write |epsilon|_0 = 1e-7, which cannot be an L0 norm. `norm` chooses the reading of `size`:

    - `per_coordinate`: independent Gaussian coordinates of standard deviation `size`.
    - `l2`: Gaussian direction, Euclidean norm `size`.
    - `linf`: independent coordinates of +size or -size.
    - `relative`: Gaussian direction, Euclidean norm `size` times that of theta.
    - `single_weight`: one coordinate, drawn uniformly, moved by +size or -size.
    """

    norm: str
    size: float


def perturb(
    parameters: Mapping[str, np.ndarray], perturbation: Perturbation, seed: int, fork: Fork
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """theta' = theta + epsilon on the trainable parameters, rounded to their dtype as training will see it.

    Args:
        parameters: name -> array, theta_t0.
        seed, fork: name the draw; nothing else enters. The epsilon of a control is 0.

    Returns:
        the perturbed parameters, and what became of epsilon: `requested` and `realised` l2 norm, `changed`, the share
        of coordinates that rounding left different from theta.
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
        epsilon = rng.standard_normal(count)
        length = np.linalg.norm(epsilon)
        scale = {
            "per_coordinate": size,
            "l2": size / length,
            "relative": size * np.sqrt(sum(float(np.vdot(a, a)) for a in theta.values())) / length,
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
