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
        **estimated_resources("inflection"),
    params:
        estimator=lambda w: w.estimator,
        t0s=setting("chaos", "t0"),
        t1s=setting("chaos", "t1"),
        dts=setting("cone", "dt"),
        scale=setting("phases", "scale"),
        level=setting("phases", "level"),
        noise=setting("chaos", "noise"),
        barrier=setting("barrier", "metric"),
        code=code_digest("estimate_inflection"),
    message:
        "{wildcards.experiment}: looking for inflection points in {wildcards.estimator}"
    script:
        "../scripts/phases/estimate_inflection.py"


rule phases:
    """inflection points and cone widths of all experiments, phases.parquet"""
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
        **estimated_resources("phases"),
    params:
        code=code_digest("gather_estimates"),
    message:
        "gathering all inflection points"
    script:
        "../scripts/phases/gather_estimates.py"


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
        **estimated_resources("plane"),
    params:
        code=code_digest("plane"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: plane through base run and forks"
    script:
        "../scripts/phases/plane.py"


rule claims:
    """verdicts on the papers' claims, claims.parquet"""
    input:
        tables=judged_tables,
        predictions=of_every_run("predictions/trajectory.safetensors", lambda e: not e["counterexample"]),
        phases=f"{RESULTS}/phases.parquet",
    output:
        claims=f"{RESULTS}/claims.parquet",
    log:
        f"{RESULTS}/logs/claims.log",
    benchmark:
        f"{RESULTS}/benchmarks/claims.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("claims"),
    params:
        experiments={name: plan.judged(e, config["datasets"]) for name, e in EXPERIMENTS.items()},
        code=code_digest("judge_claims"),
    message:
        "judging the papers' claims"
    script:
        "../scripts/phases/judge_claims.py"
