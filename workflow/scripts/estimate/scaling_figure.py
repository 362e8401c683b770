"""How the time of each stage grows: a panel for each thing that can."""

from twophase.files import storage
from twophase.report import panels, theme
from twophase.runtime import job

LABELS = {
    "checkpoints": "checkpoints of the grid",
    "test": "test images",
    "n": "inputs $n$ of the kernel",
    "parameters": "parameters",
}


def main(path_to_scaling, path_to_pdf, path_to_png, style, facts):
    table = storage.read_table(path_to_scaling)
    figure, (axes,) = theme.canvas([""], len(LABELS), style)
    theme.letter([axes], ["a  checkpoints", "b  test set", "c  kernel", "d  network"])
    for ax, (axis, label) in zip(axes, LABELS.items(), strict=True):
        panels.growth(ax, table[table["axis"] == axis], label)
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
