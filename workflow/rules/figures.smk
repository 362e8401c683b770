rule fig1:
    input:
        planes=tables("fig1", "plane.parquet"),
        cones=tables("fig1", "cone.parquet"),
        phases=estimates("fig1", "chaos"),
    output:
        pdf=f"{RESULTS}/figures/fig1.pdf",
        png=report(
            f"{RESULTS}/figures/fig1.png",
            caption="../report/fig1.rst",
            category="Figures",
            labels={"figure": "fig1", "shows": "the two phases"},
        ),
    log:
        f"{RESULTS}/logs/figures/fig1.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/fig1.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("fig1"),
    params:
        titles=titles("fig1"),
        style=style("fig1"),
        code=code_digest("fig1"),
    script:
        "../scripts/figures/fig1.py"


rule fig2:
    input:
        chaos=tables("fig2", "chaos.parquet"),
        perturbations=tables("fig2", "perturbations.parquet"),
    output:
        pdf=f"{RESULTS}/figures/fig2.pdf",
        png=report(
            f"{RESULTS}/figures/fig2.png",
            caption="../report/fig2.rst",
            category="Figures",
            labels={"figure": "fig2", "shows": "the perturbation scheme"},
        ),
    log:
        f"{RESULTS}/logs/figures/fig2.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/fig2.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("fig2"),
    params:
        titles=titles("fig2"),
        drops=drops("fig2"),
        style=style("fig2"),
        code=code_digest("fig2"),
    script:
        "../scripts/figures/fig2.py"


rule fig3:
    input:
        chaos=tables("fig3", "chaos.parquet"),
        C=tables("fig3", "C.parquet"),
        B=tables("fig3", "B.parquet"),
        D=tables("fig3", "D.parquet"),
        phases=estimates("fig3", "chaos"),
    output:
        pdf=f"{RESULTS}/figures/fig3.pdf",
        png=report(
            f"{RESULTS}/figures/fig3.png",
            caption="../report/fig3.rst",
            category="Figures",
            labels={"figure": "fig3", "shows": "the chaos effect"},
        ),
    log:
        f"{RESULTS}/logs/figures/fig3.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/fig3.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("fig3"),
    params:
        titles=titles("fig3"),
        style=style("fig3"),
        code=code_digest("fig3"),
    script:
        "../scripts/figures/fig3.py"


rule fig4:
    input:
        S=tables("fig4", "S.parquet"),
        phases=estimates("fig4", "kernel"),
    output:
        pdf=f"{RESULTS}/figures/fig4.pdf",
        png=report(
            f"{RESULTS}/figures/fig4.png",
            caption="../report/fig4.rst",
            category="Figures",
            labels={"figure": "fig4", "shows": "kernel distance"},
        ),
    log:
        f"{RESULTS}/logs/figures/fig4.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/fig4.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("fig4"),
    params:
        titles=titles("fig4"),
        drops=drops("fig4"),
        style=style("fig4"),
        code=code_digest("fig4"),
    script:
        "../scripts/figures/fig4.py"


rule fig5:
    input:
        S=tables("fig5", "S.parquet"),
        cones=tables("fig5", "cone.parquet"),
        phases=estimates("fig5", "kernel"),
    output:
        pdf=f"{RESULTS}/figures/fig5.pdf",
        png=report(
            f"{RESULTS}/figures/fig5.png",
            caption="../report/fig5.rst",
            category="Figures",
            labels={"figure": "fig5", "shows": "the cone effect"},
        ),
    log:
        f"{RESULTS}/logs/figures/fig5.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/fig5.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("fig5"),
    params:
        titles=titles("fig5"),
        taus=each("fig5", "cone", "tau"),
        dts=each("fig5", "cone", "dt"),
        drops=drops("fig5"),
        style=style("fig5"),
        code=code_digest("fig5"),
    script:
        "../scripts/figures/fig5.py"


rule fig6:
    input:
        switches=tables("fig6", "linearized.parquet"),
        standard=tables("fig6", "predictions/trajectory.safetensors"),
        phases=estimates("fig6", "kernel"),
    output:
        pdf=f"{RESULTS}/figures/fig6.pdf",
        png=report(
            f"{RESULTS}/figures/fig6.png",
            caption="../report/fig6.rst",
            category="Figures",
            labels={"figure": "fig6", "shows": "linearized training"},
        ),
    log:
        f"{RESULTS}/logs/figures/fig6.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/fig6.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("fig6"),
    params:
        titles=titles("fig6"),
        ends=each("fig6", "linearized", "until"),
        style=style("fig6"),
        code=code_digest("fig6"),
    script:
        "../scripts/figures/fig6.py"


rule lyapunov:
    input:
        chaos=tables("lyapunov", "chaos.parquet"),
        phases=estimates("lyapunov", "chaos"),
    output:
        pdf=f"{RESULTS}/figures/lyapunov.pdf",
        png=report(
            f"{RESULTS}/figures/lyapunov.png",
            caption="../report/lyapunov.rst",
            category="Beyond the papers",
            labels={"figure": "lyapunov", "shows": "growth of the perturbation"},
        ),
    log:
        f"{RESULTS}/logs/figures/lyapunov.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/lyapunov.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("lyapunov"),
    params:
        titles=titles("lyapunov"),
        drops=drops("lyapunov"),
        style=style("lyapunov"),
        code=code_digest("lyapunov"),
    script:
        "../scripts/figures/lyapunov.py"


rule wfig1:
    input:
        S=tables("wfig1", "S.parquet"),
        phases=estimates("wfig1", "kernel"),
    output:
        pdf=f"{RESULTS}/figures/wfig1.pdf",
        png=report(
            f"{RESULTS}/figures/wfig1.png",
            caption="../report/wfig1.rst",
            category="Figures of the workshop paper",
            labels={"figure": "wfig1", "shows": "the kernel's motion"},
        ),
    log:
        f"{RESULTS}/logs/figures/wfig1.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/wfig1.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("wfig1"),
    params:
        titles=titles("wfig1"),
        dts=each("wfig1", "cone", "dt"),
        drops=drops("wfig1"),
        style=style("wfig1"),
        code=code_digest("wfig1"),
    script:
        "../scripts/figures/wfig1.py"


rule wfig2:
    input:
        S=tables("wfig2", "S.parquet"),
        switches=tables("wfig2", "linearized.parquet"),
        standard=tables("wfig2", "predictions/trajectory.safetensors"),
    output:
        pdf=f"{RESULTS}/figures/wfig2.pdf",
        png=report(
            f"{RESULTS}/figures/wfig2.png",
            caption="../report/wfig2.rst",
            category="Figures of the workshop paper",
            labels={"figure": "wfig2", "shows": "what the cone is worth"},
        ),
    log:
        f"{RESULTS}/logs/figures/wfig2.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/wfig2.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("wfig2"),
    params:
        titles=titles("wfig2"),
        taus=each("wfig2", "cone", "tau"),
        drops=drops("wfig2"),
        style=style("wfig2"),
        code=code_digest("wfig2"),
    script:
        "../scripts/figures/wfig2.py"


rule wfig3:
    input:
        S=tables("wfig3", "S.parquet"),
    output:
        pdf=f"{RESULTS}/figures/wfig3.pdf",
        png=report(
            f"{RESULTS}/figures/wfig3.png",
            caption="../report/wfig3.rst",
            category="Figures of the workshop paper",
            labels={"figure": "wfig3", "shows": "the counterexample"},
        ),
    log:
        f"{RESULTS}/logs/figures/wfig3.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/wfig3.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("wfig3"),
    params:
        titles=titles("wfig3"),
        taus=each("wfig3", "cone", "tau"),
        dts=each("wfig3", "cone", "dt"),
        drops=drops("wfig3"),
        style=style("wfig3"),
        code=code_digest("wfig3"),
    script:
        "../scripts/figures/wfig3.py"


rule readings:
    input:
        claims=all_claims,
    output:
        pdf=f"{RESULTS}/figures/readings.pdf",
        png=report(
            f"{RESULTS}/figures/readings.png",
            caption="../report/readings.rst",
            category="Beyond the papers",
            labels={"figure": "readings", "shows": "claims, side by side"},
        ),
    log:
        f"{RESULTS}/logs/figures/readings.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/readings.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        **requests("readings"),
    params:
        titles=titles("readings"),
        style=style("readings"),
        code=code_digest("readings"),
    script:
        "../scripts/figures/readings.py"
