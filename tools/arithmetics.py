"""The demo in several arithmetics: do verdicts change with the processor? `make arithmetics` writes the page.

Another instruction set or number of threads sums in another order. In a chaotic phase that is enough for another run,
as independent of the published one as one on another machine. Verdicts have to hold in all of them: no claim may be
reproduced in one and not reproduced in another.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd
import yaml

from configuration import markdown
from twophase.analysis import agreement, scorecard
from twophase.files.results import load

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "results" / "reference" / "arithmetics.md"
ARITHMETICS = {  # what limits torch's own kernels and oneDNN's, and the threads of a job
    "as the machine is": ({}, 1),
    "two threads": ({}, 2),
    "oneDNN up to AVX": ({"ONEDNN_MAX_CPU_ISA": "AVX"}, 1),
    "torch without vectors": ({"ATEN_CPU_CAPABILITY": "default"}, 1),
    "both, SSE 4.1": ({"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}, 1),
}


def run(folder: Path, environment: Mapping[str, str], threads: int, cores: int) -> pd.DataFrame:
    """The demo's claims in one arithmetic, run in a folder of its own, where it can be taken up again."""
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((REPOSITORY / "config" / "demo.yaml").read_text())
    config["defaults"]["training"]["threads"] = threads
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "config.yaml"), "--cores", str(cores)]
    subprocess.run([*command, "results/claims.parquet"], env=os.environ | environment, check=True)
    return load("claims", results=folder / "results")


def page(claims: Mapping[str, pd.DataFrame]) -> str:
    """How often verdicts and intervals of each arithmetic agree with the published demo, and all contradictions.

    Args:
        claims: the scorecards, by arithmetic; the published one under `published`.
    """
    rows, published = [], claims["published"]
    for name, table in claims.items():
        both = agreement.compare(published, table)
        said = [str(int((table["verdict"] == verdict).sum())) for verdict in scorecard.VERDICTS]
        same, judged = agreement.equal_verdicts(both)
        rows.append([name, *said, f"{same} of {judged}", str(int(agreement.apart(both).sum()))])
    lines = [
        "# The demo in several arithmetics",
        "",
        "`make arithmetics` runs the demo with other instruction sets and threads, each an independent run of the same "
        "seeds' noise. Two seeds decide little, and what they decide has to hold in all.",
        "",
        markdown(["arithmetic", *scorecard.VERDICTS, "verdicts as published", "intervals apart"], rows),
        "",
        *contradictions(claims),
    ]
    return "\n".join(lines) + "\n"


def contradictions(claims: Mapping[str, pd.DataFrame]) -> list[str]:
    """Each claim that is reproduced in one of a pair and not in the other, in words; how many pairs there are, last."""
    found, pairs = [], list(combinations(claims, 2))
    for one, other in pairs:
        both = agreement.compare(claims[one], claims[other])
        for row in both[both["agreement"] == agreement.CONTRADICTION].itertuples():
            found.append(
                f"- {row.experiment}, {row.claim}: {row.verdict_published} ({one}), {row.verdict_here} ({other})"
            )
    return [*found, f"{len(found)} contradictions in {len(pairs)} pairs of runs."]


def main(folder: str, cores: str, names: Sequence[str] = tuple(ARITHMETICS)) -> int:
    """Runs all arithmetics, writes the page, and returns 1 if two contradict each other."""
    claims = {"published": load("claims", results=REPOSITORY / "results" / "reference" / "demo")}
    for name in names:
        environment, threads = ARITHMETICS[name]
        claims[name] = run(
            Path(folder).resolve() / name.replace(" ", "-").replace(",", ""), environment, threads, int(cores)
        )
    PAGE.write_text(page(claims))
    *found, last = contradictions(claims)
    print("\n".join([*found, last]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
