rule forks:
    input:
        data=data_file,
        trajectory=f"{RUN}/trajectory",
    output:
        forks=directory(f"{RUN}/forks/{{block}}"),
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/forks/{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/forks/{{block}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("forks"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        t0s=block_t0s,
        stops=block_stops,
        draws=setting("chaos", "draws"),
        norm=setting("chaos", "norm"),
        size=setting("chaos", "size"),
        direction=setting("chaos", "direction"),
        where=setting("chaos", "where"),
        noise=setting("chaos", "noise"),
        control=lambda w: [t0 for t0 in block_t0s(w) if t0 in setting("chaos", "control")(w)],
        replay=setting("chaos", "replay"),
        engine=setting("training", "engine"),
        code=code_digest("train_forks"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: training forks from t0 = {params.t0s}"
    script:
        "../scripts/chaos/train_forks.py"


rule fork_barriers:
    input:
        data=data_file,
        trajectory=f"{RUN}/trajectory",
        forks=f"{RUN}/forks/{{block}}",
    output:
        barriers=f"{RUN}/fork_barriers/{{block}}.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/fork_barriers/{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/fork_barriers/{{block}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("fork_barriers"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        evaluated=setting("evaluation"),
        options=settings_without(["barrier"], "grid", "block"),
        code=code_digest("fork_barriers"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: loss barriers between forks and base run, block {wildcards.block}"
    script:
        "../scripts/chaos/fork_barriers.py"


rule chaos:
    input:
        trajectory=f"{RUN}/trajectory",
        forks=over_blocks(f"{RUN}/forks/{{block}}", fork_blocks),
        base_predictions=f"{RUN}/predictions/trajectory.safetensors",
        predictions=over_blocks(f"{RUN}/predictions/forks/{{block}}.safetensors", fork_blocks),
        base_kernels=f"{RUN}/kernels/trajectory",
        kernels=fork_kernels,
        barriers=over_blocks(f"{RUN}/fork_barriers/{{block}}.parquet", fork_blocks),
    output:
        chaos=f"{RUN}/chaos.parquet",
        distances=f"{RUN}/distances.parquet",
        control=f"{RUN}/control.parquet",
        perturbations=f"{RUN}/perturbations.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/chaos.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/chaos.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("chaos"),
    params:
        vector=setting("chaos", "vector"),
        code=code_digest("compare_forks"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: comparing all forks with the base run"
    script:
        "../scripts/chaos/compare_forks.py"
