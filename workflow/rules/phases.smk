rule inflection:
    input:
        tables=estimator_tables,
    output:
        estimates=f"{RESULTS}/{{experiment}}/phases/{{estimator}}.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/phases/{{estimator}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/phases/{{estimator}}.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("inflection"),
    params:
        estimator=lambda w: w.estimator,
        dts=of("cone", "dt"),
        bootstrap=of("phases", "bootstrap"),
        level=of("phases", "level"),
        code=code_digest("inflection"),
    script:
        "../scripts/inflection.py"


rule phases:
    input:
        estimates=all_estimates,
    output:
        phases=f"{RESULTS}/phases.parquet",
    log:
        f"{RESULTS}/logs/phases.log",
    benchmark:
        f"{RESULTS}/benchmarks/phases.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("phases"),
    params:
        code=code_digest("phases"),
    script:
        "../scripts/phases.py"


rule plane:
    input:
        trajectory=f"{RUN}/trajectory",
        forks=over_blocks(f"{RUN}/forks/{{block}}", fork_blocks),
    output:
        plane=f"{RUN}/plane.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/plane.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/plane.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("plane"),
    params:
        code=code_digest("plane"),
    script:
        "../scripts/plane.py"


rule claims:
    input:
        chaos=of_every_run("chaos.parquet", has_forks),
        control=of_every_run("control.parquet", has_forks),
        S=of_every_run("S.parquet", lambda e: e["cone"]["dt"]),
        switches=of_every_run("linearized.parquet", lambda e: e["linearized"]["switch"] and not e["counterexample"]),
        predictions=of_every_run("predictions/trajectory.safetensors", lambda e: not e["counterexample"]),
    output:
        claims=f"{RESULTS}/claims.parquet",
        page=report(
            f"{RESULTS}/claims.html",
            caption="../report/claims.rst",
            # Not beside the other table: of two results with two labels, a report makes switches, for pairs that are not.
            category="Claims",
            labels={"table": "claims", "shows": "claims and verdicts"},
        ),
    log:
        f"{RESULTS}/logs/claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/claims.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("claims"),
    params:
        experiments={name: judged(name) for name in EXPERIMENTS},
        code=[code_digest("claims"), *template_digests("page")],
    script:
        "../scripts/claims.py"
