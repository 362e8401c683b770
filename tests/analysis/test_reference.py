"""Published runs: their claims follow from their own tables, by today's formulas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from scripts.phases import judge_claims as script
from twophase.config import plan
from twophase.config.resolve import resolve
from twophase.files import storage

REPOSITORY = Path(__file__).parents[2]
REFERENCE = REPOSITORY / "results" / "reference"
RUNS = sorted(path.parent.name for path in REFERENCE.glob("*/claims.parquet"))


@pytest.mark.parametrize("run", RUNS)
def test_claims_follow_from_the_tables_kept_with_them(run, tmp_path):
    config = resolve(yaml.safe_load((REPOSITORY / "config" / f"{run}.yaml").read_text()))
    folder = REFERENCE / run
    tables = [
        folder / name / f"seed{seed}" / f"{table}.parquet"
        for name, experiment in config["experiments"].items()
        for seed in experiment["seeds"]
        for table in plan.judged_tables(experiment)
    ]
    script.main(
        tables,
        sorted(folder.glob("*/seed*/predictions/trajectory.safetensors")),
        folder / "phases.parquet",
        tmp_path / "claims.parquet",
        {name: plan.judged(e, config["datasets"]) for name, e in config["experiments"].items()},
        {},
    )
    kept, again = (storage.read_table(path / "claims.parquet") for path in (folder, tmp_path))
    numbers = ["holds_from", "holds_to", "value", "low", "high"]
    np.testing.assert_allclose(again[numbers], kept[numbers], rtol=1e-9, atol=1e-15)
    pd.testing.assert_frame_equal(again.drop(columns=numbers), kept.drop(columns=numbers), check_dtype=False)


def test_there_is_a_published_run():
    assert "demo" in RUNS
