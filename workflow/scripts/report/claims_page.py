"""The scorecard of all experiments as an HTML page."""

from twophase.files import storage
from twophase.report import pages
from twophase.runtime import job


def main(path_to_claims, path_to_page, experiments, facts):
    page = pages.of_claims(storage.read_table(path_to_claims), experiments)
    storage.write_text(path_to_page, page)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
