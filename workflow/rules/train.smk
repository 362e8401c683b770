rule trajectory:
    input:
        data=data_file,
    output:
        trajectory=directory(f"{RUN}/trajectory"),
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/trajectory.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/trajectory.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("trajectory"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        checkpoints=setting("checkpoints"),
        dense=lambda w: plan.dense_steps(EXPERIMENTS[w.experiment]),
        code=code_digest("trajectory"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: training the base run"
    script:
        "../scripts/train/trajectory.py"


rule predictions:
    input:
        data=data_file,
        run=f"{RUN}/{{run}}",
    output:
        predictions=f"{RUN}/predictions/{{run}}.safetensors",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/predictions/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/predictions/{{run}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("predictions"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        evaluated=setting("evaluation"),
        code=code_digest("predictions"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: test predictions of {wildcards.run}"
    script:
        "../scripts/train/predictions.py"
