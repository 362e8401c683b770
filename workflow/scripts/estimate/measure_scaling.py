"""Time of each stage while one thing grows at a time."""

import tempfile
from pathlib import Path

import pandas as pd

from twophase.cost import scaling
from twophase.files import storage
from twophase.runtime import job


def main(path_to_scaling, facts):
    with tempfile.TemporaryDirectory() as folder:
        table = pd.DataFrame(scaling.sweeps(Path(folder)))
    fitted = {key: scaling.exponent(rows["x"], rows["seconds"]) for key, rows in table.groupby(["axis", "stage"])}
    table["exponent"] = [fitted[key] for key in zip(table["axis"], table["stage"], strict=True)]
    definition = "time (s) of a stage over what grows, ResNet-8 on images of 8x8, one thread; exponent of the power law"
    storage.write_table(path_to_scaling, table, storage.provenance(definition, **facts))


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
