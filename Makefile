# make figures       set up, run the embedded example, write the report
# make test          set up, lint, run the tests
# make test-faults  kill the example at every stage, twenty times and more, and damage its files, 10 minutes
# make report        the report of the results that are there
# make reference     keep the tables and figures of results/ as results/reference/$(RUN), for the repository
# make restore       put the kept tables of $(RUN) back into results/: any figure, and the claims, from them without training
# make readme        write the generated parts of the documents anew: tables of results, keys of the config
# make bench         compare the speed with what one would otherwise write, 15 minutes; QUICK=1 only tries it
# make tools         install what tests of pages and of a cluster take: a browser's driver, as root on Debian Chromium and SLURM
# make clean         remove the environment (results stay)

PYTHON ?= python3
CORES ?= all
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One thread for each side: a workflow's job has one, and several jobs share a machine better than one job's threads.
THREADS ?= 1
BENCHMARKS := results/benchmarks$(if $(QUICK),-quick)

.PHONY: figures report reference restore readme test test-faults bench tools lint clean setup
.DEFAULT_GOAL := figures

figures: $(READY)
	$(BIN)/snakemake --cores $(CORES)
	@$(MAKE) --no-print-directory report
	@echo
	@echo "Explorer: results/explorer.html (open it in a browser)"
	@echo "Figures:  results/figures/*.pdf and *.png"
	@echo "Tables:   results/<experiment>/seed<n>/*.parquet and results/phases.parquet"
	@echo "Report:   results/report.html (open it in a browser)"

report: $(READY)
	$(BIN)/snakemake --report results/report.html

# Neither checkpoints, kernels and data, which are large, nor steps on the way.
reference:
	@test -n "$(RUN)" || { echo "Name the run: make reference RUN=demo"; exit 1; }
	rm -rf results/reference/$(RUN)
	mkdir -p results/reference/$(RUN)
	cd results && find . -type d \( -path './*/seed*/blocks' -o -path './*/seed*/forks' -o -path './*/seed*/trajectory' \
		-o -path './*/seed*/kernels' -o -path './*/seed*/fork_barriers' -o -path './*/seed*/linearized' \
		-o -path './*/phases' -o -path ./reference -o -path ./data \) -prune \
		-o -type f \( -name '*.parquet' -o -path './figures/*.png' -o -name trajectory.safetensors \) -print \
		| tar -cf - -T - | tar -xf - -C reference/$(RUN)

# All of one age, so that none is newer than what was made from it. What is quickly made from them is made anew, with the
# config of the day.
restore:
	@test -d "results/reference/$(RUN)" && test -n "$(RUN)" || { echo "Name a run of results/reference: make restore RUN=demo"; exit 1; }
	@cd results/reference/$(RUN) && for name in *; do test ! -e ../../$$name \
		|| { echo "results/$$name is there already. Move it away first, or restore in another clone."; exit 1; }; done
	cd results/reference/$(RUN) && tar -cf - */seed* | tar -xf - -C ../..
	cd results/reference/$(RUN) && find */seed* -type f -exec sh -c 'cd ../.. && touch -r reference "$$@"' touch {} +

readme: $(READY)
	$(BIN)/python tools/readme.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

test: lint
	$(BIN)/python -m pytest -rs -n 2 --dist loadfile --no-loadscope-reorder
	@echo
	@echo "No test failed; above is what each skipped one needs. What they check: tests/, one file for each module and each part of the workflow."

test-faults: $(READY)
	$(BIN)/python -m pytest -s tests/faults --all-kills

# A package of envs/bench.lock that cannot be installed costs its rows, not the run.
bench: $(READY)
	-$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps -r envs/bench.lock
	mkdir -p results
	OMP_NUM_THREADS=$(THREADS) $(BIN)/python -m pytest tests/benchmarks/bench_speed.py -rs \
		--benchmark-columns=median,rounds --bench-threads=$(THREADS) $(if $(QUICK),--quick) \
		--benchmark-json=$(BENCHMARKS).json
	$(BIN)/python tests/benchmarks/report.py $(BENCHMARKS).json $(BENCHMARKS).md

# Tests that lack one of them are skipped.
tools: $(READY)
	@(command -v chromium && command -v slurmctld && command -v munged) >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
			&& apt-get install -y --no-install-recommends chromium slurm-wlm munge; } \
		|| echo "Chromium or SLURM is missing, and only root on Debian can install them here: apt-get install chromium slurm-wlm munge"
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r envs/browser.lock \
		|| echo "Playwright could not be installed (envs/browser.lock)."

setup: $(READY)

$(READY): envs/requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r envs/requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $@

clean:
	rm -rf $(VENV)
