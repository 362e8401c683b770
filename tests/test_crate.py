"""`make crate`: what is in the crate of a run, which the profile's own validator finds valid."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from twophase.files import storage
from workflow_runner import REPOSITORY

PACKAGES = Path(sys.prefix) / "crate"
pytestmark = pytest.mark.skipif(not PACKAGES.exists(), reason="needs make tools")
START, SECONDS = 1_700_000_000, (5.0, 90.0)  # of the jobs of the run

VALIDATE = """
import io, json, sys
from pathlib import Path
import requests, rocrate, urllib3

# A machine without a network: the terms of RO-Crate 1.1 are those that ro-crate-py has of a later version.
context = (Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_text()
context = context.replace("https://bioschemas.org/terms/", "https://bioschemas.org/").encode()

def send(adapter, request, **_):
    response = requests.Response()
    known = request.url == "https://w3id.org/ro/crate/1.1/context"
    response.status_code, response.url, response.request = 200 if known else 404, request.url, request
    response.headers["Content-Type"] = "application/ld+json"
    body = io.BytesIO(context if known else b"")
    response.raw = urllib3.HTTPResponse(body, dict(response.headers), response.status_code, preload_content=False)
    return response

requests.adapters.HTTPAdapter.send = send
from rocrate_validator import services
found = services.validate({
    "rocrate_uri": sys.argv[1], "profile_identifier": "workflow-run-crate-0.5", "requirement_severity": "REQUIRED"
})
print(json.dumps([f"{issue.check.identifier}: {issue.message}" for issue in found.get_issues()]))
"""


def python(*arguments) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (PACKAGES, REPOSITORY / "workflow")))}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)


def crate(results: Path, path: Path, config: Path = REPOSITORY / "config/demo.yaml") -> subprocess.CompletedProcess:
    return python(REPOSITORY / "tools/crate.py", config, results, path)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """What a run leaves, of two jobs that ended at START and a minute later."""
    folder = tmp_path_factory.mktemp("results")
    about = storage.provenance("a table", experiment="net", seed=0)
    storage.write_table(folder / "claims.parquet", {"claim": ["one"]}, about)
    storage.write_table(folder / "net/seed0/C.parquet", {"i": [0]}, about)
    for name in ("figures/fig1.png", "claims.html", "net/seed0/trajectory/step-0.safetensors"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"made by the run")
    for i, seconds in enumerate(SECONDS):
        path = folder / f"benchmarks/job{i}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"s\tmax_rss\n{seconds}\t1\n")
        os.utime(path, (START + 60 * i, START + 60 * i))
    return folder


@pytest.fixture(scope="module")
def packed(results, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("crate") / "crate.zip"
    done = crate(results, path)
    assert not done.returncode, done.stderr
    return path


@pytest.fixture(scope="module")
def entities(packed) -> dict[str, dict]:
    with zipfile.ZipFile(packed) as archive:
        graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
    return {entity["@id"]: entity for entity in graph}


def test_the_validator_of_the_profile_finds_it_valid(packed):
    done = python("-c", VALIDATE, packed)
    assert not done.returncode, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_the_validator_would_find_fault(packed, tmp_path):
    """With a crate whose run has no workflow."""
    broken = tmp_path / "crate.zip"
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(broken, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "ro-crate-metadata.json":
                metadata = json.loads(content)
                for entity in metadata["@graph"]:
                    entity.pop("instrument", None)
                    entity.pop("mainEntity", None)
                content = json.dumps(metadata).encode()
            other.writestr(name, content)
    assert json.loads(python("-c", VALIDATE, broken).stdout.splitlines()[-1])


def test_it_holds_workflow_config_tables_and_pages_and_no_checkpoint(packed, results):
    with zipfile.ZipFile(packed) as archive:
        names = set(archive.namelist())
        assert yaml.safe_load(archive.read("config.yaml")) == yaml.safe_load(
            (REPOSITORY / "config/demo.yaml").read_text()
        )
        for name in ("claims.parquet", "net/seed0/C.parquet", "figures/fig1.png", "claims.html"):
            assert archive.read(f"results/{name}") == (results / name).read_bytes()
    assert {"Snakefile", "workflow/rules/train.smk", "envs/requirements.lock", "LICENSE"} <= names
    assert not [name for name in names if name.endswith(".safetensors")]


def test_it_says_when_the_run_was_what_it_took_and_what_it_made(entities):
    run = entities["#run"]
    # The first to begin is the second job: it ended 60 s after the other and took 85 s longer.
    assert run["startTime"] == "2023-11-14T22:12:50+00:00"
    assert run["endTime"] == "2023-11-14T22:14:20+00:00"
    assert run["instrument"] == {"@id": "Snakefile"}
    assert run["object"] == {"@id": "config.yaml"}
    assert {"@id": "results/claims.parquet"} in run["result"]
    assert entities["results/claims.parquet"]["description"] == "a table"
    made_with = {entities[part["@id"]]["name"] for part in entities["Snakefile"]["softwareRequirements"]}
    assert {"Python", "numpy"} <= made_with


def test_a_run_that_is_not_finished_is_named(results, tmp_path):
    (tmp_path / "results").mkdir()
    done = crate(tmp_path / "results", tmp_path / "crate.zip")
    assert done.returncode == 1
    assert "holds no finished run. Finish it first: make figures CONFIG=" in done.stderr
    assert not (tmp_path / "crate.zip").exists()


def test_files_of_networks_come_along_if_they_are_those_of_the_run(results, tmp_path):
    here = shutil.copytree(results, tmp_path / "results")
    (tmp_path / "my nets").mkdir()
    (tmp_path / "my nets/net.py").write_text("def build(**given): ...\n")
    (tmp_path / "config.yaml").write_text("{}")
    digest = hashlib.sha256((tmp_path / "my nets/net.py").read_bytes()).hexdigest()
    models = [{"name": "lenet5"}, {"name": "my nets/net.py:build", "sha256": digest}]
    experiments = {str(k): {"model": model} for k, model in enumerate(models)}
    (here / "config.json").write_text(json.dumps({"run": {"config": {"experiments": experiments}}}))
    done = crate(here, tmp_path / "crate.zip", tmp_path / "config.yaml")
    assert not done.returncode, done.stderr
    with zipfile.ZipFile(tmp_path / "crate.zip") as archive:
        assert archive.read("my nets/net.py") == (tmp_path / "my nets/net.py").read_bytes()
        graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
    (run,) = (entity for entity in graph if entity["@id"] == "#run")
    assert len(run["object"]) == 2

    (tmp_path / "my nets/net.py").write_text("def build(**given): pass\n")
    done = crate(here, tmp_path / "other.zip", tmp_path / "config.yaml")
    assert done.returncode == 1
    assert "net.py is not the one that the networks in" in done.stderr
    assert not (tmp_path / "other.zip").exists()
