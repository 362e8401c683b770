"""Inputs of figures, the explorer, claims and the targets. No rules here."""

# What a figure shows ------------------------------------------------------------------------------------------------


def shown(figure):
    """Names of the experiments that are rows of `figure`, in the order of the config."""
    return figures.shown(EXPERIMENTS, figure)


def style(figure):
    """A param: how `figure` looks, its own settings over those of all."""
    common = {key: value for key, value in config["figures"].items() if key not in figures.FIGURES}
    entry = figures.FIGURES[figure]
    marks = {"marks": estimators.marks()} if entry.estimates or "phases" in entry.results else {}
    return common | config["figures"].get(figure, {}) | marks | {"note": note(figure)}


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


def figure_inputs(figure):
    """The inputs of `figure` by name: tables of every experiment and seed in it, estimates, results of all runs."""
    entry = figures.FIGURES[figure]
    inputs = {name: if_shown(figure, of_shown_runs(figure, file)) for name, file in entry.tables.items()}
    inputs |= {name: if_shown(figure, f"{RESULTS}/{file}") for name, file in entry.results.items()}
    return inputs | ({"phases": estimates(figure, entry.estimates)} if entry.estimates else {})


def of_shown_runs(figure, file):
    """The file of that name of every experiment and seed in `figure`."""
    return [f"{RESULTS}/{e}/seed{s}/{file}" for e in shown(figure) for s in EXPERIMENTS[e]["seeds"]]


def if_shown(figure, files):
    """An input: these files, if `figure` has an experiment to show."""

    def checked(wildcards):
        check_shown(figure)
        return files

    return checked


def check_shown(figure):
    if not shown(figure):
        raise WorkflowError(
            f"{figure} has no experiment to show in this config; config/README.md says which keys it needs."
        )


def estimates(figure, family):
    """An input: one family of estimates of every experiment in `figure` that has it."""
    return [f"{RESULTS}/{e}/phases/{family}.parquet" for e in shown(figure) if family in families(e)]


def families(experiment):
    """The families of estimates that are made of an experiment."""
    return estimators.families(EXPERIMENTS[experiment])


def all_estimates(wildcards):
    return [f"{RESULTS}/{e}/phases/{family}.parquet" for e in EXPERIMENTS for family in families(e)]


def estimator_tables(wildcards):
    experiment = EXPERIMENTS[wildcards.experiment]
    names = estimators.tables(experiment, wildcards.estimator)
    return [f"{RESULTS}/{wildcards.experiment}/seed{s}/{n}.parquet" for s in experiment["seeds"] for n in names]


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
    return paths + of_every_run("linearized.parquet", lambda e: e["linearized"]["switch"] and not e["counterexample"])


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


def with_captions(wildcards):
    """A param: of every figure that is drawn, what it shows, and its caption."""
    parts = {}
    for name, figure in figures.FIGURES.items():
        if shown(name):
            template = (WORKFLOW / "report" / f"{name}.rst").read_text(encoding="utf-8")
            caption = captions.source(template, figures.params(EXPERIMENTS, name), config)
            parts[name] = {"shows": figure.shows, "caption": caption}
    return parts


def every_png(wildcards):
    return [f"{RESULTS}/figures/{name}.png" for name in figures.FIGURES if shown(name)]


def every_figure(wildcards):
    return [f"{RESULTS}/figures/{name}.{kind}" for name in figures.FIGURES if shown(name) for kind in ("pdf", "png")]


def every_table(wildcards):
    """Grids of every experiment and seed, control, estimates, claims, pages; of a counterexample, what its figure needs."""
    names = {}
    for name, e in EXPERIMENTS.items():
        names[name] = ["S"] if e["counterexample"] else [*plan.METRICS, *(["control"] if e["chaos"]["t0"] else [])]
        names[name] += ["independent"] if e["pairs"]["independent"] and not e["counterexample"] else []
    tables = [f"{RESULTS}/{e}/seed{s}/{n}.parquet" for e in names for s in EXPERIMENTS[e]["seeds"] for n in names[e]]
    pages = [f"{RESULTS}/claims.html", *(f"{RESULTS}/{name}/overview.html" for name in EXPERIMENTS)]
    return [*tables, f"{RESULTS}/phases.parquet", f"{RESULTS}/claims.parquet", *pages]
