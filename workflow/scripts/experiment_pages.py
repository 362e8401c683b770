"""A page for each experiment: when its chaotic phase ends, its estimates, claims and settings."""

import _library  # noqa: F401
from twophase import job, pages, sentences, storage, tables


def main(path_to_claims, path_to_phases, path_to_chaos, path_to_pages, experiments, settings, facts):
    claims = storage.read_table(path_to_claims)
    phases = storage.read_table(path_to_phases[0]) if path_to_phases else tables.of_experiments([])
    forks = tables.of_runs(path_to_chaos) if path_to_chaos else tables.of_experiments([])
    for (name, described), path in zip(experiments.items(), path_to_pages, strict=True):
        mine, ends, judged = (table[table["experiment"] == name] for table in (phases, forks, claims))
        estimate = sentences.end_of_chaos(phases, name)
        said = sentences.verdict(described, estimate, None if ends.empty else ends)
        with storage.atomic(path) as temporary:
            page = pages.of_experiment(said, mine, judged, settings[name])
            temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
