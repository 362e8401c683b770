"""A page for each experiment: when its chaotic phase ends, its estimates, claims and settings."""

from twophase.analysis import inflection
from twophase.files import storage, tables
from twophase.report import pages, sentences
from twophase.runtime import job


def main(path_to_claims, path_to_phases, path_to_chaos, path_to_pages, experiments, settings, facts):
    claims, estimates = storage.read_table(path_to_claims), storage.read_table(path_to_phases)
    forks = tables.of_runs(path_to_chaos) if path_to_chaos else tables.of_experiments([])
    for (name, described), path in zip(experiments.items(), path_to_pages, strict=True):
        mine, ends, judged = (table[table["experiment"] == name] for table in (estimates, forks, claims))
        said = sentences.verdict(described, inflection.end_of_chaos(estimates, name), None if ends.empty else ends)
        storage.write_text(path, pages.of_experiment(said, mine, judged, settings[name]))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
