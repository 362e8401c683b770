"""Unit costs of each experiment on this machine, from which `estimate` reckons."""

import json
from pathlib import Path

from twophase.cost import calibration, sizes
from twophase.files import integrity, storage
from twophase.runtime import job


def main(path_to_data, path_to_calibration, abouts, datasets, of, cores, facts):
    files = {Path(path).stem: path for path in path_to_data}
    shapes = {name: sizes.shape(dataset, files.get(name)) for name, dataset in datasets.items()}
    for name, shape in shapes.items():
        if shape is None:
            raise integrity.damaged(files[name], "is damaged or no data set")
    abouts = {name: about | {"shape": shapes[of[name]]} for name, about in abouts.items()}
    found = {"cores": cores, "experiments": calibration.measure(abouts, cores), **facts}
    storage.write_text(path_to_calibration, json.dumps(found, indent=1))


if __name__ == "__main__":
    job.run(main, snakemake, cores=snakemake.threads)  # noqa: F821
