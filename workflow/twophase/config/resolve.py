"""From a config as written to one with every default filled in, every grid spelled out and every rule checked.

Torch-free: the Snakefile calls `resolve` and `check_images` before it plans a single job.
"""

import copy
import json
import os
from collections.abc import Mapping
from pathlib import Path

from twophase.config import checks, grids, schema
from twophase.data import prepare, sources
from twophase.errors import UserError
from twophase.networks import names as model_names
from twophase.networks import own

MAX_POINTS = 10_000  # of a grid: all pairs of so many checkpoints are as much as memory and a figure can hold
RESERVED = {  # files and folders of the results beside those of experiments
    *("benchmarks", "data", "figures", "logs", "reference", "benchmarks.md", "calibration.json", "claims.html"),
    *("claims.parquet", "config.json", "explorer.html", "phases.parquet", "records", "report.html", "scaling.parquet"),
}
NO_EFFECT = {  # settings of training that have none: where they have an effect instead
    "betas": ("optimizer", "adam"),
    "momentum": ("optimizer", "sgd"),
    "nesterov": ("optimizer", "sgd"),
    "schedule.milestones": ("schedule.kind", "step"),
    "schedule.gamma": ("schedule.kind", "step"),
}


def resolve(config: Mapping) -> dict:
    """Checks a config and returns it complete: defaults set, grids as lists, epochs as iterations.

    Raises:
        UserError: names the key, what it holds, what was expected, and the remedy.
    """
    if not isinstance(config, Mapping):
        raise UserError(f"the config: must be a mapping of keys, not {config!r}; docs/configuration.md has them all.")
    try:
        schema.check_size(config)
        config = schema.typed(config)
    except RecursionError:
        raise UserError("the config: a part of it holds itself; write it without that YAML anchor.") from None
    schema.check_finite(config)
    defaults = config.get("defaults") or {}
    experiments = written = config.get("experiments")
    if isinstance(experiments, Mapping) and isinstance(defaults, Mapping):
        config["experiments"] = {
            name: schema.merged(defaults, experiment) if isinstance(experiment, Mapping) else experiment
            for name, experiment in experiments.items()
        }
    schema.complete(config)
    config["results"] = os.path.expanduser(config["results"])
    for name, dataset in config["datasets"].items():
        checks.check_dataset(f"datasets.{name}", dataset)
    for name, experiment in config["experiments"].items():
        if name in RESERVED:
            raise UserError(f"experiments.{name}: the results have a file or folder of this name; choose another.")
        _check_effect(f"experiments.{name}.training", written[name].get("training", {}), experiment["training"])
        _resolve_experiment(f"experiments.{name}", name, experiment, config["datasets"])
    checks.check_titles(config["experiments"])
    checks.check_colormaps(config["figures"])
    del config["defaults"]  # every experiment has them now
    return config


def check_images(config: Mapping) -> None:
    """Raises a UserError where a data set of a resolved config is not there, and there is training to do with it.

    From the tables of a run that ended, or was restored, figures can be drawn without its images.
    """
    for name, dataset in config["datasets"].items():
        missing = prepare.source_missing(dataset["source"], dataset["root"])
        if not missing:
            continue
        runs = [(e, s) for e, part in config["experiments"].items() if part["dataset"] == name for s in part["seeds"]]
        if not runs or not all(Path(config["results"], e, f"seed{s}", "S.parquet").exists() for e, s in runs):
            raise UserError(f"datasets.{name}.root: {missing}")


def settings_of(config: Mapping, name: str) -> dict:
    """What an experiment of a resolved config was made with: its part and its data set's, less what has no effect."""
    experiment = copy.deepcopy(config["experiments"][name])
    del experiment["title"]
    dataset, model, training = (experiment[key] for key in ("dataset", "model", "training"))
    for path, (choice, needed) in NO_EFFECT.items():
        if _at(training, choice) != needed:
            *outer, key = path.split(".")
            del _at(training, ".".join(outer))[key]
    options = ("name", *model_names.OPTIONS[model_names.family(model["name"])])
    if "options" in model:  # one setting: any other argument is another network
        model["options"] = json.dumps(model["options"], sort_keys=True)
    optional = {"chaos": "t0", "linearized": "switch", "pointwise": "grid", "layers": "grid"}
    unused = [key for key, needed in optional.items() if not experiment[key][needed]]
    if experiment["counterexample"]:
        unused = [*optional, "barrier"]
    source = {key: value for key, value in config["datasets"][dataset].items() if value is not None}
    return {
        "dataset": {"name": dataset, **source},
        "model": {key: model[key] for key in options},
        **{key: value for key, value in experiment.items() if key not in ("dataset", "model", *unused)},
    }


def _at(part: Mapping, path: str):
    """The value at a path of keys with dots between them; None where there is none, the part itself at no path."""
    for name in filter(None, path.split(".")):
        part = part.get(name) if isinstance(part, Mapping) else None
    return part


def _check_effect(key: str, written: Mapping, training: Mapping) -> None:
    """What an experiment itself sets, other than by inheritance or to the default, must do something."""
    defaults: dict = {}
    schema.fill(defaults, schema.load()["$defs"]["training"])
    for path, (choice, needed) in NO_EFFECT.items():
        if _at(written, path) not in (None, [], 0, False, _at(defaults, path)) and _at(training, choice) != needed:
            chosen = _at(training, choice)
            raise UserError(
                f"{key}.{path}: has no effect where {choice} is {chosen}; set that to {needed}, or drop it."
            )


def _resolve_experiment(key: str, name: str, experiment: dict, known: Mapping) -> None:
    experiment["title"] = (experiment["title"] or "").strip() or name
    if experiment["dataset"] not in known:
        raise UserError(f"{key}.dataset: unknown data set '{experiment['dataset']}'; known: {', '.join(known)}.")
    _resolve_model(f"{key}.model", experiment["model"])
    _resolve_training(f"{key}.training", experiment["training"], known[experiment["dataset"]])
    checks.check_fit(key, experiment, known[experiment["dataset"]])
    last = experiment["training"]["iterations"]

    steps = sorted({0, last, *_grid(f"{key}.checkpoints", experiment["checkpoints"], last)})
    on_steps = f"{key}.checkpoints"
    _resolve_chaos(f"{key}.chaos", experiment["chaos"], steps, last, on_steps)
    checks.check_forks(f"{key}.chaos", experiment["chaos"], experiment["training"]["augment"])
    chaos = experiment["chaos"]
    steps = experiment["checkpoints"] = sorted({*steps, *(t0 + lag for t0 in chaos["t0"] for lag in chaos["lags"])})

    pairs, barrier, kernel = experiment["pairs"], experiment["barrier"], experiment["kernel"]
    pairs["grid"] = _subgrid(f"{key}.pairs.grid", pairs["grid"], steps, last, on_steps)
    if pairs["independent"]:
        pairs["independent"] = _subgrid(f"{key}.pairs.independent", pairs["independent"], steps, last, on_steps)
        if len(experiment["seeds"]) < 2:
            raise UserError(f"{key}.pairs.independent: compares seeds, and there is only one; add seeds, or drop it.")
    barrier["grid"] = _subgrid(f"{key}.barrier.grid", barrier["grid"] or pairs["grid"], steps, last, on_steps)
    # The cone is seen from the first kernel.
    kernel["grid"] = sorted({0, *_subgrid(f"{key}.kernel.grid", kernel["grid"], steps, last, on_steps)})

    if chaos["t0"] and experiment["phases"]["distance"] == "checkpoints":
        if not chaos["t1"]:
            raise UserError(
                f"{key}.phases.distance: checkpoints compares t0 with every chaos.t1, and there is none; add some."
            )
        for name, part in (("pairs", pairs), ("barrier", barrier)):
            whose = f"{key}.{name}.grid, which phases.distance: checkpoints reads"
            for side in ("t0", "t1"):
                _on_grid(f"{key}.chaos.{side}", chaos[side], part["grid"], whose)

    pointwise = experiment["pointwise"]
    if pointwise["grid"]:  # how far curvature rises is said of its value at the start
        pointwise["grid"] = sorted({0, *_subgrid(f"{key}.pointwise.grid", pointwise["grid"], steps, last, on_steps)})

    layers = experiment["layers"]
    if layers["grid"]:  # as the kernel's
        layers["grid"] = sorted({0, *_subgrid(f"{key}.layers.grid", layers["grid"], steps, last, on_steps)})

    cone = experiment["cone"]
    _on_grid(f"{key}.cone.tau", cone["tau"], kernel["grid"], f"{key}.kernel.grid")
    there = set(kernel["grid"])
    if any(there.isdisjoint(t + dt for t in there) for dt in cone["dt"]):
        differences = sorted({b - a for a in there for b in there if b > a})
        _on_grid(f"{key}.cone.dt", cone["dt"], differences, f"the differences of {key}.kernel.grid")
    if cone["dt"] and set(pairs["grid"]).isdisjoint(t + min(cone["dt"]) for t in pairs["grid"]):
        raise UserError(
            f"{key}.pairs.grid: no two of its points are {min(cone['dt'])}, the least cone.dt, apart; add some."
        )

    linearized = experiment["linearized"]
    linearized["until"] = linearized["until"] or last
    if linearized["until"] > last:
        raise UserError(f"{key}.linearized.until: {linearized['until']} lies beyond the end of training, T = {last}.")
    linearized["switch"] = _starts(f"{key}.linearized.switch", linearized["switch"], linearized["until"])
    _on_grid(f"{key}.linearized.switch", linearized["switch"], steps, on_steps)
    evaluate = _grid(f"{key}.linearized.evaluate", linearized["evaluate"] or steps, last)
    linearized["evaluate"] = [*sorted(t for t in evaluate if t < linearized["until"]), linearized["until"]]


def _resolve_model(key: str, model: dict) -> None:
    """Notes the norm, and what is in the file of a user's own network; drops what is for such networks from others."""
    problem = model_names.known_model(**model)
    if problem:
        raise UserError(f"{key}: {problem}.")
    model["norm"] = model_names.norm_of(model["name"], model["norm"])
    if model_names.family(model["name"]) != "own":
        del model["options"], model["sha256"]
        return
    found = own.sha256(model["name"])
    if model["sha256"] not in (None, found):
        raise UserError(
            f"{key}.sha256: {own.path_of(model['name'])} has {found}; give that, or the file that you mean."
        )
    model["sha256"] = found


def _resolve_chaos(key: str, chaos: dict, steps: list[int], last: int, on_steps: str) -> None:
    """Grids of t0 and t1 on the checkpoints `steps`; lags, which make checkpoints of their own, end before `last`."""
    chaos["t0"] = _starts(f"{key}.t0", chaos["t0"], last)
    _on_grid(f"{key}.t0", chaos["t0"], steps, on_steps)
    if chaos["t1"] is None:
        chaos["t1"] = [] if chaos["lags"] else {*chaos["t0"], last}
    chaos["t1"] = sorted(_grid(f"{key}.t1", chaos["t1"], last))
    _on_grid(f"{key}.t1", chaos["t1"], steps, on_steps)
    dense = chaos["dense"]
    dense["t1"] = sorted(_grid(f"{key}.dense.t1", dense["t1"], last)) if dense["t1"] else []
    for part, lags in (("lags", chaos["lags"]), ("dense.lags", dense["lags"])):
        for lag in lags:
            late = [t0 for t0 in chaos["t0"] if t0 + lag > last]
            if late:
                raise UserError(
                    f"{key}.{part}: {lag} iterations after t0 = {late[0]} training has ended, T = {last}; "
                    "take a shorter lag, or train longer."
                )
        lags.sort()
    for t0 in chaos["t0"]:
        if not chaos["lags"] and t0 >= max(chaos["t1"], default=0):
            raise UserError(f"{key}.t1: no t1 lies after t0 = {t0}; add one, or drop that t0.")
    if chaos["control"] is None:
        chaos["control"] = chaos["t0"][:1]
    _on_grid(f"{key}.control", chaos["control"], chaos["t0"], f"{key}.t0")


def _resolve_training(key: str, training: dict, dataset: Mapping) -> None:
    """Turns `epochs` and everything counted in epochs into iterations, and drops those keys."""
    schedule = training["schedule"]
    if (training["iterations"] is None) == (training["epochs"] is None):
        raise UserError(
            f"{key}: give either iterations or epochs, the length of training; null undoes an inherited one."
        )
    if training["nesterov"] and training["momentum"] == 0:
        raise UserError(f"{key}.nesterov: needs a momentum above 0.")
    per_epoch = None
    if training["epochs"] is not None or schedule["unit"] == "epochs":
        size = dataset["train_size"] or sources.TRAIN_SIZES.get(dataset["source"])
        if size is None:
            what = "epochs" if training["epochs"] is not None else "schedule.unit"
            raise UserError(
                f"{key}.{what}: the size of this data set is not known before it is read; count in iterations, "
                "or give its train_size."
            )
        per_epoch = sources.iterations_per_epoch(size, training["batch_size"])
    epochs, unit = training.pop("epochs"), schedule.pop("unit")
    if epochs is not None:
        training["iterations"] = max(1, round(epochs * per_epoch))
    longest = schema.load()["$defs"]["training"]["properties"]["iterations"]["maximum"]
    if training["iterations"] > longest:
        raise UserError(f"{key}.epochs: {epochs} are more than {longest} iterations; train for fewer.")
    factor = per_epoch if unit == "epochs" else 1
    schedule["milestones"] = sorted(round(m * factor) for m in schedule["milestones"])
    if len(set(schedule["milestones"])) < len(schedule["milestones"]):
        raise UserError(f"{key}.schedule.milestones: two of them are the same iteration; drop one.")
    schedule["warmup"] = round(schedule["warmup"] * factor)
    if schedule["warmup"] >= training["iterations"]:
        raise UserError(f"{key}.schedule.warmup: it must end before training does, T = {training['iterations']}.")


def _grid(key: str, spec, last: int) -> list[int]:
    if isinstance(spec, Mapping) and spec.get("every"):
        end = min(last, spec.get("until") or last)
        if end // spec["every"] >= MAX_POINTS:
            raise UserError(
                f"{key}.every: a point every {spec['every']} iterations up to {end} makes a grid of more than "
                f"{MAX_POINTS} points; take longer steps."
            )
    points = grids.resolve(spec, last)
    if isinstance(spec, Mapping) and not points:
        raise UserError(f"{key}: names no iteration; give at, every or log.")
    beyond = [point for point in points if point > last]
    if beyond:
        raise UserError(f"{key}: {beyond[0]} lies beyond the end of training, T = {last}.")
    return points


def _starts(key: str, spec, end: int) -> list[int]:
    """A grid of iterations that something starts at: a list must end before `end`, a rule stops there."""
    if isinstance(spec, Mapping):
        return [point for point in _grid(key, spec, end) if point < end]
    for point in spec:
        if point >= end:
            raise UserError(f"{key}: {point} is not before the end of training, T = {end}.")
    return list(spec)


def _subgrid(key: str, spec, steps: list[int], last: int, whose: str) -> list[int]:
    points = sorted(_grid(key, spec, last)) if spec is not None else steps
    _on_grid(key, points, steps, whose)
    return points


def _on_grid(key: str, points, grid: list[int], whose: str) -> None:
    for point in points:
        if point not in grid:
            near = f"; the nearest is {grids.nearest(point, grid)}" if grid else ", which is empty"
            raise UserError(f"{key}: {point} is not on {whose}{near}.")
