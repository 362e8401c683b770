"""Notes which functions of the library a script of the workflow calls. Python imports this first, from PYTHONPATH.

Each process leaves a JSON list of [file below the library, name of the function or of the class that has it] in the
folder $TWOPHASE_CALLED, named after its script. Calls made by an import, or to try whether a network can have what is
asked of it, do not count: no result depends on what they return.
"""

import atexit
import json
import os
import sys
from pathlib import Path

LIBRARY = f"{os.sep}workflow{os.sep}twophase{os.sep}"
TRIAL = f"{LIBRARY}training{os.sep}trial.py"
called, seen = set(), set()


def note(frame, event, argument):
    code = frame.f_code
    if event != "call" or code in seen:
        return
    if LIBRARY not in code.co_filename or code.co_name == "<module>":
        seen.add(code)
        return
    caller = frame
    while caller is not None:
        if caller.f_code.co_name == "<module>" and LIBRARY in caller.f_code.co_filename:
            return
        if caller.f_code.co_filename.endswith(TRIAL):
            return
        caller = caller.f_back
    seen.add(code)
    called.add((code.co_filename.rpartition(LIBRARY)[2], code.co_qualname.partition(".")[0]))


def leave():
    script = Path(sys.argv[0]).name.split(".")[-2:]  # Snakemake's copy of a script is called tmp1234.forks.py
    path = Path(os.environ["TWOPHASE_CALLED"]) / f"{script[0]}-{os.getpid()}.json"
    path.write_text(json.dumps(sorted(called)))


if ".snakemake" in getattr(sys, "orig_argv", [""])[-1]:
    sys.setprofile(note)
    atexit.register(leave)
