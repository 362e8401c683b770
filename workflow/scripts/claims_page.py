"""The table of claims as an HTML page."""

import _library  # noqa: F401
from twophase import job, pages, scorecard, storage


def main(path_to_claims, path_to_page, experiments, facts):
    page = pages.of_claims(storage.read_table(path_to_claims), experiments, scorecard.VERDICTS)
    storage.write_text(path_to_page, page)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
