"""Makes `twophase` importable in whatever environment Snakemake runs a script, installed or not."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
