"""The explorer: the results of a run as one HTML file with linked views, which needs no server and no network.

Arrays are embedded once, as base64 of little-endian float32 (seven digits); `templates/explorer.js` draws every view
from them. No torch.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from twophase.analysis.inflection import end_of_chaos
from twophase.analysis.scorecard import OUTSIDE
from twophase.files import layout, storage
from twophase.files.tables import joined
from twophase.report import scales, sentences, theme
from twophase.report.markup import html

TEMPLATES = Path(__file__).parent / "templates"
# With these limits the papers' grids stay whole, and a run of thousands of checkpoints fits into a megabyte.
TIMES = 160  # checkpoints shown of a grid of pairs
POINTS = 600  # points shown of a log, each the mean of equally many iterations
ALL_POINTS = 300_000  # points shown of all logs together; with many forks, each has fewer


def packed(values) -> str:
    """Numbers as base64 of little-endian float32, row by row."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def thin(times: Sequence[int], limit: int = TIMES, keep: Sequence[int] = ()) -> list[int]:
    """About `limit` of the `times`, in iterations: every k-th, to keep steps equal, the last, and those to `keep`."""
    times = sorted(map(int, times))
    return sorted({*times[:: -(-len(times) // limit)], times[-1], *(t for t in times if t in keep)})


def grid(frame: pd.DataFrame, limit: int = TIMES, keep: Sequence[int] = ()) -> dict:
    """A grid of pairs i <= j as its upper triangle, row by row, with the diagonal.

    Args:
        limit, keep: as of `thin`.

    Returns:
        times (iterations), all (how many the table has), values [pairs]; for barriers also `path` [pairs, alphas], the
        loss at evenly spaced alpha from 0 (theta_j) to 1 (theta_i), and `alphas`; NaN on the diagonal.
    """
    times = sorted({*frame["i"], *frame["j"]})
    kept = thin(times, limit, keep)
    pairs = [(i, j) for k, i in enumerate(kept) for j in kept[k:]]
    table = frame.set_index(["i", "j"]).reindex(pairs)
    square = {"times": kept, "all": len(times), "values": packed(table["value"])}
    if "path" in table:
        count = max(map(len, frame["path"]))
        rows = [path if np.size(path) == count else np.full(count, np.nan) for path in table["path"]]
        square |= {"alphas": count, "path": packed(rows)}
    return square


def log(frame: pd.DataFrame, limit: int = POINTS) -> dict:
    """A log as means over every so many consecutive iterations: start (iteration), every, loss (nats) [points]."""
    every = -(-len(frame) // limit)
    loss = frame["loss"].groupby(np.arange(len(frame)) // every).mean()
    return {"start": int(frame["iteration"].iloc[0]), "every": every, "loss": packed(loss)}


def forks(
    chaos: pd.DataFrame, perturbations: pd.DataFrame, barriers: pd.DataFrame, logs: Mapping, limit: int = POINTS
) -> dict:
    """Distances of all forks to the base run, and the history of each fork.

    Args:
        chaos, perturbations: tables of one run.
        barriers: its table `fork_barriers`, all blocks.
        logs: (t0, draw) -> log of the fork.
        limit: points shown of a log.

    Returns:
        columns t0, t1, draw and distances [cells]; `path` [cells, alphas]; start (|epsilon| of each fork after
        rounding) and logs, both by "t0/draw".
    """
    cells = {name: packed(chaos[name]) for name in ("C", "B", "D", "S", "l2")}
    cells |= {name: chaos[name].astype(int).tolist() for name in ("t0", "t1", "draw")}
    if "path" in barriers:
        keys = [(*layout.Fork.of(state), layout.iteration(state)) for state in barriers["state"]]
        paths = dict(zip(keys, barriers["path"], strict=True))
        rows = [paths[cell] for cell in zip(chaos["t0"], chaos["draw"], chaos["t1"], strict=True)]
        cells |= {"alphas": len(rows[0]), "path": packed(rows)}
    starts = perturbations[perturbations["draw"] >= 0]
    cells["start"] = {f"{row.t0}/{row.draw}": float(row.realised) for row in starts.itertuples()}
    cells["logs"] = {f"{t0}/{draw}": log(frame, limit) for (t0, draw), frame in logs.items()}
    return cells


# One file ------------------------------------------------------------------------------------------------------------


def rows_of(phases: pd.DataFrame, name: str) -> list[dict]:
    """The rows of an experiment in the phases; NaN, which JSON does not have, as None."""
    columns = ["quantity", "estimator", "value", "low", "high", "gain", "found", "reason", "unit", "definition"]
    if phases.empty:
        return []
    rows = phases.loc[phases["experiment"] == name, columns].astype(object)
    return rows.where(rows.notna(), None).to_dict("records")


def claims_of(claims: pd.DataFrame, name: str) -> list[dict]:
    """The claims that an experiment can decide: what they say, the verdict, and the figure that shows it."""
    mine = claims[(claims["experiment"] == name) & (claims["verdict"] != OUTSIDE)]
    return mine[["claim", "text", "verdict", "figure"]].to_dict("records")


def linearized(switches: pd.DataFrame, until: int) -> dict:
    """Test errors (shares) at the end of linearized training, by switch (iteration); NaN where it diverged."""
    last = switches[switches["iteration"] == until].sort_values("switch")
    return {"switch": packed(last["switch"]), "error": packed(1 - last["test_accuracy"])}


def gather(runs: Mapping, phases: pd.DataFrame, claims: pd.DataFrame, experiments: Mapping) -> list[dict]:
    """What the page shows of each experiment, counterexamples last.

    Args:
        runs: (experiment, seed) -> {name: table}, with `log`, `scores` and `forks` ((t0, draw) -> log) among them.
        phases: inflection points and cone widths of all experiments.
        claims: the scorecard of all experiments.
        experiments: name -> title, seeds, iterations, drops, tau, dt, until, size, level, counterexample.
    """
    shown = []
    count = sum(len(tables.get("forks", ())) for tables in runs.values())
    points = min(POINTS // 2, ALL_POINTS // max(count, 1))
    # The page opens with the first, which should be one that can tell when the chaotic phase ends.
    for name, settings in sorted(experiments.items(), key=lambda item: item[1]["counterexample"]):
        seeds, chaos = [], []
        for seed in settings["seeds"]:
            tables = runs[name, seed]
            run = {"seed": seed}
            if "log" in tables:  # which published runs do not keep
                run["log"] = log(tables["log"])
            metrics = [metric for metric in ("C", "S", "B", "D") if metric in tables]
            run["grids"] = {metric: grid(tables[metric], keep=settings["tau"]) for metric in metrics}
            if "scores" in tables:
                run["scores"] = {column: packed(tables["scores"][column]) for column in ("iteration", "test_accuracy")}
            if "cone" in tables:
                run["cone"] = {column: packed(values) for column, values in tables["cone"].items()}
                run["cone"]["explained"] = [float(share) for share in tables["cone"].attrs["explained"]]
            if "linearized" in tables:
                run["linearized"] = linearized(tables["linearized"], settings["until"])
            if "chaos" in tables:
                chaos.append(tables["chaos"])
                part = (tables[key] for key in ("chaos", "perturbations", "barriers"))
                run["forks"] = forks(*part, tables.get("forks", {}), points)
            seeds.append(run)
        said = sentences.end_of_chaos(settings, end_of_chaos(phases, name), joined(chaos) if chaos else None)
        texts = [sentences.headline(settings, *(t[t["experiment"] == name] for t in (phases, claims))), " ".join(said)]
        own = {"texts": texts, "phases": rows_of(phases, name), "claims": claims_of(claims, name), "runs": seeds}
        shown.append({"name": name, **settings, **own})
    return shown


def colours(colormap: str, count: int = 33) -> list[str]:
    """Evenly spaced colours of a seaborn or Matplotlib colour map, as the figures use it."""
    import seaborn as sns

    return list(sns.color_palette(colormap, count).as_hex())


def compiled_once(script: str) -> str:
    """Plotly's bundle with parentheses about the function that holds all of it.

    They tell V8 (Chromium, Edge) to compile it right away. Otherwise it would parse these megabytes twice, and the page
    would open 0.4 s later. A bundle of another form stays as it is.
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
        style: `colormap` of the grids and their `scale`, `claims` or `run`; `marks`, name of an inflection point ->
            colour, line and label, of those that every panel marks; `points`, what each is called, by its name.
        facts: provenance, `twophase` and `commit` among it; shown at the foot of the page.

    Raises:
        UserError: the file cannot be written.
    """
    from plotly.offline import get_plotlyjs

    data = {
        "experiments": experiments,
        "colours": colours(style["colormap"]),
        "scales": scales.described(style["colormap"]),
        "scale": {"claims": "claims", "run": "log"}[style["scale"]],
        "time": colours(theme.TIME),
        "later": colours(theme.LATER),
        "marks": style["marks"],
        "points": style["points"],
        "facts": dict(facts),
    }
    # "<" would let a title end the script element that holds it.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    headline, grounds = map(html, experiments[0]["texts"])  # to be read before any script runs, or without
    parts = {  # in the order in which the template has them
        "/*STYLE*/": (TEMPLATES / "explorer.css").read_text(encoding="utf-8"),
        "<!--HEADLINE-->": headline,
        "<!--GROUNDS-->": grounds,
        "/*DATA*/": text,
        "/*PLOTLY*/": compiled_once(get_plotlyjs()),
        "/*CODE*/": (TEMPLATES / "explorer.js").read_text(encoding="utf-8"),
    }
    done, rest = [], (TEMPLATES / "explorer.html").read_text(encoding="utf-8")
    for mark, content in parts.items():
        before, rest = rest.split(mark)
        done += [before, content]
    storage.write_text(path, "".join([*done, rest]))
