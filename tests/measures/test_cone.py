"""The cone's picture, made from the distances of kernels: it is that of the kernels themselves."""

import numpy as np
import pytest

from scripts.cone import cone
from twophase.files import storage
from twophase.measures import distances

TIMES = [0, 5, 10, 40]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_rays_are_the_unit_kernels_along_their_principal_axes(tmp_path, count):
    kernels = np.random.default_rng(0).random((count, 30)) * np.arange(1, count + 1)[:, None]
    unit = kernels / np.linalg.norm(kernels, axis=1, keepdims=True)
    table = {"i": [], "j": [], "value": []}
    for i in range(count):
        for j in range(i, count):
            table["i"].append(TIMES[i])
            table["j"].append(TIMES[j])
            table["value"].append(1 - unit[i] @ unit[j] if i != j else 0.0)
    storage.write_table(tmp_path / "S.parquet", table, storage.provenance("S"))
    cone.main(tmp_path / "S.parquet", tmp_path / "cone.parquet", {})
    found = storage.read_table(tmp_path / "cone.parquet")
    assert [*found["iteration"]] == TIMES[:count]
    expected, explained = distances.principal_coordinates(lambda: iter([unit]), 0, 3)
    np.testing.assert_allclose(found[[*"xyz"]], expected, atol=1e-7)
    np.testing.assert_allclose(found.attrs["explained"], explained, atol=1e-7)
    rays = found[[*"xyz"]].to_numpy()
    apart = np.linalg.norm(unit - unit[0], axis=1)  # three axes hold all that four vectors span about the first
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), apart, atol=1e-7)


@pytest.mark.parametrize("lost", [[2], [0], [0, 1, 2, 3]])
def test_a_kernel_without_a_direction_has_no_place(tmp_path, lost):
    """One that is 0, as of constant images, or has overflown: its distance to every other is NaN."""
    pairs = [(i, j) for i in range(4) for j in range(i, 4)]
    values = [np.nan if {i, j} & {*lost} else 0.1 * (j - i) for i, j in pairs]
    table = {"i": [TIMES[i] for i, _ in pairs], "j": [TIMES[j] for _, j in pairs], "value": values}
    storage.write_table(tmp_path / "S.parquet", table, storage.provenance("S"))
    cone.main(tmp_path / "S.parquet", tmp_path / "cone.parquet", {})
    found = storage.read_table(tmp_path / "cone.parquet").set_index("iteration")
    assert found.isna().all(axis=1).tolist() == [k in lost for k in range(4)]
    assert np.isfinite(found.attrs["explained"]).all()
