"""C, S and D of all pairs of a block, and distances between single states. numpy only.

C (parameters) and S (kernels) are the same function, 1 - cos, of different vectors.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np

from twophase.files.layout import OPTIMIZER
from twophase.files.vectors import KINDS, VECTORS, kind

ROUNDING = np.finfo(np.float64).eps
# An entry of a Gram matrix in difference form keeps at least six digits where its value is this many roundings large.
SAFE = 1e7

OF_PAIR = (*(f"C_{vector}" for vector in VECTORS), "l2")  # what `between` returns

Parts = Callable[[], Iterator[np.ndarray]]


def dissimilarity(left: Parts, right: Parts | None = None) -> np.ndarray:
    """1 - cos of all pairs of vectors, in float64: C_ij of parameters, S_ij of kernels (Fort et al., 2020).

    Computed in difference form, (|a - b|^2 - (|a| - |b|)^2) / (2 |a| |b|), from one matrix product about a common
    centre, in one pass over the vectors; entries so small that the product's rounding could show are done again from
    the difference of the unit vectors itself, so that a value of 1e-14 is as right as one of 0.1.

    Args:
        left: function that returns a fresh iterator over the vectors in parts [m, p], p summing to the dimension, so
            that a block of large networks need not be in memory whole.
        right: likewise [k, p]; by default the same vectors as `left`.

    Returns:
        [m, k]; NaN where a vector is 0 or not finite.
    """
    same = right is None
    units = None
    gram, norms_2, squares, along = 0.0, [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for part in left() if same else zip(left(), right(), strict=True):
            pair = [part] if same else part
            units = units or [_unit_of_length(vectors)[:, None] for vectors in pair]
            pair = [np.multiply(vectors, unit, dtype=np.float64) for vectors, unit in zip(pair, units, strict=True)]
            # A vector that is not finite spoils its own entries alone.
            centre = np.where(np.isfinite(pair[0]), pair[0], 0.0).mean(axis=0)
            for k, vectors in enumerate(pair):
                norms_2[k] = norms_2[k] + np.einsum("mp,mp->m", vectors, vectors)
                vectors -= centre
                squares[k] = squares[k] + np.einsum("mp,mp->m", vectors, vectors)
                along[k] = along[k] + vectors @ centre
            gram = gram + pair[0] @ pair[-1].T
        norm_l, norm_r = np.sqrt(norms_2[0]), np.sqrt(norms_2[0 if same else 1])
        (along_l, along_r), (square_l, square_r) = ((v[0], v[0]) if same else v for v in (along, squares))
        norms = np.outer(norm_l, norm_r)
        scale = np.add.outer(square_l, square_r) / norms
        # About the centre c: |a|^2 - |b|^2 = 2 c (a - b) + |a - c|^2 - |b - c|^2.
        radial = 2 * np.subtract.outer(along_l, along_r) + np.subtract.outer(square_l, square_r)
        radial /= np.add.outer(norm_l, norm_r)
        values = scale / 2 - (gram + radial**2 / 2) / norms
        small = values < SAFE * ROUNDING * scale
    values[~(np.isfinite(norms) & (norms > 0))] = np.nan

    if same:
        np.fill_diagonal(values, np.where(np.isfinite(np.diag(values)), 0.0, np.nan))
        np.fill_diagonal(small, False)
        small = np.triu(small)
    rows, columns = np.nonzero(small & ~np.isnan(values))
    if len(rows):
        norm_l, norm_r = norm_l / units[0][:, 0], norm_r / units[-1][:, 0]
        values[rows, columns] = _exact(left, right or left, norm_l, norm_r, rows, columns)
    if same:
        upper = np.triu(values)
        values = upper + np.triu(values, 1).T
    return values


def _unit_of_length(vectors: np.ndarray) -> np.ndarray:
    """Powers of two that bring vectors, known by their first part, to about one length: a product that rounds nothing.

    The common centre would otherwise be that of the longest ones.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return np.ldexp(1.0, -np.frexp(np.where(np.isfinite(lengths) & (lengths > 0), lengths, 1.0))[1])


def _exact(left: Parts, right: Parts, norm_l, norm_r, rows, columns) -> np.ndarray:
    """|u_i - v_j|^2 / 2 of the unit vectors of some pairs, from their differences."""
    exact = np.zeros(len(rows))
    for a, b in zip(left(), right(), strict=True):
        for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
            difference = a[i].astype(np.float64) / norm_l[i] - b[j].astype(np.float64) / norm_r[j]
            exact[k] += difference @ difference
    return exact / 2


def between(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray], trainable: Collection[str]) -> dict[str, float]:
    """C of two networks with each of `VECTORS`, and the Euclidean distance of their parameters, in float64.

    With d = a - b, 1 - cos = (|d|^2 - (|a| - |b|)^2) / (2 |a| |b|), and |a| - |b| follows from the sum of d (a + b):
    exactly 0 for equal networks, and as right for 1e-14 as for 0.1.

    Args:
        a, b: tensors by name, those of an optimizer left out.
        trainable: names of the parameters.

    Returns:
        `OF_PAIR`; NaN where a vector is 0 or not finite.
    """
    sums = {part: np.zeros(4) for part in KINDS}  # |a|^2, |b|^2, |d|^2, d (a + b)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for name in (name for name in a if not name.startswith(OPTIMIZER)):
            part = kind(name, np.issubdtype(a[name].dtype, np.floating), trainable)
            left, right = (np.asarray(state[name], dtype=np.float64).ravel() for state in (a, b))
            d = left - right
            sums[part] += (left @ left, right @ right, d @ d, d @ (left + right))
        found = {}
        for vector, parts in VECTORS.items():
            square_a, square_b, square, radial = sum(sums[part] for part in parts)
            length_a, length_b = np.sqrt(square_a), np.sqrt(square_b)
            value = (square - (radial / (length_a + length_b)) ** 2) / (2 * length_a * length_b)
            found[f"C_{vector}"] = float(np.maximum(value, 0.0)) if length_a * length_b > 0 else np.nan
    return {**found, "l2": float(np.sqrt(sums["parameters"][2]))}


def lengths(parts: Parts) -> np.ndarray:
    """Euclidean lengths [m] of vectors, in float64; `parts` as for `dissimilarity`."""
    total = 0.0
    for part in parts():
        part = part.astype(np.float64, copy=False)
        total = total + np.einsum("mp,mp->m", part, part)
    return np.sqrt(total)


def euclidean(dissimilarities: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Euclidean distances [m, k] of vectors whose 1 - cos [m, k] and lengths [m], [k] are known."""
    return np.sqrt(np.subtract.outer(left, right) ** 2 + 2 * np.outer(left, right) * dissimilarities)


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


def disagreement(left: np.ndarray, right: np.ndarray | None = None) -> np.ndarray:
    """D_ij, the share of test inputs whose predicted classes differ.

    Classes are compared bit by bit, 64 inputs in a machine word: of c classes, log2(c) words for 64 comparisons.

    Args:
        left: predicted classes [m, n], integers from 0.
        right: [k, n]; by default the same as `left`.

    Returns:
        [m, k]
    """
    same = right is None
    bits = max(1, *(int(classes.max()).bit_length() for classes in (left, left if same else right)))
    left_bits = _bit_planes(left, bits)
    right_bits = left_bits if same else _bit_planes(right, bits)
    counts = np.zeros((left_bits.shape[1], right_bits.shape[1]), np.int64)
    for i in range(len(counts)):
        start = i if same else 0
        differ = left_bits[0, i] ^ right_bits[0, start:]
        for mine, others in zip(left_bits[1:, i], right_bits[1:, start:], strict=True):
            differ |= mine ^ others
        counts[i, start:] = np.bitwise_count(differ).sum(axis=1, dtype=np.int64)
    if same:
        counts += np.triu(counts, 1).T
    return counts / left.shape[1]


def _bit_planes(classes: np.ndarray, bits: int) -> np.ndarray:
    """Every bit of classes [m, n] by itself, as 64-bit words [bits, m, ceil(n / 64)]."""
    planes = np.stack([np.packbits(classes & (1 << bit) != 0, axis=1) for bit in range(bits)])
    return np.pad(planes, ((0, 0), (0, 0), (0, -planes.shape[2] % 8))).view(np.uint64)


def upper(rows: Sequence[int], columns: Sequence[int], **values: np.ndarray) -> dict[str, np.ndarray]:
    """The cells i <= j of a block as a table: i, j (iterations), and a column for each of `values`.

    Args:
        rows, columns: iterations of the m rows and k columns.
        values: [m, k].
    """
    i, j = np.meshgrid(np.asarray(rows), np.asarray(columns), indexing="ij")
    keep = i <= j
    return {"i": i[keep], "j": j[keep], **{name: matrix[keep] for name, matrix in values.items()}}
