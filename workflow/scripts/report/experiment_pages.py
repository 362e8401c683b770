"""A page for each experiment: when its chaotic phase ends, its inflection points, claims and settings."""

from twophase.analysis import inflection
from twophase.files import storage, tables
from twophase.report import pages, sentences
from twophase.runtime import job


def main(path_to_claims, path_to_phases, path_to_chaos, path_to_pages, experiments, settings, points, facts):
    claims, phases = storage.read_table(path_to_claims), storage.read_table(path_to_phases)
    forks = tables.of_runs(path_to_chaos) if path_to_chaos else tables.of_experiments([])
    for (name, described), path in zip(experiments.items(), path_to_pages, strict=True):
        rows, compared, judged = (table[table["experiment"] == name] for table in (phases, forks, claims))
        end = inflection.end_of_chaos(phases, name)
        said = sentences.end_of_chaos(described, end, None if compared.empty else compared)
        said = [sentences.headline(described, rows, judged), " ".join(said)]
        shown = {"phases": rows, "claims": judged, "forks": compared}
        storage.write_text(path, pages.of_experiment(said, shown, settings[name], points))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
