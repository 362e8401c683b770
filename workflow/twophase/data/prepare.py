"""Any source of labelled images, or a text -> one canonical uint8 file, which `data` reads.

Importing this module loads neither torch nor torchvision; the functions that need them do.
"""

from collections.abc import Sequence
from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from twophase.data.dataset import content_digest, stratified
from twophase.data.imagefolder import SPLITS, Source, open_folder, to_side
from twophase.data.sources import OWN, TRAIN_SIZES
from twophase.data.text import open_text
from twophase.data.torchvision_sets import open_set
from twophase.errors import UserError
from twophase.files.storage import write_tensors

SOURCES = (*TRAIN_SIZES, *OWN)
DEFAULT_ROOT = "data"


def prepare(
    path_to_out: str | Path,
    source: str,
    root: str | Path | None = None,
    resize: int | None = None,
    train_size: int | None = None,
    test_size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    subset_seed: int = 0,
    context: int | None = None,
    metadata: dict | None = None,
) -> None:
    """Writes one data set as the canonical safetensors file.

    The file holds `train_images` and `test_images`, uint8 [N, C, H, W]; `train_labels` and `test_labels`, int64 [N];
    `mean` and `std`, float32 [C], per channel over the training images kept, in units of pixel/255. The metadata
    adds source, classes (names in the order of the labels), sizes, and sha256, the digest of all these arrays as
    they are in the file (so after subsetting, decoding and resizing: of what a network sees).

    Args:
        source: one of `SOURCES`.
        root: for an imagefolder the directory or .zip with train/<class>/ and test/<class>/; for torchvision's sets the
            folder that holds their files or receives the download (None: `data`); for a text, see `open_text`; unused
            for digits.
        resize: side in pixels of the square that every image becomes, bilinear and antialiased.
        train_size, test_size: keep this many images, drawn by `subset_seed`, with the source's shares of the classes.
        mean, std: [C], instead of those of the training set; of a text they are 0 and 1, which leaves its one-hot
            vectors as they are.
        context: characters of an example of a text.

    Raises:
        UserError: anything about the source or a key that the user can mend; no file is written then.
    """
    if source not in SOURCES:
        raise UserError(f"source: {source!r} is unknown, choose one of {', '.join(SOURCES)}")
    if message := source_missing(source, root):
        raise UserError(f"root: {message}")
    folder = Path(root or DEFAULT_ROOT).expanduser()
    match source:
        case "digits":
            classes, labels, read = _digits()
        case "imagefolder":
            classes, labels, read = open_folder(folder, resize)
        case "text":
            classes, labels, read = open_text(root, context)
        case _:
            classes, labels, read = open_set(source, folder)

    chosen = {}
    for stream, (split, size) in enumerate([("train", train_size), ("test", test_size)]):
        available = len(labels[split])
        size = available if size is None else size
        if not 1 <= size <= available:
            raise UserError(f"{split}_size: {size} must be from 1 to the {available} {split} examples of {source}")
        chosen[split] = stratified(labels[split], size, (subset_seed, stream))
    labels = {split: labels[split][chosen[split]].astype(np.int64) for split in SPLITS}
    images = read(chosen)
    if resize and source != "imagefolder":
        images = {split: _resized(images[split], resize) for split in SPLITS}
    if source == "text":  # whose rare characters need not be followed up in both parts
        own_mean, own_std = (np.full(len(classes), value, np.float32) for value in (0, 1))
    elif absent := [name for k, name in enumerate(classes) if k not in labels["train"]]:
        raise UserError(f"train_size: no training image of the class {absent[0]!r} is kept; keep more")
    else:
        own_mean, own_std = _channel_statistics(images["train"])
    arrays = {"mean": _given("mean", mean, own_mean), "std": _given("std", std, own_std)}
    for split in SPLITS:
        arrays |= {f"{split}_images": images[split], f"{split}_labels": labels[split]}
    sizes = {split: len(labels[split]) for split in SPLITS}
    facts = {"source": source, "classes": classes, "sizes": sizes, "sha256": content_digest(arrays)}
    write_tensors(path_to_out, arrays, (metadata or {}) | facts)


def source_missing(source: str, root: str | Path | None) -> str | None:
    """None when the data may be there or can be downloaded, else one line saying what is missing; reads no data."""
    give = "give a folder or .zip that holds train/<class>/ and test/<class>/"
    if source == "text":
        give = "give a file of text in UTF-8, or a folder of such files, named *.txt"
        if root is None:
            return None  # the embedded one
    elif source != "imagefolder":
        return None
    if root is None:
        return f"an imagefolder needs a path; {give}"
    try:
        path = Path(root).expanduser()
        missing = not path.exists()
    except (OSError, RuntimeError, ValueError):  # no such user, a name too long, no permission
        missing = True
    if missing:
        return f"{root} does not exist; {give}"
    if source == "text":
        there = path.is_file() or any(path.rglob("*.txt"))
        return None if there else f"{root} is neither a file nor a folder with files *.txt; {give}"
    if path.is_dir():
        lacking = [split for split in SPLITS if not (path / split).is_dir()]
        return f"{root} has no folders {lacking[0]}/<class>/; {give}" if lacking else None
    return None if is_zipfile(path) else f"{root} is neither a folder nor an intact .zip; {give}"


def _digits() -> Source:
    """scikit-learn's 1,797 images of 8x8, values 0..16 scaled to 0..255, split once and for all into 1,437 and 360."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    images = np.round(raw.images * 255 / 16).astype(np.uint8)[:, None]
    train = stratified(raw.target, TRAIN_SIZES["digits"], 0)
    index = {"train": train, "test": np.setdiff1d(np.arange(len(images)), train)}
    labels = {split: raw.target[index[split]] for split in SPLITS}
    classes = [str(name) for name in raw.target_names]
    return classes, labels, lambda chosen: {split: images[index[split][chosen[split]]] for split in SPLITS}


def _resized(images: np.ndarray, side: int) -> np.ndarray:
    """[N, C, H, W] -> [N, C, side, side], channel by channel, as Pillow does with a whole image."""
    from PIL.Image import fromarray

    planes = [np.asarray(to_side(fromarray(plane), side)) for plane in images.reshape(-1, *images.shape[2:])]
    return np.stack(planes).reshape(*images.shape[:2], side, side)


def _channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and (population) standard deviation per channel in units of pixel/255, from exact counts of the values."""
    mean, std, values = [], [], np.arange(256) / 255
    for channel in range(images.shape[1]):
        parts = np.array_split(images[:, channel], 64)
        counts = sum(np.bincount(part.ravel(), minlength=256) for part in parts)
        mean.append(np.average(values, weights=counts))
        std.append(np.sqrt(np.average((values - mean[-1]) ** 2, weights=counts)))
    return np.array(mean, np.float32), np.array(std, np.float32)


def _given(key: str, values: Sequence[float] | None, measured: np.ndarray) -> np.ndarray:
    if values is None:
        return measured
    values = np.atleast_1d(np.asarray(values, np.float32))
    if values.shape != measured.shape or not np.isfinite(values).all() or (key == "std" and values.min() <= 0):
        positive = " above 0" if key == "std" else ""
        raise UserError(
            f"{key}: needs one number{positive} for each of the {len(measured)} channels, in units of pixel/255"
        )
    return values
