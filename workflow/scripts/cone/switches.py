"""The evaluations of all linearized runs of one seed as one table."""

from pathlib import Path

import pandas as pd

from twophase.files import folders, layout, storage
from twophase.runtime import job


def main(path_to_blocks, path_to_switches, facts):
    logs = {}
    for block in path_to_blocks:
        for file in folders.files(block):
            logs[layout.switch(Path(file).parent.name)] = storage.read_table(Path(block) / file)
    tables = [log[log["test_loss"].notna()].assign(switch=switch) for switch, log in sorted(logs.items())]
    table = pd.concat(tables)[["switch", "iteration", "test_loss", "test_accuracy", "loss", "accuracy"]]
    definition = "linearized runs: switch and iteration; test loss (nats) and accuracy, batch loss (nats) and accuracy"
    storage.write_table(path_to_switches, table, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
