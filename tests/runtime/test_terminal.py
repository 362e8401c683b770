"""What Snakemake's messages become on the terminal."""

import logging
import types

import pytest
from snakemake.logging import DefaultFilter, DefaultFormatter, logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from twophase.runtime import terminal

JOB = {
    "event": LogEvent.JOB_INFO,
    "jobid": 3,
    "rule_msg": "e, seed 0: training the base run",
    "rule_name": "trajectory",
    "local": False,
    "is_checkpoint": False,
    "input": ["data"],
    "output": ["trajectory"],
    "log": ["trajectory.log"],
    "benchmark": None,
    "reason": "Missing output files",
    "wildcards": {"experiment": "e", "seed": "0"},
    "priority": 0,
    "threads": 1,
    "resources": {"mem_mb": 1000},
    "indent": False,
}
ERROR = JOB | {"event": LogEvent.JOB_ERROR, "msg": None, "conda_env": None, "shellcmd": None, "aux": {}}


def record(message: str = "", level: int = logging.INFO, **extra) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "", 0, message, None, None)
    made.__dict__.update({key: value for key, value in extra.items() if key != "msg"})
    return made


def said_of(target: str) -> str:
    return f"no {target}"


@pytest.fixture
def brief():
    return terminal.Brief(said_of, lambda: ["Claims: claims.html"], show_failed_logs=True)


def printed(formatter, *records) -> list[str]:
    return [formatter.format(made) for made in records if formatter.filter(made)]


def test_a_job_is_one_line_that_says_how_many_are_done(brief):
    lines = printed(
        brief,
        record("Building DAG of jobs..."),
        record("Job stats:", event=LogEvent.RUN_INFO, stats={"total": 12}),
        record("Execute 1 jobs...", event=LogEvent.JOB_STARTED),
        record(**JOB),
        record("Finished jobid: 3", event=LogEvent.JOB_FINISHED),
        record(event=LogEvent.PROGRESS, done=1, total=12),
        record(**JOB | {"rule_msg": None}),
    )
    assert lines[0] == "12 jobs."
    assert lines[1][8:] == "   0 of 12 done  e, seed 0: training the base run"
    assert lines[2][8:] == "   1 of 12 done  trajectory experiment e, seed 0"
    assert len(lines) == 3


def test_warnings_and_unknown_remarks_are_shown(brief):
    made = [record("A file is incomplete.", logging.WARNING), record("Trying to restart job 3.")]
    assert printed(brief, *made) == ["A file is incomplete.", "Trying to restart job 3."]


def test_a_failed_job_shows_the_name_of_its_log_and_the_log(brief, tmp_path):
    log = tmp_path / "trajectory.log"
    log.write_text("Error: Replay check failed")
    failed = record(level=logging.ERROR, **ERROR | {"log": [str(log)]})
    (text,) = printed(brief, failed)
    assert "Error in rule trajectory:" in text
    assert f"log: {log}" in text
    assert "Error: Replay check failed" in text


def test_the_path_of_the_whole_log_is_told_after_a_failure(brief):
    last = record("Complete log(s): x.log")
    assert printed(brief, last) == []
    printed(brief, record("failed", logging.ERROR))
    assert printed(brief, last) == ["Complete log(s): x.log"]


def test_nothing_to_be_done_still_says_what_to_open(brief):
    assert printed(brief, record("Nothing to be done (all present)")) == [
        "Nothing to be done (all present)\nClaims: claims.html"
    ]


def test_what_is_wrong_with_a_config_or_a_target_is_one_line(brief):
    place = 'file "/x/common.smk", line 44'
    for text, expected in {
        f"WorkflowError in {place}:\nIn the config: a\n  File {place[5:]}, in <module>": "In the config: a",
        "MissingRuleException:\nNo rule to produce fig7 (if you use input functions make sure that)": "no fig7",
        "KeyError:\nx": "KeyError:\nx",
    }.items():
        assert printed(brief, record(text, logging.ERROR, event=LogEvent.ERROR)) == [expected]


def test_a_dry_run_shows_the_whole_job_and_its_message():
    (text,) = printed(terminal.Whole(said_of), record(**JOB))
    lines = text.splitlines()[1:]
    assert lines[:2] == ["rule trajectory:", "    message: e, seed 0: training the base run"]
    assert "    reason: Missing output files" in lines
    assert "    resources: mem_mb=1000" in lines


@pytest.mark.parametrize(
    ("settings", "kind", "filters"),
    [({}, terminal.Brief, 1), ({"dryrun": True}, terminal.Whole, 1), ({"verbose": True}, terminal.Whole, 0)],
    ids=str,
)
def test_which_runs_are_brief(settings, kind, filters, monkeypatch):
    handler = logging.StreamHandler()
    handler.setFormatter(terminal.DefaultFormatter())
    monkeypatch.setattr(logger, "handlers", [handler])
    output = {"quiet": None, "show_failed_logs": True, "dryrun": False, "verbose": False} | settings
    terminal.set_up(said_of, list, types.SimpleNamespace(**output))
    assert type(handler.formatter) is kind
    assert len(handler.filters) == filters


@pytest.mark.parametrize(
    ("quiet", "heard"), [({Quietness.RULES}, [False, True]), ({Quietness.ALL}, [False, False]), (set(), [True, True])]
)
def test_a_job_that_fails_is_heard_of_where_rules_are_not(quiet, heard):
    own = DefaultFilter(quiet, debug_dag=False, verbose=False, dryrun=False, printshellcmds=False)
    found = terminal.Failing(own)
    assert [found.filter(record(**JOB)), found.filter(record(level=logging.ERROR, **ERROR))] == heard


def test_set_up_lets_failures_through(monkeypatch):
    handler = logging.StreamHandler()
    handler.setFormatter(DefaultFormatter(set()))
    handler.addFilter(DefaultFilter({Quietness.RULES}, False, False, False, False))
    monkeypatch.setattr(logger, "handlers", [handler])
    output = types.SimpleNamespace(quiet={Quietness.RULES}, show_failed_logs=True, verbose=False, dryrun=False)
    terminal.set_up(said_of, list, output)
    assert handler.filter(record(level=logging.ERROR, **ERROR))
    assert not handler.filter(record(**JOB))
