"""Workshop paper, Figure 2: the cone effect (a) and test accuracy while training, after each switch (b)."""

from twophase.files import tables
from twophase.report import panels, theme
from twophase.runtime import job


def main(path_to_S, path_to_switches, path_to_standard, path_to_pdf, path_to_png, titles, taus, drops, style, facts):
    grids, switches = tables.of_runs(path_to_S), tables.of_runs(path_to_switches)
    standard = tables.standard_scores(path_to_standard)
    figure, axes = theme.canvas(titles.values(), 2, style)
    theme.letter(axes, [r"a  kernel distance from $\tau$", "b  test accuracy after the switch"])
    for name, (left, right) in zip(titles, axes, strict=True):
        panels.since(left, grids[grids["experiment"] == name], taus[name])
        mine, own = switches[switches["experiment"] == name], standard[standard["experiment"] == name]
        panels.learning_curves(right, mine, own)
        for ax in (left, right):
            panels.drops(ax, drops[name])
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
