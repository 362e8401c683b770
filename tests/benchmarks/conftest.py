"""Options of `make bench`, one folder of prepared files for the whole run, and what the table says of the machine."""

import os
from importlib.metadata import version

import pytest


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="one round at tiny sizes: does every benchmark run?")
    parser.addoption("--bench-threads", type=int, default=1, help="threads of each side")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    return tmp_path_factory.mktemp("prepared")


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(output_json):
    output_json["versions"] = {name: version(name) for name in ("torch", "torchvision", "numpy")}
    output_json["load"] = os.getloadavg()[0]
