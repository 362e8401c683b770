"""Figure 6: standard training that switches to linearized training at t; final accuracy (a) and loss (b)."""

from twophase.files import tables
from twophase.report import panels, theme
from twophase.runtime import job


def main(path_to_switches, path_to_standard, path_to_phases, path_to_pdf, path_to_png, titles, ends, style, facts):
    switches, phases = tables.of_runs(path_to_switches), tables.of_experiments(path_to_phases)
    standard = tables.standard_scores(path_to_standard)
    figure, axes = theme.canvas(titles.values(), 2, style)
    theme.letter(axes, ["a  test accuracy", "b  test loss"])
    for name, row in zip(titles, axes, strict=True):
        mine, own = switches[switches["experiment"] == name], standard[standard["experiment"] == name]
        estimates = phases[phases["experiment"] == name]
        panels.switching(row[0], mine, own, ends[name], "test_accuracy", "test accuracy")
        panels.switching(row[1], mine, own, ends[name], "test_loss", "test loss (nats)")
        for ax in row:
            panels.inflections(ax, estimates)
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
