"""What figures, the explorer, claims and the targets are made from. No rules here."""

# What a figure shows ------------------------------------------------------------------------------------------------


def shown(figure):
    """Names of the experiments that are rows of `figure`, in the order of the config."""
    return plan.shown(EXPERIMENTS, figure)


def titles(figure):
    return {name: EXPERIMENTS[name]["title"] for name in shown(figure)}


def style(figure):
    """A param: how `figure` looks, its own settings over those of all."""
    common = {key: value for key, value in config["figures"].items() if key not in plan.FIGURES}
    return common | config["figures"].get(figure, {}) | {"note": note(figure)}


def note(figure):
    """What stands in small print under `figure`: the seeds, and whose where experiments, its rows, have others."""
    titles_of = {}
    for experiment in map(EXPERIMENTS.get, shown(figure)):
        titles_of.setdefault(tuple(experiment["seeds"]), []).append(experiment["title"])
    parts = []
    for seeds, whose in titles_of.items():
        numbers = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
        parts.append(", ".join([*whose, numbers]) if len(titles_of) > 1 else numbers)
    return "; ".join(parts)


def tables(figure, name):
    """An input: the table `name` of every experiment and seed in `figure`."""

    def paths(wildcards):
        check_shown(figure)
        return [f"{RESULTS}/{e}/seed{s}/{name}" for e in shown(figure) for s in EXPERIMENTS[e]["seeds"]]

    return paths


def check_shown(figure):
    if not shown(figure):
        raise WorkflowError(
            f"{figure} has no experiment to show in this config; config/README.md says which keys it needs."
        )


def all_claims(wildcards):
    """An input of the figure that shows all experiments' claims side by side."""
    check_shown("readings")
    return f"{RESULTS}/claims.parquet"


def estimators(experiment):
    """The families of estimates that an experiment has the tables for."""
    return plan.estimators(EXPERIMENTS[experiment])


def estimates(figure, family):
    """An input: one family of estimates of every experiment in `figure` that has it."""
    return [f"{RESULTS}/{e}/phases/{family}.parquet" for e in shown(figure) if family in estimators(e)]


def all_estimates(wildcards):
    names = [name for name, experiment in EXPERIMENTS.items() if not experiment["counterexample"]]
    return [f"{RESULTS}/{e}/phases/{family}.parquet" for e in names for family in estimators(e)]


def estimator_tables(wildcards):
    experiment = EXPERIMENTS[wildcards.experiment]
    names = plan.estimator_tables(experiment, wildcards.estimator)
    return [f"{RESULTS}/{wildcards.experiment}/seed{s}/{n}.parquet" for s in experiment["seeds"] for n in names]


def each(figure, *keys):
    """A param: the value at `keys` of every experiment in `figure`."""
    values = {}
    for name in shown(figure):
        part = EXPERIMENTS[name]
        for key in keys:
            part = part[key]
        values[name] = part
    return values


def drops(figure):
    """A param: when the learning rate drops, for every experiment in `figure`."""
    schedules = {name: EXPERIMENTS[name]["training"]["schedule"] for name in shown(figure)}
    return {name: s["milestones"] if s["kind"] == "step" else [] for name, s in schedules.items()}


# What the explorer shows ---------------------------------------------------------------------------------------------


def of_every_run(name, wanted):
    """An input: the file `name` of every seed of the experiments that are `wanted`."""
    return [f"{RESULTS}/{e}/seed{s}/{name}" for e, part in EXPERIMENTS.items() if wanted(part) for s in part["seeds"]]


def of_every_fork_block(pattern):
    """An input: the file `pattern`, with {block}, of every block of forks of every run that has forks."""
    blocks = [
        (e, s, b)
        for e, part in EXPERIMENTS.items()
        if has_forks(part)
        for s in part["seeds"]
        for b in range(len(fork_blocks(e)))
    ]
    return [f"{RESULTS}/{e}/seed{s}/{pattern.format(block=b)}" for e, s, b in blocks]


def explorer_tables(wildcards):
    """Every table that a view shows; of a counterexample, its S."""
    paths = of_every_run("S.parquet", lambda e: True)
    for name in ("C", "B", "D", "cone"):
        paths += of_every_run(f"{name}.parquet", lambda e: not e["counterexample"])
    for name in ("chaos", "perturbations"):
        paths += of_every_run(f"{name}.parquet", has_forks)
    return paths


def judged_tables(wildcards):
    """Every table that a claim is about."""
    return [
        f"{RESULTS}/{e}/seed{seed}/{name}.parquet"
        for e, part in EXPERIMENTS.items()
        for seed in part["seeds"]
        for name in plan.judged_tables(part)
    ]


def has_forks(experiment):
    return experiment["chaos"]["t0"] and not experiment["counterexample"]


def every_figure(wildcards):
    return [f"{RESULTS}/figures/{name}.{kind}" for name in plan.FIGURES if shown(name) for kind in ("pdf", "png")]


def every_table(wildcards):
    """Grids of every experiment and seed, control, estimates, claims, pages; of a counterexample, what its figure needs."""
    names = {}
    for name, e in EXPERIMENTS.items():
        names[name] = ["S"] if e["counterexample"] else [*plan.METRICS, *(["control"] if e["chaos"]["t0"] else [])]
    tables = [f"{RESULTS}/{e}/seed{s}/{n}.parquet" for e in names for s in EXPERIMENTS[e]["seeds"] for n in names[e]]
    pages = [f"{RESULTS}/claims.html", *(f"{RESULTS}/{name}/overview.html" for name in EXPERIMENTS)]
    return [*tables, f"{RESULTS}/phases.parquet", f"{RESULTS}/claims.parquet", *pages]
