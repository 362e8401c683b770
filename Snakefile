# The two-phase learning dynamics of neural networks, from a config file to the papers' figures.
# One config: config/demo.yaml unless --configfile names another. Everything lands under its `results`.

from snakemake.utils import min_version

min_version("9.12")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"  # the checked config, and what rules ask of it
include: "workflow/rules/inputs.smk"  # what figures, the explorer, claims and the targets are made from
include: "workflow/rules/data.smk"  # data set -> one canonical file
include: "workflow/rules/train.smk"  # base run: checkpoints, predictions
include: "workflow/rules/chaos.smk"  # forks from perturbed states, and their distance to the base run
include: "workflow/rules/cone.smk"  # kernels, linearized runs
include: "workflow/rules/pairs.smk"  # C, S, B, D of all pairs of checkpoints, block by block
include: "workflow/rules/phases.smk"  # inflection points, cone width, planes
include: "workflow/rules/figures.smk"  # one rule, and one target, for each figure
include: "workflow/rules/estimate.smk"  # what a run will cost, before it starts
include: "workflow/rules/report.smk"  # the explorer: all results in one interactive page


rule all:
    """every figure, table and page of the config; what snakemake alone makes"""
    default_target: OWN_TARGET
    input:
        every_figure,
        every_table,
        rules.explorer.output,
    message:
        "all figures, tables and pages are there"


onstart:
    check_devices()
    start_run()
    take_over()
    unthrottle()


onsuccess:
    print("", *summary.lines(RESULTS, JUDGED, STARTED, time.time()), sep="\n")
