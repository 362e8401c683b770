"""Exponents of growth."""

import numpy as np
import pytest

from twophase.cost import scaling


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_exponent_is_that_of_a_power_law(power):
    x = np.array([3.0, 10.0, 40.0, 200.0])
    assert scaling.exponent(x, 0.7 * x**power) == pytest.approx(power, abs=1e-12)


def test_least_is_the_shortest_of_three():
    seconds = iter([3.0, 1.0, 2.0])
    assert scaling.least(lambda: next(seconds)) == 1.0
