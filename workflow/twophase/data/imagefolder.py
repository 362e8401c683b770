"""Labelled image files in a directory or a .zip: train/<class>/... and test/<class>/..."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twophase.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

SPLITS = ("train", "test")

# Pillow reads more, some of it through other programs: PostScript runs Ghostscript.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
# Pillow's modes of at most 8 bits a channel: it would clip the others, not scale them.
GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
# Beyond these a zip or an image is taken for a bomb.
MAX_ZIP_BYTES, MAX_FILE_BYTES, MAX_PIXELS = 2**38, 2**28, 2**26
MAX_SET_BYTES = 2**37  # all images of a set as they lie in memory, 128 GiB

# Class names; labels [N] of each split; and what maps chosen indices of each split to uint8 images [n, C, H, W].
# In these two steps a subset costs no more than its own images.
Source = tuple[list[str], dict[str, np.ndarray], Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]]


def open_folder(root: Path, resize: int | None) -> Source:
    """Lists `root`, a directory or .zip; classes and files take the order of their names.

    The images become RGB, or grey where every chosen one is; transparency is dropped, and a rotation that a file's tags
    ask for is done. More than 8 bits a channel and more than one picture in a file are refused. Hidden files and files
    outside the class folders are passed over. A zip is read in memory, never unpacked.

    Raises:
        UserError: the layout is not as above, or a file is not an image, damaged or unsafe; names file and remedy.
    """
    members = _zip_members(root) if root.is_file() else {}
    folders = _list(root, members or _directory_names(root))
    classes = sorted(folders["train"])
    files = {s: [file for name in classes for file in sorted(folders[s][name])] for s in SPLITS}
    labels = {s: np.repeat(np.arange(len(classes)), [len(folders[s][name]) for name in classes]) for s in SPLITS}

    def read(chosen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [files[split][index] for split in SPLITS for index in chosen[split]]
        with zipfile.ZipFile(root) if members else contextlib.nullcontext() as archive:
            images = []
            for name in names:
                images.append(_decode(_bytes(root, archive, members.get(name, name)), f"{name} in {root}", resize))
                if images[-1].shape[:2] != images[0].shape[:2]:
                    sizes = [f"{names[i]} has {images[i].shape[1]}x{images[i].shape[0]}" for i in (0, len(images) - 1)]
                    raise UserError(
                        f"resize: the images of {root} differ in size ({', '.join(sizes)} pixels); "
                        "set `resize` to the side that all shall have"
                    )
                if len(images) == 1 and (size := images[0].nbytes * len(names)) > MAX_SET_BYTES:
                    raise UserError(
                        f"resize: {len(names)} images of the size of {name} take {size / 2**30:.0f} GiB; "
                        "set `resize` to a smaller side, or keep fewer (train_size, test_size)"
                    )
        first = images[0].shape[:2]
        channels = max(image.shape[2] for image in images)
        stacked = np.empty((len(images), channels, *first), np.uint8)
        for out, image in zip(stacked, images, strict=True):
            out[:] = image.transpose(2, 0, 1)  # a grey image is broadcast to all channels
        return dict(zip(SPLITS, np.split(stacked, [len(chosen["train"])]), strict=True))

    return classes, labels, read


def _list(root: Path, names: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """{split: {class: [names of files]}}, with the same classes in both splits and no empty one."""
    folders: dict[str, dict[str, list[str]]] = {split: {} for split in SPLITS}
    for name in names:
        split, *inner = name.rstrip("/").split("/")
        is_file = not name.endswith("/")
        if split in SPLITS and len(inner) > is_file and not any(map(_is_clutter, inner)):
            folders[split].setdefault(inner[0], []).extend([name] if is_file else [])

    if missing := [split for split in SPLITS if not folders[split]]:
        raise UserError(f"root: {root} has no folders {missing[0]}/<class>/; it must hold them at its top level")
    for split, other in (SPLITS, SPLITS[::-1]):
        if lone := folders[split].keys() - folders[other].keys():
            raise UserError(
                f"root: {root} has the class {min(lone)!r} in {split}/ but not in {other}/; add or remove it"
            )
        if empty := [name for name, files in folders[split].items() if not files]:
            raise UserError(f"root: {root} has no file in {split}/{min(empty)}/; add images or remove the class")
    if len(folders["train"]) < 2:
        raise UserError(f"root: {root} has one class only ({min(folders['train'])!r}); a classifier needs two")
    return folders


def _directory_names(root: Path) -> Iterator[str]:
    """Relative names of all below train/ and test/ as a zip would list them: with slashes, folders ending in one."""
    for split in SPLITS:
        for folder, subfolders, files in os.walk(root / split, followlinks=True):
            base = Path(folder).relative_to(root)
            for name in subfolders:
                link = Path(folder, name)
                if link.is_symlink() and link.resolve() in (here := Path(folder).resolve(), *here.parents):
                    raise UserError(f"root: {base / name} in {root} is a link to a folder that it is in; remove it")
            yield from (f"{(base / name).as_posix()}/" for name in subfolders)
            yield from ((base / name).as_posix() for name in files)


def _is_clutter(part: str) -> bool:
    """What systems leave in folders by themselves."""
    return part.startswith(".") or part in ("Thumbs.db", "desktop.ini", "__MACOSX")


def _zip_members(path: Path) -> dict[str, str]:
    """Members of a zip by the names that zip programs show: with slashes and without `./`."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"root: {path} is neither a folder nor an intact .zip ({error}); copy it again") from error
    if sum(member.file_size for member in members) > MAX_ZIP_BYTES:
        raise UserError(
            f"root: {path} unpacks to more than {MAX_ZIP_BYTES / 2**30:g} GiB; use a folder or fewer images"
        )
    found: dict[str, str] = {}
    for member in members:
        name, what = member.filename, None
        parts = [part for part in name.replace("\\", "/").split("/") if part != "."]
        shown = "/".join(parts)
        if member.external_attr >> 28 == 0o12:
            what = "is a symbolic link; pack the archive again without it"
        elif name[:1] in "/\\" or ".." in parts or name[1:2] == ":":
            what = "points out of the archive; pack the archive again without it"
        elif shown in found:
            what = "is there twice; pack the archive again"
        elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # Python unpacks the others in pieces without a bound.
            what = "is not packed by deflate; pack the archive again, with any zip program's default"
        if what:
            raise UserError(f"root: member {name!r} of {path} {what}")
        found[shown] = name
    return found


def _bytes(root: Path, archive: zipfile.ZipFile | None, name: str) -> bytes:
    try:
        if not archive and not (root / name).is_file():
            raise OSError("not a file but a device or a pipe" if (root / name).exists() else "a link to nothing")
        size = archive.getinfo(name).file_size if archive else (root / name).stat().st_size
        if size <= MAX_FILE_BYTES:
            # Of a member no more than its declared size is unpacked: what follows is not to be believed.
            with archive.open(name) if archive else (root / name).open("rb") as file:
                return file.read(size)
    except Exception as error:  # zipfile passes on whatever encryption or damage leads to
        raise UserError(f"root: {name} in {root} cannot be read ({error}); replace or remove it") from error
    raise UserError(f"root: {name} in {root} has {size} bytes, too many for an image; remove it")


def _decode(raw: bytes, where: str, resize: int | None) -> np.ndarray:
    """uint8 [H, W, 1] of a grey image, [H, W, 3] of any other."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UserError(f"root: {where} has {image.width}x{image.height} pixels, too many; shrink or remove it")
            if image.mode not in GREY + COLOUR or _is_deep(image):
                what = (
                    f"pixels of mode {image.mode}" if image.mode not in GREY + COLOUR else "more than 8 bits a channel"
                )
                raise UserError(f"root: {where} has {what}; save it as RGB or grey with 8 bits a channel")
            if (frames := getattr(image, "n_frames", 1)) > 1:
                raise UserError(f"root: {where} holds {frames} pictures; save the one that counts as a file of its own")
            upright = ImageOps.exif_transpose(image)
            return np.atleast_3d(to_side(upright.convert("L" if upright.mode in GREY else "RGB"), resize))
    except UserError:
        raise
    except UnidentifiedImageError as error:
        raise UserError(f"root: {where} is not an image ({', '.join(FORMATS)}); remove it") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever the damage leads to
        raise UserError(f"root: {where} is damaged ({error}); replace or remove it") from error


def _is_deep(image: Image) -> bool:
    """Whether a file has more than 8 bits a channel, of which Pillow keeps the upper 8 in some modes, and says nothing.

    Its decoders are told the layout of the pixels (`RGB;16B`), that of PPM the largest value.
    """
    depths = image.tag_v2.get(258, (8,)) if image.format == "TIFF" else (8,)  # BitsPerSample
    told = [argument for tile in image.tile for argument in (tile[3] if isinstance(tile[3], tuple) else (tile[3],))]
    largest = [argument for argument in told if image.format == "PPM" and isinstance(argument, int)]
    return max(depths) > 8 or max(largest, default=255) > 255 or any(";16" in str(argument) for argument in told)


def to_side(image: Image, side: int | None) -> Image:
    """The image as a square of `side` pixels (None: as it is), bilinear and antialiased."""
    from PIL.Image import Resampling

    return image.resize((side, side), Resampling.BILINEAR) if side else image
