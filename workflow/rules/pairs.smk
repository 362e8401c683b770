rule block_C:
    input:
        trajectory=f"{RUN}/trajectory",
    output:
        block=f"{RUN}/blocks/C/{{bi}}-{{bj}}.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/blocks/C/{{bi}}-{{bj}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/blocks/C/{{bi}}-{{bj}}.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("block_C"),
    params:
        rows=side("C", "bi"),
        columns=side("C", "bj"),
        vector=setting("pairs", "vector"),
        origin=pair_digest("C"),
        code=code_digest("block_C"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: C of pairs of checkpoints, block {wildcards.bi}-{wildcards.bj}"
    script:
        "../scripts/pairs/block_C.py"


rule block_S:
    input:
        kernels=f"{RUN}/kernels/trajectory",
    output:
        block=f"{RUN}/blocks/S/{{bi}}-{{bj}}.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/blocks/S/{{bi}}-{{bj}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/blocks/S/{{bi}}-{{bj}}.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("block_S"),
    params:
        rows=side("S", "bi"),
        columns=side("S", "bj"),
        origin=pair_digest("S"),
        code=code_digest("block_S"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: S of pairs of checkpoints, block {wildcards.bi}-{wildcards.bj}"
    script:
        "../scripts/pairs/block_S.py"


rule block_D:
    input:
        predictions=f"{RUN}/predictions/trajectory.safetensors",
    output:
        block=f"{RUN}/blocks/D/{{bi}}-{{bj}}.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/blocks/D/{{bi}}-{{bj}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/blocks/D/{{bi}}-{{bj}}.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("block_D"),
    params:
        rows=side("D", "bi"),
        columns=side("D", "bj"),
        origin=pair_digest("D"),
        code=code_digest("block_D"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: D of pairs of checkpoints, block {wildcards.bi}-{wildcards.bj}"
    script:
        "../scripts/pairs/block_D.py"


rule block_B:
    input:
        data=data_file,
        trajectory=f"{RUN}/trajectory",
    output:
        block=f"{RUN}/blocks/B/{{bi}}-{{bj}}.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/blocks/B/{{bi}}-{{bj}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/blocks/B/{{bi}}-{{bj}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("block_B"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        rows=side("B", "bi"),
        columns=side("B", "bj"),
        evaluated=setting("evaluation"),
        options=settings_without(["barrier"], "grid", "block"),
        origin=pair_digest("B"),
        code=code_digest("block_B"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: B of pairs of checkpoints, block {wildcards.bi}-{wildcards.bj}"
    script:
        "../scripts/pairs/block_B.py"


rule grid:
    input:
        blocks=grid_blocks,
    output:
        grid=f"{RUN}/{{metric}}.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/grid/{{metric}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/grid/{{metric}}.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **estimated_resources("grid"),
    params:
        times=lambda w: setting(plan.METRICS[w.metric], "grid")(w),
        origin=lambda w: pair_digest(w.metric)(w),
        code=code_digest("grid"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: joining the blocks of {wildcards.metric}"
    script:
        "../scripts/pairs/grid.py"


rule independent:
    input:
        data=data_file,
        trajectory=f"{RUN}/trajectory",
        other=of_other_seed("trajectory"),
        predictions=f"{RUN}/predictions/trajectory.safetensors",
        other_predictions=of_other_seed("predictions/trajectory.safetensors"),
    output:
        independent=f"{RUN}/independent.parquet",
    log:
        f"{RESULTS}/logs/{{experiment}}/seed{{seed}}/independent.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{experiment}}/seed{{seed}}/independent.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: torch_threads
    resources:
        **estimated_resources("independent"),
        **GPU,
    params:
        model=setting("model"),
        settings=training_settings,
        seed=seed,
        other=other_seed,
        times=setting("pairs", "independent"),
        vector=setting("pairs", "vector"),
        evaluated=setting("evaluation"),
        options=settings_without(["barrier"], "grid", "block"),
        code=code_digest("independent"),
    message:
        "{wildcards.experiment}, seed {wildcards.seed}: the base run against that of another seed"
    script:
        "../scripts/pairs/independent.py"
