"""Output of Snakemake on the terminal: one line for each job of a run, all of it in a dry run. No torch."""

import logging
import re
import textwrap
import time
from collections.abc import Callable

from snakemake.logging import DefaultFilter, DefaultFormatter, logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

# Snakemake's own remarks that say nothing about this run's jobs or results.
REMARKS = (
    *("Building DAG", "Using shell", "Provided", "Rules claiming", "Conda environments", "Singularity", "Select jobs"),
    *("Execute ", "Assuming unrestricted", "Group jobs", "host:"),
)
LAST_REMARKS = ("Complete log", "Elapsed time")  # worth a line after a failure
STEPS = {LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.PROGRESS, LogEvent.RESOURCES_INFO}
NOTHING = "Nothing to be done"
# Our own complaints are about the config or the command, not about the line of the workflow that notices.
OURS = re.compile(
    r'WorkflowError in (?:rule \w+ in )?file "[^"\n]*", line \d+:\n(.*)((?:\n  File "[^"\n]*", line \d+, in \S+)*)\n?'
)
# Likewise of a complaint on the way to the report, whose categories Snakemake asks for.
IN_REPORT = re.compile(
    r"InputFunctionException in rule \w+ in file .*\nError:\n  WorkflowError:\n    (.*)\nWildcards:[\s\S]*"
)
NO_RULE = re.compile(r"MissingRuleException:\nNo rule to produce (.*) \(if you use input functions .*\n?")


class Whole(DefaultFormatter):
    """Of each job its message and what Snakemake knows of it. Snakemake itself prints the one in place of the other.

    Args:
        mistaken: says what to say of a target that no rule makes.
        options: Snakemake's, as of `DefaultFormatter`.
    """

    def __init__(self, mistaken: Callable[[str], str], **options):
        super().__init__(**options)
        self.mistaken = mistaken

    def filter(self, record: logging.LogRecord) -> bool:
        event = getattr(record, "event", None)
        remark = event is None and record.levelno <= logging.INFO and str(record.msg).startswith(REMARKS)
        return event != LogEvent.WORKFLOW_STARTED and not remark

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if record.levelno < logging.ERROR:
            return text
        if found := OURS.fullmatch(text) or IN_REPORT.fullmatch(text):
            return found[1]
        if found := NO_RULE.fullmatch(text):
            return self.mistaken(found[1])
        return text

    def format_job_info(self, msg: dict) -> str:
        date, head, *rest = super().format_job_info(msg | {"rule_msg": None, "indent": False}).split("\n")
        message = [f"    message: {msg['rule_msg']}"] if msg["rule_msg"] else []
        text = "\n".join([date, head, *message, *rest])
        return textwrap.indent(text, "    ") if msg.get("indent") else text

    def format_job_error(self, msg: dict) -> str:
        return super().format_job_error(msg).replace("    message: None\n", "", 1)


class Brief(Whole):
    """Of each job one line when it starts: the time, how many are done, and its message.

    Args:
        mistaken, options: as of `Whole`.
        closing: gives the lines to print where there is nothing to be done.
    """

    def __init__(self, mistaken: Callable[[str], str], closing: Callable[[], list[str]], **options):
        super().__init__(mistaken, **options)
        self.closing = closing
        self.done, self.total, self.failed = 0, None, False

    def filter(self, record: logging.LogRecord) -> bool:
        event = getattr(record, "event", None)
        if event == LogEvent.PROGRESS:
            self.done, self.total = record.done, record.total
        self.failed |= record.levelno >= logging.ERROR
        last = not self.failed and event is None and str(record.msg).startswith(LAST_REMARKS)
        return super().filter(record) and event not in STEPS and not last

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return "\n".join([text, *self.closing()]) if text.startswith(NOTHING) else text

    def format_run_info(self, msg: dict) -> str:
        self.total = msg["stats"]["total"]
        return f"{self.total} job{'s' * (self.total > 1)}."

    def format_job_info(self, msg: dict) -> str:
        wildcards = ", ".join(f"{name} {value}" for name, value in msg["wildcards"].items())
        message = msg["rule_msg"] or f"{msg['rule_name']} {wildcards}".rstrip()
        count = f"{self.done:>{len(str(self.total))}} of {self.total} done  " if self.total else ""
        return f"{time.strftime('%H:%M:%S')}  {count}{message}"


class Failing:
    """Snakemake's filter of what it is to be quiet about, but jobs that fail are heard of unless it is all.

    Args:
        own: Snakemake's.
    """

    def __init__(self, own: DefaultFilter):
        self.own = own

    def filter(self, record: logging.LogRecord) -> bool:
        failed = getattr(record, "event", None) in (LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR)
        return (failed and Quietness.ALL not in self.own.quiet) or self.own.filter(record)


def set_up(mistaken: Callable[[str], str], closing: Callable[[], list[str]], output) -> None:
    """Makes the present process print a run briefly and a dry run in whole; --verbose drops nothing.

    Args:
        mistaken, closing: as of `Brief`.
        output: Snakemake's settings of its output.
    """
    options = {"quiet": output.quiet, "show_failed_logs": output.show_failed_logs}
    for handler in logger.handlers:
        if not isinstance(handler.formatter, DefaultFormatter):
            continue  # of a plugin, which the user chose
        everything = output.verbose or isinstance(handler, logging.FileHandler)
        brief = not (output.dryrun or everything)
        formatter = Brief(mistaken, closing, **options) if brief else Whole(mistaken, **options)
        handler.setFormatter(formatter)
        handler.filters = [Failing(own) if isinstance(own, DefaultFilter) else own for own in handler.filters]
        if not everything:
            handler.addFilter(formatter)
