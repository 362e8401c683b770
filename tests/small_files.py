"""Small files of results for tests: what writes one of each kind, what is in one, and what a killed write leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from twophase.files import storage

FILES = {
    ".safetensors": lambda path: storage.write_tensors(
        path, {"x": np.arange(9, dtype=np.float32), "name": np.array(3)}, {"seed": "1", "trainable": ["x"]}
    ),
    ".parquet": lambda path: storage.write_table(
        path, {"i": np.arange(5), "value": np.linspace(0, 1, 5)}, {"seed": "1", "definition": "C"}
    ),
}


def content(path: Path):
    """All that a job gets from a file."""
    if path.suffix == ".parquet":
        table = storage.read_table(path)
        return table.to_dict("list"), table.attrs
    return {name: array.tolist() for name, array in storage.read_tensors(path).items()}, storage.read_metadata(path)


def killed_while_writing(path: Path) -> None:
    """What a process leaves that is killed while it writes a file."""
    code = (
        "import os, signal, sys; from twophase.files import storage\n"
        "with storage.atomic(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, path], env=environment)
    assert done.returncode == -signal.SIGKILL
