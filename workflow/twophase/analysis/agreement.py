"""Whether two runs of a config agree: verdicts and intervals of their claims, side by side. No torch."""

import pandas as pd

from twophase.analysis.scorecard import NOT, REPRODUCED
from twophase.errors import UserError

KEYS = ["experiment", "claim"]
COMPARED = ["verdict", "value", "low", "high"]
CONTRADICTION, APART, VERDICT, MISSING, SAME = (
    "contradiction",  # reproduced in one, not reproduced in the other
    "intervals apart",  # they have no point in common
    "verdict differs",
    "in one only",
    "agrees",
)


def compare(published: pd.DataFrame, here: pd.DataFrame) -> pd.DataFrame:
    """The claims of two runs side by side.

    Args:
        published, here: tables of claims, with `experiment`, `claim`, `verdict`, `value`, `low` and `high` (NaN where
            there is none).

    Returns:
        a row for each claim of either: `experiment`, `claim`; `verdict`, `value`, `low` and `high` of both, with the
        suffixes `_published` and `_here`; `agreement`, the worst of the above that applies. Those of `published` come
        first, in its order.

    Raises:
        UserError: the two have no experiment in common.
    """
    if not {*published["experiment"]} & {*here["experiment"]}:
        raise UserError(
            f"No experiment in common: the published run has {', '.join(sorted({*published['experiment']}))}, "
            f"the results have {', '.join(sorted({*here['experiment']}))}. Name the config that made them: CONFIG=..."
        )
    columns = [*KEYS, *COMPARED]
    rows = published[columns].merge(here[columns], "outer", on=KEYS, suffixes=("_published", "_here"), sort=False)
    order = pd.MultiIndex.from_frame(pd.concat([published[KEYS], here[KEYS]])).unique()
    rows = rows.set_index(KEYS).loc[order].reset_index()

    theirs, ours = rows["verdict_published"], rows["verdict_here"]
    opposite = (theirs.eq(REPRODUCED) & ours.eq(NOT)) | (theirs.eq(NOT) & ours.eq(REPRODUCED))
    rows["agreement"] = SAME
    for name, applies in (  # the worst last
        (VERDICT, theirs != ours),
        (APART, apart(rows)),
        (CONTRADICTION, opposite),
        (MISSING, theirs.isna() | ours.isna()),
    ):
        rows.loc[applies, "agreement"] = name
    return rows


def equal_verdicts(rows: pd.DataFrame) -> tuple[int, int]:
    """How many of the claims that both runs judge have the same verdict in both, and how many there are."""
    both = rows[rows["agreement"] != MISSING]
    return int((both["verdict_published"] == both["verdict_here"]).sum()), len(both)


def apart(rows: pd.DataFrame) -> pd.Series:
    """Whether the intervals of a row of `compare` have no point in common; not where one of them is missing."""
    return (rows["low_published"] > rows["high_here"]) | (rows["low_here"] > rows["high_published"])
