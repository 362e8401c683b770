"""The measurements of engines.py, one case after the other in one process: cases.py LINES CASE [CASE ...] [--tiny].

Appends a JSON object a line to the file LINES as it goes: {"begin": case}, {"row": ...}, {"check": ...}, {"text": ...},
{"end": case, "error": ...}. Ends with status 3 where a failed case left the GPU unusable, so that engines.py can go on
with the rest in a new process. `cases.py --worker ...` is one of several processes that share the GPU.

On a CPU, whatever concerns graphs, streams and layouts alone is left out.
"""

import argparse
import gc
import hashlib
import json
import statistics
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

import convolutions
import trainers
from trainers import CUDA, DEVICE, SIZES, Captured, Eager, alone, images, network, settings, stacked, wait
from twophase.files import storage
from twophase.measures import barrier, ntk
from twophase.networks import evaluation
from twophase.networks import state as network_state
from twophase.training import capture, lockstep, loop
from twophase.training.linearized import Linearized

# Measuring -----------------------------------------------------------------------------------------------------------


def timed(function, *args):
    wait()
    began = time.perf_counter()
    function(*args)
    wait()
    return time.perf_counter() - began


def seconds_each(advance, seconds=None, rounds=5):
    """Median seconds of one of many, after a warm-up."""
    seconds = SIZES["seconds"] if seconds is None else seconds
    advance(capture.WARM_UP + 2)
    once = timed(advance, 4) / 4
    count = max(2, int(seconds / rounds / once))
    return statistics.median(timed(advance, count) / count for _ in range(rounds))


def same(left, right):
    """Whether two states have the same names and bytes; else where they differ first, and by how much."""
    if left.keys() != right.keys():
        return f"names differ: {sorted(left.keys() ^ right.keys())[:4]}"
    unlike = [name for name in left if left[name].tobytes() != right[name].tobytes()]
    if not unlike:
        return True
    worst = max(np.abs(left[n].astype(np.float64) - right[n].astype(np.float64)).max() for n in unlike)
    first = ""
    if "log" in unlike:
        rows = np.flatnonzero((left["log"] != right["log"]).reshape(len(left["log"]), -1).any(1))
        first = f"; first differing row of the log: {rows[0] if len(rows) else 'none but NaN'}"
    return f"{len(unlike)} of {len(left)} arrays differ ({unlike[0]}), by up to {worst:.3g}{first}"


def member(state, k):
    return {name: value[..., k] if name == "log" else value[k] for name, value in state.items()}


def members_equal(state, size):
    """True, or how the first unlike member differs from member 0."""
    for k in range(1, size):
        found = same(member(state, 0), member(state, k))
        if found is not True:
            return f"member {k}: {found}"
    return True


def memory():
    return round(torch.cuda.max_memory_allocated() / 2**20) if CUDA else None


class Lines:
    """The file that engines.py reads."""

    def __init__(self, file):
        self.file = file

    def __call__(self, **what):
        self.file.write(json.dumps(what, default=str) + "\n")
        self.file.flush()

    def row(self, model, engine, members, seconds, **more):
        """`seconds` of one iteration of all members."""
        row = {"model": model, "engine": engine, "members": members, "rate": members / seconds, "memory": memory()}
        self(row=row | {"ms": 1e3 * seconds / members} | more)

    def check(self, model, what, found):
        self(check={"model": model, "what": what, "holds": found is True, "detail": "" if found is True else found})


def fresh():
    gc.collect()
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


# Cases ---------------------------------------------------------------------------------------------------------------


def case_machine(lines, _):
    """Speed of a float32 matrix product, of a copy, and of a launch."""
    side = 4096 if CUDA else 256
    a = torch.randn(side, side, device=DEVICE)
    product = min(timed(lambda: a @ a) for _ in range(8))
    source = torch.empty(64 * 2**20 if CUDA else 2**16, device=DEVICE)
    target = torch.empty_like(source)
    copy = min(timed(target.copy_, source) for _ in range(8))
    small = torch.zeros(8, device=DEVICE)
    launches = 2000 if CUDA else 20
    launch = min(timed(lambda: [small.add_(1) for _ in range(launches)]) / launches for _ in range(3))
    name = torch.cuda.get_device_name() if CUDA else "CPU"
    lines(
        fact={
            "device": name,
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version() if CUDA else None,
            "float32 product, TFLOP/s": 2e-12 * side**3 / product,
            "copy, TB/s read and written": 2e-12 * source.numel() * 4 / copy,
            "one small kernel, launched and run, microseconds": 1e6 * launch,
        }
    )


def case_solo(lines, name):
    """`loop.train`, and the captured step."""
    config, data = settings(), images(SIZES["images"])
    for label, engine in (("solo, eager", Eager), ("solo, captured", Captured)):
        fresh()
        runner = alone(name, engine, config, data)
        each = seconds_each(runner.advance)
        lines.row(name, label, 1, each, capture=getattr(runner, "capture_seconds", None))
        del runner


def case_bits(lines, name):
    """Eager twice, captured twice, over partial batches, epochs and a drop of the learning rate."""
    config, data, count = settings(2 * SIZES["steps"] // 3), images(SIZES["few"]), SIZES["steps"]

    def end(engine):
        runner = alone(name, engine, config, data)
        runner.advance(count)
        return runner.state()

    first = end(Eager)
    lines.check(name, f"eager: two runs of {count} iterations are equal bit by bit", same(first, end(Eager)))
    captured = end(Captured)
    lines.check(name, "captured equals eager bit by bit, its log too", same(first, captured))
    lines.check(name, "captured: two runs are equal bit by bit", same(captured, end(Captured)))


def case_streams(lines, name):
    """K captured members, each on its stream."""
    if not CUDA:
        return
    config, data = settings(), images(SIZES["few"])
    runners = [alone(name, Captured, config, data) for _ in range(4)]
    trainers.Together(runners).advance(SIZES["steps"])
    solo = alone(name, Eager, config, data)
    solo.advance(SIZES["steps"])
    found = next((f for f in (same(solo.state(), r.state()) for r in runners) if f is not True), True)
    lines.check(name, "4 captured members on streams of their own equal the eager solo run bit by bit", found)
    del runners, solo
    data = images(SIZES["images"])
    for size in SIZES["streams"]:
        fresh()
        runners = [alone(name, Captured, config, data) for _ in range(size)]
        each = seconds_each(trainers.Together(runners).advance)
        capture = sum(r.capture_seconds for r in runners)
        lines.row(name, "captured members, a stream each", size, each, capture=capture)
        first = runners[0].state()
        found = next((f for f in (same(first, r.state()) for r in runners[1:]) if f is not True), True)
        lines.check(name, f"{size} captured members on streams are equal bit by bit after the timing", found)
        del runners


def case_stack(lines, name):
    """`lockstep.Stack`, eager and captured."""
    config, few, data = settings(), images(SIZES["few"]), images(SIZES["images"])
    small = SIZES["stacks"][0]
    ends = {}
    for engine in (Eager, Captured):
        fresh()
        runner = stacked(name, small, engine, config, few)
        runner.advance(SIZES["steps"])
        ends[engine] = runner.state()
        del runner
    lines.check(name, f"stack of {small}: members are equal bit by bit", members_equal(ends[Eager], small))
    lines.check(name, f"stack of {small}: captured equals eager bit by bit", same(ends[Eager], ends[Captured]))
    for size in SIZES["stacks"]:
        for label, engine in (("stack (vmap), eager", Eager), ("stack (vmap), captured", Captured)):
            fresh()
            runner = stacked(name, size, engine, config, data)
            each = seconds_each(runner.advance)
            lines.row(name, label, size, each, capture=getattr(runner, "capture_seconds", None))
            if engine is Eager:
                lines.check(
                    name, f"stack of {size}: members are equal after the timing", members_equal(runner.state(), size)
                )
            del runner


def case_layouts(lines, name):
    """Batches come from `noise.augment` with channels last: as they are, contiguous, and weights alike."""

    class Contiguous(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x.contiguous())

    def contiguous(engine, config, data):
        model = Contiguous(network(name))
        return engine(model, model.inner, config, data)

    def channels_last(engine, config, data):
        model = network(name).to(memory_format=torch.channels_last)
        return engine(model, model, config, data)

    def last_stack(engine, config, data):
        class Last(lockstep.Stack):
            def forward(self, inputs):
                state = dict(self.members.named_parameters()) | dict(self.members.named_buffers())

                def one(state):
                    return torch.func.functional_call(self.members, state, (inputs,))

                return torch.vmap(one, randomness="same")(state)

        stack = Last(network(name), stacks)
        return engine(stack, stack.members, config, data, (stacks,))

    stacks = SIZES["stacks"][0]
    config, data = settings(), images(SIZES["images"])
    batch = loop.batch(data, config, trainers.SEED, 0)[0]
    lines(fact={"batches of loop.batch have channels last": batch.is_contiguous(memory_format=torch.channels_last)})
    for label, build, size in (
        ("inputs contiguous", contiguous, 1),
        ("inputs and weights channels last", channels_last, 1),
        (f"stack of {stacks}, inputs channels last", last_stack, stacks),
    ):
        for kind, engine in (("eager", Eager), ("captured", Captured)):
            fresh()
            try:
                runner = build(engine, config, data)
                each = seconds_each(runner.advance)
            except RuntimeError as error:
                lines.check(name, f"{label}, {kind}: runs", str(error).splitlines()[0])
                broken_gpu()
                continue
            lines.row(name, f"{label}, {kind}", size, each)
            if size > 1 and kind == "eager":
                lines.check(name, f"{label}: members are equal", members_equal(runner.state(), size))
            del runner


def case_kernels(lines, name):
    """What a step of one network costs with other kernels, captured, its batches contiguous: which take the time."""

    class Contiguous(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x.contiguous())

    def measure(label, model, **flags):
        fresh()
        for flag, value in flags.items():
            setattr(torch.backends.cudnn, flag, value)
        runner = Captured(Contiguous(model), model, config, data)
        try:
            each = seconds_each(runner.advance, SIZES["seconds"] / 2, 3)
            lines.row(name, f"{label}, captured", 1, each)
            if CUDA:
                with profile(activities=[ProfilerActivity.CUDA]) as found:
                    runner.advance(5)
                    wait()
                events = found.key_averages()
                busy = sum(event.self_device_time_total for event in events) / 5e3
                text = [f"{name}, {label}: {busy:.3f} ms of GPU time an iteration"]
                for e in sorted(events, key=lambda event: -event.self_device_time_total)[:14]:
                    text.append(f"{e.self_device_time_total / 5:10.1f} us {e.count / 5:6.1f} x  {e.key[:120]}")
                lines(text="\n".join(text))
        except RuntimeError as error:
            lines.check(name, f"{label}: runs", str(error).splitlines()[0])
            broken_gpu()
        for flag in flags:
            setattr(torch.backends.cudnn, flag, not flags[flag])

    config, data = settings(), images(SIZES["images"])
    measure("cuDNN", network(name))
    measure("cuDNN, benchmark", network(name), benchmark=True)
    torch.use_deterministic_algorithms(False)
    measure("cuDNN, not deterministic", network(name), deterministic=False)
    measure("cuDNN, not deterministic, benchmark", network(name), deterministic=False, benchmark=True)
    trainers.repeatable()
    torch.backends.cudnn.deterministic = False
    measure("matrix products", convolutions.as_products(network(name)))


def case_linear(lines, name):
    """Linearized training, eager and captured."""
    config, data, few, ends = settings(), images(SIZES["images"]), images(SIZES["few"]), []
    for engine in (Eager, Captured):
        model = Linearized(network(name))
        runner = engine(model, model, config, few)
        runner.advance(SIZES["steps"] // 2)
        ends.append(runner.state())
        del runner, model
    lines.check(name, "linearized, captured equals eager bit by bit", same(*ends))
    for label, engine in (("linearized, eager", Eager), ("linearized, captured", Captured)):
        fresh()
        model = Linearized(network(name))
        runner = engine(model, model, config, data)
        each = seconds_each(runner.advance)
        lines.row(name, label, 1, each, capture=getattr(runner, "capture_seconds", None))
        del runner, model


def case_stages(lines, name):
    """What takes the rest of a run: a point of a barrier, a forward pass, a kernel, a checkpoint."""
    data = images(SIZES["few"], SIZES["test"])
    inputs, labels = data.sample("test", None)
    model = network(name)
    half, few = SIZES["seconds"] / 2, 3

    def repeat(function):
        return seconds_each(lambda count: [function() for _ in range(count)], half, few)

    def unit(what, seconds, **more):
        lines(unit={"model": name, "what": what, "seconds": seconds} | more)

    state = {n: v.detach().clone() for n, v in model.state_dict().items()}
    measure = barrier.Barrier(model, inputs, labels, 30)
    usual, pixels = measure.folded.format, evaluation.PIXELS["gpu"]
    for layout in (torch.channels_last, torch.contiguous_format):
        for images_at_once in (1024, 5000, 10_000) if CUDA else (1024,):
            measure.folded.format, evaluation.PIXELS["gpu"] = layout, images_at_once * 1024
            each = repeat(lambda: measure.level(barrier.lerp(state, state, 0.5)))
            as_is = layout is usual and images_at_once * 1024 == pixels
            what = f"barrier, a point on the path, {len(labels)} images, {images_at_once} at once, {layout}"
            unit(what, each, key="level" if as_is else None)
    evaluation.PIXELS["gpu"] = pixels
    model.load_state_dict(state)
    model.eval()
    unit(f"predictions, {len(labels)} images", repeat(lambda: evaluation.logits(model, inputs)), key="predictions")
    few_inputs = data.sample("train", SIZES["kernel"])[0]
    fresh()
    each = repeat(lambda: ntk.empirical_ntk(model, few_inputs))
    cost = ntk.cost(model, few_inputs)
    more = {"key": "kernel", "TFLOP/s": 1e-12 * cost["flops"] / each, "MiB": memory()}
    unit(f"kernel of {len(few_inputs)} inputs", each, **more)
    optimizer = loop.make_optimizer(model, settings())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "step-0.safetensors")
        write = repeat(lambda: network_state.write_checkpoint(path, model, optimizer, {}))
        unit("checkpoint, fetched and written", write, key="save")
        unit("checkpoint, read and loaded", repeat(lambda: network_state.load_state(model, storage.read_tensors(path))))
    if name == "resnet20":
        few_inputs = few_inputs[:8]
        there = ntk.empirical_ntk(model, few_inputs).double().cpu()
        here = ntk.empirical_ntk(model.cpu().double(), few_inputs.cpu().double())
        error = float(torch.linalg.norm(there - here) / torch.linalg.norm(here))
        lines.check(name, "kernel in float32 here is that in float64 on the CPU within 1e-4", error < 1e-4 or error)


def case_profile(lines, name):
    """Kernels of an iteration by the time they take."""
    if not CUDA:
        return
    config, data, count = settings(), images(SIZES["images"]), 5
    for label, runner in (
        ("solo, eager", alone(name, Eager, config, data)),
        (f"stack of {SIZES['stacks'][1]}, eager", stacked(name, SIZES["stacks"][1], Eager, config, data)),
    ):
        runner.advance(5)
        wait()
        with profile(activities=[ProfilerActivity.CUDA]) as found:
            runner.advance(count)
            wait()
        events = found.key_averages()
        kernels = sum(event.count for event in events) / count
        busy = sum(event.self_device_time_total for event in events) / count
        table = sorted(events, key=lambda event: -event.self_device_time_total)[:30]
        text = [f"{name}, {label}: {kernels:.0f} kernels and copies, {busy / 1e3:.3f} ms of GPU time an iteration"]
        text += [f"{e.self_device_time_total / count:10.1f} us {e.count / count:6.1f} x  {e.key[:150]}" for e in table]
        lines(text="\n".join(text))
        del runner


def broken_gpu():
    """Ends this process where the GPU has an error that no later call gets rid of."""
    try:
        wait()
        float(torch.ones(1, device=DEVICE).sum())
    except Exception:
        sys.exit(3)


def worker(kind, name, folder, index, seconds):
    """One of several processes on the GPU: says when it is ready, waits for the others, trains for some seconds."""
    folder, config, data = Path(folder), settings(), images(SIZES["images"])
    runner = alone(name, {"eager": Eager, "captured": Captured}[kind], config, data)
    runner.advance(10)
    wait()
    (folder / f"ready-{index}").touch()
    while not (folder / "go").exists():
        time.sleep(0.005)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        runner.advance(10)
        wait()
        count += 10
    taken = time.perf_counter() - began
    digest = hashlib.sha256(runner.state()["log"][:20].tobytes()).hexdigest()  # all workers do the same
    text = json.dumps({"count": count, "seconds": taken, "digest": digest})
    temporary = folder / f".done-{index}"
    temporary.write_text(text)
    temporary.rename(folder / f"done-{index}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lines", nargs="?")
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--worker", nargs=5, metavar=("KIND", "MODEL", "FOLDER", "INDEX", "SECONDS"))
    options = parser.parse_args()
    if options.tiny:
        SIZES.update(trainers.TINY)
    trainers.repeatable()
    if options.worker:
        kind, name, folder, index, seconds = options.worker
        return worker(kind, name, folder, int(index), float(seconds))
    with open(options.lines, "a") as file:
        lines = Lines(file)
        for case in options.cases:
            run(lines, case)


def run(lines, case):
    kind, _, name = case.partition(":")
    lines(begin=case)
    fresh()
    error = None
    try:
        globals()[f"case_{kind}"](lines, name)
    except Exception as problem:
        traceback.print_exc()
        last = traceback.extract_tb(problem.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        error = f"{type(problem).__name__} at {where}: {str(problem)[:600]}"
    lines(end=case, error=error)
    if error:
        broken_gpu()


if __name__ == "__main__":
    main()
