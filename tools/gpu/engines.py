"""How fast and how repeatable training is on this GPU: engines.py --out FOLDER --seconds 160 [--tiny].

Runs the cases of cases.py in a child process, one after the other and the most important first, and watches it: a case
that takes too long, or leaves the GPU unusable, costs itself and a new child. What was found so far is always on disk:
FOLDER/engines.md, engines.json and profile.txt. No torch here.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# (seconds that it may take, the case). `processes` is of this file: nothing else is then on the GPU.
CASES = [
    (40, "machine"),
    (40, "solo:resnet20"),
    (40, "bits:resnet20"),
    (45, "kernels:resnet20"),
    (45, "kernels:vgg16"),
    (45, "streams:resnet20"),
    (45, "stack:resnet20"),
    (30, "stages:resnet20"),
    (30, "linear:resnet20"),
    (30, "layouts:resnet20"),
    (60, "processes:eager:8"),
    (60, "processes:eager:8:mps"),
    (40, "solo:vgg16"),
    (30, "bits:vgg16"),
    (60, "processes:captured:8"),
    (60, "processes:captured:8:mps"),
    (45, "streams:vgg16"),
    (40, "profile:resnet20"),
    (45, "stack:vgg16"),
    (30, "layouts:vgg16"),
    (30, "stages:vgg16"),
]
START = 120.0  # seconds until a child has imported torch, the first time from a cold disk
MEASURED = 4.0  # seconds that processes train side by side
LEAST = 8.0  # seconds that a case needs to be worth a start
MPS = "nvidia-cuda-mps-control"


class Findings:
    def __init__(self, out):
        self.out = out
        self.rows, self.checks, self.facts, self.units, self.texts, self.cases = [], [], {}, [], [], []

    def take(self, line):
        for key, keep in (("row", self.rows), ("check", self.checks), ("unit", self.units), ("text", self.texts)):
            if key in line:
                keep.append(line[key])
        self.facts |= line.get("fact", {})

    def case(self, name, seconds, error):
        self.cases.append({"case": name, "seconds": round(seconds, 1), "error": error})
        self.write()

    def write(self):
        keys = ("facts", "rows", "checks", "units", "cases")
        _write(self.out / "engines.json", json.dumps({key: getattr(self, key) for key in keys}, indent=1))
        _write(self.out / "engines.md", self.markdown())
        if self.texts:
            _write(self.out / "profile.txt", "\n\n".join(self.texts) + "\n")

    def markdown(self):
        text = ["## Engines", "", *(f"- {key}: {_short(value)}" for key, value in self.facts.items()), ""]
        text += [
            "| model | engine | members | members x it/s | times eager solo | ms a member, step | capture, s | MiB |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        solo = {row["model"]: row["rate"] for row in self.rows if row["engine"] == "solo, eager"}
        for row in self.rows:
            ratio = row["rate"] / solo[row["model"]] if row["model"] in solo else None
            values = (row["members"], row["rate"], ratio, row["ms"], row.get("capture") or None, row.get("memory"))
            text.append(f"| {row['model']} | {row['engine']} | {' | '.join(_short(v) for v in values)} |")
        text += ["", "| model | check | holds |", "| --- | --- | --- |"]
        for check in self.checks:
            holds = "yes" if check["holds"] else f"**no**: {check['detail']}"
            text.append(f"| {check['model']} | {check['what']} | {holds} |")
        text += ["", "| model | unit | ms | |", "| --- | --- | ---: | --- |"]
        for unit in self.units:
            more = ", ".join(
                f"{k}: {_short(v)}" for k, v in unit.items() if k not in ("model", "what", "seconds", "key")
            )
            text.append(f"| {unit['model']} | {unit['what']} | {_short(1e3 * unit['seconds'])} | {more} |")
        text += ["", "| case | seconds | |", "| --- | ---: | --- |"]
        text += [f"| {c['case']} | {c['seconds']} | {c['error'] or ''} |" for c in self.cases]
        return "\n".join(text) + "\n"


def _short(value):
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return "" if value is None else str(value)


def _write(path, text):
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def end(process):
    """Ends a process that this one started, with whatever that started."""
    if process.poll() is not None:
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def start(*arguments, environment=os.environ):
    """Starts cases.py, with the library of the project in the working directory."""
    path = [os.path.abspath("workflow"), environment.get("PYTHONPATH")]
    environment = {
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # as training.setup.set_up does
        "CUDA_DEVICE_MAX_CONNECTIONS": "32",  # hardware queues: one for each member's stream
        **environment,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
    }
    command = [sys.executable, str(HERE / "cases.py"), *map(str, arguments)]
    # A group of its own, so that all of it can be ended; no session of its own, so that it ends with the terminal.
    return subprocess.Popen(command, process_group=0, env=environment)


def tiny(options):
    return ["--tiny"] if options.tiny else []


def in_child(cases, findings, options, deadline, work):
    """Runs cases in a child; returns how many of them are done with. A hanging or failing one is, too."""
    limits = {case: limit for limit, case in cases}
    path = Path(work, f"lines-{time.monotonic_ns()}")
    path.touch()
    child = start(path, *limits, *tiny(options))
    done, current, began, part = 0, None, time.monotonic(), ""
    try:
        with open(path) as file:
            while True:
                ended = child.poll() is not None  # asked before the rest is read: its last words are not to be missed
                *whole, part = (part + file.read()).split("\n")
                for line in map(json.loads, whole):
                    findings.take(line)
                    if "begin" in line:
                        current, began = line["begin"], time.monotonic()
                    if "end" in line:
                        findings.case(line["end"], time.monotonic() - began, line["error"])
                        done, current, began = done + 1, None, time.monotonic()
                if whole:
                    findings.write()
                now = time.monotonic()
                if ended and current:  # a crash, or an error of the GPU in the middle of a case
                    findings.case(current, now - began, f"ended with status {child.returncode}")
                    return done + 1
                if ended and done == 0:
                    for case in limits:
                        findings.case(case, 0, f"cases.py did not start: status {child.returncode}")
                    return len(limits)
                if ended:
                    return done
                late = now - began > (limits[current] if current else START)
                if late or now > deadline:
                    name = current or [*limits][min(done, len(limits) - 1)]
                    findings.case(name, now - began, "took too long" if late else "no time left")
                    return done + 1
                time.sleep(0.2)
    finally:
        end(child)


@contextlib.contextmanager
def mps(folder):
    """The environment of processes that use the GPU through CUDA's multi-process service, a process of this user."""
    control = shutil.which(MPS)
    if not control:
        raise RuntimeError(f"{MPS} is not on this machine")
    folders = {"CUDA_MPS_PIPE_DIRECTORY": f"{folder}/mps", "CUDA_MPS_LOG_DIRECTORY": f"{folder}/mps-log"}
    for path in folders.values():
        os.mkdir(path)
    environment = os.environ | folders
    subprocess.run([control, "-d"], env=environment, check=True, timeout=15)
    try:
        yield environment
    finally:
        subprocess.run([control], input="quit\n", text=True, env=environment, timeout=15)


def processes(findings, options, case, deadline, work):
    """K processes, each with a network of its own, all at once on the GPU; `case` is processes:KIND:K[:mps]."""
    _, kind, count, *service = case.split(":")
    count, seconds = (2, 0.3) if options.tiny else (int(count), MEASURED)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=work))
        environment = stack.enter_context(mps(folder)) if service else os.environ
        workers = []
        for index in range(count):
            job = ("--worker", kind, "resnet20", folder, index, seconds)
            workers.append(start(*tiny(options), *job, environment=environment))
            stack.callback(end, workers[-1])

        def files(what, until):
            while len(found := list(Path(folder).glob(f"{what}-*"))) < count:
                dead = [w.returncode for w in workers if w.poll() not in (None, 0)]
                if dead or time.monotonic() > min(until, deadline):
                    raise RuntimeError(f"{len(found)} of {count} are {what}; ended with {dead or 'none'}")
                time.sleep(0.05)
            return found

        files("ready", time.monotonic() + START)
        Path(folder, "go").touch()
        done = [json.loads(path.read_text()) for path in files("done", time.monotonic() + seconds + 15)]
    rate = sum(worker["count"] / worker["seconds"] for worker in done)
    name = f"solo, {kind}, {count} processes{' under MPS' if service else ''}"
    findings.take({"row": {"model": "resnet20", "engine": name, "members": count, "rate": rate, "ms": 1e3 / rate}})
    what, holds = f"{name}: their first losses and gradients are equal", len({w["digest"] for w in done}) == 1
    findings.take({"check": {"model": "resnet20", "what": what, "holds": holds, "detail": "" if holds else "not all"}})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=160)
    parser.add_argument("--only", help="cases that begin with one of these, with commas between them")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what it started is ended
    deadline = time.monotonic() + options.seconds - 2
    findings = Findings(options.out)
    chosen = options.only.split(",") if options.only else [""]
    left = [(limit, case) for limit, case in CASES if any(case.startswith(c) for c in chosen)]
    findings.facts["MPS"] = shutil.which(MPS) or "none"
    with tempfile.TemporaryDirectory() as work:
        while left:
            if deadline - time.monotonic() < (1 if options.tiny else LEAST):
                for _, case in left:
                    findings.case(case, 0, "no time left")
                break
            if left[0][1].startswith("processes"):
                _, case = left.pop(0)
                began, error = time.monotonic(), None
                try:
                    processes(findings, options, case, deadline, work)
                except Exception as problem:
                    error = f"{type(problem).__name__}: {problem}"
                findings.case(case, time.monotonic() - began, error)
                continue
            ours = [case for _, case in left]
            until = next((i for i, case in enumerate(ours) if case.startswith("processes")), len(ours))
            del left[: in_child(left[:until], findings, options, deadline, work)]
    findings.write()
    print(findings.markdown())


if __name__ == "__main__":
    main()
