rule pointwise_measures:
    input:
        data=data_file,
        trajectory=f"{RUN}/trajectory",
        kernels=f"{RUN}/kernels/trajectory",
    output:
        pointwise=f"{RUN}/pointwise.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/pointwise_measures.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/pointwise_measures.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("pointwise_measures"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        steps=setting("pointwise", "grid"),
        examples=setting("pointwise", "examples"),
        n=setting("kernel", "n"),
        evaluated=setting("evaluation"),
        code=code_digest("pointwise_measures"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: point-wise measures of the base run"
    script:
        "../scripts/pointwise/pointwise_measures.py"
