rule dataset:
    input:
        # The date of the same archive copied again must not train everything anew; its size, by `origin`, does. No
        # storage of Snakemake's keeps what is the user's own.
        source=ancient(local(own_data)),
    output:
        data=f"{RESULTS}/data/{{dataset}}.safetensors",
    log:
        f"{RESULTS}/logs/dataset/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/dataset/{{dataset}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        **estimated_resources("dataset"),
    params:
        source=lambda w: config["datasets"][w.dataset]["source"],
        root=lambda w: config["datasets"][w.dataset]["root"],
        resize=lambda w: config["datasets"][w.dataset]["resize"],
        train_size=lambda w: config["datasets"][w.dataset]["train_size"],
        test_size=lambda w: config["datasets"][w.dataset]["test_size"],
        subset_seed=lambda w: config["datasets"][w.dataset]["subset_seed"],
        mean=lambda w: config["datasets"][w.dataset]["mean"],
        std=lambda w: config["datasets"][w.dataset]["std"],
        context=lambda w: config["datasets"][w.dataset]["context"],
        origin=file_bytes,
        code=code_digest("prepare_dataset"),
    message:
        "preparing the data set {wildcards.dataset}"
    script:
        "../scripts/data/prepare_dataset.py"
