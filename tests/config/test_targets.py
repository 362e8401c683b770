"""What is said of a target that there is not."""

import pytest

from twophase.config.targets import mistaken

FIGURES = ["fig1", "fig4", "wfig1"]
NAMES = ["all", "claims", "explorer", *FIGURES]
FILES = ["results/resnet8/seed0/C.parquet", "results/claims.parquet"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("fig7", "fig7 is no figure; there are fig1, fig4, wfig1; did you mean fig4?"),
        ("figure3", "figure3 is no figure; there are fig1, fig4, wfig1."),
        ("explorr", "explorr is no target; snakemake --list describes those that there are; did you mean explorer?"),
        ("zzz", "zzz is no target; snakemake --list describes those that there are."),
        (
            "results/resnet9/seed0/C.parquet",
            "No rule makes results/resnet9/seed0/C.parquet; did you mean results/resnet8/seed0/C.parquet?",
        ),
    ],
)
def test_a_mistaken_target_gets_one_line_with_a_suggestion(target, expected):
    assert mistaken(target, NAMES, FIGURES, FILES).startswith(expected)
