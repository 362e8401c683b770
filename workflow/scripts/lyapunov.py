"""Finite-time Lyapunov exponents of the forks over t0."""

import _library  # noqa: F401
from twophase import figures, job, tables, theme


def main(path_to_chaos, path_to_phases, path_to_pdf, path_to_png, titles, drops, style, facts):
    chaos, phases = tables.of_runs(path_to_chaos), tables.of_experiments(path_to_phases)
    figure, axes = theme.canvas(titles.values(), 1, {**style, "panel": 1.5 * style["panel"]})
    for name, (ax,) in zip(titles, axes, strict=True):
        mine = phases[phases["experiment"] == name]
        figures.exponents(ax, chaos[chaos["experiment"] == name], mine)
        figures.inflections(ax, mine)
        figures.drops(ax, drops[name])
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
