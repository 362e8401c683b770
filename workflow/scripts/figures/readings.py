"""The verdicts on all claims side by side: which of them depend on the experiment, above all on how papers are read."""

from twophase.analysis import scorecard
from twophase.files import storage
from twophase.report import theme, verdict_matrix
from twophase.runtime import job


def main(path_to_claims, path_to_pdf, path_to_png, titles, style, facts):
    claims = storage.read_table(path_to_claims)
    claims = claims[claims["experiment"].isin(titles)]
    claims = claims.assign(ran=~claims["reason"].str.startswith(scorecard.MISSING))
    figure = verdict_matrix.matrix(claims, titles, scorecard.VERDICTS, style)
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
