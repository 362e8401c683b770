"""The data sets that torchvision knows how to find and download."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from twophase.data.imagefolder import SPLITS, Source
from twophase.errors import UserError

# By source: torchvision's class, the folder below `root` and the names of its archives, and where they come from.
IDX = [f"{split}-{kind}-ubyte.gz" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
MAT = ["train_32x32.mat", "test_32x32.mat"]
SETS = {
    "mnist": ("MNIST", "MNIST/raw", IDX, "https://ossci-datasets.s3.amazonaws.com/mnist/"),
    "fashionmnist": (
        "FashionMNIST",
        "FashionMNIST/raw",
        IDX,
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    "kmnist": ("KMNIST", "KMNIST/raw", IDX, "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    "cifar10": ("CIFAR10", "", ["cifar-10-python.tar.gz"], "https://www.cs.toronto.edu/~kriz/"),
    "cifar100": ("CIFAR100", "", ["cifar-100-python.tar.gz"], "https://www.cs.toronto.edu/~kriz/"),
    "svhn": ("SVHN", "", MAT, "http://ufldl.stanford.edu/housenumbers/"),
}
PATIENCE = 60  # seconds without an answer after which a download counts as failed


def open_set(source: str, root: Path) -> Source:
    """Reads what lies unpacked under `root`, else the archives there, else downloads them.

    Raises:
        UserError: none of the three works (one line: which files to put where), or images and labels do not match.
    """
    _, folder, archives, url = SETS[source]
    try:
        sets = _load(source, root, download=False)
    except Exception:  # torchvision answers missing and damaged files with half a dozen kinds of error
        try:
            sets = _fetch(source, root)
        except Exception as error:
            raise UserError(
                f"root: {source} is not (intact) under {root} and cannot be downloaded "
                f"({textwrap.shorten(str(error), 200)}); put {', '.join(archives)} from {url} "
                f"into {root / folder}, or run this once where there is a network"
            ) from error

    classes = [str(digit) for digit in range(10)] if source == "svhn" else list(sets["train"].classes)
    labels, images = {}, {}
    for split, data in sets.items():
        labels[split] = np.asarray(data.labels if source == "svhn" else data.targets)
        images[split] = np.asarray(data.data)
        if images[split].ndim == 3:
            images[split] = images[split][:, None]
        elif source != "svhn":
            images[split] = images[split].transpose(0, 3, 1, 2)
        if len(labels[split]) != len(images[split]) or not set(np.unique(labels[split])) <= set(range(len(classes))):
            raise UserError(
                f"root: the {split} images and labels of {source} under {root / folder} do not belong together; "
                "delete them and run the same command again"
            )
    return classes, labels, lambda chosen: {split: images[split][chosen[split]] for split in SPLITS}


def _load(source: str, root: Path, download: bool) -> dict:
    """torchvision's data set of each split."""
    with _quiet():
        from twophase.torchvision_ops import import_torchvision

        name = SETS[source][0]
        kind = getattr(import_torchvision().datasets, name)
        if hasattr(kind, "_check_legacy_exist"):  # pickled tensors, as old versions of torchvision left them
            kind = type(name, (kind,), {"_check_legacy_exist": lambda self: False})
        which = {s: {"split": s} if source == "svhn" else {"train": s == "train"} for s in SPLITS}
        return {split: kind(root, download=download, **which[split]) for split in SPLITS}


def _fetch(source: str, root: Path) -> dict:
    """Unpacks the archives under `root` or downloads them, aside, and moves the files to `root` when all are whole.

    A file half-written in place would be taken for the data set the next time.
    """
    _, folder, archives, _ = SETS[source]
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as temporary:
        aside = Path(temporary)
        (aside / folder).mkdir(parents=True, exist_ok=True)
        for name in archives:
            if (root / folder / name).is_file():
                shutil.copyfile(root / folder / name, aside / folder / name)
        sets = _load(source, aside, download=True)
        for file in [path for path in aside.rglob("*") if path.is_file()]:
            target = root / file.relative_to(aside)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
    return sets


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torchvision's prints, progress bars and warnings, and with a limit to its patience."""
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        with (
            open(os.devnull, "w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
            warnings.catch_warnings(action="ignore"),
        ):
            yield
    finally:
        socket.setdefaulttimeout(timeout)
