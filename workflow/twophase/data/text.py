"""A text as labelled examples: a context of L characters, and as its label the character that follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twophase.data.imagefolder import MAX_SET_BYTES, SPLITS, Source
from twophase.errors import UserError

# Lewis Carroll, Alice's Adventures in Wonderland, as in the Canterbury corpus, with Unix line ends and without the
# Ctrl-Z that ends it there. It lies here and not in some package so that every installation trains on the same text.
EMBEDDED = Path(__file__).with_name("alice29.txt")
CONTEXT = 32  # characters
PARTS = 5  # of which the last is the test set
MAX_TEXT_BYTES = 2**26


def open_text(root: str | Path | None, context: int | None) -> Source:
    """Cuts a text into pieces of a context and its label, which share no character; the first 4/5 are for training.

    Classes are the characters that occur, in the order of their code points. A context becomes an image of one row,
    uint8 [classes, 1, context], of 255 in the channel of each character and 0 elsewhere: a one-hot vector a position.

    Args:
        root: a file in UTF-8, or a folder whose files *.txt are read in the order of their names; None for the embedded
            text.
        context: characters L of a context; None for `CONTEXT`.

    Raises:
        UserError: there is no such text, or it is damaged, too long, too short, or one character over and over.
    """
    root, length = Path(root or EMBEDDED).expanduser(), context or CONTEXT
    text = _read(root)
    # An example in each part, and two characters to tell apart.
    if len(text) < (needed := PARTS * (length + 1)):
        raise UserError(
            f"root: {root} has {len(text)} characters, too few for contexts of {length}; it takes {needed}: "
            "give a longer text or set `context` to less"
        )
    codes, places = np.unique(np.frombuffer(text.encode("utf-32-le"), np.uint32), return_inverse=True)
    if len(codes) < 2:
        raise UserError(f"root: {root} holds nothing but {text[0]!r}, and what follows is no question; give a text")
    pieces = places[: len(text) // (length + 1) * (length + 1)].reshape(-1, length + 1)
    parts = dict(zip(SPLITS, np.split(pieces, [len(pieces) * (PARTS - 1) // PARTS]), strict=True))

    def read(chosen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if (size := sum(map(len, chosen.values())) * length * len(codes)) > MAX_SET_BYTES:
            raise UserError(
                f"context: contexts of {length} characters, each one of {len(codes)}, take {size / 2**30:.0f} GiB; "
                "set `context` to less, or keep fewer (train_size, test_size)"
            )
        contexts = {split: parts[split][chosen[split], None, None, :-1] for split in SPLITS}
        return {s: np.uint8(255) * (c == np.arange(len(codes))[:, None, None]) for s, c in contexts.items()}

    return [chr(code) for code in codes], {split: part[:, -1] for split, part in parts.items()}, read


def _read(root: Path) -> str:
    """All characters of a file or of the files of a folder, with line ends as on Unix."""
    files = sorted(root.rglob("*.txt")) if root.is_dir() else [root]
    try:
        if (size := sum(file.stat().st_size for file in files)) > MAX_TEXT_BYTES:
            raise UserError(
                f"root: {root} holds {size:,} bytes of text, more than {MAX_TEXT_BYTES:,}; give a part of it"
            )
        return "".join(file.read_text(encoding="utf-8") for file in files)
    except UnicodeDecodeError as error:
        raise UserError(f"root: {root} is not text in UTF-8 ({error}); save it as that") from error
    except OSError as error:
        raise UserError(f"root: {root} cannot be read ({error}); give a file of text") from error
