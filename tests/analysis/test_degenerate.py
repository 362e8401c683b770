"""Runs in which nothing happens, or all goes wrong: every claim has a row, and none of them stops the others."""

import warnings

import numpy as np
import pandas as pd
import pytest

from test_claims import SETTINGS, chaos, independent, kernels, switches, world
from twophase.analysis import claims, inflection, scorecard
from twophase.analysis.statistics import Run
