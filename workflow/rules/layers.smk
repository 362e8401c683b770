rule layer_kernels:
    input:
        data=data_file,
        run=f"{RUN}/trajectory",
    output:
        kernels=directory(f"{RUN}/layer_kernels"),
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/layer_kernels.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/layer_kernels.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("layer_kernels"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        steps=setting("layers", "grid"),
        n=setting("kernel", "n"),
        reduce=setting("kernel", "reduce"),
        chunk=setting("kernel", "chunk"),
        bn=setting("kernel", "bn"),
        calibration_size=setting("kernel", "calibration_size"),
        by_layer=True,
        code=code_digest("kernels"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: kernels of the base run, layer by layer"
    script:
        "../scripts/cone/kernels.py"


rule layer_distances:
    input:
        trajectory=f"{RUN}/trajectory",
        kernels=f"{RUN}/layer_kernels",
    output:
        layers=f"{RUN}/layers.parquet",
        pairs=f"{RUN}/layer_pairs.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/layer_distances.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/layer_distances.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("layer_distances"),
    params:
        steps=setting("layers", "grid"),
        code=code_digest("layer_distances"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: C and S of pairs of checkpoints, layer by layer"
    script:
        "../scripts/layers/layer_distances.py"


rule layer_chaos:
    input:
        data=data_file,
        trajectory=f"{RUN}/trajectory",
        forks=over_blocks(f"{RUN}/forks/{{block}}", fork_blocks),
    output:
        chaos=f"{RUN}/layer_chaos.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/layer_chaos.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/layer_chaos.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("layer_chaos"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        norm=setting("chaos", "norm"),
        size=setting("chaos", "size"),
        direction=setting("chaos", "direction"),
        where=setting("chaos", "where"),
        code=code_digest("layer_chaos"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: comparing all forks with the base run, layer by layer"
    script:
        "../scripts/layers/layer_chaos.py"
