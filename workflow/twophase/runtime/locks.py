"""Locks that die with the process that holds them, however it ends. No torch."""

import errno
import fcntl
import os
import socket
import time
from pathlib import Path

from twophase.errors import UserError

RUN = ".lock"  # in the folder of the results
UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}  # a file system without locks guards nothing


def hold(path: str | Path, shared: bool = False) -> int | None:
    """Locks a file until this process ends or closes the descriptor.

    Args:
        shared: others may hold it as well, if they share it too.

    Returns:
        the descriptor, or None where another process has the lock.

    Raises:
        OSError: among others, the file is a link, which is not followed.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    return descriptor


def start_run(results: str | Path) -> None:
    """Keeps other runs out of the folder of results until this process and all of its jobs have ended.

    Raises:
        UserError: another run, or a job that a killed one left behind, is at work; or the folder cannot be written to.
    """
    path = _of(results)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = hold(path)
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {time.ctime()}".encode())
            os.close(descriptor)
            descriptor = hold(path, shared=True)
    except OSError as error:
        raise UserError(
            f"{results} cannot be written to ({error}). Make it writable, or set another `results`."
        ) from error
    if descriptor is None:
        raise UserError(
            f"Another run is writing to {results}: {path.read_text()}, or a job that it left behind when it was "
            "killed. Wait until it has ended, or end it, and run the same command again."
        )


def start_job(results: str | Path) -> None:
    """Lets no new run begin while this process, a job of the present one, is alive.

    A job that a cluster starts in an empty folder, to fetch and send what it needs, makes the folder of results.
    """
    path = _of(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    hold(path, shared=True)


def _of(results: str | Path) -> Path:
    """The lock of a folder of results, which somebody else may have made."""
    path = Path(results) / RUN
    if path.is_symlink():
        raise UserError(f"{path} is a link, which no run of this workflow makes. Delete it.")
    return path
