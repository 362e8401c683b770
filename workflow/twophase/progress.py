"""A progress bar on the terminal, if there is one, and a line in the log now and then."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator

LOG_EVERY = 20.0  # seconds
TERMINAL = "TWOPHASE_TERMINAL"  # file descriptor of the terminal, kept by `job.logged` when it redirects the output


@contextlib.contextmanager
def bar(total: int, start: int = 0, label: str = "") -> Iterator[Callable[[int, str], None]]:
    """Yields `update(done, note)` for a task of `total` units of which `start` are done."""
    from tqdm import tqdm

    descriptor = int(os.environ.get(TERMINAL, sys.__stderr__.fileno()))
    with os.fdopen(os.dup(descriptor), "w") as terminal:
        shown = tqdm(total=total, initial=start, desc=label, file=terminal, disable=not terminal.isatty(), leave=False)
        last = time.monotonic()

        def update(done: int, note: str = "") -> None:
            nonlocal last
            shown.set_postfix_str(note, refresh=False)
            shown.update(done - shown.n if not shown.disable else 0)
            if time.monotonic() - last >= LOG_EVERY:
                print(f"{label}: {done} of {total} {note}", flush=True)
                last = time.monotonic()

        with shown:
            yield update
