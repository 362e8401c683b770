"""The page of estimates shows the table's rows, says what was not found, and escapes names."""

import numpy as np
import pandas as pd

from twophase import pages

ROWS = pd.DataFrame(
    [
        ("e", "inflection", "chaos C", 175.0, 100.0, 275.0, 0.01, True, "level"),
        ("e", "inflection", "kernel", 50.0, 25.0, 200.0, 0.4, False, "elbow"),
        ("e", "cone width", "after 100", 8.52, np.nan, np.nan, np.nan, True, "max"),
    ],
    columns=["experiment", "quantity", "estimator", "value", "low", "high", "p", "found", "definition"],
)


def test_rows_are_there():
    page = pages.of_phases(ROWS, {"e": {"title": "a < b", "level": 0.9}, "none": {"title": "absent", "level": 0.9}})
    assert "a &lt; b" in page
    assert "absent" not in page
    assert '<td class="number">175</td><td class="number">100 to 275</td><td class="number">0.01</td>' in page
    assert '<td>kernel</td><td class="number">none found</td>' in page
    assert "50" not in page.split("<td>kernel</td>")[1].split("</tr>")[0]
    assert "8.52°" in page
    assert "90 % interval" in page
