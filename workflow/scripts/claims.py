"""Every claim of both papers about every experiment: value, interval and verdict, as a table and as a page."""

import pandas as pd

import _library  # noqa: F401
from twophase import claims, findings, job, pages, storage, tables


def main(
    path_to_chaos,
    path_to_control,
    path_to_S,
    path_to_switches,
    path_to_predictions,
    path_to_claims,
    path_to_page,
    experiments,
    facts,
):
    parts, images = {}, {}

    def keep(name, seed, part, table):
        if len(table):
            parts.setdefault((name, int(seed)), {})[part] = table

    files = {"chaos": path_to_chaos, "control": path_to_control, "S": path_to_S, "switches": path_to_switches}
    for part, paths in files.items():
        for path in paths:
            table = storage.read_table(path)
            keep(table.attrs["experiment"], table.attrs["seed"], part, table)
    for path in path_to_predictions:
        scores = tables.standard_scores([path])
        name, seed = scores[["experiment", "seed"]].iloc[0]
        keep(name, seed, "standard", scores)
        images[name] = storage.read_tensors(path)["predictions"].shape[1]

    found = []
    for name, settings in experiments.items():
        runs = [findings.Run(**parts.get((name, seed), {})) for seed in settings["seeds"]]
        rows = claims.of_experiment(runs, settings | {"images": images.get(name)})
        found.append(rows.assign(experiment=name))
    table = pd.concat(found, ignore_index=True)
    table = table[["experiment", *table.columns.drop("experiment")]]
    definition = "claims of both papers: value with bootstrap interval over seeds, draws and test images, and verdict"
    storage.write_table(path_to_claims, table, storage.provenance(definition, **facts))
    with storage.atomic(path_to_page) as temporary:
        temporary.write_text(pages.of_claims(table, experiments), encoding="utf-8")


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
