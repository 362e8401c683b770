"""The explorer: the results of a run as one HTML file with linked views, opened without a server or a network.

Arrays are embedded once, as base64 of little-endian float32 (seven digits); `templates/explorer.js` draws every view
from them. No torch.
"""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from twophase.analysis.inflection import end_of_chaos
from twophase.files import layout, storage
from twophase.files.tables import joined
from twophase.report import sentences, theme

TEMPLATES = Path(__file__).parent / "templates"
# Keeps the papers' grids whole and a run of thousands of checkpoints within a megabyte.
TIMES = 160  # checkpoints shown of a grid of pairs
POINTS = 600  # points shown of a log, each the mean of as many iterations as that takes
ALL_POINTS = 300_000  # points shown of all logs: fewer of each where there are many forks


def packed(values) -> str:
    """Numbers as base64 of little-endian float32, row by row."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def thin(times: Sequence[int], limit: int = TIMES, keep: Sequence[int] = ()) -> list[int]:
    """About `limit` of the `times`: every k-th, so that equal steps stay equal, the last, and those to `keep`."""
    times = sorted(map(int, times))
    return sorted({*times[:: -(-len(times) // limit)], times[-1], *(t for t in times if t in keep)})


def grid(frame: pd.DataFrame, limit: int = TIMES, keep: Sequence[int] = ()) -> dict:
    """A grid of pairs i <= j as its upper triangle, row by row, with the diagonal.

    Args:
        limit, keep: as of `thin`.

    Returns:
        times (iterations), all (how many the table has), values [pairs], and of barriers `path` [pairs, alphas], the
        loss at evenly spaced alpha from 0 (theta_j) to 1 (theta_i), and `alphas`; NaN on the diagonal.
    """
    times = sorted({*frame["i"], *frame["j"]})
    kept = thin(times, limit, keep)
    pairs = [(i, j) for k, i in enumerate(kept) for j in kept[k:]]
    table = frame.set_index(["i", "j"]).reindex(pairs)
    found = {"times": kept, "all": len(times), "values": packed(table["value"])}
    if "path" in table:
        count = max(map(len, frame["path"]))
        rows = [path if np.size(path) == count else np.full(count, np.nan) for path in table["path"]]
        found |= {"alphas": count, "path": packed(rows)}
    return found


def log(frame: pd.DataFrame, limit: int = POINTS) -> dict:
    """A log of consecutive iterations as means over `every` of them: start (iteration), every, loss (nats)."""
    every = -(-len(frame) // limit)
    loss = frame["loss"].groupby(np.arange(len(frame)) // every).mean()
    return {"start": int(frame["iteration"].iloc[0]), "every": every, "loss": packed(loss)}


def forks(
    chaos: pd.DataFrame, perturbations: pd.DataFrame, barriers: pd.DataFrame, logs: Mapping, limit: int = POINTS
) -> dict:
    """Distances of all forks to the base run, and each fork's history.

    Args:
        chaos, perturbations: tables of one run.
        barriers: its table `fork_barriers`, all blocks.
        logs: (t0, draw) -> log of the fork.
        limit: points shown of a log.

    Returns:
        columns t0, t1, draw and distances [cells]; `path` [cells, alphas]; start, the size |epsilon| of each fork's
        perturbation after rounding, and logs, both by "t0/draw".
    """
    found = {name: packed(chaos[name]) for name in ("C", "B", "D", "S", "l2")}
    found |= {name: chaos[name].tolist() for name in ("t0", "t1", "draw")}
    if "path" in barriers:
        cells = [(*layout.fork_of(state), layout.iteration(state)) for state in barriers["state"]]
        paths = dict(zip(cells, barriers["path"], strict=True))
        rows = [paths[cell] for cell in zip(chaos["t0"], chaos["draw"], chaos["t1"], strict=True)]
        found |= {"alphas": len(rows[0]), "path": packed(rows)}
    starts = perturbations[perturbations["draw"] >= 0]
    found["start"] = {f"{row.t0}/{row.draw}": float(row.realised) for row in starts.itertuples()}
    found["logs"] = {f"{t0}/{draw}": log(frame, limit) for (t0, draw), frame in logs.items()}
    return found


# One file ------------------------------------------------------------------------------------------------------------


def estimates(phases: pd.DataFrame, name: str) -> list[dict]:
    """The rows of an experiment in the phases; NaN, which JSON lacks, as null."""
    columns = ["quantity", "estimator", "value", "low", "high", "p", "found", "unit", "definition"]
    if phases.empty:
        return []
    rows = phases.loc[phases["experiment"] == name, columns].astype(object)
    return rows.where(rows.notna(), None).to_dict("records")


def gather(runs: Mapping, phases: pd.DataFrame, experiments: Mapping) -> list[dict]:
    """What the page shows of each experiment, counterexamples last.

    Args:
        runs: (experiment, seed) -> {name: table}, with `log`, `scores` and `forks` ((t0, draw) -> log) among them.
        phases: the table of estimates.
        experiments: name -> title, seeds, iterations, drops, tau, dt, size, level, counterexample.
    """
    found = []
    count = sum(len(tables.get("forks", ())) for tables in runs.values())
    points = min(POINTS // 2, ALL_POINTS // max(count, 1))
    # The page opens with the first, which should be one that can say when the chaotic phase ends.
    for name, settings in sorted(experiments.items(), key=lambda item: item[1]["counterexample"]):
        seeds, chaos = [], []
        for seed in settings["seeds"]:
            tables = runs[name, seed]
            run = {"seed": seed, "log": log(tables["log"])}
            metrics = [metric for metric in ("C", "S", "B", "D") if metric in tables]
            run["grids"] = {metric: grid(tables[metric], keep=settings["tau"]) for metric in metrics}
            if "scores" in tables:
                run["scores"] = {column: packed(tables["scores"][column]) for column in ("iteration", "test_accuracy")}
            if "cone" in tables:
                run["cone"] = {column: packed(values) for column, values in tables["cone"].items()}
                run["cone"]["explained"] = tables["cone"].attrs["explained"]
            if "chaos" in tables:
                chaos.append(tables["chaos"])
                part = (tables[key] for key in ("chaos", "perturbations", "barriers", "forks"))
                run["forks"] = forks(*part, points)
            seeds.append(run)
        rows = estimates(phases, name)
        words = sentences.verdict(settings, end_of_chaos(phases, name), joined(chaos) if chaos else None)
        found.append({"name": name, **settings, "verdict": words, "estimates": rows, "runs": seeds})
    return found


def colours(colormap: str, count: int = 33) -> list[str]:
    """Evenly spaced colours of a seaborn or Matplotlib colour map, as the figures use it."""
    import seaborn as sns

    return list(sns.color_palette(colormap, count).as_hex())


def compiled_once(script: str) -> str:
    """Plotly's bundle with parentheses about the function that holds all of it.

    They tell V8 (Chromium, Edge) to compile it at once; it would otherwise parse these megabytes once more before, and
    the page open 0.4 s later. A bundle of another form stays as it is.
    """
    before, opening, rest = script.partition("this, () => {\n")
    body, closing, after = rest.rpartition("\n}));")
    if not (opening and closing) or after.strip():
        return script
    return f"{before}this, (() => {{\n{body}\n}})));{after}"


def write(path: str | Path, experiments: Sequence[Mapping], style: Mapping, facts: Mapping) -> None:
    """Writes the page: template, style, code, plotting library and data in one file.

    Args:
        experiments: from `gather`.
        style: `colormap` of the grids; `marks`, name of an inflection point -> colour, line and label, of those that
            every panel marks; `points`, what each inflection point is called, by its name.
        facts: provenance; shown at the foot of the page.
    """
    from plotly.offline import get_plotlyjs

    data = {
        "experiments": experiments,
        "colours": colours(style["colormap"]),
        "time": colours(theme.TIME),
        "marks": style["marks"],
        "points": style["points"],
        "facts": dict(facts),
    }
    # "<" would let a title end the script element that holds it.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    sentence, ground = map(html.escape, experiments[0]["verdict"])  # there before, and without, any script
    parts = {  # in the order in which the template has them
        "/*STYLE*/": (TEMPLATES / "explorer.css").read_text(encoding="utf-8"),
        "<!--VERDICT-->": sentence,
        "<!--GROUND-->": ground,
        "/*DATA*/": text,
        "/*PLOTLY*/": compiled_once(get_plotlyjs()),
        "/*CODE*/": (TEMPLATES / "explorer.js").read_text(encoding="utf-8"),
    }
    done, rest = [], (TEMPLATES / "explorer.html").read_text(encoding="utf-8")
    for mark, content in parts.items():
        before, rest = rest.split(mark)
        done += [before, content]
    storage.write_text(path, "".join([*done, rest]))
