"""The frame around the `main` of every script: arguments by name, a log, one message for a user's error."""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from twophase.errors import UserError
from twophase.files import storage
from twophase.progress import TERMINAL
from twophase.runtime import gpus, guard, locks, records
from twophase.runtime.digests import code_digest


def set_environment() -> None:
    """Lets the processes that this one starts import the library, installed or not, and draw into files alone.

    In a notebook MPLBACKEND names what only notebooks have.
    """
    os.environ["MPLBACKEND"] = "agg"
    path = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))


@contextlib.contextmanager
def logged(path_to_log: str) -> Iterator[None]:
    """Sends stdout and stderr, those of C code included, to the log; ends the process with status 1 on an error.

    A UserError leaves one message in the log, anything else its traceback.
    """
    watched = os.dup(2)  # where the run is watched
    os.environ[TERMINAL] = str(watched)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path_to_log)  # what it leads to, if it is a link, is not ours to overwrite
        log = os.open(path_to_log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except OSError as error:
        sys.exit(f"Error: {path_to_log} cannot be written ({error}). Make room, or its folder writable.")
    sys.stdout.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout.reconfigure(line_buffering=True)  # the log is read while the job runs
    try:
        yield
    except UserError as error:
        _fail(f"Error: {error}\n", watched)
    except Exception:
        _fail(traceback.format_exc(), watched)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()


def _fail(text: str, watched: int) -> None:
    """Ends the process; says why in the log or, where no room is left for it, where the run is watched."""
    try:
        print(text, end="", flush=True)
    except OSError:
        os.write(watched, text.encode())
    sys.exit(1)


def run(main: Callable, snakemake, **given) -> None:
    """Calls `main` with the job's named inputs and outputs as `path_to_<name>`, its params, and `facts`.

    `facts` is what the files that the job writes say of their origin: experiment, seed, a digest of the params, and the
    param `origin` where there is one. The param `code` is for Snakemake and for a job whose code was edited after its
    run had begun: it stops. While the job lives, no other run begins in the folder of results; a job that asks for the
    resource `gpu` has a device to itself, or shares it as the config's `gpus.share` allows. What it made is recorded
    with its params.

    Args:
        given: what else `main` takes, such as threads: of how a run is started, so that another value, unlike that of
            a param, makes no output anew.
    """
    results = snakemake.config["results"]
    paths = {f"path_to_{name}": value for part in (snakemake.input, snakemake.output) for name, value in part.items()}
    params = dict(snakemake.params.items())
    recorded = dict(params)
    wildcards = dict(snakemake.wildcards.items())
    facts = {name: wildcards[name] for name in ("experiment", "seed") if name in wildcards}
    facts["settings"] = storage.digest(params)
    params.pop("code", None)
    if "origin" in params:
        facts["origin"] = params.pop("origin")
    with logged(snakemake.log[0]):
        locks.start_job(results)
        guard.check_code(results, snakemake.rule, lambda: _code(main, params))
        if snakemake.resources.get("gpu"):
            gpus.take(snakemake.config["gpus"]["share"])
        main(**paths, **params, **given, facts=facts)
        records.write(results, recorded, list(snakemake.input), list(snakemake.output))


def _code(main: Callable, params: Mapping) -> str:
    """The digest of what a job's script does now, a figure's of its own function."""
    return code_digest(Path(main.__globals__["__file__"]).stem, params.get("figure"))
