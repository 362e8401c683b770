"""Sets of image files as a user may have them, and a machine without a network."""

import io
import struct
import urllib.error
import urllib.request
import zipfile

import numpy as np
from PIL import Image


def png(pixels, **options):
    stream = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(stream, "png", **options)
    return stream.getvalue()


def folder(root, members):
    for name, content in members.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content) if content is not None else path.mkdir(parents=True)
    return root


def pack(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def pictures(channels=3, side=6, seed=0):
    """{name: pixels} of two classes, listed out of order, with 5 and 3 training images and 2 and 1 for the test."""
    rng = np.random.default_rng(seed)
    shape = (side, side) if channels == 1 else (side, side, channels)
    counts = {"test/zebra": 1, "train/zebra": 3, "train/Ant": 5, "test/Ant": 2}
    names = [f"{where}/{i}.png" for where, count in counts.items() for i in reversed(range(count))]
    return {name: rng.integers(0, 256, shape, np.uint8) for name in names}


def files(channels=3, side=6, **changes):
    """The pictures as files; `changes` (by name) replace, add or, where None, remove some."""
    members = {name: png(pixels) for name, pixels in pictures(channels, side).items()} | changes
    return {name: content for name, content in members.items() if content is not None}


def idx(array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def mnist_files(train=30, test=12, labels=10):
    rng = np.random.default_rng(5)
    return {
        f"{split}-{kind}-ubyte": idx(array)
        for split, count in (("train", train), ("t10k", test))
        for kind, array in (
            ("images-idx3", rng.integers(0, 256, (count, 28, 28))),
            ("labels-idx1", np.arange(count) % labels),
        )
    }


def no_network(monkeypatch):
    def fail(*args, **kwargs):
        raise urllib.error.URLError("no\nnetwork")

    monkeypatch.setattr(urllib.request, "urlopen", fail)
