"""C, S and the perturbation of each layer by itself: which layers part first, and which are in the cone. numpy only."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from twophase.files import folders, layout, storage, vectors
from twophase.files.layout import Block, Fork
from twophase.measures import distances

ROOT = "(root)"  # the layer of parameters that no submodule holds


def of(names: Iterable[str]) -> dict[str, list[str]]:
    """The parameters of each layer, by its name.

    A layer is what one module itself holds: weight and bias together. Batch and layer norms are layers of their own:
    the weights before a norm have no scale that matters, its gains do, and which convolution a norm belongs to depends
    on the network.

    Args:
        names: of the trainable parameters, such as `conv1.weight`, in the order of the network, which is kept.
    """
    layers: dict[str, list[str]] = {}
    for name in names:
        layers.setdefault(name.rpartition(".")[0] or ROOT, []).append(name)
    return layers


def between(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray], trainable: Iterable[str]) -> pd.DataFrame:
    """C and the Euclidean distance of two networks layer by layer, as `distances.between` has them of the whole.

    Args:
        a, b: tensors by name.
        trainable: names of the parameters.

    Returns:
        a row for each layer: layer, place (from 0, in the network), C, l2, norm (Euclidean, of b). C is NaN where a
        layer is 0 in one of them.
    """
    rows = []
    for place, (layer, names) in enumerate(of(trainable).items()):
        mine, others = ({name: state[name] for name in names} for state in (a, b))
        apart = distances.between(mine, others, names)
        norm = np.sqrt(sum(np.square(array, dtype=np.float64).sum() for array in others.values()))
        rows.append((layer, place, apart["C_parameters"], apart["l2"], norm))
    return pd.DataFrame(rows, columns=["layer", "place", "C", "l2", "norm"])


def of_forks(
    run: str | Path,
    blocks: Sequence[str | Path],
    start: Callable[[Fork, Mapping[str, np.ndarray]], Mapping[str, np.ndarray]],
) -> pd.DataFrame:
    """Every fork against the base run, or the twin in its block, at every t1 and at t0, layer by layer.

    Args:
        run, blocks: folders of the base run and of all blocks of forks.
        start: the parameters that a fork starts from, given it and the base run's state at its t0.

    Returns:
        t0, t1 (iterations), draw (CONTROL for epsilon = 0), and the columns of `between`, sorted by these and place. At
        t1 = t0 the distance is the fork's perturbation: l2 its norm in each layer, as rounding left it.
    """
    tables = []
    for folder in map(Path, blocks):
        block = Block(layout.states(folders.files(folder)))
        for fork in dict.fromkeys(state.fork for state in block.states):
            path = Path(run) / layout.step_file(fork.t0)
            trainable, base = storage.read_metadata(path)["trainable"], storage.read_tensors(path)
            at_start = between({**base, **start(fork, base)}, base, trainable)
            tables.append(at_start.assign(t0=fork.t0, t1=fork.t0, draw=fork.draw))
        for state in block.states:
            base = block.base(state)
            states = folder / state.path, base.within(folder, Path(run)) / base.path
            trainable = storage.read_metadata(states[0])["trainable"]
            table = between(*map(storage.read_tensors, states), trainable)
            tables.append(table.assign(t0=state.fork.t0, t1=state.t1, draw=state.fork.draw))
    keys = ["t0", "t1", "draw"]
    table = pd.concat(tables)
    return table[[*keys, *table.columns.drop(keys)]].sort_values([*keys, "place"], ignore_index=True)


def of_checkpoints(
    states: Sequence[Path], kernels: Sequence[Path], times: Sequence[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Layers of one run at m checkpoints: each at one time, and at all pairs of times.

    Args:
        states: checkpoints.
        kernels: files of `ntk.by_layer` of the same, a tensor for each layer.
        times: their iterations, ascending.

    Returns:
        t, layer, place, parameters (how many), norm (Euclidean), trace (of the layer's kernel H_l), share (of all
        traces);
        i, j, layer, place, C, l2, S, with S_ij = 1 - <H_l(i), H_l(j)> / (|H_l(i)| |H_l(j)|); NaN where a layer, or its
        kernel, is 0.
    """
    alone, pairs = [], []
    for place, (layer, names) in enumerate(of(storage.read_metadata(states[0])["trainable"]).items()):
        weights, kernel = vectors.tensors(states, names), vectors.tensors(kernels, [layer])
        norms, apart = distances.lengths(weights), distances.dissimilarity(weights)
        values = {"C": apart, "l2": distances.euclidean(apart, norms, norms), "S": distances.dissimilarity(kernel)}
        own = {"layer": layer, "place": place}
        pairs.append(pd.DataFrame(distances.upper(times, times, **values)).assign(**own))
        alone.append(pd.DataFrame({"t": times, "norm": norms, "parameters": _size(states[0], names), **own}))
    first = ["t", "layer", "place", "parameters", "norm"]
    alone = pd.concat(alone)[first].sort_values(["t", "place"], ignore_index=True)
    alone["trace"] = [trace for path in kernels for trace in _traces(path, alone["layer"].unique())]
    alone["share"] = alone["trace"] / alone.groupby("t")["trace"].transform("sum")
    pairs = pd.concat(pairs)[["i", "j", "layer", "place", "C", "l2", "S"]]
    return alone, pairs.sort_values(["i", "j", "place"], ignore_index=True)


def _size(path: Path, names: Sequence[str]) -> int:
    with storage.open_tensors(path) as file:
        return sum(int(np.prod(file.get_slice(name).get_shape())) for name in names)


def _traces(path: Path, layers: Sequence[str]) -> Iterator[float]:
    """Of the kernel of each layer; of one for each logit, the sum."""
    kernels = storage.read_tensors(path)
    for layer in layers:
        yield float(np.trace(kernels[layer], axis1=-2, axis2=-1, dtype=np.float64).sum())
