USED = {e["dataset"]: config["datasets"][e["dataset"]] for e in EXPERIMENTS.values()}


rule calibration:
    """measure this machine's speed, from which `estimate` reckons"""
    input:
        # Only these have to be read before their sizes are known.
        data=[f"{RESULTS}/data/{name}.safetensors" for name, d in USED.items() if d["source"] in sources.OWN],
    output:
        calibration=CALIBRATION,
    log:
        f"{RESULTS}/logs/calibration.log",
    benchmark:
        f"{RESULTS}/benchmarks/calibration.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: machine_cores  # alone, and as loaded as a run
    resources:
        **gpu_if(lambda wildcards: any(uses_gpu(e["training"]["device"]) for e in EXPERIMENTS.values())),
        mem_mb=16000,
        runtime=30,
        disk_mb=1000,
    params:
        abouts={name: sizes.about(e) for name, e in EXPERIMENTS.items()},
        datasets=USED,
        of={name: e["dataset"] for name, e in EXPERIMENTS.items()},
        code=code_digest("calibrate"),
    message:
        "measuring how fast this machine is"
    script:
        "../scripts/estimate/calibrate.py"


rule estimate:
    """what a run of this config will take in time, memory and disk, before it starts"""
    input:
        calibration=CALIBRATION,
    log:
        f"{RESULTS}/logs/estimate.log",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config=config,
        cores=lambda wildcards: workflow.cores,
    message:
        "reckoning what a run will cost"
    script:
        "../scripts/estimate/print_estimate.py"


rule scaling_table:
    """time of each stage against its size, as a table"""
    output:
        scaling=f"{RESULTS}/scaling.parquet",
    log:
        f"{RESULTS}/logs/scaling_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/scaling_table.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: machine_cores  # of which it uses one; nothing is to run beside it
    resources:
        mem_mb=4000,
        runtime=30,
        disk_mb=100,
    params:
        code=code_digest("measure_scaling"),
    message:
        "measuring how the cost of each stage grows with its size"
    script:
        "../scripts/estimate/measure_scaling.py"


rule scaling:
    """the figure of time of each stage against its size"""
    input:
        scaling=f"{RESULTS}/scaling.parquet",
    output:
        pdf=f"{RESULTS}/figures/scaling.pdf",
        png=f"{RESULTS}/figures/scaling.png",
    log:
        f"{RESULTS}/logs/figures/scaling.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/scaling.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
        disk_mb=10,
    params:
        style={key: config["figures"][key] for key in ("dpi", "panel")},
        code=code_digest("scaling_figure"),
    message:
        "drawing the figure of these costs"
    script:
        "../scripts/estimate/scaling_figure.py"
