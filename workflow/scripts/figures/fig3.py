"""Figure 3: the chaos effect; C, B and D of forks (a, b, c), and of pairs of the base run (a', b', c')."""

from twophase.files import tables
from twophase.report import panels, theme
from twophase.runtime import job

METRICS = {"C": "parameter dissimilarity $C$", "B": "barrier $B$", "D": "disagreement $D$"}


def main(
    path_to_chaos, path_to_C, path_to_B, path_to_D, path_to_phases, path_to_pdf, path_to_png, titles, style, facts
):
    chaos = tables.of_runs(path_to_chaos)
    estimates = tables.of_experiments(path_to_phases).set_index(["experiment", "estimator"], drop=False)
    pairs = {m: tables.of_runs(paths) for m, paths in (("C", path_to_C), ("B", path_to_B), ("D", path_to_D))}
    figure, axes = theme.canvas([t for title in titles.values() for t in (title, "")], 3, style)
    theme.letter(axes, ["a  forks", "b  forks", "c  forks"])
    theme.letter(axes[1:], ["a'  pairs", "b'  pairs", "c'  pairs"])
    for k, (metric, label) in enumerate(METRICS.items()):
        norm, pair_norm = panels.scale(chaos[metric]), panels.scale(pairs[metric]["value"])
        for r, name in enumerate(titles):
            mine = chaos[chaos["experiment"] == name]
            panels.chaos_heat(axes[2 * r][k], mine, metric, norm, style["colormap"], label)
            panels.change(axes[2 * r][k], estimates.loc[name, f"chaos {metric}"], metric)
            grid = pairs[metric][pairs[metric]["experiment"] == name]
            panels.pairs_heat(axes[2 * r + 1][k], grid, pair_norm, style["colormap"], label)
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
