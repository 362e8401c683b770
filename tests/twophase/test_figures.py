"""Panels show the numbers of their tables: what is drawn is read back from the axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm, to_rgb, to_rgba

import readings
from twophase import figures, scorecard, storage


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def shown(ax, rows: int) -> np.ndarray:
    """The numbers of a heat map, NaN where nothing is drawn."""
    mesh = next(item for item in ax.collections if isinstance(item, QuadMesh))
    return np.ma.filled(np.ma.asarray(mesh.get_array(), dtype=float), np.nan).reshape(rows, -1)


def pairs(times, value) -> pd.DataFrame:
    rows = [(i, j, value(i, j)) for i in times for j in times if i <= j]
    return pd.DataFrame(rows, columns=["i", "j", "value"]).assign(experiment="e", seed=0)


def test_scale_is_logarithmic_from_two_decades_on():
    assert isinstance(figures.scale(pd.Series([0.0, 1e-6, 1e-2])), LogNorm)
    assert not isinstance(figures.scale(pd.Series([0.0, 0.2, 0.9])), LogNorm)


def test_scale_of_zeros_draws():
    norm = figures.scale(pd.Series([0.0, 0.0]))
    assert norm.vmin < norm.vmax


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=12, unique=True).map(sorted))
def test_every_grid_point_lies_in_its_own_cell(points):
    borders = figures.edges(np.array(points, dtype=float))
    assert len(borders) == len(points) + 1
    assert (borders[:-1] < points).all()
    assert (points < borders[1:]).all()


def test_a_grid_of_pairs_is_mirrored(ax):
    frame = pairs([0, 10, 40], lambda i, j: 1 + i + j / 100)
    figures.pairs_heat(ax, frame, figures.scale(frame["value"]), "rocket_r", "S")
    np.testing.assert_allclose(shown(ax, 3), [[1.0, 1.1, 1.4], [1.1, 11.1, 11.4], [1.4, 11.4, 41.4]])


def test_a_logarithmic_heat_map_shows_the_geometric_mean_of_seeds(ax):
    frame = pd.DataFrame({"t0": [0, 0, 5, 5], "t1": [9, 9, 9, 9], "C": [1e-8, 1e-4, 1e-2, 1e-2]})
    frame = pd.concat([frame, frame.assign(t1=10)])
    figures.chaos_heat(ax, frame, "C", figures.scale(frame["C"]), "rocket_r", "C")
    np.testing.assert_allclose(shown(ax, 2)[0], [1e-6, 1e-2])


def test_forks_that_do_not_exist_stay_white(ax):
    frame = pd.DataFrame({"t0": [0, 0, 5], "t1": [5, 9, 9], "D": [0.1, 0.2, 0.3]})
    figures.chaos_heat(ax, frame, "D", figures.scale(frame["D"]), "rocket_r", "D")
    assert np.isnan(shown(ax, 2)).tolist() == [[False, True], [False, False]]


def test_steps_draws_one_curve_for_each_dt(ax):
    frame = pairs(range(0, 50, 10), lambda i, j: (j - i) / 100)
    figures.steps(ax, frame, [10, 20])
    heights = sorted({line.get_ydata()[0] for line in ax.lines if len(line.get_ydata())})
    assert heights == pytest.approx([0.1, 0.2])


def test_since_shows_both_sides_of_tau_and_zero_at_it(ax):
    figures.since(ax, pairs([0, 10, 20, 30], lambda i, j: float(j - i)), [20])
    curve = next(line for line in ax.lines if len(line.get_xdata()) == 4)
    assert list(curve.get_ydata()) == [20.0, 10.0, 0.0, 10.0]


@pytest.mark.parametrize("found", [True, False])
def test_inflections_keep_the_legend_and_the_limits(ax, found):
    figures.steps(ax, pairs(range(0, 50, 10), lambda i, j: 1.0), [10])
    limits, lines = ax.get_xlim(), len(ax.lines)
    row = {"quantity": "inflection", "estimator": "kernel", "value": 25.0, "low": -100.0, "high": 900.0, "p": 0.2}
    figures.inflections(ax, pd.DataFrame([row | {"found": found}]))
    assert ax.get_xlim() == limits
    words = "25" if found else "none"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["10", f"inflection (kernel): {words}"]
    assert len(ax.lines) == lines + found


@pytest.mark.parametrize("found", [True, False])
def test_exponents_have_a_curve_for_each_t1_and_say_where_the_sign_changes(ax, found):
    chaos = pd.DataFrame({"t0": [0, 10, 0, 10], "t1": [20, 20, 50, 50], "epsilon": 1e-6})
    chaos["l2"] = 1e-6 * np.exp(0.1 * (chaos["t1"] - chaos["t0"]))
    row = {"quantity": "sign change", "value": 312.0, "low": 300.0, "high": 320.0, "found": found}
    figures.exponents(ax, chaos, pd.DataFrame([row]))
    curves = [line for line in ax.lines if len(line.get_xdata()) == 2]
    assert sum(np.allclose(line.get_ydata(), 0.1) for line in curves) == 2
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words[-1] == ("sign change: 312" if found else "sign change: none")


def test_exponents_say_nothing_of_a_sign_change_that_nobody_looked_for(ax):
    chaos = pd.DataFrame({"t0": [0, 10], "t1": [20, 20], "epsilon": 1e-6, "l2": 1e-5})
    figures.exponents(ax, chaos, pd.DataFrame({"quantity": ["inflection"]}))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["20"]


# Verdicts -----------------------------------------------------------------------------------------------------------

YES, NO, UNDECIDED, OUTSIDE = scorecard.VERDICTS
SCORES = {  # experiment: its verdicts on four claims; None for a part that it does not have
    "default": [YES, NO, OUTSIDE, OUTSIDE],
    "l2": [YES, YES, YES, OUTSIDE],
    "linf": [UNDECIDED, None, OUTSIDE, OUTSIDE],
}
TITLES = {"default": "as it is", "l2": "norm: l2", "linf": "norm: linf"}


@pytest.fixture
def board():
    rows = [
        {"experiment": e, "claim": f"claim {k}", "value": 10.0**k, "verdict": said or OUTSIDE, "ran": said is not None}
        for e, verdicts in SCORES.items()
        for k, said in enumerate(verdicts)
    ]
    table = pd.DataFrame(rows)
    table.loc[(table["experiment"] == "l2") & (table["claim"] == "claim 0"), "value"] = np.nan
    figure = figures.verdicts(table, TITLES, scorecard.VERDICTS, {"panel": 2.6})
    yield figure.axes[0]
    plt.close(figure)


def at(ax, place):
    """Row and column of something that is drawn there."""
    rows = [tick - 0.5 for tick in ax.get_yticks()]
    return max(k for k, top in enumerate(rows) if top <= place[1]), int(place[0])


def test_every_cell_has_the_colour_of_its_verdict(board):
    filled = [patch for patch in board.patches if patch.get_fill()]
    found = {at(board, patch.get_xy()): patch.get_facecolor() for patch in filled}
    assert len(filled) == len(found) == 9  # no experiment decides claim 3
    for row, verdicts in enumerate(SCORES.values()):
        for column, said in enumerate(verdicts[:3]):
            colour = dict(zip(scorecard.VERDICTS, figures.VERDICTS, strict=True)).get(said, figures.NOT_RUN)
            assert found[row, column] == to_rgba(colour)


def test_a_frame_marks_verdicts_unlike_the_first_row_s_where_both_decide(board):
    assert {at(board, patch.get_xy()) for patch in board.patches if not patch.get_fill()} == {(1, 1), (2, 0)}
    bold = [label.get_text() for label in board.get_xticklabels() if label.get_fontweight() == "bold"]
    assert bold == ["claim 0", "claim 1"]


def test_cells_show_values_where_something_was_decided(board):
    found = {at(board, text.get_position()): text.get_text() for text in board.texts}
    assert found == {(0, 0): "1", (0, 1): "10", (1, 0): "no t*", (1, 1): "10", (1, 2): "100", (2, 0): "1"}


def test_rows_whose_titles_begin_alike_stand_together(board):
    first, second = np.diff(board.get_yticks())
    assert [label.get_text() for label in board.get_yticklabels()] == [*TITLES.values()]
    assert first > second == 1


def test_what_an_experiment_leaves_out_did_not_run_and_counterexamples_have_no_row(tmp_path, monkeypatch):
    reasons = ["", scorecard.MISSING + "forks", "about another network, or a longer training"]
    table = pd.DataFrame({"experiment": "e", "claim": [*"abc"], "reason": reasons})
    other = table.assign(experiment="counterexample")
    storage.write_table(tmp_path / "claims.parquet", pd.concat([table, other]), {})
    monkeypatch.setattr(figures, "verdicts", lambda claims, *_: claims)
    monkeypatch.setattr(figures, "save", lambda claims, *_: drawn.append(claims))
    drawn = []
    readings.main(tmp_path / "claims.parquet", "a.pdf", "a.png", {"e": "title"}, {}, {})
    assert drawn[0]["experiment"].tolist() == ["e"] * 3
    assert drawn[0]["ran"].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.0, "0"), (3.6e-12, "3.6e-12"), (4e-5, "4e-5"), (8.7e-4, "8.7e-4"), (0.0012, "0.0012"), (-0.05, "-0.05")),
        *((7.74, "7.7"), (175.0, "175")),
    ],
)
def test_numbers_in_cells_are_short(value, text):
    assert figures.short(value) == text


def lightness(colour, vision):
    """CIE L* of a colour as eyes see it that mix linear RGB by `vision`."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return 116 * np.cbrt(np.clip(vision @ linear, 0, 1) @ [0.2126, 0.7152, 0.0722]) - 16


def test_verdicts_differ_in_lightness_so_that_no_eye_needs_their_hues():
    """Machado et al., 2009: full protanopia, deuteranopia and tritanopia."""
    visions = [
        np.eye(3),
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
    for vision in visions:
        levels = [lightness(colour, np.array(vision)) for colour in figures.VERDICTS]
        assert (np.diff(levels) > 6).all()
        assert levels[0] > 50  # for black letters


def test_equal_figures_are_equal_files(tmp_path):
    style = {"dpi": 50, "panel": 1.0}
    for name in ("a", "b"):
        figure, axes = figures.canvas(["title"], 1, style)
        axes[0][0].plot([0, 1])
        figures.save(figure, [tmp_path / f"{name}.pdf", tmp_path / f"{name}.png"], style)
    for kind in ("pdf", "png"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_long_small_print_goes_on_in_another_line(tmp_path):
    figure, _ = figures.canvas(["title"], 1, {"panel": 1.0})
    figures.save(figure, [tmp_path / "a.png"], {"dpi": 50, "note": "ResNet, " * 20})
    (text,) = [text.get_text() for text in figure.texts]
    assert max(map(len, text.split("\n"))) <= figures.NOTE * figure.get_figwidth() + 1


def test_small_print_names_experiment_seeds_and_commit(tmp_path):
    figure, _ = figures.canvas(["title"], 1, {"panel": 2.6})
    figures.save(figure, [tmp_path / "a.png"], {"dpi": 50, "note": "ResNet, seeds 0, 1"})
    (text,) = [" ".join(text.get_text().split()) for text in figure.texts]
    assert text.startswith("ResNet, seeds 0, 1 · commit ")


def test_no_tick_lies_beyond_the_times(ax):
    frame = pd.DataFrame({"t0": [0, 0, 5500], "t1": [6500, 9500, 9500], "D": [0.1, 0.2, 0.3]})
    figures.chaos_heat(ax, frame, "D", figures.scale(frame["D"]), "rocket_r", "D")
    assert ax.get_xlim()[1] > 6000  # where the last cell ends
    for ticks, (low, high) in ((ax.get_xticks(), (0, 5500)), (ax.get_yticks(), (6500, 9500))):
        assert len(ticks) > 1
        assert low <= min(ticks) < max(ticks) <= high
    assert {"2k", "4k"} <= {text.get_text() for text in ax.get_xticklabels()}


def test_iterations_are_logarithmic_where_most_are_early(ax):
    for name, times in (("y", [0, 100, 200, 300, 400]), ("x", [0, 50, 100, 1000, 60000])):
        ax.plot(times, times)
        figures.time_axis(ax, name, times)
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "linear")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "100", "1k", "10k"]
    assert -50 < ax.get_xlim()[0] < 0  # 0 has a place
    assert ax.get_xlim()[1] > 60000


@pytest.mark.parametrize("count", [figures.LONG, figures.LONG + 1])
def test_a_long_legend_stands_beside_the_panel(ax, count):
    lines = [ax.plot([0, 1], label=f"{k}")[0] for k in range(count)]
    figures.legend(ax, lines, "title")
    ax.figure.canvas.draw()
    beside = ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1
    assert beside == (count > figures.LONG)


def test_the_small_print_of_many_experiments_does_not_widen_the_figure(tmp_path):
    from PIL import Image

    widths = []
    for note in ("ResNet", "; ".join(f"VGG-16 with head {k} / CIFAR-10, seed 0" for k in range(22))):
        figure, _ = figures.canvas(["title"], 1, {"panel": 2.0})
        figures.save(figure, [tmp_path / "a.png"], {"dpi": 50, "note": note})
        with Image.open(tmp_path / "a.png") as image:
            widths.append(image.width)
    assert widths[1] <= 1.1 * widths[0]
