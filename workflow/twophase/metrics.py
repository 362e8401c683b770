"""C, S and D of all pairs of a block, and distances between single states. numpy only.

C (parameters) and S (kernels) are the same function, 1 - cos, of different vectors.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

ROUNDING = np.finfo(np.float64).eps
# An entry of a Gram matrix in difference form keeps at least six digits where its value is this many roundings large.
SAFE = 1e7

Parts = Callable[[], Iterator[np.ndarray]]


def dissimilarity(left: Parts, right: Parts | None = None) -> np.ndarray:
    """1 - cos of all pairs of vectors, in float64: C_ij of parameters, S_ij of kernels (Fort et al., 2020).

    Computed from |u_i - u_j|^2 / 2 of the unit vectors u. The squares come from one matrix product about a common
    centre; entries so small that the product's rounding could show are done again from the difference itself, so that
    a value of 1e-14 is as right as one of 0.1.

    Args:
        left: function that returns a fresh iterator over the vectors in parts [m, p], p summing to the dimension, so
            that a block of large networks need not be in memory whole.
        right: likewise [k, p]; by default the same vectors as `left`.

    Returns:
        [m, k]; NaN where a vector is 0 or not finite.
    """
    same = right is None
    right = right or left
    norm_l, norm_r = _norms(left), _norms(right)
    gram, square_l, square_r = 0.0, 0.0, 0.0
    for u, v in _unit_parts(left, right, norm_l, norm_r):
        centre = np.nan_to_num(u).mean(axis=0)  # a vector without direction spoils its own entries alone
        u, v = u - centre, v - centre
        gram = gram + u @ v.T
        square_l = square_l + np.einsum("mp,mp->m", u, u)
        square_r = square_r + np.einsum("kp,kp->k", v, v)
    scale = square_l[:, None] + square_r[None, :]
    values = (scale / 2 - gram).astype(np.float64)

    small = values < SAFE * ROUNDING * scale
    if same:
        np.fill_diagonal(values, np.where(np.isfinite(np.diag(values)), 0.0, np.nan))
        np.fill_diagonal(small, False)
        small = np.triu(small)
    rows, columns = np.nonzero(small)
    if len(rows):
        exact = np.zeros(len(rows))
        for u, v in _unit_parts(left, right, norm_l, norm_r):
            for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
                difference = u[i] - v[j]
                exact[k] += difference @ difference
        values[rows, columns] = exact / 2
    if same:
        upper = np.triu(values)
        values = upper + np.triu(values, 1).T
    return values


def _norms(parts: Parts) -> np.ndarray:
    total = 0.0
    for part in parts():
        part = part.astype(np.float64, copy=False)
        total = total + np.einsum("mp,mp->m", part, part)
    return np.sqrt(total)


def _unit_parts(left: Parts, right: Parts, norm_l, norm_r) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with np.errstate(invalid="ignore", divide="ignore"):
        for a, b in zip(left(), right(), strict=True):
            yield a.astype(np.float64) / norm_l[:, None], b.astype(np.float64) / norm_r[:, None]


def distance(pair: Parts) -> tuple[float, float]:
    """C and the Euclidean distance of two vectors, in float64, from their differences.

    Args:
        pair: function that returns a fresh iterator over both vectors in parts [2, p].
    """
    norms = _norms(pair)[:, None]
    square, unit_square = 0.0, 0.0
    for part in pair():
        a, b = part.astype(np.float64)
        square += float((a - b) @ (a - b))
        difference = a / norms[0] - b / norms[1]
        unit_square += float(difference @ difference)
    return unit_square / 2, float(np.sqrt(square))


def principal_coordinates(vectors: Parts, origin: int | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of vectors along the principal axes of their scatter, largest first.

    Args:
        vectors: as for `dissimilarity`, [m, p] parts.
        origin: index of the vector that the scatter is taken about; None for the mean.
        count: number of axes.

    Returns:
        coordinates [m, count] in the vectors' units, the last vector's made positive, and the share of the scatter
        along each axis [count].
    """
    gram = 0.0
    for part in vectors():
        part = part.astype(np.float64)
        part = part - (part.mean(axis=0) if origin is None else part[origin])
        gram = gram + part @ part.T
    values, axes = np.linalg.eigh(np.pad(gram, (0, count)))  # of fewer vectors than axes, the last axes are empty
    values, axes = np.maximum(values[::-1], 0), axes[: len(gram), ::-1]
    coordinates = axes[:, :count] * np.sqrt(values[:count])
    signs = np.where(coordinates[-1] < 0, -1.0, 1.0)
    return coordinates * signs, values[:count] / max(values.sum(), np.finfo(float).tiny)


def disagreement(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """D_ij, the share of test inputs whose predicted classes differ.

    Args:
        left: predicted classes [m, n].
        right: [k, n].

    Returns:
        [m, k]
    """
    return np.array([(row != right).mean(axis=1) for row in left])


def upper(values: np.ndarray, rows: Sequence[int], columns: Sequence[int]) -> dict[str, np.ndarray]:
    """The cells i <= j of a block as a table: i, j (iterations), value.

    Args:
        values: [m, k].
        rows, columns: iterations of the m rows and k columns.
    """
    i, j = np.meshgrid(np.asarray(rows), np.asarray(columns), indexing="ij")
    keep = i <= j
    return {"i": i[keep], "j": j[keep], "value": values[keep]}
