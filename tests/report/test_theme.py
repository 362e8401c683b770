"""What all figures share: axes of iterations, legends, small print, and files that depend on nothing else."""

import os
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from twophase.report import theme


def test_equal_figures_are_equal_files(tmp_path):
    style = {"dpi": 50, "panel": 1.0}
    for name in ("a", "b"):
        figure, axes = theme.canvas(["title"], 1, style)
        axes[0][0].plot([0, 1])
        theme.save(figure, [tmp_path / f"{name}.pdf", tmp_path / f"{name}.png"], style)
    for kind in ("pdf", "png"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_a_palette_changes_no_colour_that_one_sees(tmp_path):
    """Areas keep theirs to the last bit, and 400 shades of a map theirs within 2 of 255 on average."""
    theme.set_theme()
    figure, axes = theme.canvas(["title"], 2, {"panel": 1.0})
    axes[0][0].imshow(np.linspace(0, 1, 400).reshape(20, 20), cmap="viridis")
    axes[0][1].set_facecolor("#f2f2f2")
    figure.savefig(tmp_path / "before.png", dpi=100, bbox_inches="tight")
    theme.save(figure, [tmp_path / "after.png"], {"dpi": 100})
    before, after = (np.asarray(Image.open(tmp_path / f"{n}.png").convert("RGB"), int) for n in ("before", "after"))
    colours, pixels = np.unique(before.reshape(-1, 3), axis=0, return_counts=True)
    assert len(colours) > 300
    for colour in colours[pixels > before[..., 0].size / 100]:
        area = (before == colour).all(axis=2)
        assert (after[area] == colour).all(), colour
    assert np.abs(before - after).mean() <= 2


def test_long_small_print_goes_on_in_another_line(tmp_path):
    figure, _ = theme.canvas(["title"], 1, {"panel": 1.0})
    theme.save(figure, [tmp_path / "a.png"], {"dpi": 50, "note": "ResNet, " * 20})
    (text,) = [text.get_text() for text in figure.texts]
    assert max(map(len, text.split("\n"))) <= theme.NOTE * figure.get_figwidth() + 1


def test_small_print_names_experiment_seeds_and_commit(tmp_path):
    figure, _ = theme.canvas(["title"], 1, {"panel": 2.6})
    theme.save(figure, [tmp_path / "a.png"], {"dpi": 50, "note": "ResNet, seeds 0, 1"})
    (text,) = [" ".join(text.get_text().split()) for text in figure.texts]
    assert text.startswith("ResNet, seeds 0, 1 · commit ")


def test_iterations_are_logarithmic_where_most_are_early(ax):
    for name, times in (("y", [0, 100, 200, 300, 400]), ("x", [0, 50, 100, 1000, 60000])):
        ax.plot(times, times)
        theme.time_axis(ax, name, times)
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "linear")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "100", "1k", "10k"]
    assert -50 < ax.get_xlim()[0] < 0  # 0 has a place
    assert ax.get_xlim()[1] > 60000


def test_few_rows_of_a_heat_map_have_a_tick_each(ax):
    theme.time_axis(ax, "y", [100, 3000], (-1350, 1550, 4450))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["100", "3k"]


def test_a_slope_that_is_a_rate_stays_one(ax):
    times = [0, 50, 100, 1000, 60000]
    ax.plot(times, times)
    theme.time_axis(ax, "x", times, linear=True)
    assert ax.get_xscale() == "linear"


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_headroom_is_a_share_of_the_axis_as_it_is_drawn(ax, scale):
    ax.set(yscale=scale, ylim=(0.01, 100.0))
    theme.headroom(ax, 0.25)
    _, y = ax.transAxes.inverted().transform(ax.transData.transform((0.0, 100.0)))
    assert y == pytest.approx(1 / 1.25)
    assert ax.get_ylim()[0] == 0.01


def test_a_legend_stands_beside_the_panel(ax):
    theme.legend(ax, [ax.plot([0, 1], label=f"{k}")[0] for k in range(3)], "title")
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1


def test_an_axis_that_is_not_linear_says_so(ax):
    for name, times in (("x", [0, 50, 100, 1000, 60000]), ("y", [0, 100, 200])):
        theme.time_axis(ax, name, times)
    theme.label_times(ax, x="$t_0$", y="$t_1$")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$t_0$ (iterations, log)", "$t_1$ (iterations)")


def test_zero_takes_little_of_a_logarithmic_axis(ax):
    times = [0, 50, 100, 250, 500, 1000, 1500]
    theme.time_axis(ax, "x", times, (-25, 1750))
    left, first_border, right = ax.transData.transform([(x, 0) for x in (-25, 25, 1750)])[:, 0]
    assert (first_border - left) / (right - left) < 0.25


def test_letters_stand_on_all_rows():
    figure, axes = theme.canvas(["one", "two"], 2, {"panel": 1.0})
    theme.letter(axes, ["a", "b"])
    assert [[ax.get_title(loc="left") for ax in row] for row in axes] == [["a", "b"]] * 2
    plt.close(figure)


def test_what_is_meant_for_one_kind_of_file_is_in_no_other(tmp_path):
    seen = {}
    for kind in ("png", "pdf"):
        figure, ((ax,),) = theme.canvas(["title"], 1, {"panel": 1.0})
        ax.text(0.5, 0.5, "number", gid="pdf")
        ax.text(0.2, 0.5, "symbol", gid="png")
        theme.save(figure, [tmp_path / f"a.{kind}"], {"dpi": 50})
        seen[kind] = [text.get_text() for text in ax.texts if text.get_gid() and text.get_visible()]
    assert seen == {"png": ["symbol"], "pdf": ["number"]}


def test_the_small_print_of_many_experiments_does_not_widen_the_figure(tmp_path):
    widths = []
    for note in ("ResNet", "; ".join(f"VGG-16 with head {k} / CIFAR-10, seed 0" for k in range(22))):
        figure, _ = theme.canvas(["title"], 1, {"panel": 2.0})
        theme.save(figure, [tmp_path / "a.png"], {"dpi": 50, "note": note})
        with Image.open(tmp_path / "a.png") as image:
            widths.append(image.width)
    assert widths[1] <= 1.1 * widths[0]


DRAW = """
import sys
from twophase.runtime import job
job.set_environment()
from twophase.report import theme
style = {"dpi": 50, "panel": 1.0}
figure, axes = theme.canvas(["title $x_1$"], 1, style)
axes[0][0].plot([0, 1], label="a")
theme.legend(axes[0][0], axes[0][0].lines, "title")
theme.save(figure, [f"{sys.argv[1]}.pdf", f"{sys.argv[1]}.png"], style)
"""


def test_the_user_s_own_settings_of_matplotlib_change_no_byte(tmp_path):
    mine = "text.usetex: True\nlines.linewidth: 9\nfont.size: 20\nsavefig.transparent: True\nfont.family: serif\n"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "matplotlibrc").write_text(mine)
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    leaking = {"MPLBACKEND": "module://of_a_notebook", "MATPLOTLIBRC": str(tmp_path / "elsewhere")}
    own = {name: value for name, value in os.environ.items() if name not in leaking}
    for name, environment in (("a", {}), ("b", leaking)):
        command = [sys.executable, "-c", DRAW, str(tmp_path / name)]
        subprocess.run(command, env=own | paths | environment, cwd=tmp_path, check=True)
    for kind in ("pdf", "png"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


@pytest.mark.filterwarnings("error:Glyph")
def test_a_character_that_no_font_has_is_no_box(tmp_path):
    theme.set_theme()
    assert theme.legible("ResNet-20, τ = 5 → é") == "ResNet-20, τ = 5 → é"
    rare = "\U000f0000漢"  # the first is of nobody's
    said = theme.legible(f"ResNet {rare}")
    assert said.startswith("ResNet U+F0000")
    figure, _ = theme.canvas([rare], 1, {"panel": 1.0})
    theme.save(figure, [tmp_path / "a.png"], {"dpi": 50, "note": rare})


@given(st.floats(1e-3, 1e3), st.floats(1.05, 1e3))
def test_a_logarithmic_axis_has_numbers_to_read_values_by(low, factor):
    figure, ax = plt.subplots()
    ax.set(yscale="log", ylim=(low, low * factor))
    theme.decades(ax)
    figure.canvas.draw()
    shown = [label for label in ax.get_yticklabels() if low <= label.get_position()[1] <= low * factor]
    values = [float(label.get_text()) for label in shown]
    assert len(values) >= 3
    assert values == pytest.approx([label.get_position()[1] for label in shown], rel=1e-5)
    plt.close(figure)
