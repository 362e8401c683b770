"""Panels about the cone: what is drawn is read back from the axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from twophase.report import cone_panels


def test_angles_are_those_of_vectors_in_a_plane():
    """Kernels that turn by a degree an iteration: the angle of two is the time between them."""
    figure, ax = plt.subplots()
    times = [0, 10, 30, 60]
    rows = [(i, j, 1 - np.cos(np.radians(j - i))) for i in times for j in times if i <= j]
    cone_panels.angles(ax, pd.DataFrame(rows, columns=["i", "j", "value"]).assign(seed=0), [30])
    from_start, from_tau = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(from_start, [np.nan, 10, 30, 60])
    np.testing.assert_allclose(from_tau, [30, 20, np.nan, 30])
    assert "degrees" in ax.get_ylabel()
    plt.close(figure)


def test_later_kernels_are_darker_and_the_first_is_black():
    figure = plt.figure()
    ax = figure.add_subplot(projection="3d")
    frame = pd.DataFrame({"iteration": [0, 10, 20, 30], "x": [0.0, 1, 2, 3], "y": [0.0, 1, 0, 1], "z": 0.0})
    cone_panels.cone(ax, frame)
    later, first = ax.collections
    assert first.get_facecolor()[0, :3] == pytest.approx([0, 0, 0])
    colours = later.cmap(later.norm(np.sort(later.get_array())))[:, :3]
    assert (np.diff(colours @ [0.2126, 0.7152, 0.0722]) < 0).all()
    plt.close(figure)
