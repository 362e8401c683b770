"""The arithmetic of a machine: device, processor, threads and environment, on which the bits of results depend."""

import contextlib
import os
import platform
from pathlib import Path

import torch

from twophase.data.dataset import Data
from twophase.files import storage

# What can change the arithmetic of a CPU from outside.
VARIABLES = (
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR"),
    *("OMP_DYNAMIC", "OMP_THREAD_LIMIT"),
)
NAMES = ("device", "threads", "processor", "capability", *VARIABLES)  # of `facts`


def facts(data: Data, settings: dict) -> dict:
    """What a file's metadata says of the arithmetic behind it, beside the versions."""
    device = data.mean.device
    return {
        "device": str(device),
        "threads": settings["threads"],
        "processor": torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        **{name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def key(facts: dict) -> str:
    """A digest of settings and machine: what was half done on one machine is not finished on another.

    Args:
        facts: `settings`, a digest, and those of `facts`.
    """
    return storage.digest([facts.get(name) for name in ("settings", *NAMES)])


def _cpu() -> str:
    """The name of this machine's CPU."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def differences(there: dict, here: dict) -> str:
    """A sentence on how two machines differ, by the metadata of files that were written on them."""
    names = [*NAMES, "torch"]
    unlike = [
        f"{name} ({there.get(name, 'not set')} there, {here.get(name, 'not set')} here)"
        for name in names
        if there.get(name) != here.get(name)
    ]
    if unlike:
        return f"What differs: {', '.join(unlike)}."
    return "None of the recorded facts differs (device, threads, processor, its capability, torch); the build may."
