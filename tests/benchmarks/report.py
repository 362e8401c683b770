"""Writes what pytest-benchmark measured as a Markdown table: python report.py measured.json benchmarks.md"""

import json
import statistics
import sys
from pathlib import Path

METHOD = """\
All sides get the same input in the same process and take turns (each other side, ours, each other side, …), after one \
call of each to warm up. *Time* is the median of the rounds, divided by the number of units in a call; *ratio* is the \
other side's time over ours, in brackets the smallest and largest ratio of a single round. Where the other side does \
a part of the work, its time is multiplied accordingly and the row says so. *Memory* is by how much one call raises \
the resident memory of a fresh process at its highest (VmHWM of Linux, after a call at tiny sizes that loads the code; \
pages of mapped files count, the input does not; an extrapolated side's is that of its part). *Limit* is our time over \
what the necessary floating-point operations would take at the speed of a float32 product of two 1024 x 1024 matrices, \
measured in every round: 1 would be perfect. *Difference* is between the two sides' results, or from a computation in \
higher precision where a note says so; the run fails where it exceeds the bound. In training it is the largest \
difference of a loss, in barriers relative to 1 or the barrier. No time is asserted.\
"""
HEAD = ("what", "other side", "ours", "other", "ratio", "memory", "other's memory", "limit", "difference (bound)")


def table(measured: dict) -> str:
    """The page of a run.

    Args:
        measured: pytest-benchmark's JSON, with `extra_info` as `comparison.measure` leaves it.
    """
    rows = [benchmark["extra_info"] for benchmark in measured["benchmarks"]]
    lines = ["# Benchmarks", "", *_machine(measured, rows), ""]
    if any(row["quick"] for row in rows):
        lines += ["**A trial run at tiny sizes: these numbers say nothing.**", ""]
    lines += [METHOD, ""]
    for group in dict.fromkeys(row["group"] for row in rows):
        members = [row for row in rows if row["group"] == group]
        lines += [f"## {group}", "", _line(HEAD), _line(["---"] * 2 + ["---:"] * (len(HEAD) - 2))]
        lines += [_line(_cells(row, other)) for row in members for other in row["others"]] + [""]
        notes = dict.fromkeys(note for row in members for note in row["notes"])
        lines += [f"- {note}" for note in notes] + ([""] if notes else [])
    return "\n".join(lines).rstrip() + "\n"


def _machine(measured: dict, rows: list[dict]) -> list[str]:
    machine, commit = measured["machine_info"], measured["commit_info"]
    cpu = machine["cpu"]
    changed = " with changes" if commit.get("dirty") else ""
    packages = ", ".join(f"{name} {number}" for name, number in measured["versions"].items())
    speeds = [row["speed"] / 1e9 for row in rows]
    return [
        f"- {cpu.get('brand_raw', machine['machine'])}, {cpu.get('count', '?')} cores; "
        f"{rows[0]['threads']} thread(s) for each side",
        f"- float32 matrix product: {_digits(statistics.median(speeds))} GFLOP/s "
        f"({_digits(min(speeds))} to {_digits(max(speeds))} over the rows)",
        f"- load average when it ended: {measured['load']:.1f} (its own part is about the number of threads)",
        f"- Python {machine['python_version']}, {packages}",
        f"- {measured['datetime'][:10]}, commit {commit['id'][:10]}{changed}, {len(rows[0]['seconds'])} round(s)",
    ]


def _cells(row: dict, other: dict) -> list[str]:
    ours, theirs = (statistics.median(side["seconds"]) for side in (row, other))
    single = [t / o for t, o in zip(other["seconds"], row["seconds"], strict=True)]
    unit = "" if row["unit"] == "call" else f" / {row['unit']}"
    return [
        row["name"],
        other["name"],
        _time(ours / row["count"]) + unit,
        _time(theirs / row["count"]) + unit,
        f"**{_digits(theirs / ours)}** ({_digits(min(single))}–{_digits(max(single))})",
        *(f"{_digits(side['bytes'] / 2**20)} MiB" for side in (row, other)),
        _digits(ours * row["speed"] / row["flops"]) if row["flops"] else "",
        f"{other['error']:.1g} ({row['bound']:g})",
    ]


def _time(value: float) -> str:
    return f"{_digits(value)} s" if value >= 1 else f"{_digits(value * 1e3)} ms"


def _digits(value: float) -> str:
    """Three digits, none of them in an exponent."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def _line(cells) -> str:
    return f"| {' | '.join(cells)} |"


def main(path_to_measured: str, path_to_table: str) -> None:
    measured = json.loads(Path(path_to_measured).read_text())
    Path(path_to_table).write_text(table(measured))
    print(f"written: {path_to_table}")


if __name__ == "__main__":
    main(*sys.argv[1:])
