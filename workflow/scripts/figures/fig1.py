"""Figure 1: the two phases of real runs; parameters of base run and forks in a plane, kernels in their cone."""

from math import nan

from twophase.analysis import inflection
from twophase.files import tables
from twophase.report import panels, theme
from twophase.runtime import job


def main(path_to_planes, path_to_cones, path_to_phases, path_to_pdf, path_to_png, titles, style, facts):
    planes, cones = tables.of_runs(path_to_planes), tables.of_runs(path_to_cones)
    estimates = tables.of_experiments(path_to_phases)
    figure, axes = theme.canvas(titles.values(), 2, style, projections={1: "3d"})
    theme.letter(axes, ["a  forks in parameter space", "b  kernels in their cone"])
    for name, (left, right) in zip(titles, axes, strict=True):
        estimate = inflection.end_of_chaos(estimates, name)
        place = estimate["value"] if estimate["found"] else nan
        panels.plane(left, panels.first_seed(planes, name), place)
        panels.cone(right, panels.first_seed(cones, name))
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
