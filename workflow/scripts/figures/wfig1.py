"""Workshop paper, Figure 1: the kernel's motion; its velocity (a) and its distance from where it was (b)."""

from twophase.files import tables
from twophase.report import panels, theme
from twophase.runtime import job


def main(path_to_S, path_to_phases, path_to_pdf, path_to_png, titles, dts, drops, style, facts):
    grids, phases = tables.of_runs(path_to_S), tables.of_experiments(path_to_phases)
    norm = panels.scale(grids["value"])
    figure, axes = theme.canvas(titles.values(), 2, style)
    theme.letter(axes, ["a  kernel velocity", "b  kernel distance"])
    for name, (left, right) in zip(titles, axes, strict=True):
        grid, mine = grids[grids["experiment"] == name], phases[phases["experiment"] == name]
        panels.velocity(left, grid, dts[name])
        panels.inflections(left, mine)
        panels.drops(left, drops[name])
        panels.pairs_heat(right, grid, norm, style["colormap"], "kernel distance $S(t_i, t_j)$")
        panels.drops(right, drops[name], diagonal=True)
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
