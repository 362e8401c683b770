"""Jobs, time, memory and disk of a whole run of the config, as a table on the screen and in the log."""

import os
from pathlib import Path

from twophase.cost import estimate
from twophase.runtime import job


def main(path_to_calibration, config, cores, facts):
    costs = estimate.costs(config, estimate.read_calibration(path_to_calibration))
    print(estimate.report(costs, cores, estimate.benchmarks(f"{config['results']}/benchmarks")))


if __name__ == "__main__":
    screen = os.dup(1)
    job.run(main, snakemake)  # noqa: F821
    os.write(screen, Path(snakemake.log[0]).read_bytes())  # noqa: F821
