"""All figures with their captions as an HTML page."""

from twophase.files import storage
from twophase.report import captions
from twophase.runtime import job


def main(path_to_figures, path_to_page, shown, facts):
    storage.write_text(path_to_page, captions.page(shown))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
