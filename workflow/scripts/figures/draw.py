"""Any figure of the registry: drawn by the function of its name, written as PDF and PNG."""

from twophase.report import figures, theme
from twophase.runtime import job


def main(path_to_pdf, path_to_png, figure, style, facts, **own):
    """Draws the `figure` of that name; `own` are its inputs, as `path_to_<name>`, and what else its function takes."""
    paths = {name.removeprefix("path_to_"): own.pop(name) for name in [*own] if name.startswith("path_to_")}
    drawn = getattr(figures, figure)(paths, style=style, **own)
    theme.save(drawn, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
