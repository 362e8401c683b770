"""The table of estimates as an HTML page."""

import _library  # noqa: F401
from twophase import job, pages, storage


def main(path_to_phases, path_to_page, experiments, facts):
    page = pages.of_phases(storage.read_table(path_to_phases), experiments)
    with storage.atomic(path_to_page) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
