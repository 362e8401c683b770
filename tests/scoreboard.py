"""The scorecard of README.md: every claim of the papers under every published run.

`python tests/scoreboard.py` writes it anew from the tables of claims in results/reference.
"""

import numpy as np

from twophase import pages, scorecard, storage
from workflow_runner import REPOSITORY

README = REPOSITORY / "README.md"
BEGIN, END = "<!-- scorecard -->\n", "<!-- end of the scorecard -->"
RUNS = {  # a column each: the folder in results/reference, and the experiment
    "ResNet-20 / CIFAR-10": ("cifar10-cpu", "resnet20"),
    "VGG-16, width ¼ / CIFAR-10": ("cifar10-cpu", "vgg16"),
    "LeNet-5 / MNIST": ("mnist", "lenet5"),
    "ResNet-8 / digits": ("demo", "resnet8"),
}
MARKS = dict(zip(scorecard.VERDICTS, "✓✗?·", strict=True))


def table() -> str:
    """Markdown, a row for each claim that is about two phases; runs without claims have no column."""
    columns = {}
    for title, (run, experiment) in RUNS.items():
        path = REPOSITORY / "results" / "reference" / run / "claims.parquet"
        if path.exists():
            claims = storage.read_table(path)
            columns[title] = claims[claims["experiment"] == experiment].set_index("claim")
    lines = [["claim", "holds if", *columns], ["---"] * (2 + len(columns))]
    for row in next(iter(columns.values())).itertuples():
        limit = f"{pages.bounds(row)} {row.unit}".rstrip()
        cells = [cell(claims.loc[row.Index]) for claims in columns.values()]
        lines.append([row.text, limit, *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(row) -> str:
    """The verdict as a mark, and the value where one was measured."""
    mark = MARKS[row.verdict]
    return mark if np.isnan(row.value) else f"{mark} {pages.measured(row)}"


def written() -> str:
    """The table that README.md has."""
    return README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(before + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")
