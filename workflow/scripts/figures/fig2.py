"""Figure 2: the perturbation scheme, drawn as what became of each perturbation."""

from twophase.files import tables
from twophase.report import panels, theme
from twophase.runtime import job


def main(path_to_chaos, path_to_perturbations, path_to_pdf, path_to_png, titles, drops, style, facts):
    chaos, perturbations = tables.of_runs(path_to_chaos), tables.of_runs(path_to_perturbations)
    figure, axes = theme.canvas(titles.values(), 1, {**style, "panel": 1.5 * style["panel"]})
    for name, (ax,) in zip(titles, axes, strict=True):
        panels.divergence(ax, chaos[chaos["experiment"] == name], perturbations[perturbations["experiment"] == name])
        panels.drops(ax, drops[name])
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
