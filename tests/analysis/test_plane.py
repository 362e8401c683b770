"""The plane of base run and forks: distances there are those between parameters, to whatever run a fork left."""

import numpy as np
import pytest

from scripts.phases import plane
from twophase.files import folders, storage
from twophase.files.layout import TWIN, Fork, step_file

TIMES = (0, 10, 20)


def save(folder, states):
    with folders.resumable(folder, "key") as work:
        for name, values in states.items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            storage.write_tensors(path, {"w": np.array(values, dtype=np.float32)}, {"trainable": ["w"]})


@pytest.mark.parametrize("twin_at", [None, (3.0, 1.0)])
def test_forks_are_shown_from_the_base_run_whichever_run_they_left(tmp_path, twin_at):
    base = {t: (float(t), -0.3 * t) for t in TIMES}
    left = base[20] if twin_at is None else twin_at
    apart = {(0, 0): (4.0, 2.0), (10, 0): (0.0, 0.0)}
    save(tmp_path / "trajectory", {step_file(t): place for t, place in base.items()})
    forks = {f"{Fork(*fork).folder}/{step_file(20)}": np.add(left, off) for fork, off in apart.items()}
    twin = {} if twin_at is None else {f"{TWIN}/{step_file(20)}": twin_at}
    save(tmp_path / "forks", forks | twin)

    plane.main(tmp_path / "trajectory", [tmp_path / "forks"], tmp_path / "plane.parquet", {})

    table = storage.read_table(tmp_path / "plane.parquet")
    assert table["t0"].tolist() == [-1, -1, -1, 0, 10]
    shown = table[["x", "y"]].to_numpy()
    assert np.linalg.norm(shown[0] - shown[2]) == pytest.approx(np.hypot(*base[20]), rel=1e-6)
    for k, off in ((3, apart[0, 0]), (4, apart[10, 0])):
        assert np.linalg.norm(shown[k] - shown[2]) == pytest.approx(np.hypot(*off), abs=1e-5)
