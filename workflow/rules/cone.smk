rule kernels:
    input:
        data=data_file,
        run=f"{RUN}/{{run}}",
    output:
        kernels=directory(f"{RUN}/kernels/{{run}}"),
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/kernels/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/kernels/{{run}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("kernels"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        steps=kernel_steps,
        n=setting("kernel", "n"),
        reduce=setting("kernel", "reduce"),
        chunk=setting("kernel", "chunk"),
        bn=setting("kernel", "bn"),
        calibration_size=setting("kernel", "calibration_size"),
        code=code_digest("kernels"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: kernels of {wildcards.run}"
    script:
        "../scripts/cone/kernels.py"


rule linearized:
    input:
        data=data_file,
        trajectory=f"{RUN}/trajectory",
    output:
        linearized=directory(f"{RUN}/linearized/{{block}}"),
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/linearized/{{block}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/linearized/{{block}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("linearized"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        switches=block_switches,
        evaluate=setting("linearized", "evaluate"),
        momentum=setting("linearized", "momentum"),
        lr=setting("linearized", "lr"),
        evaluated=setting("evaluation"),
        code=code_digest("train_linearized"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: linearized training from t = {params.switches}"
    script:
        "../scripts/cone/train_linearized.py"


rule switches:
    input:
        blocks=over_blocks(f"{RUN}/linearized/{{block}}", switch_blocks),
    output:
        switches=f"{RUN}/linearized.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/switches.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/switches.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("switches"),
    params:
        code=code_digest("switches"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: gathering linearized training"
    script:
        "../scripts/cone/switches.py"


rule cone:
    input:
        distances=f"{RUN}/S.parquet",
    output:
        cone=f"{RUN}/cone.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/cone.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/cone.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("cone"),
    params:
        code=code_digest("cone"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: curves and picture of the cone"
    script:
        "../scripts/cone/cone.py"
