"""Figure 5: the cone effect; S(t, t + dt) (a), S(t, tau) (b), the kernels' cone (c)."""

from twophase.files import tables
from twophase.report import panels, theme
from twophase.runtime import job


def main(path_to_S, path_to_cones, path_to_phases, path_to_pdf, path_to_png, titles, taus, dts, drops, style, facts):
    grids, cones = tables.of_runs(path_to_S), tables.of_runs(path_to_cones)
    phases = tables.of_experiments(path_to_phases)
    figure, axes = theme.canvas(titles.values(), 3, style, projections={2: "3d"})
    theme.letter(axes, ["a  over a time step", "b  from a fixed time", "c  the cone"])
    for name, (left, middle, right) in zip(titles, axes, strict=True):
        grid, mine = grids[grids["experiment"] == name], phases[phases["experiment"] == name]
        panels.steps(left, grid, dts[name])
        panels.since(middle, grid, taus[name])
        for ax in (left, middle):
            panels.inflections(ax, mine)
            panels.drops(ax, drops[name])
        panels.cone(right, panels.first_seed(cones, name))
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
