"""Finite-time Lyapunov exponents of the forks over t0."""

from twophase.files import tables
from twophase.report import panels, theme
from twophase.runtime import job


def main(path_to_chaos, path_to_phases, path_to_pdf, path_to_png, titles, drops, style, facts):
    chaos, phases = tables.of_runs(path_to_chaos), tables.of_experiments(path_to_phases)
    figure, axes = theme.canvas(titles.values(), 1, {**style, "panel": 1.5 * style["panel"]})
    for name, (ax,) in zip(titles, axes, strict=True):
        mine = phases[phases["experiment"] == name]
        panels.exponents(ax, chaos[chaos["experiment"] == name], mine)
        panels.inflections(ax, mine)
        panels.drops(ax, drops[name])
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
