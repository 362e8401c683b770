"""Workshop paper, Figure 1: the kernel's motion; its velocity (a) and its distance from where it was (b)."""

import _library  # noqa: F401
from twophase import figures, job, tables, theme


def main(path_to_S, path_to_phases, path_to_pdf, path_to_png, titles, dts, drops, style, facts):
    grids, phases = tables.of_runs(path_to_S), tables.of_experiments(path_to_phases)
    norm = figures.scale(grids["value"])
    figure, axes = theme.canvas(titles.values(), 2, style)
    theme.letter(axes, ["a  kernel velocity", "b  kernel distance"])
    for name, (left, right) in zip(titles, axes, strict=True):
        grid, mine = grids[grids["experiment"] == name], phases[phases["experiment"] == name]
        figures.velocity(left, grid, dts[name])
        figures.inflections(left, mine)
        figures.drops(left, drops[name])
        figures.pairs_heat(right, grid, norm, style["colormap"], "kernel distance $S(t_i, t_j)$")
        figures.drops(right, drops[name], diagonal=True)
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
