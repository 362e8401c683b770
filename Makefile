# Targets and variables are described behind ##, which is where `make help` reads them.

PYTHON ?= python3
# From the command line only: whatever else has these names in the environment, a make around this one among it, is not
# meant.
RUN =
CONFIG = $(or $(wildcard config/$(RUN).yaml),config/demo.yaml)
CORES ?= all
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One thread for each side: a workflow's job has one, and several jobs share a machine better than one job's threads.
THREADS ?= 1
BENCHMARKS := results/benchmarks$(if $(QUICK),-quick)
# The config's key `results`, on a line of its own.
RESULTS = $(patsubst ~/%,$(HOME)/%,$(or $(shell sed -n "s/^results: *['\"]\{0,1\}\([^'\"\#]*[^'\"\# ]\).*/\1/p" "$(CONFIG)" 2>/dev/null),results))
SNAKEMAKE = $(BIN)/snakemake
CONFIGFILE = --configfile "$(CONFIG)"
export CONFIG RUN
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

.PHONY: help figures report reference restore adopt compare arithmetics crate site readme test test-faults test-slurm \
	test-versions test-kubernetes test-browser bench tools lint clean setup config-there
.DEFAULT_GOAL := help

help: ## this list
	@echo "make TARGET [VARIABLE=value ...]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile
	@awk -F '## ' '/^## / { print $$2 }' Makefile

## CONFIG=config/mnist.yaml   the config of figures, report, reference, restore, adopt, compare and crate; config/demo.yaml if none is named
## CORES=2                    how many cores figures uses; all of them otherwise
## PYTHON=python3.12          the Python that the environment is made with

figures: config-there $(READY) ## train, measure and draw what CONFIG says, then write the report
	$(SNAKEMAKE) --cores $(CORES) $(CONFIGFILE)
	@$(MAKE) --no-print-directory report

report: config-there $(READY) ## one page of all results that are there, figures with captions among them
	@mkdir -p "$(RESULTS)/logs"
	@$(SNAKEMAKE) --report "$(RESULTS)/report.html" $(CONFIGFILE) >"$(RESULTS)/logs/report.log" 2>&1 \
		|| { cat "$(RESULTS)/logs/report.log"; exit 1; }
	@echo "Report:   $(RESULTS)/report.html"

config-there:
	@test ! -f "$$CONFIG" || $(PYTHON) -c 'import os; open(os.environ["CONFIG"], encoding="utf-8").read()' 2>/dev/null \
		|| { echo "$$CONFIG is not text in UTF-8; save it so (iconv -f LATIN1 -t UTF-8, or UTF-16)."; exit 1; }
	@test -f "$$CONFIG" || $(PYTHON) -c 'import difflib, glob, os, sys; name, there = os.environ["CONFIG"], glob.glob("config/*.yaml"); \
		close = difflib.get_close_matches(name, there, 1, 0.4); \
		sys.exit(f"{name} does not exist; " + (f"did you mean {close[0]}?" if close else f"there are {chr(44).join(there)}."))'

# Neither checkpoints, kernels and data, which are large, nor steps on the way, nor what other configs left in folders of
# theirs. The new copy takes the place of the old one when it is whole.
reference: config-there ## keep the tables and figures of CONFIG's results as results/reference/RUN, for the repository
	@case "$$RUN" in "" | *[!A-Za-z0-9_.-]* | [.-]*) \
		echo "Name the run with letters, digits, dots and dashes: make reference RUN=demo"; exit 1;; esac
	@compgen -G "$(RESULTS)/*/seed*" >/dev/null || { echo "$(RESULTS) holds no run to keep."; exit 1; }
	@kept="$(CURDIR)/results/reference" && new="$$kept/.$$RUN.new" old="$$kept/.$$RUN.old" \
		&& rm -rf "$$new" "$$old" && mkdir -p "$$new" && cd "$(RESULTS)" \
		&& find . -type d \( -path './*/*/seed*' -o -path './*/seed*/blocks' -o -path './*/seed*/forks' \
			-o -path './*/seed*/trajectory' -o -path './*/seed*/kernels' -o -path './*/seed*/linearized' -o -path ./reference -o -path ./data \) -prune \
			-o -type f \( -path './*/seed*/*.parquet' -o -path './*.parquet' ! -path './*/*' -o -path './figures/*.png' \
			-o -name trajectory.safetensors \) -print | tar -cf - -T - | tar -xf - -C "$$new" \
		&& { test ! -e "$$kept/$$RUN" || mv "$$kept/$$RUN" "$$old"; } && mv "$$new" "$$kept/$$RUN" && rm -rf "$$old"
	@echo "Kept as results/reference/$$RUN."

# All of one age, so that none is newer than what was made from it. What is quickly made from them is made anew, with the
# config of the day.
restore: config-there ## put the kept tables of RUN back: claims and any figure from them, without training
	@case "$$RUN" in "" | */* | .*) false;; *) test -d "results/reference/$$RUN";; esac \
		|| { echo "Name a run of results/reference: make restore RUN=demo"; exit 1; }
	@cd "results/reference/$$RUN" && for name in *; do test ! -e "$(CURDIR)/$(RESULTS)/$$name" \
		|| { echo "$(RESULTS)/$$name is there already. Move it away first, or restore in another clone."; exit 1; }; done
	@mkdir -p "$(RESULTS)" && cd "results/reference/$$RUN" && tar -cf - */seed* | tar -xf - -C "$(CURDIR)/$(RESULTS)" \
		&& find */seed* -type f -exec bash -c 'cd "$$0" && touch -r "$$1" "$${@:2}"' "$(CURDIR)/$(RESULTS)" "$$PWD/.." {} +
	@echo "Restored into $(RESULTS). Next: snakemake claims fig3 --cores 2 --configfile $(CONFIG)"

adopt: config-there $(READY) ## check results that were copied without their dates, and make them current
	@$(BIN)/python tools/adopt.py "$(RESULTS)"

compare: config-there $(READY) ## hold finished results against the published RUN: which verdicts and intervals differ
	@$(BIN)/python tools/compare.py "$$RUN" "$(RESULTS)"

arithmetics: $(READY) ## run the demo in five arithmetics and hold their verdicts against each other, 20 minutes
	@$(BIN)/python tools/arithmetics.py results/arithmetics "$(if $(filter all,$(CORES)),$$(nproc),$(CORES))"

crate: config-there $(VENV)/crate ## pack CONFIG's finished results, with workflow and provenance, as an RO-Crate
	@PYTHONPATH=$(CURDIR)/$(VENV)/crate $(BIN)/python tools/crate.py "$(CONFIG)" "$(RESULTS)" "$(RESULTS)/crate.zip"
	@echo "Crate:    $(RESULTS)/crate.zip"

# Apart from the environment, which needs none of them.
$(VENV)/crate: envs/crate.lock $(READY)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --upgrade --target $@ -r $<
	@touch $@

site: $(READY) ## write the documents and explorers of all published runs as a static site, site/
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps -r envs/site.lock
	$(BIN)/python tools/website.py site
	@echo "Site:     site/index.html"

readme: $(READY) ## write the generated parts of the documents anew: tables of results, keys of the config
	$(BIN)/python tools/readme.py

lint: $(READY) ## look for mistakes in code and rules without running them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

test: lint ## lint, and all tests but those of the five targets below
	$(BIN)/python -m pytest -rs -n 2 --dist loadfile --no-loadscope-reorder -m "not slurm and not kubernetes and not browser"
	@echo
	@echo "No test failed; above is what each skipped one needs. What they check: tests/, one file for each module and each part of the workflow."

test-faults: $(READY) ## kill the example at every stage, twenty times and more, and damage its files, 10 minutes
	$(BIN)/python -m pytest -s tests/faults --all-kills

test-slurm: $(READY) ## run the workflow on a SLURM cluster of one node, minutes; wants make tools
	$(BIN)/python -m pytest -rs tests/slurm

# All versions of Python from 3.11 on that are on the machine.
test-versions: ## try the least and the newest versions of all packages, each in an environment of its own, an hour
	@$(PYTHON) tools/versions.py results/versions -rs -m "not slurm and not kubernetes and not browser" $(TESTS)

# Apart from the environment, where every start of Snakemake would load them.
test-kubernetes: $(READY) ## run jobs in pods that are processes in empty folders, a minute; wants rsync
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --upgrade --target $(VENV)/kubernetes \
		-r envs/kubernetes.lock
	PYTHONPATH=$(CURDIR)/$(VENV)/kubernetes $(BIN)/python -m pytest -rs tests/pods

test-browser: $(READY) ## open pages and report in Chromium; wants make tools
	$(BIN)/python -m pytest -rs -n 2 --dist loadfile --no-loadscope-reorder tests/browser

# A package of envs/bench.lock that cannot be installed costs its rows, not the run.
bench: $(READY) ## compare the speed with what one would otherwise write, 15 minutes; QUICK=1 only tries it
	-$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps -r envs/bench.lock
	mkdir -p results
	OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m pytest tests/benchmarks/bench_speed.py -rs \
		--benchmark-columns=median,rounds --bench-threads=$(THREADS) $(if $(QUICK),--quick) \
		--benchmark-json=$(BENCHMARKS).json
	$(BIN)/python tests/benchmarks/report.py $(BENCHMARKS).json $(BENCHMARKS).md

# Tests that lack one of them are skipped.
tools: $(VENV)/crate ## install what the last three targets take: a browser's driver, as root on Debian Chromium, SLURM and rsync
	@(command -v chromium && command -v slurmctld && command -v munged && command -v rsync) >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
			&& apt-get install -y --no-install-recommends chromium slurm-wlm munge rsync; } \
		|| echo "Chromium, SLURM or rsync is missing, and only root on Debian can install them here: apt-get install chromium slurm-wlm munge rsync"
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r envs/browser.lock \
		|| echo "Playwright could not be installed (envs/browser.lock)."

setup: $(READY) ## make the environment, .venv

$(READY): envs/requirements.lock pyproject.toml
	@case "$$PWD" in *[[:space:]\'\"\$$\`\&\;\|\<\>\(\)\*\?\[\]\#\!\{\}\\]*) \
		echo "Snakemake cannot start jobs from $$PWD/$(VENV): its path has a space or another sign that a shell reads" \
			"as its own. Move this folder to a path without."; exit 1;; esac
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 1; }
	@echo "Installing the packages of envs/requirements.lock into $(VENV), once"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar off -r envs/requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $@

clean: ## remove the environment (results stay)
	@test ! -e "$(VENV)" || test -f "$(VENV)/pyvenv.cfg" || { echo "$(VENV) is no environment; it stays."; exit 1; }
	rm -rf "$(VENV)"

.DEFAULT:
	@echo "$@ is no target; make help lists them." >&2; exit 1
