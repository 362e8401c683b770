"""Workshop paper, Figure 3: an experiment without two phases."""

from twophase.files import tables
from twophase.report import panels, theme
from twophase.runtime import job


def main(path_to_S, path_to_pdf, path_to_png, titles, taus, dts, drops, style, facts):
    grids = tables.of_runs(path_to_S)
    norm = panels.scale(grids["value"])
    figure, axes = theme.canvas(titles.values(), 3, style)
    theme.letter(axes, ["a  kernel distance", "b  over a time step", "c  from a fixed time"])
    for name, (left, middle, right) in zip(titles, axes, strict=True):
        grid = grids[grids["experiment"] == name]
        panels.pairs_heat(left, grid, norm, style["colormap"], "kernel distance $S(t_i, t_j)$")
        panels.steps(middle, grid, dts[name])
        panels.since(right, grid, taus[name])
        for ax in (middle, right):
            panels.drops(ax, drops[name])
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
