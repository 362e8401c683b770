"""The GPUs of this machine, and how a job takes one for itself. No torch."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from twophase.errors import UserError
from twophase.runtime import locks

VISIBLE = "CUDA_VISIBLE_DEVICES"
WAIT = 1.0  # seconds between looks at devices that are all taken


def uses_gpu(device: str) -> bool:
    """Whether a job with this `training.device` will run on a GPU of this machine, found out without torch."""
    return device == "cuda" or (device == "auto" and _has_gpu())


@cache  # asks the driver, which takes a while
def _has_gpu() -> bool:
    return bool(visible())


def visible() -> list[tuple[str, str]]:
    """The devices that this process may use: what CUDA_VISIBLE_DEVICES calls each, and the name of its lock.

    Where that variable is set, as by SLURM within an allocation, it decides. Locks are named by UUID where there is
    one, since two allocations on one machine both call their first device 0.
    """
    uuids = _uuids()
    if VISIBLE not in os.environ:
        names = [uuid for group in uuids.values() for uuid in group] or _numbers()
        return [(name, name) for name in names]
    found = []
    for token in os.environ[VISIBLE].replace(" ", "").split(","):
        if not re.fullmatch(r"\d+|(GPU|MIG)-.+", token):
            break  # CUDA ignores what follows
        known = [uuid for group in uuids.values() for uuid in group if uuid.startswith(token)]  # may be abbreviated
        found.append((token, [*uuids.get(token, []), *known, token][0]))
    return found


def _uuids() -> dict[str, list[str]]:
    """UUIDs by the number of the GPU: its own, or those of the parts (MIG) into which it is cut."""
    if not shutil.which("nvidia-smi"):
        return {}
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout
    found = {}
    for line in listed.splitlines():
        if gpu := re.match(r"GPU (\d+):.*\(UUID: ([^)]+)\)", line):
            number, whole = gpu.groups()
            found[number] = [whole]
        elif part := re.match(r"\s+MIG .*\(UUID: ([^)]+)\)", line):
            found[number] = [uuid for uuid in found[number] if uuid != whole] + [part[1]]
    return found


def _numbers() -> list[str]:
    return sorted((path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")), key=int)


def take(share: int = 1) -> None:
    """Leaves one device visible to this process and keeps other jobs off it until this process ends.

    Call it before CUDA is initialised. Waits while all devices are taken, by jobs of any workflow of this user; does
    nothing where there is no device.

    Args:
        share: jobs on one device, if all of them allow so many.
    """
    devices = visible()
    if not devices:
        return
    folder = Path(tempfile.gettempdir()) / f"twophase-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder} is not this user's own folder. Delete it, or set TMPDIR to a folder of yours.")
    waiting = False
    while True:
        for place in range(share):
            for token, name in devices:
                if _lock(folder / name, place, share):
                    os.environ[VISIBLE] = token
                    print(f"on GPU {token}")
                    return
        if not waiting:
            print(f"waiting for a GPU: all that this job may use are taken ({len(devices)})")
            waiting = True
        time.sleep(WAIT)


def _lock(path: Path, place: int, share: int) -> bool:
    """Takes a place on a device: the whole of it if it is not shared."""
    device = locks.hold(path, shared=share > 1)
    if device is None:
        return False
    if share > 1 and locks.hold(path.with_name(f"{path.name}.{place}")) is None:
        os.close(device)
        return False
    return True
