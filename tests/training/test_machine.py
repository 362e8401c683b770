"""What is recorded of the machine behind a result, and how a difference between two is told."""

import pytest
import torch

from helpers import data, settings
from twophase.training import machine

HERE = {"device": "cpu", "threads": 1, "processor": "A", "capability": "AVX2", "torch": "2.6", "commit": "x"}
ALIKE = "None of the recorded facts differs (device, threads, processor, its capability, torch); the build may."


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ({}, ALIKE),
        ({"commit": "y"}, ALIKE),
        ({"device": "cuda:0"}, "What differs: device (cuda:0 there, cpu here)."),
        ({"capability": "AVX512"}, "What differs: capability (AVX512 there, AVX2 here)."),
        (
            {"torch": "2.5", "ONEDNN_MAX_CPU_ISA": "SSE41"},
            "What differs: ONEDNN_MAX_CPU_ISA (SSE41 there, not set here), torch (2.5 there, 2.6 here).",
        ),
    ],
)
def test_what_differs_between_two_machines_is_named(there, expected):
    assert machine.differences(HERE | there, HERE) == expected


def test_the_machine_is_named_with_what_changes_its_arithmetic(monkeypatch):
    for name in machine.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    facts = machine.facts(data(), settings())
    assert facts["device"] == "cpu"
    assert facts["threads"] == settings()["threads"]
    assert facts["capability"] == torch.backends.cpu.get_cpu_capability()
    assert facts["processor"]
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert machine.facts(data(), settings()) == facts | {"ONEDNN_MAX_CPU_ISA": "AVX2"}


def test_half_done_work_is_of_one_machine_and_its_settings():
    here = {"settings": "a", "device": "cpu", "threads": 1, "processor": "X", "capability": "AVX512"}
    keys = [machine.key(here | change) for change in ({}, {"capability": "DEFAULT"}, {"threads": 2}, {"settings": "b"})]
    assert len(set(keys)) == len(keys)
    assert machine.key(here | {"commit": "1", "experiment": "one"}) == keys[0]
