"""`make bench`: every case once, each a ratio measured side by side. `make test` does not collect this file."""

import pytest

from benchmarks import barrier_cases, grid_cases, ntk_cases, training_cases
from benchmarks.comparison import measure

CASES = [*ntk_cases.CASES, *grid_cases.CASES, *barrier_cases.CASES, *training_cases.CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group.split()[0]} {case.name}")
def test_case(case, benchmark, prepared, pytestconfig):
    measure(case, benchmark, prepared, pytestconfig.getoption("quick"), pytestconfig.getoption("bench_threads"))
