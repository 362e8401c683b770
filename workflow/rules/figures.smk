# One rule for each figure of the registry, twophase/config/figures.py.
for name, figure in figures.FIGURES.items():

    rule:
        name:
            name
        input:
            **figure_inputs(name),
        output:
            pdf=f"{RESULTS}/figures/{name}.pdf",
            png=in_report(
                f"{RESULTS}/figures/{name}.png",
                caption=f"../report/{name}.rst",
                category=figure.category,
                labels={"figure": f"{name}: {figure.shows}"},  # a second label would hide a category of two figures
            ),
        log:
            f"{RESULTS}/logs/figures/{name}.log",
        benchmark:
            f"{RESULTS}/benchmarks/figures/{name}.tsv"
        conda:
            "../../envs/tables.yaml"
        threads: 1
        resources:
            **estimated_resources(name),
        params:
            **figures.params(EXPERIMENTS, name),
            figure=name,
            headings=figure.headings,
            style=style(name),
            code=code_digest("draw", name),
        message:
            f"{name}: draws {figure.shows}"
        script:
            "../scripts/figures/draw.py"

    rule_name = workflow.modifier.modify_rulename(name)  # in an importing workflow, which may leave it out
    if workflow.is_rule(rule_name):
        workflow.get_rule(rule_name).docstring = figure.shows  # for `snakemake --list`
