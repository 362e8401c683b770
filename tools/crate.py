"""A finished run as an RO-Crate, by the profile Workflow Run Crate 0.5; `make crate`.

    python tools/crate.py CONFIG RESULTS CRATE.zip

It holds the workflow, the config and the files of networks that it names, tables, figures, pages, the report if there
is one, and time and memory of each job. Checkpoints, kernels and data sets, which are large, stay out: the workflow
makes them anew.
"""

import json
import mimetypes
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import yaml
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from twophase.errors import UserError
from twophase.files import storage
from twophase.networks import own
from twophase.runtime import guard

REPOSITORY = Path(__file__).parents[1]
WORKFLOW = ("Snakefile", "workflow", "config", "profiles", "envs", "pyproject.toml", "Makefile", "README.md", "LICENSE")
KEPT = ("*.parquet", "*/phases/*.parquet", "*/seed*/*.parquet", "figures/*", "*.html", "*/*.html", "calibration.json")
mimetypes.add_type("application/vnd.apache.parquet", ".parquet")
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
LICENCE = "https://spdx.org/licenses/MIT"


def main(config: str, results: str, path: str) -> None:
    """Writes the crate of the finished run of a config.

    Raises:
        UserError: the run is not finished, or the file of a network is not that of the run.
    """
    results, benchmarks = Path(results), sorted(Path(results, "benchmarks").rglob("*.tsv"))
    if not (results / "claims.parquet").exists() or not benchmarks:
        raise UserError(f"{results} holds no finished run. Finish it first: make figures CONFIG={config}")
    crate = ROCrate(version="1.1")  # which the profile builds on
    workflow = add_workflow(crate)
    used = [add_file(crate, config, "config.yaml", "application/yaml", "the config of the run")]
    used += [add_file(crate, file, name, "text/x-python", "networks") for file, name in own_networks(config, results)]
    made = [add_file(crate, file, f"results/{name}", kind, what) for file, name, kind, what in products(results)]
    add_action(crate, workflow, used, made, results, benchmarks)
    with storage.atomic(path) as part, tempfile.TemporaryDirectory() as folder:
        crate.write_zip(Path(folder) / "crate.zip")
        shutil.move(Path(folder) / "crate.zip", part)


def add_workflow(crate: ROCrate):
    """The tracked files of the workflow, the description of the crate, and how both were published."""
    about = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    tracked = subprocess.check_output(["git", "ls-files", "-z", *WORKFLOW], cwd=REPOSITORY, text=True).split("\0")
    for name in filter(None, tracked):
        if name != "Snakefile":
            add_file(crate, REPOSITORY / name, name, mimetypes.guess_type(name)[0] or "text/plain", "of the workflow")
    workflow = crate.add_workflow(REPOSITORY / "Snakefile", "Snakefile", main=True, lang="snakemake")
    workflow["name"], workflow["version"], workflow["license"] = about["title"], about["version"], {"@id": LICENCE}
    (author,) = about["authors"]
    author = crate.add(ContextEntity(crate, "#authors", {"@type": "Organization", "name": author["name"]}))
    workflow["encodingFormat"] = "text/plain"
    crate.get("README.md")["about"] = crate.root_dataset
    workflow["author"] = workflow["creator"] = author
    papers = [
        crate.add(ContextEntity(crate, paper["url"], {"@type": "ScholarlyArticle", "name": paper["title"]}))
        for paper in about["references"]
    ]
    crate.add(ContextEntity(crate, LICENCE, {"@type": "CreativeWork", "name": "MIT License", "url": LICENCE}))
    root = crate.root_dataset
    root["name"] = f"A run of {about['title']}"
    root["description"] = "Tables, figures and verdicts on the papers' claims, with their workflow and config."
    root["license"], root["author"], root["publisher"], root["citation"] = {"@id": LICENCE}, author, author, papers
    root["datePublished"] = datetime.now(UTC).isoformat(timespec="seconds")
    root["conformsTo"] = [
        crate.add(ContextEntity(crate, url, {"@type": "CreativeWork", "name": name, "version": url.rpartition("/")[2]}))
        for url, name in PROFILES.items()
    ]
    return workflow


def own_networks(config: str, results: Path) -> list[tuple[Path, str]]:
    """The files of networks of the user's own that a run used, with their paths as seen from the config."""
    os.environ[own.FOLDER] = str(Path(config).absolute().parent)
    path = results / guard.RECORD
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    models = [e["model"] for e in record.get("run", {}).get("config", {}).get("experiments", {}).values()]
    found = {}
    for model in (model for model in models if "sha256" in model):
        file = own.path_of(model["name"])
        if own.sha256(model["name"]) != model["sha256"]:
            raise UserError(f"{file} is not the one that the networks in {results} are of. Put that back.")
        there = file.is_relative_to(os.environ[own.FOLDER])
        found[file] = file.relative_to(os.environ[own.FOLDER]).as_posix() if there else file.name
    return [*found.items()]


def products(results: Path) -> Iterator[tuple[Path, str, str, str]]:
    """Every file of a run to keep: where it is, its path in the results, its kind, and what it is."""
    for path in sorted({path for pattern in (*KEPT, "benchmarks/**/*.tsv") for path in results.glob(pattern)}):
        name, kind = path.relative_to(results).as_posix(), mimetypes.guess_type(path)[0]
        if path.suffix == ".parquet":
            yield path, name, kind, storage.read_metadata(path)["definition"]
        elif path.suffix == ".tsv":
            yield path, name, kind, "time and memory of a job, as Snakemake measured them"
        else:
            yield path, name, kind, f"{'figure' if path.parent.name == 'figures' else 'page'} {path.stem}"


def add_file(crate: ROCrate, path: str | Path, name: str, kind: str, what: str):
    size = str(Path(path).stat().st_size)
    return crate.add_file(path, name, properties={"encodingFormat": kind, "description": what, "contentSize": size})


def add_action(crate: ROCrate, workflow, used: Sequence, made: Sequence, results: Path, benchmarks: Sequence[Path]):
    """The run itself: when it began and ended, what it took and made, and on what it ran."""
    ends = {path: path.stat().st_mtime for path in benchmarks}
    began = min(end - pd.read_csv(path, sep="\t")["s"].iloc[0] for path, end in ends.items())
    facts = storage.read_metadata(results / "claims.parquet")
    action = {
        "@type": "CreateAction",
        "name": "The run of the workflow",
        "instrument": workflow,
        "object": used if len(used) > 1 else used[0],  # as JSON-LD in its compact form has it
        "result": made,
        "startTime": datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        "endTime": datetime.fromtimestamp(max(ends.values()), UTC).isoformat(timespec="seconds"),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "description": f"Commit {facts['commit']} of the workflow, on {platform.system()}, {platform.machine()}.",
        "agent": workflow["author"],
    }
    crate.root_dataset["mentions"] = crate.add(ContextEntity(crate, "#run", action))
    workflow["softwareRequirements"] = [
        crate.add(
            ContextEntity(crate, url, {"@type": "SoftwareApplication", "name": name, "version": version, "url": url})
        )
        for name, version, url in software(results)
    ]


def software(results: Path) -> Iterator[tuple[str, str, str]]:
    """Name, version and page of what the tables were made with."""
    yield "Python", platform.python_version(), "https://www.python.org/"
    found = {}
    for path in sorted(results.glob("*/seed*/C.parquet")):
        found |= storage.read_metadata(path)
    for name in ("numpy", "torch"):
        if name in found:
            yield name, found[name], f"https://pypi.org/project/{name}/{found[name].partition('+')[0]}/"


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
