"""The figures of the registry `config.figures`, each drawn by the function of its name: tables in, panels put together.

All of them take

    paths: the files of each input, by its name in the registry.
    titles: of the experiments that it shows, by name, in the order of the rows.
    headings: of the panels of an experiment.
    style: `panel` (inches), `colormap`, `dpi`, `note`, and `marks` where the figure marks inflection points.

and the settings that the registry names, each by experiment; and return the figure.
"""

from math import nan

from twophase.analysis import inflection, scorecard
from twophase.files import storage, tables
from twophase.report import fork_panels, panels, theme, verdict_matrix

DISTANCE = "kernel distance $S(t_i, t_j)$"
METRICS = {"C": "parameter dissimilarity $C$", "B": "barrier $B$", "D": "disagreement $D$"}


def _rows(table, experiment):
    """The rows of a table that are about an experiment."""
    return table[table["experiment"] == experiment]


def _canvas(titles, headings, style, **options):
    """A row of panels for each experiment, with their headings; see `theme.canvas`."""
    figure, axes = theme.canvas(titles.values(), len(headings), style, **options)
    theme.letter(axes, headings)
    return figure, axes


def _wide(style):
    """The style of a figure whose panels stand alone in their rows."""
    return {**style, "panel": 1.5 * style["panel"]}


def fig1(paths, titles, headings, style):
    """The two phases of real runs: parameters of base run and forks in a plane (a), kernels in their cone (b)."""
    planes, cones = tables.of_runs(paths["planes"]), tables.of_runs(paths["cones"])
    estimates = tables.of_experiments(paths["phases"])
    figure, axes = _canvas(titles, headings, style, projections={1: "3d"})
    for name, (left, right) in zip(titles, axes, strict=True):
        estimate = inflection.end_of_chaos(estimates, name)
        place = estimate["value"] if estimate["found"] else nan
        fork_panels.plane(left, panels.first_seed(planes, name), place)
        panels.cone(right, panels.first_seed(cones, name))
    return figure


def fig2(paths, titles, headings, style, drops):
    """The perturbation scheme, drawn as what became of each perturbation."""
    distances, perturbations = tables.of_runs(paths["distances"]), tables.of_runs(paths["perturbations"])
    figure, axes = _canvas(titles, headings, _wide(style))
    for name, (ax,) in zip(titles, axes, strict=True):
        fork_panels.divergence(ax, _rows(distances, name), _rows(perturbations, name))
        panels.drops(ax, drops[name])
    return figure


def fig3(paths, titles, headings, style):
    """The chaos effect: C, B and D of forks (a, b, c), and of pairs of the base run (a', b', c')."""
    chaos = tables.of_runs(paths["chaos"])
    estimates = tables.of_experiments(paths["phases"]).set_index(["experiment", "estimator"], drop=False)
    pairs = {metric: tables.of_runs(paths[metric]) for metric in METRICS}
    columns = len(METRICS)
    figure, axes = theme.canvas([t for title in titles.values() for t in (title, "")], columns, style)
    theme.letter(axes, headings[:columns])
    theme.letter(axes[1:], headings[columns:])
    for k, (metric, label) in enumerate(METRICS.items()):
        norm, pair_norm = panels.scale(chaos[metric]), panels.scale(pairs[metric]["value"])
        for r, name in enumerate(titles):
            forks, base = axes[2 * r][k], axes[2 * r + 1][k]
            fork_panels.chaos_heat(forks, _rows(chaos, name), metric, norm, style["colormap"], label)
            panels.change(forks, estimates.loc[name, f"chaos {metric}"], metric, style["marks"]["chaos C"])
            panels.pairs_heat(base, _rows(pairs[metric], name), pair_norm, style["colormap"], label)
    return figure


def fig4(paths, titles, headings, style, drops):
    """Kernel distance S of all pairs of checkpoints."""
    grids, phases = tables.of_runs(paths["S"]), tables.of_experiments(paths["phases"])
    phases = phases[phases["estimator"] == "kernel"]
    norm = panels.scale(grids["value"])
    figure, axes = _canvas(titles, headings, _wide(style))
    for name, (ax,) in zip(titles, axes, strict=True):
        panels.pairs_heat(ax, _rows(grids, name), norm, style["colormap"], DISTANCE)
        for _, estimate in _rows(phases, name).iterrows():
            panels.change(ax, estimate, "S", style["marks"]["kernel"])
        panels.drops(ax, drops[name], diagonal=True)
    return figure


def fig5(paths, titles, headings, style, taus, dts, drops):
    """The cone effect."""
    return _cone_effect(paths, titles, headings, style, taus, dts, drops)


def _cone_effect(paths, titles, headings, style, taus, dts, drops):
    """S(t, tau) (a), S(t, t + dt) (b), the kernels' cone (c); with inflection points where there are estimates."""
    grids, cones = tables.of_runs(paths["S"]), tables.of_runs(paths["cones"])
    phases = tables.of_experiments(paths["phases"]) if "phases" in paths else None
    figure, axes = _canvas(titles, headings, style, projections={2: "3d"})
    for name, (left, middle, right) in zip(titles, axes, strict=True):
        panels.since(left, _rows(grids, name), taus[name])
        panels.steps(middle, _rows(grids, name), dts[name])
        for ax in (left, middle):
            if phases is not None:
                panels.inflections(ax, _rows(phases, name), style["marks"])
            panels.drops(ax, drops[name])
        panels.cone(right, panels.first_seed(cones, name))
    return figure


def fig6(paths, titles, headings, style, ends):
    """Linearized training."""
    return _switching(paths, titles, headings, style, ends)


def _switching(paths, titles, headings, style, ends):
    """Standard training that switches to linearized training at t: final accuracy (a) and loss (b)."""
    switches, phases = tables.of_runs(paths["switches"]), tables.of_experiments(paths["phases"])
    standard = tables.standard_scores(paths["standard"])
    figure, axes = _canvas(titles, headings, style)
    for name, row in zip(titles, axes, strict=True):
        mine, own = _rows(switches, name), _rows(standard, name)
        panels.switching(row[0], mine, own, ends[name], "test_accuracy", "test accuracy")
        panels.switching(row[1], mine, own, ends[name], "test_loss", "test loss (nats)")
        for ax in row:
            panels.inflections(ax, _rows(phases, name), style["marks"])
    return figure


def lyapunov(paths, titles, headings, style, drops):
    """Finite-time Lyapunov exponents of the forks over t0."""
    chaos, phases = tables.of_runs(paths["chaos"]), tables.of_experiments(paths["phases"])
    figure, axes = _canvas(titles, headings, _wide(style))
    for name, (ax,) in zip(titles, axes, strict=True):
        fork_panels.exponents(ax, _rows(chaos, name), _rows(phases, name))
        panels.inflections(ax, _rows(phases, name), style["marks"])
        panels.drops(ax, drops[name])
    return figure


def equal_lags(paths, titles, headings, style, lags, drops):
    """Forks after equal times: C (a), barriers (b) and disagreement (c) over t0."""
    chaos, distances = tables.of_runs(paths["chaos"]), tables.of_runs(paths["distances"])
    figure, axes = _canvas(titles, headings, style)
    for name, row in zip(titles, axes, strict=True):
        own, last = _rows(chaos, name), max(lags[name]["full"])
        fork_panels.dissimilarity(row[0], _rows(distances, name), lags[name]["all"])
        fork_panels.under_either(row[1], own, last, {"B": "$B$", "hump": "$B_+$"}, f"barrier at lag {last}")
        fork_panels.under_either(row[2], own, last, {"D": ""}, f"disagreement $D$ at lag {last}")
        for ax in row:
            panels.drops(ax, drops[name])
    return figure


def velocity(paths, titles, headings, style, dts, drops):
    """The kernel's motion: its velocity (a) and its distance from where it was (b)."""
    grids, phases = tables.of_runs(paths["S"]), tables.of_experiments(paths["phases"])
    norm = panels.scale(grids["value"])
    figure, axes = _canvas(titles, headings, style)
    for name, (left, right) in zip(titles, axes, strict=True):
        panels.velocity(left, _rows(grids, name), dts[name])
        panels.inflections(left, _rows(phases, name), style["marks"])
        panels.drops(left, drops[name])
        panels.pairs_heat(right, _rows(grids, name), norm, style["colormap"], DISTANCE)
        panels.drops(right, drops[name], diagonal=True)
    return figure


def curves(paths, titles, headings, style, taus, drops):
    """What the cone is worth: S(t, tau) (a) and test accuracy while training, after each switch (b)."""
    grids, switches = tables.of_runs(paths["S"]), tables.of_runs(paths["switches"])
    standard = tables.standard_scores(paths["standard"])
    figure, axes = _canvas(titles, headings, style)
    for name, row in zip(titles, axes, strict=True):
        panels.since(row[0], _rows(grids, name), taus[name])
        panels.learning_curves(row[1], _rows(switches, name), _rows(standard, name))
        for ax in row:
            panels.drops(ax, drops[name])
    return figure


def wfig1(paths, titles, headings, style, taus, dts, drops):
    """Workshop paper, Figure 1: the cone effect."""
    return _cone_effect(paths, titles, headings, style, taus, dts, drops)


def wfig2(paths, titles, headings, style, ends):
    """Workshop paper, Figure 2: linearized training."""
    return _switching(paths, titles, headings, style, ends)


def wfig3(paths, titles, headings, style, taus, dts, drops):
    """Workshop paper, Figure 3: the same as its Figure 1, of an experiment without two phases."""
    return _cone_effect(paths, titles, headings, style, taus, dts, drops)


def readings(paths, titles, headings, style):
    """The verdicts on all claims side by side: they show which depend on the experiment, and on how papers are read."""
    claims = storage.read_table(paths["claims"])
    claims = claims[claims["experiment"].isin(titles)]
    claims = claims.assign(ran=~claims["reason"].str.startswith(scorecard.MISSING))
    return verdict_matrix.matrix(claims, titles, scorecard.VERDICTS, style)
