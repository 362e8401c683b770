"""Reading results from outside the workflow: which runs there are, and any table of them as a DataFrame. No torch."""

import difflib
import os
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from twophase.errors import UserError
from twophase.files import storage, tables, units

FOLDER = "results"
VARIABLE = "TWOPHASE_RESULTS"  # the environment variable that names another folder
ALL = "all"
GRIDS = ("C", "S", "B", "D")
RUN, TABLE = "seed[0-9]*", "[!.]*.parquet"  # a hidden file is one that a killed job was writing


def load(
    experiment: str,
    table: str | None = None,
    seed: int | str = 0,
    square: bool = False,
    results: str | Path | None = None,
) -> pd.DataFrame:
    """A table of one run, of all seeds of an experiment, or of all experiments.

    Args:
        experiment: name in the config; or, with no `table`, `claims` or `phases`, tables of all experiments.
        table: `C`, `S`, `B`, `D` (pair grids), `chaos`, `distances`, `control`, `perturbations`, `independent`,
            `linearized`, `cone`, `plane`, `pointwise`, `layers`, `layer_pairs`, `layer_chaos`.
        seed: which repetition; "all" for one table of all seeds that have it, with the column `seed` first.
        square: a pair grid of m checkpoints as a symmetric matrix [m, m], rows and columns labelled by iterations.
        results: the folder of the results, e.g. "results/mnist"; by default the one that the environment variable
            TWOPHASE_RESULTS names, else "results". A relative one is looked for in the working folder and, if it is
            not there, in those above it, the nearest first.

    Returns:
        a DataFrame, a row for each pair, comparison, fork, evaluation or checkpoint. In its `.attrs` are `units`, a
        dict column -> unit ("iterations", "nats", "share of the test set", ..., "" for pure numbers and text), the
        `definition` and the provenance; of several seeds what they have in common. What each column means is in
        `twophase.files.units.COLUMNS`.

    Raises:
        UserError: there is no such folder or table, and what there is; `square` of something that is no pair grid or
            of several seeds; a damaged file.
    """
    folder = _folder(results)
    if table is None:
        table, seed, paths = experiment, None, {None: folder / f"{experiment}.parquet"}
        if not paths[None].exists():
            raise _no_table_of_all(folder, experiment)
    else:
        asked = _seeds(folder / experiment) if seed == ALL else [seed]
        paths = {n: folder / experiment / f"seed{n}" / f"{table}.parquet" for n in asked}
        paths = {n: path for n, path in paths.items() if path.exists()}
        if not paths:
            raise _no_table(folder, experiment, table, seed)
    if square and table not in GRIDS:
        raise UserError(f"{table} is no grid of pairs, as square=True wants; the grids are {_listed(GRIDS)}.")
    if square and seed == ALL:
        raise UserError(
            f"A square matrix is of one seed: call load for each of the seeds {_listed(paths)}, or without square=True."
        )
    frames = {n: storage.read_table(path) for n, path in paths.items()}
    frame = _of_seeds(frames) if seed == ALL else frames[seed]
    frame.attrs["units"] = units.of(table, frame.columns, frame.attrs)
    return tables.matrix(frame) if square else frame


def runs(results: str | Path | None = None) -> pd.DataFrame:
    """The runs that have tables: those in the folder of the results, then those of configs and published runs below it.

    Args:
        results: as of `load`.

    Returns:
        a DataFrame, a row for each run: `experiment`, `seed`, `tables` (a list of names) and `results`, the folder, all
        of which `load` takes.

    Raises:
        UserError: there is no such folder.
    """
    rows = []
    for folder in _folders(_folder(results)):
        for experiment in _experiments(folder):
            for seed in _seeds(folder / experiment):
                names = _names(folder / experiment, f"seed{seed}/")
                rows.append((experiment, seed, names, str(folder)))
    return pd.DataFrame(rows, columns=["experiment", "seed", "tables", "results"])


def _of_seeds(frames: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Tables by seed as one, with the column `seed` first and the metadata that they have in common."""
    frame = tables.joined(list(frames.values()))
    frame.insert(0, "seed", [seed for seed, part in frames.items() for _ in range(len(part))])
    first, *others = [part.attrs for part in frames.values()]
    frame.attrs = {key: fact for key, fact in first.items() if all(o.get(key) == fact for o in others)}
    frame.attrs.pop("seed", None)
    return frame


# --- where things are


def _folder(results: str | Path | None) -> Path:
    """The folder of the results, as `load` describes it."""
    variable = os.environ.get(VARIABLE)
    named = Path(results or variable or FOLDER)
    found = _upwards(named)
    if found is None:
        raise _no_folder(named, f" ({VARIABLE})" if variable and not results else "")
    return found


def _upwards(named: Path) -> Path | None:
    """A folder in the working folder, or in the nearest one above it that has it."""
    places = [named, *(above / named for above in Path.cwd().parents)]
    return next((place for place in places if place.is_dir()), None)


def _folders(root: Path) -> list[Path]:
    """`root` and the folders up to two below it, as `reference/demo`, less those without a run; `root` first."""
    found = {path.parents[2] for below in ("", "*/", "*/*/") for path in root.glob(f"{below}*/{RUN}/{TABLE}")}
    return sorted(found, key=lambda folder: (len(folder.parts), folder))


def _experiments(folder: Path) -> list[str]:
    return sorted({path.parts[-3] for path in folder.glob(f"*/{RUN}/{TABLE}")})


def _seeds(folder: Path) -> list[int]:
    """The seeds of an experiment that have tables."""
    found = {path.parent.name.removeprefix("seed") for path in folder.glob(f"{RUN}/{TABLE}")}
    return sorted(int(seed) for seed in found if seed.isdigit())


def _names(folder: Path, below: str = "") -> list[str]:
    """The tables in a folder."""
    return sorted({path.stem for path in folder.glob(f"{below}{TABLE}")})


# --- what is said where something is missing


def _no_folder(named: Path, source: str) -> UserError:
    """The error about a folder of results; `source` says who named it."""
    said = f"There is no folder {named}{source}"
    if not named.is_absolute():
        said += f" in {Path.cwd()} or above it"
    if (parent := _upwards(named.parent)) is not None:
        there = sorted(path.name for path in parent.iterdir() if path.is_dir() and path.name[0] != ".")
        said += f"{_similar(named.name, there)}; in {parent.resolve()} there are: {_listed(there, 'no folders')}"
    return UserError(f"{said}. Run the workflow, or name the folder of your results: results=... or {VARIABLE}.")


def _no_table(folder: Path, experiment: str, table: str, seed: int | str) -> UserError:
    """The error about a table of a run: what is missing of experiment, seed and table, and what there is."""
    own = folder / experiment / ("seed*" if seed == ALL else f"seed{seed}")
    names, experiments, seeds = _names(own.parent, f"{own.name}/"), _experiments(folder), _seeds(own.parent)
    if experiment not in experiments:
        said = f"In {folder} there is no run of {experiment}{_similar(experiment, experiments)}"
        elsewhere = [below for below in _folders(folder) if experiment in _experiments(below)]
        if elsewhere:
            said += f", but {_below(folder, elsewhere)}"
        said += f"; there are runs of: {_listed(experiments, 'nothing')}. "
    elif seed not in (ALL, *map(str, seeds), *seeds):
        said = f"The seeds of {experiment} are: {_listed(seeds)}. "
    else:
        said = f"{experiment} has no table {table}{_similar(table, names)}. "
    return UserError(f"{said}There is no {own / table}.parquet; in {own} there are: {_listed(names, 'no tables')}.")


def _no_table_of_all(folder: Path, name: str) -> UserError:
    """The error about a table of all experiments."""
    if name in _experiments(folder):
        there = _names(folder / name, "seed*/")
        return UserError(f"Name a table of {name}, as in load({name!r}, {there[0]!r}); there are: {_listed(there)}.")
    there, experiments = _names(folder), _experiments(folder)
    said = f"In {folder} there is no {name}.parquet{_similar(name, [*there, *experiments])}"
    elsewhere = [below for below in _folders(folder) if name in _names(below)]
    if elsewhere:
        said += f", but {_below(folder, elsewhere)}"
    said += f"; there are: {_listed(there, 'no tables')}."
    if experiments:
        said += f" A table of a run takes its experiment first; there are runs of: {_listed(experiments)}."
    return UserError(said)


def _below(folder: Path, elsewhere: list[Path]) -> str:
    """Where below the folder of the results there is what was asked for."""
    places = _listed([path.relative_to(folder) for path in elsewhere])
    return f"below it there is, in {places}: give results={str(elsewhere[0])!r}"


def _listed(names: Collection, none: str = "") -> str:
    return ", ".join(map(str, names)) or none


def _similar(name: str, there: Collection[str]) -> str:
    """A question after the name, where something is called nearly like it."""
    close = difflib.get_close_matches(name, there, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
