rule explorer:
    input:
        trajectories=of_every_run("trajectory", lambda e: True),
        predictions=of_every_run("predictions/trajectory.safetensors", lambda e: not e["counterexample"]),
        tables=explorer_tables,
        forks=of_every_fork_block("forks/{block}"),
        barriers=of_every_fork_block("fork_barriers/{block}.parquet"),
        phases=phases_if_any,
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
        **requests("explorer"),
    params:
        experiments={name: described(name) for name in EXPERIMENTS},
        colormap=config["figures"]["colormap"],
        code=[code_digest("explorer"), *template_digests("explorer")],
    script:
        "../scripts/explorer.py"


rule phases_page:
    input:
        phases=f"{RESULTS}/phases.parquet",
    output:
        page=report(
            f"{RESULTS}/phases.html",
            caption="../report/phases.rst",
            category="Tables",
            labels={"table": "phases", "shows": "inflection points, cone widths"},
        ),
    log:
        f"{RESULTS}/logs/phases_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/phases_page.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("phases_page"),
    params:
        experiments={name: {"title": e["title"], "level": e["phases"]["level"]} for name, e in EXPERIMENTS.items()},
        code=[code_digest("phases_page"), *template_digests("page")],
    script:
        "../scripts/phases_page.py"


rule claims_page:
    input:
        claims=f"{RESULTS}/claims.parquet",
    output:
        page=report(
            f"{RESULTS}/claims.html",
            caption="../report/claims.rst",
            # Not beside the other table: of two results with two labels, a report makes switches, for pairs that are not.
            category="Claims",
            labels={"table": "claims", "shows": "claims and verdicts"},
        ),
    log:
        f"{RESULTS}/logs/claims_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/claims_page.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("claims_page"),
    params:
        experiments={name: plan.judged(e) for name, e in EXPERIMENTS.items()},
        code=[code_digest("claims_page"), *template_digests("page")],
    script:
        "../scripts/claims_page.py"
