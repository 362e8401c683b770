"""One data set, from its source to the canonical file."""

from twophase.data import prepare
from twophase.files import storage
from twophase.runtime import job


def main(
    path_to_data,
    source,
    root,
    resize,
    train_size,
    test_size,
    subset_seed,
    mean,
    std,
    context,
    facts,
    path_to_source=None,
):
    prepare.prepare(
        path_to_data,
        source=source,
        root=path_to_source or root,
        resize=resize,
        train_size=train_size,
        test_size=test_size,
        subset_seed=subset_seed,
        mean=mean,
        std=std,
        context=context,
        metadata=storage.provenance("images as uint8 [N, C, H, W], labels, channel mean and std of pixel/255", **facts),
    )


if __name__ == "__main__":
    job.run(main, snakemake)  # noqa: F821
