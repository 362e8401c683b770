"""The figure of verdicts shows what the table of claims says: colours, frames and words are read back from it."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb, to_rgba

from twophase.analysis import scorecard
from twophase.files import storage
from twophase.report import figures, verdict_matrix

YES, NO, UNDECIDED, UNTESTED, OUTSIDE = scorecard.VERDICTS
SCORES = {  # experiment: its verdicts on four claims; None for a part that it does not have
    "default": [YES, NO, OUTSIDE, OUTSIDE],
    "l2": [UNTESTED, YES, YES, OUTSIDE],
    "linf": [UNDECIDED, None, OUTSIDE, OUTSIDE],
}
TITLES = {"default": "as it is", "l2": "norm: l2", "linf": "norm: linf"}


@pytest.fixture
def board():
    rows = [
        {"experiment": e, "claim": f"claim {k}", "value": 10.0**k, "verdict": said or OUTSIDE, "ran": said is not None}
        for e, kinds in SCORES.items()
        for k, said in enumerate(kinds)
    ]
    table = pd.DataFrame(rows)
    table.loc[(table["experiment"] == "l2") & (table["claim"] == "claim 0"), "value"] = np.nan
    figure = verdict_matrix.matrix(table, TITLES, scorecard.VERDICTS, {"panel": 2.6})
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
    for row, kinds in enumerate(SCORES.values()):
        for column, said in enumerate(kinds[:3]):
            colours = dict(zip(scorecard.VERDICTS, verdict_matrix.COLOURS, strict=True))
            colour = colours.get(said, verdict_matrix.NOT_RUN)
            assert found[row, column] == to_rgba(colour)


def test_a_frame_marks_verdicts_unlike_the_first_row_s_where_both_decide(board):
    assert {at(board, patch.get_xy()) for patch in board.patches if not patch.get_fill()} == {(1, 0), (1, 1), (2, 0)}
    bold = [label.get_text() for label in board.get_xticklabels() if label.get_fontweight() == "bold"]
    assert bold == ["claim 0", "claim 1"]


def test_cells_show_symbols_in_the_picture_and_values_in_the_pdf(board):
    found = {
        kind: {at(board, t.get_position()): t.get_text() for t in board.texts if t.get_gid() == kind}
        for kind in ("png", "pdf")
    }
    assert found["pdf"] == {(0, 0): "1", (0, 1): "10", (1, 0): "no t*", (1, 1): "10", (1, 2): "100", (2, 0): "1"}
    assert found["png"] == {(0, 0): "✓", (0, 1): "✗", (1, 0): "–", (1, 1): "✓", (1, 2): "✓", (2, 0): "?"}


def test_a_panel_says_the_verdict_on_its_claim():
    figure, ax = plt.subplots()
    verdict_matrix.said(ax, NO, scorecard.VERDICTS, "it grows")
    (text,) = ax.texts
    assert text.get_text() == "it grows? ✗ not reproduced"
    plt.close(figure)


def test_rows_whose_titles_begin_alike_stand_together(board):
    first, second = np.diff(board.get_yticks())
    assert [label.get_text() for label in board.get_yticklabels()] == [*TITLES.values()]
    assert first > second == 1


def test_what_an_experiment_leaves_out_did_not_run_and_counterexamples_have_no_row(tmp_path, monkeypatch):
    reasons = ["", scorecard.MISSING + "forks", "about another network, or a longer training"]
    table = pd.DataFrame({"experiment": "e", "claim": [*"abc"], "reason": reasons})
    other = table.assign(experiment="counterexample")
    storage.write_table(tmp_path / "claims.parquet", pd.concat([table, other]), {})
    monkeypatch.setattr(verdict_matrix, "matrix", lambda claims, *_: claims)
    drawn = figures.readings({"claims": tmp_path / "claims.parquet"}, {"e": "title"}, [], {})
    assert drawn["experiment"].tolist() == ["e"] * 3
    assert drawn["ran"].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.0, "0"), (3.6e-12, "3.6e-12"), (4e-5, "4e-5"), (8.7e-4, "8.7e-4"), (0.0012, "0.0012"), (-0.05, "-0.05")),
        *((7.74, "7.7"), (175.0, "175")),
    ],
)
def test_numbers_in_cells_are_short(value, text):
    assert verdict_matrix.short(value) == text


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
        levels = [lightness(colour, np.array(vision)) for colour in verdict_matrix.COLOURS]
        assert (np.diff(levels) > 6).all()
        assert levels[0] > 50  # for black letters
