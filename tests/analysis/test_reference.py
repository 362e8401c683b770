"""Published runs: their claims follow from their own tables, by today's formulas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from scripts.phases import estimate_inflection, gather_estimates
from scripts.phases import judge_claims as script
from twophase.analysis import agreement
from twophase.config import estimators, plan
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


def test_without_the_last_checkpoint_no_verdict_of_the_run_that_decides_is_the_opposite(tmp_path):
    """T and T less one step of the checkpoints: how long one trains is no finding."""
    config = resolve(yaml.safe_load((REPOSITORY / "config" / "decisive.yaml").read_text()))
    name, folder = "resnet20", REFERENCE / "decisive"
    experiment = config["experiments"][name]
    end = sorted(storage.read_table(folder / name / "seed0" / "S.parquet")["i"].unique())[-2]
    for path in folder.glob(f"{name}/seed*/*.parquet"):
        table = storage.read_table(path)
        times = table.columns.intersection(["i", "j", "t", "t1"])
        shorter = table[(table[times] <= end).all(axis=1)].reset_index(drop=True)
        storage.write_table(tmp_path / path.relative_to(folder), shorter, {})

    def of_all_seeds(names):
        return [tmp_path / name / f"seed{s}" / f"{t}.parquet" for s in experiment["seeds"] for t in names]

    estimates = []
    chaos, cone, phases = (experiment[part] for part in ("chaos", "cone", "phases"))
    for family in estimators.families(experiment):
        tables, out = of_all_seeds(estimators.tables(experiment, family)), tmp_path / f"{family}.parquet"
        settings = chaos["t0"], chaos["t1"], cone["dt"], phases["scale"], phases["level"]
        settings += chaos["noise"], experiment["barrier"]["metric"]
        estimate_inflection.main(tables, out, family, *settings, {"experiment": name})
        estimates.append(out)
    gather_estimates.main(estimates, tmp_path / "phases.parquet", {})
    judged = plan.judged(experiment, config["datasets"]) | {"iterations": int(end), "until": int(end)}
    script.main(
        of_all_seeds(plan.judged_tables(experiment)),
        sorted(folder.glob(f"{name}/seed*/predictions/trajectory.safetensors")),
        tmp_path / "phases.parquet",
        tmp_path / "claims.parquet",
        {name: judged},
        {},
    )
    published, shorter = (storage.read_table(path / "claims.parquet") for path in (folder, tmp_path))
    rows = agreement.compare(published[published["experiment"] == name], shorter)
    assert not rows["agreement"].isin([agreement.CONTRADICTION, agreement.MISSING]).any()


def test_there_is_a_published_run():
    assert "demo" in RUNS
