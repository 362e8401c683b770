"""C, S and D of 200 checkpoints, in blocks as the workflow's jobs compute them, against a loop over pairs of files."""

import itertools
import random
from pathlib import Path

import numpy as np

from benchmarks import rivals, setups
from benchmarks.comparison import Case, Other, Sides
from twophase.config import grids
from twophase.files import storage, vectors
from twophase.measures import distances

GROUP = "Grids of all pairs of 200 checkpoints"
BLOCK = 256  # the config's default
PAIRS = 100  # that the loop is timed on


def _sizes(quick: bool) -> tuple[int, int]:
    return (6, 5) if quick else (200, PAIRS)


def _chosen(count: int, pairs: int) -> list[tuple[int, int]]:
    return sorted(random.Random(0).sample(list(itertools.combinations_with_replacement(range(count), 2)), pairs))


def _blocks(count: int, block) -> np.ndarray:
    """The matrix [count, count], i <= j, from `block(rows, columns)` of each job."""
    chunks = grids.chunks(range(count), BLOCK)
    values = np.full((count, count), np.nan)
    for bi, bj in grids.block_pairs(len(chunks)):
        values[np.ix_(chunks[bi], chunks[bj])] = block(chunks[bi], chunks[bj])
    return values


def _sides(count: int, pairs: int, block, pair, error, bound: float, note: str = "") -> Sides:
    chosen = _chosen(count, pairs)

    def difference(matrix, values):
        return error(np.array([matrix[i, j] for i, j in chosen]), np.array(values), chosen)

    total = count * (count + 1) // 2
    name = f"load both files, compute the pair; {pairs} of {total:,} pairs, time extrapolated"
    loop = Other(name, lambda: [pair(i, j) for i, j in chosen], difference, share=pairs / total)
    return Sides(lambda: _blocks(count, block), [loop], bound, note=note)


def parameters(folder: Path, quick: bool) -> Sides:
    """C: 200 files of a ResNet-20. The loop's 1 - cos holds to a few roundings, ours is held to the difference form."""
    count, pairs = _sizes(quick)
    paths = setups.checkpoints("resnet20", count, folder)
    names = storage.read_metadata(paths[0])["trainable"]

    def block(rows, columns):
        left, right = (vectors.networks([paths[k] for k in side]) for side in (rows, columns))
        return distances.dissimilarity(left, None if rows == columns else right)

    def error(ours, theirs, chosen):
        # An independent value that is right to 1e-14 itself, for a few pairs: extended precision throughout.
        for k, (i, j) in list(enumerate(chosen))[:: max(1, len(chosen) // 5)]:
            assert abs(ours[k] - _extended(paths[i], paths[j], names)) <= 1e-14
        return float(np.abs(ours - theirs).max())

    note = "C is also held to 1e-14 of a computation in extended precision, on a few of the pairs."
    return _sides(count, pairs, block, lambda i, j: rivals.cosine_pair(paths[i], paths[j], names), error, 1e-13, note)


def _extended(path_i: Path, path_j: Path, names) -> float:
    """1 - cos from the difference of the unit vectors, in extended precision."""
    files = [storage.read_tensors(path) for path in (path_i, path_j)]
    a, b = (np.concatenate([file[name].ravel() for name in names]).astype(np.longdouble) for file in files)
    difference = a / np.sqrt((a * a).sum()) - b / np.sqrt((b * b).sum())
    return float((difference * difference).sum() / 2)


def kernels(folder: Path, quick: bool) -> Sides:
    """S: 200 files of a kernel of 64 inputs."""
    count, pairs = _sizes(quick)
    rng = np.random.default_rng(0)
    paths = [folder / f"kernels-{count}" / f"step-{t}.safetensors" for t in range(count)]
    kernel = _positive(rng)
    for path in paths:
        kernel = kernel + 0.02 * _positive(rng)
        if not path.exists():
            storage.write_tensors(path, {"kernel": kernel.astype(np.float32)}, {})

    def block(rows, columns):
        left, right = (vectors.kernels([paths[k] for k in side]) for side in (rows, columns))
        return distances.dissimilarity(left, None if rows == columns else right)

    def error(ours, theirs, chosen):
        return float(np.abs(ours - theirs).max())

    return _sides(count, pairs, block, lambda i, j: rivals.cosine_pair(paths[i], paths[j], ["kernel"]), error, 1e-13)


def _positive(rng) -> np.ndarray:
    rows = rng.normal(size=(64, 200))
    return rows @ rows.T


def predictions(folder: Path, quick: bool) -> Sides:
    """D: predicted classes of 10,000 test images; our side has one file for all, the other one for each checkpoint."""
    count, pairs = _sizes(quick)
    classes = np.random.default_rng(0).integers(0, 10, (count, 10_000)).astype(np.int16)
    together = folder / f"predictions-{count}.safetensors"
    paths = [folder / f"predictions-{count}" / f"step-{t}.safetensors" for t in range(count)]
    if not together.exists():
        for path, row in zip(paths, classes, strict=True):
            storage.write_tensors(path, {"predictions": row}, {})
        storage.write_tensors(together, {"predictions": classes}, {})
    del classes

    def block(rows, columns):
        array = storage.read_tensors(together)["predictions"]
        return distances.disagreement(array[rows], None if rows == columns else array[columns])

    def error(ours, theirs, chosen):
        return float(np.abs(ours - theirs).max())

    return _sides(count, pairs, block, lambda i, j: rivals.disagreement_pair(paths[i], paths[j]), error, 0.0)


CASES = [
    Case(GROUP, "C (parameters of ResNet-20)", parameters, "grid"),
    Case(GROUP, "S (kernels, n = 64)", kernels, "grid"),
    Case(GROUP, "D (10,000 predictions)", predictions, "grid"),
]
