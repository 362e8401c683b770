"""The verdicts on all claims side by side: which of them depend on the experiment, above all on how papers are read."""

import _library  # noqa: F401
from twophase import job, scorecard, storage, theme, verdicts


def main(path_to_claims, path_to_pdf, path_to_png, titles, style, facts):
    claims = storage.read_table(path_to_claims)
    claims = claims[claims["experiment"].isin(titles)]
    claims = claims.assign(ran=~claims["reason"].str.startswith(scorecard.MISSING))
    figure = verdicts.matrix(claims, titles, scorecard.VERDICTS, style)
    theme.save(figure, [path_to_pdf, path_to_png], style)


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
