"""The figures of the registry `config.figures`, each drawn by the function of its name: tables in, panels put together.

All of them take

    paths: the files of each input, by its name in the registry.
    titles: of the experiments that it shows, by name, in the order of the rows.
    headings: of the panels of an experiment.
    style: `panel` (inches), `colormap`, `scale`, `dpi`, `note`, and `marks` where the figure marks inflection points.

and the settings that the registry names, each by experiment; and return the figure.
"""

from math import nan

from twophase.analysis import growth, inflection, scorecard
from twophase.files import storage, tables
from twophase.report import cone_panels, fork_panels, overlaid_panels, panels, scales, theme, verdict_matrix

METRICS = ("C", "B", "D")
MEASURES = {  # of `pointwise`, in the order of the panels: label, and whether its axis is logarithmic
    "sharpness": (r"$\lambda_{\max}(\nabla^2 L)$", True),
    "batch_sharpness": (r"$E\,[\,g^\top H g\,/\,\|g\|^2\,]$", True),
    "gradient_covariance": (r"trace of cov$(g_i)$", True),
    "gradient_norm": (r"$\|E\,g_i\|$", True),
    "parameter_norm": (r"$\|\theta\|$", False),
    "scale": (r"trace of $H$", True),
    "effective_rank": (r"effective rank of $H$", False),
    "alignment": (r"alignment of $H$ with the labels", False),
}
MANY, LOW = 3, 0.72  # a figure of more experiments than so many has panels that are lower by this factor


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


def fig1(paths, titles, headings, style, taus):
    """The two phases of real runs: base run and forks in a plane (a), the kernels' cone (b) and its angles (c)."""
    planes, cones = tables.of_first_seeds(paths["planes"]), tables.of_first_seeds(paths["cones"])
    grids, estimates = tables.of_runs(paths["S"]), tables.of_experiments(paths["phases"])
    figure, axes = _canvas(titles, headings, style, projections={1: "3d"})
    for name, (left, middle, right) in zip(titles, axes, strict=True):
        estimate = inflection.end_of_chaos(estimates, name)
        place = estimate["value"] if estimate["found"] else nan
        fork_panels.plane(left, planes[name], place, planes[name].attrs["explained"])
        cone_panels.cone(middle, cones[name])
        cone_panels.angles(right, _rows(grids, name), taus[name])
    return figure


def fig2(paths, titles, headings, style, drops):
    """The perturbation scheme, drawn as what became of each perturbation."""
    distances, perturbations = tables.of_runs(paths["distances"]), tables.of_runs(paths["perturbations"])
    figure, axes = _canvas(titles, headings, _wide(style))
    for name, (ax,) in zip(titles, axes, strict=True):
        fork_panels.divergence(ax, _rows(distances, name), _rows(perturbations, name))
        panels.drops(ax, drops[name])
    return figure


def fig3(paths, titles, headings, style, barriers):
    """The chaos effect: C, B and D of forks (a, b, c), and of pairs of the base run (a', b', c')."""
    chaos = tables.of_runs(paths["chaos"])
    estimates = tables.of_experiments(paths["phases"]).set_index(["experiment", "estimator"], drop=False)
    pairs = {metric: tables.of_runs(paths[metric]) for metric in METRICS}
    columns = len(METRICS)
    figure, axes = theme.canvas([t for title in titles.values() for t in (title, "")], columns, style)
    theme.letter(axes[::2], headings[:columns])
    theme.letter(axes[1::2], headings[columns:])
    for k, metric in enumerate(METRICS):
        for r, name in enumerate(titles):
            forks, base = axes[2 * r][k], axes[2 * r + 1][k]
            shown = scales.quantity(metric, barriers[name])
            fork_panels.chaos_heat(forks, _rows(chaos, name), metric, scales.colours(shown, chaos[metric], style))
            panels.change(forks, estimates.loc[name, f"chaos {metric}"], metric, style["marks"]["chaos C"])
            panels.pairs_heat(base, _rows(pairs[metric], name), scales.colours(shown, pairs[metric]["value"], style))
    return figure


def fig4(paths, titles, headings, style, drops):
    """Kernel distance S of all pairs of checkpoints."""
    grids, phases = tables.of_runs(paths["S"]), tables.of_experiments(paths["phases"])
    phases = phases[phases["estimator"] == "kernel"]
    colours = scales.colours(scales.quantity("S"), grids["value"], style)
    figure, axes = _canvas(titles, headings, _wide(style))
    for name, (ax,) in zip(titles, axes, strict=True):
        panels.pairs_heat(ax, _rows(grids, name), colours)
        for _, estimate in _rows(phases, name).iterrows():
            panels.change(ax, estimate, "S", style["marks"]["kernel"])
        panels.drops(ax, drops[name], diagonal=True)
    return figure


def fig5(paths, titles, headings, style, taus, dts, drops):
    """The cone effect."""
    return _cone_effect(paths, titles, headings, style, taus, dts, drops)[0]


def _cone_effect(paths, titles, headings, style, taus, dts, drops):
    """S(t, tau) (a), S(t, t + dt) (b), the kernels' cone (c) and its angles (d), with inflection points if estimated.

    Angles have one scale; of S, the shape is what claims are about.
    """
    grids, cones = tables.of_runs(paths["S"]), tables.of_first_seeds(paths["cones"])
    phases = tables.of_experiments(paths["phases"]) if "phases" in paths else None
    if len(titles) > MANY:
        style = {**style, "panel": LOW * style["panel"], "stretch": theme.STRETCH / LOW}
    figure, axes = _canvas(titles, headings, style, projections={2: "3d"})
    for name, row in zip(titles, axes, strict=True):
        mine, (first, second, third, fourth) = _rows(grids, name), row
        panels.since(first, mine, taus[name])
        panels.steps(second, mine, dts[name])
        cone_panels.cone(third, cones[name])
        cone_panels.angles(fourth, mine, taus[name])
        for ax in (first, second, fourth):
            if phases is not None:
                panels.inflections(ax, _rows(phases, name), style["marks"])
            panels.drops(ax, drops[name])
    widest = max(row[-1].get_ylim()[1] for row in axes)
    for row in axes:
        row[-1].set_ylim(top=widest)
    return figure, axes


def fig6(paths, titles, headings, style, ends):
    """Linearized training."""
    return _switching(paths, titles, headings, style, ends)


def _switching(paths, titles, headings, style, ends):
    """Standard training that switches to linearized training at t: final error (a) and loss (b)."""
    phases = tables.of_experiments(paths["phases"])
    switches, standard = _errors(paths)
    figure, axes = _canvas(titles, headings, style)
    for name, row in zip(titles, axes, strict=True):
        mine, own = _rows(switches, name), _rows(standard, name)
        panels.switching(row[0], mine, own, ends[name], "error", "test error (%)")
        panels.switching(row[1], mine, own, ends[name], "test_loss", "test loss (nats)")
        for ax in row:
            panels.inflections(ax, _rows(phases, name), style["marks"])
    return figure


def _errors(paths):
    """Scores after switches and of standard training, with the test error in %; one of 0 counts as half an image."""
    switches, standard = tables.of_runs(paths["switches"]), tables.standard_scores(paths["standard"])
    images = standard.groupby("experiment")["images"].first()
    return (
        scores.assign(error=(1 - scores["test_accuracy"]).clip(lower=0.5 / scores["experiment"].map(images)) * 100)
        for scores in (switches, standard)
    )


def lyapunov(paths, titles, headings, style, drops):
    """Finite-time Lyapunov exponents of the forks over t0."""
    chaos, phases = tables.of_runs(paths["chaos"]), tables.of_experiments(paths["phases"])
    figure, axes = _canvas(titles, headings, _wide(style))
    for name, (ax,) in zip(titles, axes, strict=True):
        fork_panels.exponents(ax, _rows(chaos, name), _rows(phases, name))
        panels.inflections(ax, _rows(phases, name), style["marks"])
        panels.drops(ax, drops[name])
    return figure


def equal_lags(paths, titles, headings, style, lags, drops, barriers):
    """Forks after equal times: C (a), barriers (b) and disagreement (c) over t0."""
    chaos, distances = tables.of_runs(paths["chaos"]), tables.of_runs(paths["distances"])
    figure, axes = _canvas(titles, headings, style)
    for name, row in zip(titles, axes, strict=True):
        own, last = _rows(chaos, name), max(lags[name]["full"])
        unit = "nats" if barriers[name] == "loss" else "share of the test set"
        fork_panels.dissimilarity(row[0], _rows(distances, name), lags[name]["all"])
        fork_panels.under_either(row[1], own, last, {"B": "$B$", "hump": "$B_+$"}, f"barrier at lag {last} ({unit})")
        fork_panels.under_either(row[2], own, last, {"D": ""}, f"disagreement $D$ at lag {last} (share)")
        for ax in row:
            panels.drops(ax, drops[name])
    return figure


def side_by_side(paths, titles, headings, style, lags, ends, barriers):
    """Experiments in a colour each: C (a) and B+ (b) after equal times, the cone's width (c) and what it gains (d)."""

    def by_name(table):
        return {name: _rows(table, name) for name in titles}

    chaos, switches = tables.of_runs(paths["chaos"]), tables.of_runs(paths["switches"])
    standard, phases = tables.standard_scores(paths["standard"]), tables.of_experiments(paths["phases"])
    longest = chaos["experiment"].map({name: max(lags[name]["full"]) for name in titles})
    forks = by_name(chaos[chaos["t1"] - chaos["t0"] == longest])
    measured = {scales.quantity("B", metric) for metric in barriers.values()}
    figure, axes = theme.canvas([""], len(headings), style)
    theme.letter(axes, headings)
    first, second, third, fourth = axes[0]
    overlaid_panels.dissimilarity(first, forks)
    overlaid_panels.humps(second, forks, measured)
    overlaid_panels.widths(third, by_name(phases))
    overlaid_panels.gains(fourth, by_name(switches), by_name(standard), ends)
    overlaid_panels.key(fourth, titles)
    return figure


def velocity(paths, titles, headings, style, dts, drops):
    """The kernel's motion: its velocity (a) and its distance from where it was (b)."""
    grids, phases = tables.of_runs(paths["S"]), tables.of_experiments(paths["phases"])
    colours = scales.colours(scales.quantity("S"), grids["value"], style)
    figure, axes = _canvas(titles, headings, style)
    for name, (left, right) in zip(titles, axes, strict=True):
        panels.velocity(left, _rows(grids, name), dts[name])
        panels.inflections(left, _rows(phases, name), style["marks"])
        panels.drops(left, drops[name])
        panels.pairs_heat(right, _rows(grids, name), colours)
        panels.drops(right, drops[name], diagonal=True)
    return figure


def pointwise(paths, titles, headings, style, drops):
    """Measures on one network at a time (a to h) over t, with all inflection points."""
    measures, phases = tables.of_runs(paths["measures"]), storage.read_table(paths["phases"])
    columns = len(MEASURES) // 2
    figure, axes = theme.canvas([t for title in titles.values() for t in (title, "")], columns, style)
    theme.letter(axes[::2], headings[:columns])
    theme.letter(axes[1::2], headings[columns:])
    lines = dict(zip(METRICS, theme.LINES, strict=True))
    marks = {f"chaos {metric}": {**style["marks"]["chaos C"], "line": lines[metric]} for metric in METRICS}
    marks["kernel"] = style["marks"]["kernel"]
    for r, name in enumerate(titles):
        mine, row = _rows(measures, name), [*axes[2 * r], *axes[2 * r + 1]]
        for ax, (column, (label, logarithmic)) in zip(row, MEASURES.items(), strict=True):
            panels.measure(ax, mine, column, label, logarithmic)
            if column in ("sharpness", "batch_sharpness"):
                panels.edges_of_stability(ax, mine)
            if ax is row[columns - 1]:
                panels.key_of_measures(ax, mine)
            panels.inflections(ax, _rows(phases, name), marks)
            panels.drops(ax, drops[name])
    return figure


def layers(paths, titles, headings, style, drops):
    """Layers of the base run: C(t, T) (a), S(t, T) (b) and the share of the kernel (c), over t."""
    alone, pairs = tables.of_runs(paths["layers"]), tables.of_runs(paths["pairs"])
    pairs = pairs[pairs["j"] == pairs.groupby("experiment")["j"].transform("max")]
    shares = scales.spanned("share of the kernel", "of its trace", alone["share"], style)
    figure, axes = _canvas(titles, headings, style)
    for name, row in zip(titles, axes, strict=True):
        mine = _rows(pairs, name)
        mine = mine[mine["i"] < mine["j"]]
        for ax, metric in zip(row, ("C", "S"), strict=False):
            panels.layers_heat(ax, mine, "i", metric, scales.colours(scales.quantity(metric), pairs[metric], style))
        panels.layers_heat(row[2], _rows(alone, name), "t", "share", shares)
        for ax in row:
            theme.label_times(ax, x="$t$")
            panels.drops(ax, drops[name])
    return figure


def layer_forks(paths, titles, headings, style, drops):
    """Layers of forks: C of those from the first t0 over t1 (a), of all at their last t1 (b), and their growth (c)."""
    chaos = tables.of_runs(paths["chaos"])
    chaos = chaos[chaos["draw"] >= 0]
    last = growth.by_layer(chaos)
    colours = scales.colours(scales.quantity("C"), chaos["C"], style)
    ratios = scales.spanned("growth of the distance", "ratio", last["growth"], style)
    figure, axes = _canvas(titles, headings, style)
    for name, row in zip(titles, axes, strict=True):
        mine, at_end = _rows(chaos, name), _rows(last, name)
        panels.layers_heat(row[0], mine[mine["t0"] == mine["t0"].min()], "t1", "C", colours)
        theme.label_times(row[0], x="$t_1$")
        panels.layers_heat(row[1], at_end, "t0", "C", colours)
        panels.layers_heat(row[2], at_end, "t0", "growth", ratios)
        for ax in row[1:]:
            theme.label_times(ax, x="$t_0$")
        for ax in row:
            panels.drops(ax, drops[name])
    return figure


def curves(paths, titles, headings, style, taus, drops):
    """What the cone is worth: S(t, tau) (a) and test error while training, after each switch (b)."""
    grids, (switches, standard) = tables.of_runs(paths["S"]), _errors(paths)
    figure, axes = _canvas(titles, headings, style)
    for name, row in zip(titles, axes, strict=True):
        panels.since(row[0], _rows(grids, name), taus[name])
        panels.learning_curves(row[1], _rows(switches, name), _rows(standard, name))
        for ax in row:
            panels.drops(ax, drops[name])
    return figure


def wfig1(paths, titles, headings, style, taus, dts, drops):
    """Workshop paper, Figure 1: the cone effect."""
    return _cone_effect(paths, titles, headings, style, taus, dts, drops)[0]


def wfig2(paths, titles, headings, style, ends):
    """Workshop paper, Figure 2: linearized training."""
    return _switching(paths, titles, headings, style, ends)


def wfig3(paths, titles, headings, style, taus, dts, drops):
    """Workshop paper, Figure 3: as its Figure 1, of experiments without two phases, with the verdicts on them."""
    figure, axes = _cone_effect(paths, titles, headings, style, taus, dts, drops)
    claims = storage.read_table(paths["claims"])
    for name, (first, second, *_) in zip(titles, axes, strict=True):
        mine = _rows(claims, name).set_index("claim")["verdict"]
        verdict_matrix.said(first, mine["counterexample: no cone"], scorecard.VERDICTS, "S keeps growing")
        verdict_matrix.said(second, mine["counterexample: one speed"], scorecard.VERDICTS, "no slowing down")
    return figure


def readings(paths, titles, headings, style):
    """The verdicts on all claims side by side: they show which depend on the experiment, and on how papers are read."""
    claims = storage.read_table(paths["claims"])
    claims = claims[claims["experiment"].isin(titles)]
    claims = claims.assign(ran=~claims["reason"].str.startswith(scorecard.MISSING))
    return verdict_matrix.matrix(claims, titles, scorecard.VERDICTS, style)
