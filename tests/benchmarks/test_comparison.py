"""What `make bench` measures with and how it writes it down; of the cases, only that each other side is right."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
import torch

import helpers
from benchmarks import report, rivals, setups
from benchmarks.comparison import OURS, Other, Sides, call, peak_of, relative
from twophase.measures import ntk


@pytest.fixture(autouse=True)
def _settings_of_torch():
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(deterministic)


def row(**changes) -> dict:
    plain = {
        "group": "Kernel",
        "name": "net",
        "unit": "step",
        "notes": ["a note"],
        "count": 10,
        "seconds": [1.0, 2.0, 4.0],
        "bytes": 3 << 20,
        "flops": 4e9,
        "speed": 8e9,
        "bound": 1e-5,
        "others": [{"name": "loop", "seconds": [6.0, 8.0, 8.0], "bytes": 1 << 31, "error": 2e-7}],
        "threads": 1,
        "quick": False,
    }
    return plain | changes


def page(*rows: dict) -> str:
    return report.table(
        {
            "machine_info": {"machine": "x", "python_version": "3.11", "cpu": {"brand_raw": "A CPU", "count": 2}},
            "commit_info": {"id": "0123456789abcdef", "dirty": True},
            "datetime": "2030-01-02T03:04:05",
            "versions": {"torch": "2.0"},
            "load": 1.25,
            "benchmarks": [{"extra_info": r} for r in rows],
        }
    )


def test_a_row_has_medians_ratio_memory_limit_and_difference():
    cells = ["net", "loop", "200 ms / step", "800 ms / step", "**4** (2–6)", "3 MiB", "2,048 MiB", "4", "2e-07 (1e-05)"]
    assert f"| {' | '.join(cells)} |" in page(row()).splitlines()


def test_the_page_names_the_machine_and_each_group_once():
    text = page(row(), row(name="other net"), row(group="Grids", flops=None))
    assert all(part in text for part in ("A CPU", "torch 2.0", "2030-01-02", "commit 0123456789 with changes"))
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## Kernel", "## Grids"]
    assert text.count("- a note") == 2
    assert "trial run" not in text
    assert "trial run" in page(row(quick=True))


def test_every_line_of_a_table_has_the_same_number_of_cells():
    lines = [line for line in page(row(), row(flops=None, bound=0.0)).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {len(report.HEAD) + 1}


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_peak_counts_what_is_freed_again_and_not_what_was_there():
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError as error:
        pytest.skip(f"this system cannot forget a peak of memory: {error}")
    there = np.ones(1 << 23)
    few = peak_of(lambda: there.sum())
    peak = peak_of(lambda: np.ones(1 << 23).sum())
    assert few < 16 << 20
    assert 60 << 20 < peak < 96 << 20


def test_only_our_side_runs_deterministic_algorithms():
    enabled = torch.are_deterministic_algorithms_enabled
    sides = Sides(enabled, [Other("loop", enabled, relative)], 0.0)
    assert call(sides, OURS)
    assert not call(sides, 0)


def test_the_other_kernels_are_the_same_kernel():
    model, inputs = helpers.net(dtype=torch.float64).eval(), torch.randn(5, 1, 6, 6, dtype=torch.float64)
    kernel = ntk.empirical_ntk(model, inputs)
    assert relative(rivals.tutorial_ntk(model, inputs, inputs), kernel) < 1e-12
    assert relative(rivals.tutorial_ntk_once(model, inputs), kernel) < 1e-12
    assert relative(sum(rivals.ntk_of_logit(model, inputs, k) for k in range(3)), kernel) < 1e-12


def test_transforms_image_by_image_give_the_normalised_batch():
    data = helpers.data()
    images = rivals.Images(data.train_images, data.train_labels, rivals.per_image(data))
    batch = torch.stack([images[k][0] for k in range(len(images))])
    torch.testing.assert_close(batch, data.normalise(data.train_images))


def test_checkpoints_of_a_case_differ_and_are_read_without_the_optimizer(tmp_path):
    first, second = (setups.read_state(path) for path in setups.checkpoints("resnet8", 2, tmp_path))
    assert first.keys() == setups.network("resnet8").state_dict().keys()
    assert not torch.equal(first["conv.weight"], second["conv.weight"])
