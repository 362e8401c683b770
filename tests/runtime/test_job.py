"""What surrounds every job: its log, its one message for a user's error, its arguments, its progress."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import textwrap

import pytest

from twophase import progress
from twophase.files import storage

PREAMBLE = """
import os, sys
from types import SimpleNamespace
from twophase.runtime import job
from twophase.errors import UserError

class Files(dict):
    def __iter__(self):  # over paths, as Snakemake's own
        return (path for part in self.values() for path in ([part] if isinstance(part, str) else part))

def snakemake(params={}, input={}, output={}, wildcards={}, resources={}):
    config = {"results": os.path.dirname(sys.argv[1])}
    parts = dict(params=params, wildcards=wildcards, resources=resources, config=config)
    return SimpleNamespace(log=[sys.argv[1]], rule="one", input=Files(input), output=Files(output), **parts)
"""


def python(code, tmp_path, **options):
    """Runs a script as Snakemake would; its exit status, its log, and what it wrote elsewhere."""
    log = tmp_path / "job.log"
    whole = PREAMBLE + textwrap.dedent(code)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", whole, log], capture_output=True, text=True, env=environment, cwd=tmp_path, **options
    )
    return done.returncode, log.read_text(), done.stdout + done.stderr


def test_a_job_gets_its_paths_params_and_facts_by_name(tmp_path):
    code = """
    import json
    def main(**received):
        print(json.dumps(received))
        open("out.parquet", "w").write("a table")
    job.run(main, snakemake(
        params={"t0s": [1, 2], "norm": "l2", "code": "abc"},
        input={"data": "data.st", "forks": ["a", "b"]},
        output={"table": "out.parquet"},
        wildcards={"experiment": "net", "seed": "3", "block": "7"},
    ))
    """
    status, log, _ = python(code, tmp_path)
    assert status == 0
    settings = storage.digest({"t0s": [1, 2], "norm": "l2", "code": "abc"})
    assert json.loads(log) == {
        "path_to_data": "data.st",
        "path_to_forks": ["a", "b"],
        "path_to_table": "out.parquet",
        "t0s": [1, 2],
        "norm": "l2",
        "facts": {"experiment": "net", "seed": "3", "settings": settings},
    }


def test_no_run_begins_while_a_job_is_at_work(tmp_path):
    code = """
    from twophase.runtime import locks
    def main(facts):
        locks.start_run(os.path.dirname(sys.argv[1]))
    job.run(main, snakemake())
    """
    status, log, _ = python(code, tmp_path)
    assert status == 1
    assert log.startswith("Error: Another run is writing to")


def test_what_a_block_says_of_its_origin_is_a_fact_and_no_argument(tmp_path):
    code = "job.run(lambda facts: print(facts['origin']), snakemake({'origin': 'abc'}))\n"
    assert python(code, tmp_path)[:2] == (0, "abc\n")


def test_facts_change_with_the_code_and_leave_out_what_is_not_known(tmp_path):
    code = """
    job.run(lambda facts: print(facts), snakemake({"code": CODE}))
    """
    logs = [python(f"CODE = {digest!r}\n" + textwrap.dedent(code), tmp_path)[1] for digest in ("a", "b")]
    assert logs[0] != logs[1]
    assert [re.findall(r"'(\w+)':", log) for log in logs] == [["settings"]] * 2


def test_everything_said_goes_to_the_log_also_from_c_and_children(tmp_path):
    code = """
    def main(facts):
        print("from print")
        print("from stderr", file=sys.stderr)
        sys.stdout.flush()
        os.write(1, b"from C\\n")
        os.system("echo from a child; echo and its stderr >&2")
    job.run(main, snakemake())
    """
    status, log, elsewhere = python(code, tmp_path)
    assert status == 0
    said = ["from print", "from stderr", "from C", "from a child", "and its stderr"]
    assert sorted(log.splitlines()) == sorted(said)
    assert elsewhere == ""


def test_the_log_can_be_read_while_the_job_runs(tmp_path):
    code = """
    def main(facts):
        print("so far")
        assert open(sys.argv[1]).read() == "so far\\n"
    job.run(main, snakemake())
    """
    assert python(code, tmp_path)[:2] == (0, "so far\n")


def test_a_users_error_is_one_message(tmp_path):
    code = """
    def main(facts):
        print("before")
        raise UserError("training.lr: too high. Lower it.")
    job.run(main, snakemake())
    """
    status, log, elsewhere = python(code, tmp_path)
    assert status == 1
    assert log == "before\nError: training.lr: too high. Lower it.\n"
    assert "Traceback" not in elsewhere


def test_any_other_error_leaves_its_traceback(tmp_path):
    code = """
    def main(facts):
        [][1]
    job.run(main, snakemake())
    """
    status, log, elsewhere = python(code, tmp_path)
    assert status == 1
    assert "Traceback" in log
    assert log.endswith("IndexError: list index out of range\n")
    assert elsewhere == ""


def test_a_log_is_begun_anew(tmp_path):
    (tmp_path / "job.log").write_text("an earlier, longer attempt\n" * 10)
    status, log, _ = python("job.run(lambda facts: print('now'), snakemake())\n", tmp_path)
    assert (status, log) == (0, "now\n")


# --- progress

LOOP = """
from twophase import progress
progress.LOG_EVERY = EVERY
def main(facts):
    with progress.bar(5, 2, "barriers") as update:
        for done in range(2, 6):
            update(done, f"loss {done}")
job.run(main, snakemake())
"""


def test_now_and_then_a_line_goes_to_the_log(tmp_path):
    _, log, elsewhere = python("EVERY = 0.0\n" + LOOP, tmp_path)
    assert log.splitlines() == [f"barriers: {done} of 5 loss {done}" for done in range(2, 6)]
    assert elsewhere == ""  # no terminal, no bar
    assert python("EVERY = 1e6\n" + LOOP, tmp_path)[1] == ""


def test_lines_keep_their_distance(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.bar(100, label="steps") as update:
        for done in range(1, 101):
            now[0] += 3
            update(done)
    said = [int(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    # Every 3 seconds a look, every 20 a line: each seventh.
    assert said == list(range(7, 101, 7))


def test_the_bar_is_drawn_on_the_terminal_though_the_output_goes_to_the_log(tmp_path):
    ours, theirs = pty.openpty()
    try:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TQDM_")}
        environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "TERM": "dumb"}
        whole = PREAMBLE + "EVERY = 1e6\n" + LOOP
        command = [sys.executable, "-c", whole, str(tmp_path / "job.log")]
        subprocess.run(command, stdout=theirs, stderr=theirs, check=True, env=environment)
        shown = b""
        while not (b"barriers" in shown and b"2/5" in shown):
            assert select.select([ours], [], [], 60)[0], shown  # what was written can take a moment to arrive
            shown += os.read(ours, 100_000)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (tmp_path / "job.log").read_text() == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_passes_through_the_bar(error):
    def break_off():
        with progress.bar(3) as update:
            update(1)
            raise error

    with pytest.raises(error):
        break_off()


def test_a_link_in_the_place_of_the_log_leads_nowhere(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "job.log").symlink_to(tmp_path / "mine")
    assert python("job.run(lambda facts: print('said'), snakemake())\n", tmp_path)[:2] == (0, "said\n")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_log_that_cannot_be_written_is_said_where_the_run_is_watched(tmp_path):
    (tmp_path / "job.log").mkdir()
    code = PREAMBLE + "job.run(lambda facts: print('said'), snakemake())\n"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, tmp_path / "job.log"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {tmp_path}/job.log cannot be written (")
    assert done.stderr.count("\n") == 1


def test_a_full_disk_on_which_the_log_cannot_be_written_is_said_where_the_run_is_watched(tmp_path):
    """/dev/full takes no byte."""
    code = """
    def main(facts):
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        raise UserError("There is no room.")
    job.run(main, snakemake())
    """
    status, _, elsewhere = python(code, tmp_path)
    assert status == 1
    assert "Error: There is no room." in elsewhere
