rule explorer:
    """all results in one interactive page, explorer.html"""
    input:
        trajectories=of_every_run("trajectory", lambda e: True),
        predictions=of_every_run("predictions/trajectory.safetensors", lambda e: not e["counterexample"]),
        tables=explorer_tables,
        forks=of_every_fork_block("forks/{block}"),
        barriers=of_every_fork_block("fork_barriers/{block}.parquet"),
        phases=f"{RESULTS}/phases.parquet",
        claims=f"{RESULTS}/claims.parquet",
    output:
        # Not in the report, which links to it: Chromium opens no embedded page of more than 2 MB.
        explorer=f"{RESULTS}/explorer.html",
    log:
        f"{RESULTS}/logs/explorer.log",
    benchmark:
        f"{RESULTS}/benchmarks/explorer.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("explorer"),
    params:
        experiments={name: plan.described(e) for name, e in EXPERIMENTS.items()},
        style={
            "colormap": config["figures"]["colormap"],
            "scale": config["figures"]["scale"],
            "marks": estimators.marks(),
            "points": estimators.point_names(),
        },
        code=[code_digest("write_explorer"), *template_digests("explorer")],
    message:
        "writing the explorer"
    script:
        "../scripts/report/write_explorer.py"


rule experiment_pages:
    """a page of settings, findings and claims for each experiment, overview.html"""
    input:
        claims=f"{RESULTS}/claims.parquet",
        phases=f"{RESULTS}/phases.parquet",
        chaos=of_every_run("chaos.parquet", has_forks),
    output:
        pages=[
            in_report(
                f"{RESULTS}/{name}/overview.html",
                caption="../report/experiment.rst",
                category=figures.category(name, e["title"]),
                labels={"page": "overview"},
            )
            for name, e in EXPERIMENTS.items()
        ],
    log:
        f"{RESULTS}/logs/experiment_pages.log",
    benchmark:
        f"{RESULTS}/benchmarks/experiment_pages.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("experiment_pages"),
    params:
        experiments={name: plan.described(e) for name, e in EXPERIMENTS.items()},
        settings=SETTINGS,
        points=estimators.point_names(),
        code=[code_digest("experiment_pages"), *template_digests("page")],
    message:
        "writing a page for each experiment"
    script:
        "../scripts/report/experiment_pages.py"


rule claims_page:
    """the page of claims and verdicts, claims.html"""
    input:
        claims=f"{RESULTS}/claims.parquet",
    output:
        page=in_report(
            f"{RESULTS}/claims.html",
            caption="../report/claims.rst",
            category="Claims",
            labels={"table": "claims and verdicts"},
        ),
    log:
        f"{RESULTS}/logs/claims_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/claims_page.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("claims_page"),
    params:
        experiments={name: plan.judged(e, config["datasets"]) for name, e in EXPERIMENTS.items()},
        code=[code_digest("claims_page"), *template_digests("page")],
    message:
        "writing the page of claims"
    script:
        "../scripts/report/claims_page.py"


rule figures_page:
    """all figures with their captions, figures.html"""
    input:
        figures=ancient(every_png),  # which it shows by their names
    output:
        # Not in the report, which shows both.
        page=f"{RESULTS}/figures.html",
    log:
        f"{RESULTS}/logs/figures_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures_page.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("figures_page"),
    params:
        shown=with_captions,  # filled in for this job alone, not whenever Snakemake starts
        code=[code_digest("figures_page"), *template_digests("page")],
    message:
        "writing the page of figures"
    script:
        "../scripts/report/figures_page.py"
