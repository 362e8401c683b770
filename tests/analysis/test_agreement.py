"""Two runs agree where verdicts do and intervals meet; reproduced beside not reproduced is a contradiction."""

import numpy as np
import pandas as pd
import pytest

import compare
from twophase.analysis import agreement
from twophase.analysis.agreement import APART, CONTRADICTION, MISSING, SAME, VERDICT
from twophase.errors import UserError
from twophase.files import storage


def claims(**by_claim) -> pd.DataFrame:
    rows = [("net", claim, *row) for claim, row in by_claim.items()]
    return pd.DataFrame(rows, columns=["experiment", "claim", "verdict", "value", "low", "high"])


def compared(published, here) -> str:
    """The agreement of a single claim."""
    (row,) = agreement.compare(claims(c=published), claims(c=here)).itertuples()
    return row.agreement


NONE = (np.nan, np.nan, np.nan)


@pytest.mark.parametrize(
    ("published", "here", "expected"),
    [
        (("reproduced", 1, 0, 2), ("reproduced", 3, 2, 4), SAME),  # they touch
        (("reproduced", 1, 0, 2), ("reproduced", 4, 3, 5), APART),
        (("reproduced", 1, 0, 2), ("undecided", 1, 0, 2), VERDICT),
        (("reproduced", 1, 0, 2), ("undecided", 4, 3, 5), APART),
        (("reproduced", 1, 0, 2), ("not reproduced", 1, 0, 2), CONTRADICTION),
        (("reproduced", 1, 0, 2), ("not reproduced", 4, 3, 5), CONTRADICTION),
        (("reproduced", 0, np.nan, np.nan), ("reproduced", 0, np.nan, np.nan), SAME),  # an exact claim has no interval
        (("untested", *NONE), ("untested", *NONE), SAME),
        (("untested", *NONE), ("not reproduced", 4, 3, 5), VERDICT),
    ],
)
def test_claims_agree_or_not(published, here, expected):
    assert compared(published, here) == expected
    assert compared(here, published) == expected


def test_every_claim_of_either_has_a_row_in_the_order_of_the_tables():
    row = ("reproduced", 1, 0, 2)
    rows = agreement.compare(claims(b=row, a=row), claims(d=row, a=row, c=row))
    assert [*rows["claim"]] == ["b", "a", "d", "c"]
    assert [*rows["agreement"]] == [MISSING, SAME, MISSING, MISSING]


def test_results_of_another_config_are_refused():
    other = claims(c=("untested", *NONE)).assign(experiment="other")
    with pytest.raises(UserError, match="No experiment in common: the published run has net, the results have other"):
        agreement.compare(claims(c=("untested", *NONE)), other)


@pytest.fixture
def written(tmp_path):
    """`written(published, here)`: both as files; what `compare.main` takes."""

    def write(published, here):
        for path, frame in ((tmp_path / "reference" / "demo", published), (tmp_path / "results", here)):
            path.mkdir(parents=True)
            storage.write_table(path / "claims.parquet", frame, {})
        return "demo", str(tmp_path / "results"), tmp_path / "reference"

    return write


def test_only_a_contradiction_fails(written, capsys):
    here = {"same": ("undecided", 1, -1, 3), "other": ("not reproduced", 9, 8, 10), "third": ("reproduced", 5, 4, 6)}
    published = here | {"other": ("undecided", 9, 0, 18), "third": ("reproduced", 1, 0, 2)}
    assert compare.main(*written(claims(**published), claims(**here))) == 0
    assert capsys.readouterr().out.splitlines() == [
        "net, verdict differs:",
        "  other: published undecided (9, 0 to 18); here not reproduced (9, 8 to 10)",
        "net, intervals apart:",
        "  third: published reproduced (1, 0 to 2); here reproduced (5, 4 to 6)",
        "2 of 3 verdicts are those of results/reference/demo, 0 contradict one; 2 of 3 intervals overlap.",
    ]


def test_a_contradiction_fails(written):
    row = (0.5, 0.4, 0.6)
    assert compare.main(*written(claims(c=("reproduced", *row)), claims(c=("not reproduced", *row)))) == 1


def test_what_is_not_there_is_named(written):
    run, results, reference = written(claims(c=("untested", *NONE)), claims(c=("untested", *NONE)))
    with pytest.raises(UserError, match="There are demo"):
        compare.main("none", results, reference)
    with pytest.raises(UserError, match=r"nowhere/claims\.parquet is not there"):
        compare.main(run, "nowhere", reference)


def test_published_runs_agree_with_themselves(capsys):
    runs = [path.parent for path in compare.REFERENCE.glob("*/claims.parquet")]
    assert runs
    for run in runs:
        assert compare.main(run.name, str(run)) == 0
        assert ":" not in capsys.readouterr().out
