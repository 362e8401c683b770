"""Data sets: what the canonical file holds, and what a user reads when a source is not as it should be."""

import gzip
import hashlib
import io
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tracemalloc
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from image_files import files, folder, idx, mnist_files, no_network, pack, pictures, png
from twophase.data import imagefolder, torchvision_sets
from twophase.data.dataset import Data, stratified
from twophase.data.prepare import SOURCES, prepare, source_missing
from twophase.data.sources import NUM_CLASSES, TEST_SIZES, TRAIN_SIZES
from twophase.data.text import CONTEXT, EMBEDDED
from twophase.errors import UserError
from twophase.files.storage import read_metadata, read_tensors, write_tensors
from twophase.torchvision_ops import import_torchvision

SHARED = Path(os.environ.get("TWOPHASE_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out" / "data.safetensors"


def refuses(out, match, *args, **options):
    """`prepare` raises a one-line UserError and leaves no file."""
    with pytest.raises(UserError, match=match) as info:
        prepare(out, *args, **options)
    assert "\n" not in str(info.value)
    assert not list(out.parent.glob("*"))


# --- digits and what all sources share


def test_digits_are_all_there_once_and_scaled(out):
    prepare(out, "digits")
    arrays, raw = read_tensors(out), load_digits()
    assert arrays["train_images"].shape == (1437, 1, 8, 8)
    assert arrays["test_images"].shape == (360, 1, 8, 8)
    assert arrays["train_images"].dtype == np.uint8
    assert arrays["train_labels"].dtype == np.int64

    def pairs(images, labels):
        return sorted((int(label), image.tobytes()) for image, label in zip(images, labels, strict=True))

    scale = np.array([int(v * 255 / 16 + 0.5) for v in range(17)], np.uint8)
    images = np.concatenate([arrays["train_images"], arrays["test_images"]])
    labels = np.concatenate([arrays["train_labels"], arrays["test_labels"]])
    assert pairs(images, labels) == pairs(scale[raw.images.astype(int)], raw.target)
    shares = np.bincount(raw.target) / len(raw.target)
    assert np.abs(np.bincount(arrays["train_labels"]) - 1437 * shares).max() < 1


def test_the_same_call_writes_the_same_bytes_and_another_seed_others(tmp_path):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, seed in zip(paths, (3, 3, 4), strict=True):
        prepare(path, "digits", train_size=100, test_size=50, subset_seed=seed)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert not np.array_equal(read_tensors(paths[0])["train_images"], read_tensors(paths[2])["train_images"])
    assert read_metadata(paths[0])["sha256"] != read_metadata(paths[2])["sha256"]


def test_a_subset_is_part_of_the_whole_in_its_order(tmp_path):
    prepare(tmp_path / "all", "digits")
    prepare(tmp_path / "part", "digits", train_size=200)
    whole, part = read_tensors(tmp_path / "all"), read_tensors(tmp_path / "part")
    rows = {image.tobytes(): row for row, image in enumerate(whole["train_images"])}
    found = [rows[image.tobytes()] for image in part["train_images"]]
    assert found == sorted(set(found))
    assert np.array_equal(whole["train_labels"][found], part["train_labels"])
    assert np.array_equal(whole["test_images"], part["test_images"])


@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=8).filter(sum),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_stratified_keeps_the_shares(counts, share, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    size = round(share * len(labels))
    index = stratified(labels, size, seed)
    assert len(index) == size
    assert (np.diff(index) > 0).all()
    drawn = np.bincount(labels[index], minlength=len(counts))
    assert (np.abs(drawn - size * np.array(counts) / len(labels)) < 1).all()
    assert np.array_equal(index, stratified(labels, size, seed))


def test_stratified_draws_every_member_of_a_class_alike():
    labels = np.repeat([0, 1], [6, 30])
    hits = np.bincount(np.concatenate([stratified(labels, 12, seed) for seed in range(3000)]), minlength=36)
    # Each index comes with probability 1/3: six standard deviations of the binomial.
    assert np.abs(hits / 3000 - 1 / 3).max() < 6 * np.sqrt(2 / 9 / 3000)


def test_metadata_says_what_is_in_the_file(out):
    prepare(out, "digits", train_size=77, metadata={"definition": "given", "source": "overruled"})
    facts = read_metadata(out)
    assert facts["definition"] == "given"
    assert facts["source"] == "digits"
    assert facts["classes"] == [str(digit) for digit in range(10)]
    assert facts["sizes"] == {"train": 77, "test": 360}
    assert len(bytes.fromhex(facts["sha256"])) == 32


def test_resize_of_an_array_source(out):
    prepare(out, "digits", resize=16, train_size=20)
    images = read_tensors(out)["train_images"]
    assert images.shape == (20, 1, 16, 16)
    assert images.std() > 30


@pytest.mark.parametrize(
    ("match", "options"),
    [
        ("^train_size: 1438 must be from 1 to the 1437 train examples of digits", {"train_size": 1438}),
        ("^test_size: 0 must be from 1 to the 360", {"test_size": 0}),
        ("^train_size: no training image of the class '.' is kept; keep more", {"train_size": 9}),
        ("^mean: needs one number for each of the 1 channels", {"mean": [0.1, 0.2]}),
        ("^std: needs one number above 0", {"std": [0.0]}),
        ("^mean: needs one number", {"mean": [float("nan")]}),
    ],
)
def test_wrong_keys_are_named(out, match, options):
    refuses(out, match, "digits", **options)


def test_unknown_source(out):
    refuses(out, "^source: 'imagenet' is unknown, choose one of digits, mnist", "imagenet")


def test_the_tables_of_known_sources_fit_together():
    assert set(SOURCES) == {*TRAIN_SIZES, "imagefolder", "text"}
    assert TRAIN_SIZES.keys() == TEST_SIZES.keys() == NUM_CLASSES.keys() == {"digits", *torchvision_sets.SETS}
    for name, archives, _ in ((s[0], s[2], s[3]) for s in torchvision_sets.SETS.values()):
        kind = getattr(import_torchvision().datasets, name)
        own = getattr(kind, "filename", None) or [file for file, _ in getattr(kind, "resources", [])]
        own = own or [kind.split_list[split][1] for split in ("train", "test")]
        assert sorted(archives) == sorted([own] if isinstance(own, str) else own)


def test_importing_the_module_and_preparing_digits_load_no_torch(out):
    code = (
        f"import sys; from twophase.data import prepare; prepare.prepare({str(out)!r}, 'digits');"
        "assert prepare.source_missing('mnist', None) is None;"
        "assert not {'torch', 'torchvision'} & sys.modules.keys()"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


# --- image folders


@pytest.mark.parametrize("channels", [1, 3])
def test_imagefolder_holds_every_pixel_in_the_order_of_the_names(tmp_path, out, channels):
    prepare(out, "imagefolder", folder(tmp_path / "set", files(channels)))
    arrays, pixels = read_tensors(out), pictures(channels)
    for split in ("train", "test"):
        names = sorted(name for name in pixels if name.startswith(split))
        expected = np.stack([np.atleast_3d(pixels[name]).transpose(2, 0, 1) for name in names])
        assert np.array_equal(arrays[f"{split}_images"], expected)
        assert arrays[f"{split}_labels"].tolist() == ["zebra" in name for name in names]
    assert read_metadata(out)["classes"] == ["Ant", "zebra"]
    x = arrays["train_images"].astype(float) / 255
    assert arrays["mean"] == pytest.approx(x.mean((0, 2, 3)), rel=1e-6)
    assert arrays["std"] == pytest.approx(x.std((0, 2, 3)), rel=1e-6)
    assert arrays["mean"].dtype == arrays["std"].dtype == np.float32


def test_zip_and_directory_of_the_same_files_are_the_same_data(tmp_path):
    clutter = {"README": b"x", "train/list.txt": b"x", "train/Ant/.DS_Store": b"x", "__MACOSX/train/Ant/0.png": b"x"}
    prepare(tmp_path / "a", "imagefolder", folder(tmp_path / "set", files()))
    prepare(tmp_path / "b", "imagefolder", pack(tmp_path / "set.zip", files(**clutter)))
    prepare(tmp_path / "c", "imagefolder", folder(tmp_path / "cluttered", files(**clutter)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "c", "set", "set.zip", "cluttered"}


def test_one_colour_image_makes_all_of_them_rgb(tmp_path, out):
    red = png(np.full((6, 6, 3), (255, 0, 0), np.uint8))
    prepare(out, "imagefolder", folder(tmp_path / "set", files(1) | {"test/zebra/0.png": red}))
    arrays, pixels = read_tensors(out), pictures(1)
    assert np.array_equal(arrays["test_images"][2], np.full((6, 6, 3), (255, 0, 0), np.uint8).transpose(2, 0, 1))
    grey = pixels["train/Ant/0.png"]
    assert np.array_equal(arrays["train_images"][0], np.stack([grey, grey, grey]))


def test_palettes_transparency_and_black_and_white(tmp_path, out):
    colours = Image.fromarray(np.full((6, 6, 3), (10, 200, 30), np.uint8))
    grey = Image.fromarray(np.full((6, 6), 90, np.uint8))
    changes = {
        "train/Ant/0.png": png(colours.quantize(4)),
        "train/Ant/1.png": png(colours.convert("RGBA")),
        "train/Ant/2.png": png(grey.convert("LA")),
        "train/Ant/3.png": png(Image.fromarray(np.full((6, 6), 255, np.uint8)).convert("1")),
    }
    prepare(out, "imagefolder", folder(tmp_path / "set", files(1) | changes))
    first_pixels = read_tensors(out)["train_images"][:4, :, 0, 0]
    assert first_pixels.tolist() == [[10, 200, 30], [10, 200, 30], [90, 90, 90], [255, 255, 255]]


def test_mixed_sizes_need_resize(tmp_path, out):
    odd = {"train/zebra/1.png": png(np.zeros((4, 9, 3), np.uint8))}
    root = folder(tmp_path / "set", files(**odd))
    message = r"^resize: .*train/Ant/0.png has 6x6, train/zebra/1.png has 9x4 pixels.*set `resize`"
    refuses(out, message, "imagefolder", root)
    prepare(out, "imagefolder", root, resize=5)
    arrays = read_tensors(out)
    assert arrays["train_images"].shape == (8, 3, 5, 5)
    assert not arrays["train_images"][6].any()
    assert np.array_equal(arrays["train_images"].any((1, 2, 3)), [True] * 6 + [False, True])


def test_resize_averages_rather_than_skips(tmp_path, out):
    board = png((255 * (np.indices((32, 32)).sum(0) % 2)).astype(np.uint8))
    prepare(out, "imagefolder", folder(tmp_path / "set", dict.fromkeys(files(), board)), resize=4)
    assert np.abs(read_tensors(out)["train_images"].astype(int) - 127.5).max() < 10


@pytest.mark.parametrize("zipped", [False, True])
def test_a_subset_reads_only_its_own_images(tmp_path, out, zipped):
    names = sorted(name for name in files() if name.startswith("train"))
    labels = np.array([int("zebra" in name) for name in names])
    kept = [names[i] for i in stratified(labels, 4, (7, 0))]
    members = files(**{name: b"no image" for name in names if name not in kept})
    root = pack(tmp_path / "set.zip", members) if zipped else folder(tmp_path / "set", members)
    prepare(out, "imagefolder", root, train_size=4, subset_seed=7)
    expected = np.stack([pictures()[name].transpose(2, 0, 1) for name in kept])
    assert np.array_equal(read_tensors(out)["train_images"], expected)
    out.unlink()
    refuses(out, "^root: train/.* is not an image .*; remove it", "imagefolder", root)


HALF_JPEG = io.BytesIO()
Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(HALF_JPEG, "jpeg")
SIXTEEN_BITS = Image.fromarray(np.full((6, 6), 40_000, np.uint16))


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("match", "members"),
    [
        ("has no folders test/<class>/", {n: c for n, c in files().items() if n.startswith("train")}),
        ("has no folders train/<class>/", {f"wrapped/{n}": c for n, c in files().items()}),
        ("has one class only .'Ant'.", {n: c for n, c in files().items() if "zebra" not in n}),
        ("class 'zebra' in test/ but not in train/", {n: c for n, c in files().items() if "train/zebra" not in n}),
        ("class 'bee' in train/ but not in test/", files(**{"train/bee/0.png": png(np.zeros((6, 6, 3), np.uint8))})),
        ("train/Ant/2.png in .* is not an image .*; remove it", files(**{"train/Ant/2.png": b"notes"})),
        ("train/Ant/2.png in .* is not an image .*; remove it", files(**{"train/Ant/2.png": b""})),
        ("train/Ant/2.png in .* is damaged", files(**{"train/Ant/2.png": HALF_JPEG.getvalue()[:900]})),
        ("train/Ant/2.png in .* is damaged", files(**{"train/Ant/2.png": png(pictures()["test/Ant/0.png"])[:-40]})),
        ("train/Ant/2.png in .* mode I;16; save it as RGB or grey", files(**{"train/Ant/2.png": png(SIXTEEN_BITS)})),
    ],
)
def test_wrong_folders_are_explained(tmp_path, out, match, members, zipped):
    root = pack(tmp_path / "set.zip", members) if zipped else folder(tmp_path / "set", members)
    refuses(out, f"^root: .*{match}", "imagefolder", root)


def test_an_empty_class_is_named(tmp_path, out):
    root = folder(tmp_path / "set", files() | {"train/gnu": None, "test/gnu": None})
    refuses(out, "has no file in train/gnu/", "imagefolder", root)
    members = files() | {"train/gnu/": b"", "test/gnu/": b""}
    refuses(out, "has no file in train/gnu/", "imagefolder", pack(tmp_path / "set.zip", members))


def link():
    info = zipfile.ZipInfo("train/Ant/9.png")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("member", "what"),
    [
        ("../train/Ant/9.png", "points out of the archive"),
        ("train/Ant/../../../9.png", "points out of the archive"),
        ("/train/Ant/9.png", "points out of the archive"),
        ("C:/train/Ant/9.png", "points out of the archive"),
        ("train\\..\\..\\9.png", "points out of the archive"),
        (link(), "is a symbolic link"),
    ],
)
def test_unsafe_members_of_a_zip(tmp_path, out, member, what):
    path = pack(tmp_path / "set.zip", files() | {member: b"/etc/passwd"})
    refuses(out, rf"^root: member .*9.png' of .*set.zip {what}", "imagefolder", path)


def test_members_that_are_there_twice_or_packed_without_a_bound(tmp_path, out):
    path = pack(tmp_path / "set.zip", files())
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("train/Ant/0.png", b"another")
    refuses(out, r"^root: member 'train/Ant/0.png' of .*set.zip is there twice", "imagefolder", path)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = pack(tmp_path / "set.zip", files())
        with zipfile.ZipFile(path, "a", method) as archive:
            archive.writestr("train/Ant/9.png", b"bomb")
        refuses(out, r"^root: member 'train/Ant/9.png' of .*set.zip is not packed by deflate", "imagefolder", path)


def test_a_member_that_is_larger_than_it_says_is_not_unpacked(tmp_path, out):
    path, size = tmp_path / "set.zip", 2**25
    with zipfile.ZipFile(pack(path, files()), "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("train/Ant/9.png", bytes(size))
    content = path.read_bytes()
    assert content.count(struct.pack("<I", size)) == 2  # in the member's own header and in the directory
    path.write_bytes(content.replace(struct.pack("<I", size), struct.pack("<I", 100)))
    tracemalloc.start()
    refuses(out, "^root: train/Ant/9.png in .* cannot be read .*CRC", "imagefolder", path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 4


def test_an_encrypted_member_is_named(tmp_path, out):
    content = pack(tmp_path / "set.zip", files()).read_bytes()
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the first bit of the flags, in both headers of each member
        places = [match.start() + offset for match in re.finditer(re.escape(mark), content)]
        content = bytes(byte | (i in places) for i, byte in enumerate(content))
    (tmp_path / "set.zip").write_bytes(content)
    refuses(out, "^root: train/Ant/0.png in .* cannot be read .*encrypted", "imagefolder", tmp_path / "set.zip")


def test_a_set_that_no_memory_holds_is_refused_after_its_first_image(tmp_path, out, monkeypatch):
    root = folder(tmp_path / "set", files())
    (root / "train/zebra/2.png").write_bytes(b"not reached")
    monkeypatch.setattr(imagefolder, "MAX_SET_BYTES", 11 * 6 * 6 * 3 - 1)
    refuses(out, "^resize: 11 images of the size of train/Ant/0.png take .*`resize`", "imagefolder", root)


def test_other_size_is_noticed_at_once(tmp_path, out):
    root = folder(tmp_path / "set", files(**{"train/Ant/1.png": png(np.zeros((4, 9, 3), np.uint8))}))
    (root / "train/zebra/2.png").write_bytes(b"not reached")
    refuses(out, "^resize: .*differ in size", "imagefolder", root)


@pytest.mark.parametrize("form", ["eps", "pdf", "ico"])
def test_other_formats_are_no_images(tmp_path, out, form):
    """Pillow would run Ghostscript on the first of them."""
    stream = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(stream, form)
    root = folder(tmp_path / "set", files(**{"train/Ant/2.png": stream.getvalue()}))
    refuses(out, "^root: train/Ant/2.png in .* is not an image .PNG, JPEG", "imagefolder", root)


def test_numbers_that_are_no_pixels_are_refused(tmp_path, out):
    stream = io.BytesIO()
    Image.fromarray(np.full((6, 6), np.nan, np.float32)).save(stream, "tiff")
    root = folder(tmp_path / "set", files(**{"train/Ant/2.png": stream.getvalue()}))
    refuses(out, "^root: train/Ant/2.png in .* has pixels of mode F; save it as RGB", "imagefolder", root)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def deep_png(colour):
    """6x6 pixels of 16 bits a channel: grey (0), RGB (2), grey with alpha (4), RGBA (6)."""
    row = b"\0" + bytes(6 * 2 * {0: 1, 2: 3, 4: 2, 6: 4}[colour])
    header = struct.pack(">IIBBBBB", 6, 6, 16, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(row * 6)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def deep_tiff():
    """6x6 pixels of three channels of 16 bits, not compressed."""
    depths, pixels = 8 + 2 + 8 * 12 + 4, 8 + 2 + 8 * 12 + 4 + 6
    tags = [(256, 3, 1, 6), (257, 3, 1, 6), (258, 3, 3, depths), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, pixels)]
    tags += [(277, 3, 1, 3), (279, 4, 1, 216)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (
        b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + struct.pack("<HHH", 16, 16, 16) + bytes(216)
    )


DEEP = {
    **{f"png of kind {colour}": deep_png(colour) for colour in (0, 2, 4, 6)},
    "tiff": deep_tiff(),
    "ppm": b"P6 6 6 4095\n" + bytes(216),
    "ppm in words": b"P3 6 6 4095\n" + b"4000 " * 108,
    "pgm": b"P5 6 6 4095\n" + bytes(72),
}


@pytest.mark.parametrize("kind", DEEP)
def test_more_than_8_bits_a_channel_are_not_cut_in_silence(tmp_path, out, kind):
    root = folder(tmp_path / "set", files(**{"train/Ant/2.png": DEEP[kind]}))
    refuses(
        out, "^root: train/Ant/2.png in .* has .*; save it as RGB or grey with 8 bits a channel", "imagefolder", root
    )


def encoded(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["png", "ppm", "tiff", "bmp", "gif", "webp"])
def test_8_bits_a_channel_are_taken_in_every_format(tmp_path, out, form):
    image = Image.fromarray(np.full((6, 6, 3), 200, np.uint8))
    prepare(out, "imagefolder", folder(tmp_path / "set", files(**{"train/Ant/0.png": encoded(image, form)})))
    # Lossy formats may miss a value by a little.
    assert np.abs(read_tensors(out)["train_images"][0].astype(int) - 200).max() <= 3


@pytest.mark.parametrize("form", ["gif", "tiff", "png", "webp"])
def test_one_picture_of_several_is_not_taken_in_silence(tmp_path, out, form):
    first, second = (Image.fromarray(np.full((6, 6, 3), value, np.uint8)) for value in (0, 255))
    several = encoded(first, form, save_all=True, append_images=[second])
    root = folder(tmp_path / "set", files(**{"train/Ant/2.png": several}))
    refuses(out, "^root: train/Ant/2.png in .* holds 2 pictures; save the one that counts", "imagefolder", root)


@pytest.mark.parametrize("form", ["png", "tiff", "webp"])
def test_a_rotation_that_a_tag_asks_for_is_done(tmp_path, out, form):
    """Tag 6: what is stored is to be turned clockwise by a quarter, as every viewer shows it."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"lossless": True} if form == "webp" else {}
    turned = encoded(Image.fromarray(pixels), form, exif=exif, **options)
    prepare(out, "imagefolder", folder(tmp_path / "set", files(**{"train/Ant/0.png": turned})))
    assert np.array_equal(read_tensors(out)["train_images"][0].transpose(1, 2, 0), np.rot90(pixels, -1))


def test_links_and_pipes_in_a_folder(tmp_path, out):
    root = folder(tmp_path / "set", files())
    (tmp_path / "elsewhere.png").write_bytes(files()["train/Ant/0.png"])
    (root / "train/Ant/9.png").symlink_to(tmp_path / "elsewhere.png")  # how one makes a subset without copies
    prepare(out, "imagefolder", root)
    assert len(read_tensors(out)["train_labels"]) == 9
    out.unlink()

    (tmp_path / "elsewhere.png").unlink()
    refuses(out, "^root: train/Ant/9.png in .* cannot be read .a link to nothing", "imagefolder", root)
    (root / "train/Ant/9.png").unlink()
    os.mkfifo(root / "train/Ant/9.png")
    refuses(out, "^root: train/Ant/9.png in .* cannot be read .not a file but a device", "imagefolder", root)
    (root / "train/Ant/9.png").unlink()
    (root / "train/Ant/9.png").symlink_to("/dev/zero")
    refuses(out, "^root: train/Ant/9.png in .* cannot be read .not a file but a device", "imagefolder", root)
    (root / "train/Ant/9.png").unlink()
    (root / "train/Ant/again").symlink_to(root / "train")
    refuses(out, "^root: train/Ant/again in .* is a link to a folder that it is in", "imagefolder", root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path, out):
    root = folder(tmp_path / "set", files())
    (root / "train/Ant/2.png").chmod(0)
    refuses(out, "^root: train/Ant/2.png in .* cannot be read .*Permission", "imagefolder", root)


def test_a_file_that_is_no_zip_and_a_zip_cut_short(tmp_path, out):
    whole = pack(tmp_path / "set.zip", files()).read_bytes()
    for content in (b"", b"not a zip at all", whole[: len(whole) // 2]):
        (tmp_path / "bad.zip").write_bytes(content)
        refuses(out, r"^root: .*bad.zip is neither a folder nor an intact .zip", "imagefolder", tmp_path / "bad.zip")


def test_a_member_with_flipped_bits_is_named(tmp_path, out):
    content = bytearray(pack(tmp_path / "set.zip", files()).read_bytes())
    start = content.index(files()["train/Ant/3.png"])
    content[start + 60] ^= 255
    (tmp_path / "set.zip").write_bytes(content)
    refuses(out, "^root: train/Ant/3.png in .* cannot be read .*CRC", "imagefolder", tmp_path / "set.zip")


def test_bombs_are_refused_before_they_unfold(tmp_path, out, monkeypatch):
    path = pack(tmp_path / "set.zip", files(side=20))
    monkeypatch.setattr(imagefolder, "MAX_PIXELS", 399)
    refuses(out, "train/Ant/0.png in .* 20x20 pixels, too many", "imagefolder", path)
    monkeypatch.setattr(imagefolder, "MAX_FILE_BYTES", 1000)
    refuses(out, "train/Ant/0.png in .* bytes, too many", "imagefolder", path)
    monkeypatch.setattr(imagefolder, "MAX_ZIP_BYTES", 10_000)
    refuses(out, "unpacks to more than", "imagefolder", path)


def test_a_missing_image_folder_is_noticed_before_any_job(tmp_path, out):
    folder(tmp_path / "set", files())
    assert source_missing("imagefolder", tmp_path / "set") is None
    for source in {*SOURCES} - {"imagefolder"}:
        assert source_missing(source, None) is None
    assert "needs a path" in source_missing("imagefolder", None)
    assert f"{tmp_path / 'nowhere'} does not exist" in source_missing("imagefolder", tmp_path / "nowhere")
    refuses(out, "^root: .*nowhere does not exist", "imagefolder", tmp_path / "nowhere")


# --- torchvision's sets


def tree(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("source", ["mnist", "fashionmnist", "kmnist"])
def test_idx_files_on_disk_need_no_network_and_no_write(tmp_path, out, monkeypatch, source, capfd):
    no_network(monkeypatch)
    content = mnist_files()
    raw = tmp_path / torchvision_sets.SETS[source][1]
    folder(raw, content)
    before = tree(raw)
    prepare(out, source, tmp_path)
    arrays = read_tensors(out)
    images = np.frombuffer(content["train-images-idx3-ubyte"], np.uint8, offset=16).reshape(30, 1, 28, 28)
    assert np.array_equal(arrays["train_images"], images)
    assert arrays["train_labels"].tolist() == [i % 10 for i in range(30)]
    assert arrays["test_images"].shape == (12, 1, 28, 28)
    assert len(read_metadata(out)["classes"]) == 10
    assert tree(raw) == before
    assert capfd.readouterr() == ("", "")


def test_archives_put_in_place_are_unpacked_without_network(tmp_path, out, monkeypatch, capfd):
    no_network(monkeypatch)
    content = mnist_files()
    archives = {f"{name}.gz": gzip.compress(data) for name, data in content.items()}
    kind = import_torchvision().datasets.MNIST
    sums = [(name, hashlib.md5(archives[name]).hexdigest()) for name, _ in kind.resources]
    monkeypatch.setattr(kind, "resources", sums)
    folder(tmp_path / "MNIST/raw", archives)
    prepare(out, "mnist", tmp_path)
    assert read_tensors(out)["train_images"].shape == (30, 1, 28, 28)
    assert tree(tmp_path / "MNIST/raw") == archives | content
    assert capfd.readouterr() == ("", "")

    # A damaged archive is left as it is.
    shutil.rmtree(tmp_path / "MNIST/raw")
    archives["train-images-idx3-ubyte.gz"] = archives["train-images-idx3-ubyte.gz"][:-9]
    folder(tmp_path / "MNIST/raw", archives)
    out.unlink()
    refuses(out, r"^root: mnist is not \(intact\) under", "mnist", tmp_path)
    assert tree(tmp_path / "MNIST/raw") == archives


@pytest.mark.parametrize("source", torchvision_sets.SETS)
def test_a_failed_download_says_which_file_to_put_where(tmp_path, out, monkeypatch, source, capfd):
    no_network(monkeypatch)
    _, below, archives, _ = torchvision_sets.SETS[source]
    match = rf"no network.*put {', '.join(archives)} from https?://\S+ into {tmp_path / 'root' / below}, or"
    refuses(out, match, source, tmp_path / "root")
    assert not any(path.is_file() for path in (tmp_path / "root").rglob("*"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("source", ["cifar10", "svhn", "mnist"])
def test_a_download_cut_short_leaves_nothing(tmp_path, out, monkeypatch, source, capfd):
    class Response(io.BytesIO):
        length, url = 10, None

    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **kwargs: Response(b"half a file"))
    refuses(out, "cannot be downloaded", source, tmp_path / "root")
    assert not list((tmp_path / "root").iterdir())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"train-images-idx3-ubyte": b"\0\0\x08\x03cut"}, "is not .intact. under"),
        ({"t10k-labels-idx1-ubyte": idx(np.full(12, 10))}, "test images and labels of mnist .* do not belong together"),
        ({"train-labels-idx1-ubyte": idx(np.zeros(29))}, "train images and labels of mnist .* do not belong together"),
    ],
)
def test_damaged_files_on_disk(tmp_path, out, monkeypatch, change, match):
    no_network(monkeypatch)
    folder(tmp_path / "MNIST/raw", mnist_files() | change)
    refuses(out, f"^root: .*{match}", "mnist", tmp_path)


@pytest.mark.parametrize("source", ["cifar10", "cifar100", "svhn"])
def test_colour_sets_become_channels_first(out, monkeypatch, source):
    nchw = np.random.default_rng(1).integers(0, 256, (20, 3, 32, 32), np.uint8)
    labels = np.arange(20) % 10
    if source == "svhn":
        data = SimpleNamespace(data=nchw, labels=labels)
    else:
        data = SimpleNamespace(data=nchw.transpose(0, 2, 3, 1), targets=labels.tolist(), classes=list("abcdefghij"))
    monkeypatch.setattr(torchvision_sets, "_load", lambda *args, **kwargs: {"train": data, "test": data})
    prepare(out, source)
    arrays = read_tensors(out)
    assert np.array_equal(arrays["train_images"], nchw)
    assert arrays["test_labels"].tolist() == labels.tolist()


# --- loading


def test_loaded_data_normalise_to_mean_0_and_variance_1(out):
    import torch

    prepare(out, "digits")
    arrays = read_tensors(out)
    for dtype in ("float32", "float64"):
        data = Data.load(out, dtype=dtype)
        assert data.train_images.dtype == torch.uint8
        assert data.train_labels.dtype == torch.int64
        assert data.num_classes == 10
        assert data.mean.shape == data.std.shape == (1, 1, 1, 1)
        x = data.normalise(data.train_images)
        assert x.dtype == data.mean.dtype == getattr(torch, dtype)
        assert float(x.mean()) == pytest.approx(0, abs=1e-5)
        assert float(x.var(correction=0)) == pytest.approx(1, abs=1e-5)
        expected = (arrays["test_images"][5, 0] / 255.0 - float(arrays["mean"][0])) / float(arrays["std"][0])
        assert data.normalise(data.test_images)[5, 0].numpy() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_given_statistics_are_used_per_channel(tmp_path, out):
    prepare(out, "imagefolder", folder(tmp_path / "set", files()), mean=[0.1, 0.2, 0.3], std=[0.5, 1, 2])
    data = Data.load(out, dtype="float64")
    x = data.normalise(data.train_images[:1])
    for channel, (mean, std) in enumerate([(0.1, 0.5), (0.2, 1), (0.3, 2)]):
        expected = (pictures()["train/Ant/0.png"][..., channel] / 255 - mean) / std
        assert x[0, channel].numpy() == pytest.approx(expected, abs=1e-6)


def test_a_constant_channel_becomes_zero(tmp_path, out):
    members = {
        name: png(pixels * np.array([1, 0, 1], np.uint8) + np.array([0, 51, 0], np.uint8))
        for name, pixels in pictures().items()
    }
    prepare(out, "imagefolder", folder(tmp_path / "set", members))
    data = Data.load(out)
    x = data.normalise(data.train_images)
    assert x[:, 1].abs().max() < 1e-6
    assert float(x[:, 0].std()) == pytest.approx(1, abs=0.01)


def test_damaged_files_are_named_when_loaded(tmp_path, out):
    prepare(out, "digits")
    whole = out.read_bytes()
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    for content in (b"", whole[:50], whole[:-1], bytes(flipped)):
        out.write_bytes(content)
        with pytest.raises(UserError, match=r"data\.safetensors.*[Dd]elete "):
            Data.load(out)
    write_tensors(out, {"weights": np.zeros(3)}, {"definition": "something else"})
    with pytest.raises(UserError, match="no data set"):
        Data.load(out)
    with pytest.raises(UserError, match="missing"):
        Data.load(tmp_path / "missing")


# --- the real files


@pytest.mark.skipif(not (SHARED / "MNIST/raw").is_dir(), reason=f"no MNIST/raw in {SHARED} (TWOPHASE_SHARED_DATA)")
def test_real_mnist(out):
    prepare(out, "mnist", SHARED)
    arrays = read_tensors(out)
    for split, file, size in (("train", "train", TRAIN_SIZES["mnist"]), ("test", "t10k", TEST_SIZES["mnist"])):
        raw = (SHARED / f"MNIST/raw/{file}-images-idx3-ubyte").read_bytes()
        assert arrays[f"{split}_images"].shape == (size, 1, 28, 28)
        assert arrays[f"{split}_images"].tobytes() == raw[16:]
        raw = (SHARED / f"MNIST/raw/{file}-labels-idx1-ubyte").read_bytes()
        assert arrays[f"{split}_labels"].astype(np.uint8).tobytes() == raw[8:]
    # The statistics that everybody quotes.
    assert arrays["mean"] == pytest.approx([0.1307], abs=5e-5)
    assert arrays["std"] == pytest.approx([0.3081], abs=5e-5)


@pytest.mark.skipif(
    not (SHARED / "cifar10-jpeg.zip").is_file(), reason=f"no cifar10-jpeg.zip in {SHARED} (TWOPHASE_SHARED_DATA)"
)
def test_real_cifar10_as_jpegs(out):
    prepare(out, "imagefolder", SHARED / "cifar10-jpeg.zip", train_size=2000, test_size=100)
    arrays = read_tensors(out)
    assert arrays["train_images"].shape == (2000, 3, 32, 32)
    assert np.bincount(arrays["train_labels"]).tolist() == [200] * 10
    assert np.bincount(arrays["test_labels"]).tolist() == [10] * 10
    assert read_metadata(out)["classes"][::9] == ["airplane", "truck"]
    # CIFAR-10's published statistics; the sample and the compression move them by a little.
    assert arrays["mean"] == pytest.approx([0.4914, 0.4822, 0.4465], abs=0.02)
    assert arrays["std"] == pytest.approx([0.2470, 0.2435, 0.2616], abs=0.02)


@pytest.mark.parametrize(
    "renamed",
    [
        lambda name: name.replace("/", "\\"),
        lambda name: f"./{name}",
        lambda name: f".\\{name}".replace("/", "\\"),
    ],
    ids=["backslashes", "dots", "both"],
)
def test_names_in_a_zip_are_those_that_zip_programs_show(tmp_path, renamed):
    members = {renamed(name): content for name, content in files().items()}
    members |= {
        "__MACOSX/._x": b"",
        ".DS_Store": b"",
        renamed("train/Ant/Thumbs.db"): b"",
        renamed("test/.DS_Store"): b"",
    }
    prepare(tmp_path / "a", "imagefolder", pack(tmp_path / "set.zip", members))
    prepare(tmp_path / "b", "imagefolder", folder(tmp_path / "set", files()))
    assert read_tensors(tmp_path / "a").keys() == read_tensors(tmp_path / "b").keys()
    assert read_metadata(tmp_path / "a")["sha256"] == read_metadata(tmp_path / "b")["sha256"]


@pytest.mark.parametrize("name", ["train/./Ant/0.png", "train\\Ant\\0.png"])
def test_two_members_of_a_zip_with_one_name_are_refused(tmp_path, out, name):
    path = pack(tmp_path / "set.zip", files() | {name: files()["train/Ant/1.png"]})
    refuses(out, r"^root: member .* is there twice", "imagefolder", path)


def test_names_cannot_steer_a_terminal(tmp_path):
    evil = "train/Ant/\x1b[2J\x1b]0;title\x07\nError: all is well\u202e.png"
    for root in (
        pack(tmp_path / "set.zip", files() | {evil: b"no image"}),
        folder(tmp_path / "set", files() | {evil: b""}),
    ):
        with pytest.raises(UserError) as caught:
            prepare(tmp_path / "out", "imagefolder", root)
        said = str(caught.value)
        assert said.isprintable()
        assert r"\x1b[2J" in said


# --- texts


def text_file(path, text, **options):
    path.write_text(text, encoding="utf-8", **options)
    return path


def decoded(arrays, classes, split):
    """The contexts of a split as text, from one-hot vectors of 255."""
    images = arrays[f"{split}_images"]
    assert images.dtype == np.uint8
    assert set(np.unique(images)) <= {0, 255}
    assert (images.sum(1, dtype=int) == 255).all()
    return ["".join(classes[k] for k in row) for row in images[:, :, 0].argmax(1)]


# Characters of one to four bytes in UTF-8; which one stands at a place tells the place.
EVERY = [chr(code) for code in (*range(33, 127), *range(0xA1, 0x500), *range(0x4E00, 0x5000), *range(0x1F600, 0x1F640))]


@given(length=st.integers(1, 40), count=st.integers(5, 30), rest=st.integers(0, 40))
def test_examples_of_a_text_share_no_character_and_the_test_set_comes_last(tmp_path_factory, length, count, rest):
    text = "".join(EVERY[: count * (length + 1) + rest % (length + 1)])
    folder = tmp_path_factory.mktemp("text")
    prepare(folder / "out", "text", text_file(folder / "a.txt", text), context=length)
    arrays, classes = read_tensors(folder / "out"), read_metadata(folder / "out")["classes"]
    assert classes == sorted(text)
    pieces = {}
    for split in ("train", "test"):
        labels = [classes[label] for label in arrays[f"{split}_labels"]]
        pieces[split] = [a + b for a, b in zip(decoded(arrays, classes, split), labels, strict=True)]
        assert all(piece in text and len(piece) == length + 1 for piece in pieces[split])
    used = "".join(pieces["train"] + pieces["test"])
    assert len(used) == len(set(used)) == count * (length + 1)
    assert max(map(text.index, pieces["train"])) + length < min(map(text.index, pieces["test"]))
    assert len(pieces["train"]) == 4 * count // 5
    np.testing.assert_array_equal(arrays["mean"], np.zeros(len(classes), np.float32))
    np.testing.assert_array_equal(arrays["std"], np.ones(len(classes), np.float32))


def test_the_embedded_text_is_the_same_everywhere(out):
    """Alice in Wonderland of the Canterbury corpus, whose checksum others publish, less carriage returns and Ctrl-Z."""
    raw = EMBEDDED.read_bytes()
    published = "7467306ee0feed4971260f3c87421154a05be571d944e9cb021a5713700c38f0"
    assert hashlib.sha256(raw.replace(b"\n", b"\r\n") + b"\x1a").hexdigest() == published
    prepare(out, "text")
    arrays, facts, text = read_tensors(out), read_metadata(out), raw.decode("ascii")
    assert facts["sizes"] == {"train": 4 * (len(text) // (CONTEXT + 1)) // 5, "test": 900}
    assert decoded(arrays, facts["classes"], "train")[1] == text[CONTEXT + 1 : 2 * CONTEXT + 1]
    data = Data.load(out)
    assert data.num_classes == len(set(text)) == arrays["train_images"].shape[1]
    inputs, _ = data.sample("test", 7)
    assert set(inputs.unique().tolist()) == {0.0, 1.0}


def test_a_text_may_lie_in_several_files_and_have_line_ends_of_windows(tmp_path):
    text = "".join(EVERY[:90]) + "\n"
    one = text_file(tmp_path / "one.txt", text)
    parts = tmp_path / "parts"
    (parts / "b").mkdir(parents=True)
    text_file(parts / "b" / "c.txt", text[40:], newline="\r\n")
    text_file(parts / "a.txt", text[:40])
    text_file(parts / "b" / "notes.md", "no part of it")
    for name, root in (("x", one), ("y", parts)):
        prepare(tmp_path / name, "text", root, context=5)
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_a_sample_of_a_text_keeps_its_shares_and_rare_characters(out, tmp_path):
    text = ("ab" * 200 + "z")[: 5 * 60]
    prepare(out, "text", text_file(tmp_path / "a.txt", text + "z" * 10), context=4, train_size=20, test_size=5)
    facts = read_metadata(out)
    assert facts["sizes"] == {"train": 20, "test": 5}
    assert facts["classes"] == ["a", "b", "z"]
    assert np.bincount(read_tensors(out)["train_labels"]).tolist() == [10, 10]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", r"^root: .*a\.txt has 0 characters, too few for contexts of 6; it takes 35: give a longer text or set"),
        (b"abc" * 11, r"^root: .*a\.txt has 33 characters, too few"),
        (b"abc\xff" * 20, r"^root: .*a\.txt is not text in UTF-8 \(.*position 3.*\); save it as that"),
        ("Grüße".encode("utf-16") * 20, r"is not text in UTF-8"),
        (b"a" * 100, r"^root: .*a\.txt holds nothing but 'a', and what follows is no question; give a text"),
    ],
)
def test_a_text_that_cannot_be_learned_from_is_refused(out, tmp_path, content, match):
    (tmp_path / "a.txt").write_bytes(content)
    refuses(out, match, "text", tmp_path / "a.txt", context=6)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"train_size": 81}, "^train_size: 81 must be from 1 to the 80 train examples of text"),
        ({"test_size": 21}, "^test_size: 21 must be from 1 to the 20 test examples of text"),
        ({"context": 100}, "^root: .* has 500 characters, too few for contexts of 100; it takes 505"),
    ],
)
def test_more_of_a_text_than_there_is(out, tmp_path, options, match):
    refuses(out, match, "text", text_file(tmp_path / "a.txt", "abcde" * 100), **({"context": 4} | options))


def test_a_text_too_large_is_refused(out, tmp_path, monkeypatch):
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(2**26 + 1)
    said = r"^root: .*a\.txt holds 67,108,865 bytes of text, more than 67,108,864; give a part of it"
    refuses(out, said, "text", tmp_path / "a.txt")
    monkeypatch.setattr("twophase.data.text.MAX_SET_BYTES", 300)
    small = text_file(tmp_path / "b.txt", "ab" * 100)
    refuses(out, "^context: contexts of 4 characters, each one of 2, take ", "text", small, context=4)


def test_a_text_that_is_not_there_is_missed_before_it_is_read(tmp_path):
    assert source_missing("text", None) is None
    assert source_missing("text", text_file(tmp_path / "a.txt", "")) is None
    assert source_missing("text", tmp_path) is None
    (tmp_path / "empty").mkdir()
    for root, said in (
        (tmp_path / "none", "does not exist; give a file of text in UTF-8, or a folder of such files, named *.txt"),
        (tmp_path / "empty", "is neither a file nor a folder with files *.txt; give a file"),
    ):
        assert said in source_missing("text", root)
