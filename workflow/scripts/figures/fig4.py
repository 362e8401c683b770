"""Figure 4: kernel distance S of all pairs of checkpoints."""

from twophase.files import tables
from twophase.report import panels, theme
from twophase.runtime import job


def main(path_to_S, path_to_phases, path_to_pdf, path_to_png, titles, drops, style, facts):
    grids = tables.of_runs(path_to_S)
    phases = tables.of_experiments(path_to_phases)
    phases = phases[phases["estimator"] == "kernel"]
    norm = panels.scale(grids["value"])
    figure, axes = theme.canvas(titles.values(), 1, {**style, "panel": 1.5 * style["panel"]})
    for name, (ax,) in zip(titles, axes, strict=True):
        grid = grids[grids["experiment"] == name]
        panels.pairs_heat(ax, grid, norm, style["colormap"], "kernel distance $S(t_i, t_j)$")
        for _, estimate in phases[phases["experiment"] == name].iterrows():
            panels.change(ax, estimate, "S")
        panels.drops(ax, drops[name], diagonal=True)
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
