"""What tells others how to build, check and change this names what there is."""

import re
import tomllib

import pytest
import yaml

import website
from twophase.config import figures
from twophase.config.resolve import resolve
from twophase.report import captions
from workflow_runner import REPOSITORY

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
FORGE = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


def loaded(path: str) -> dict:
    return yaml.safe_load((REPOSITORY / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FORGE, ids=lambda path: path.name)
def test_a_forge_runs_targets_that_there_are(path):
    commands = re.findall(r"- run: make ([a-z-]+)", path.read_text(encoding="utf-8"))
    assert commands
    assert {*commands} <= TARGETS


def test_the_forge_runs_the_two_commands_of_the_first_page():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"^make ([a-z-]+)", readme, re.MULTILINE))
    assert commands == {"figures", "test"}
    assert commands <= set(re.findall(r"run: make ([a-z-]+)", FORGE[-1].read_text(encoding="utf-8")))


def test_a_checker_rebuilds_what_the_example_makes():
    experiments = resolve(loaded("config/demo.yaml"))["experiments"]
    drawn = {f"results/figures/{name}.pdf" for name in figures.FIGURES if figures.shown(experiments, name)}
    manifest = {entry["file"] for entry in loaded("codecheck.yml")["manifest"]}
    assert manifest <= drawn | {"results/claims.parquet", "results/claims.html"}
    assert all(entry["comment"] for entry in loaded("codecheck.yml")["manifest"])


def test_the_image_is_built_from_the_lock_file_by_what_is_there():
    text = (REPOSITORY / "envs" / "Containerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE):
        assert all((REPOSITORY / path).exists() for path in line.split())
    assert {*re.findall(r"RUN make ([a-z-]+)", text)} == {"setup"}  # which installs the lock file
    assert "$(READY): envs/requirements.lock" in MAKEFILE


def test_the_version_has_an_entry_among_the_changes():
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}\n" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_tiny_config_is_whole_and_takes_seconds():
    config = resolve(loaded(".test/config.yaml"))
    assert all(e["training"]["iterations"] <= 24 for e in config["experiments"].values())
    assert config["results"] not in ("results", "results/reference")
    missing = {name for name in figures.FIGURES if not figures.shown(config["experiments"], name)}
    assert missing == {"readings", "side_by_side"}  # which take two


def test_pages_of_the_site_have_no_link_that_leads_nowhere(tmp_path):
    website.stage(tmp_path)
    pages = sorted(tmp_path.rglob("*.md"))
    assert len(pages) > 10
    for page in pages:
        for _, _, target, _ in website.LINK.findall(page.read_text(encoding="utf-8")):
            if target and not re.match(r"\w+:", target):
                assert (page.parent / target).exists(), (page.name, target)


def test_every_document_is_in_the_site_s_list():
    listed = set(re.findall(r": (\S+\.md)$", website.BUILDER, re.MULTILINE))
    documents = {f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")}
    assert documents | {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config/README.md"} <= listed
    assert all((REPOSITORY / path).exists() for path in listed)


def test_a_figure_of_the_site_has_the_caption_of_the_report_beside_it():
    text = captions.page({"fig3": website.with_caption("fig3", resolve(loaded("config/demo.yaml")))})
    assert 'src="figures/fig3.png"' in text
    assert "<strong>The chaos effect.</strong>" in text
    assert "ε of size 1e-07" in text  # of the run, not of the template
    assert "{{" not in text
