# One face for everything; each target is one plain command that also works without make (CONTRIBUTING.md lists them).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCANS ?= 1000
KILLS ?= 200
SEED ?= 1
SEEDS ?= 5

.PHONY: bench-drain bench-many-sites bench-console bench-console-cut soak-console screenshots bench-wire power-loss storm soak chaos help venv demo test lint types layers unit fuzz models bench locks wheel clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

venv: $(VENV)/ready  ## virtual environment with everything for tests and demo

# --no-deps: the lock names every package, and `pip check` sees that none lacks. The pip of Debian 12 would otherwise look past the pin of
# coverage for pytest-cov's `coverage[toml]` and refuse the newest release, which has no hash in the lock.
$(VENV)/ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo 'installing some 90 packages: several minutes the first time, without a word'
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/pip check -q --disable-pip-version-check
	touch $@

demo: $(VENV)/ready  ## simulated scanner, daemon, console and headquarters on this machine; ends by itself with a summary
	$(BIN)/python -m benchmarks.demo

test: $(VENV)/ready lint types layers unit  ## everything that must hold before a change lands

lint: $(VENV)/ready  ## style and likely mistakes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/ready  ## static types, strict
	$(BIN)/mypy

layers: $(VENV)/ready  ## imports point downwards, one home a library
	$(BIN)/lint-imports

unit: $(VENV)/ready  ## every test, with branch coverage of the pure layers
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal --cov --cov-report=term:skip-covered

power-loss: $(VENV)/ready  ## 200 power cuts of the ledger, on a disk that loses what was not synced; figures for FULL and NORMAL
	$(BIN)/python -m tests.integration.power_loss --seeds 200

storm: $(VENV)/ready  ## kill the daemon again and again while scans and poison come in; SCANS=1000 KILLS=200 SEED=1 take up to half an hour
	$(BIN)/python -m benchmarks.storm --scans $(SCANS) --kills $(KILLS) --seed $(SEED)

soak: $(VENV)/ready  ## many small scans through one daemon, memory and descriptors watched; writes benchmarks/results/soak.{json,png}
	$(BIN)/python -m benchmarks.soak $(if $(filter command line,$(origin SCANS)),--scans $(SCANS))

chaos: $(VENV)/ready  ## sites, consoles and headquarters over bad lines, all of them killed and hung; SEEDS=5 writes benchmarks/results/chaos.json
	$(BIN)/python -m benchmarks.chaos --seeds $(SEEDS)

fuzz: $(VENV)/ready  ## five minutes of coverage-guided fuzzing of every parser, and a million hostile messages; what it finds lies in fuzz-found
	OPENCV_LOG_LEVEL=SILENT $(BIN)/python -m tests.hostile.fuzz --seconds 300
	$(BIN)/python -m tests.hostile.frames --count 1000000

bench-drain: $(VENV)/ready  ## headquarters comes back after a month: drain rate, and how soon new rows can be queried; writes benchmarks/results/drain-sqlite.json
	$(BIN)/python -m benchmarks.drain

bench-many-sites: $(VENV)/ready  ## 500 simulated sites on one collector that is killed once; writes benchmarks/results/many_sites-sqlite.json
	$(BIN)/python -m benchmarks.many_sites

bench-wire: $(VENV)/ready  ## from commit to console, one console stopped, the site silent; writes benchmarks/results/wire.json (3 minutes)
	$(BIN)/python -m benchmarks.wire

bench-console: $(VENV)/ready  ## the browser console with 10,000 scans and 20 more a second, in chromium; writes benchmarks/results/console.json
	$(BIN)/python -m benchmarks.console

bench-console-cut: $(VENV)/ready  ## an officer decides on while the line to the site is cut for a minute; writes benchmarks/results/console_cut.json
	$(BIN)/python -m benchmarks.console_cut

soak-console: $(VENV)/ready  ## the same with 1,000 scans opened one after the other
	$(BIN)/python -m benchmarks.console --opened 1000 --out benchmarks/results/soak-console.json

screenshots: $(VENV)/ready  ## the pictures of the console in docs/images, taken anew by its tests from simulated scans
	EDGE_AGENT_SCREENSHOTS=docs/images $(BIN)/pytest -q tests/console/test_console_screenshots.py

models: $(VENV)/ready  ## train and export every default bundle from the simulator (hours)
	$(BIN)/pip install -q --disable-pip-version-check -r requirements/train.txt
	$(BIN)/python -m training.make_models

bench: $(VENV)/ready  ## benchmarks with ratios; writes benchmarks/results/
	$(BIN)/python -m benchmarks.run

locks:  ## rewrite the locked requirements
	$(PYTHON) -m piptools compile -q --generate-hashes --no-emit-options --no-header --strip-extras --allow-unsafe -o requirements/base.txt pyproject.toml
	$(PYTHON) -m piptools compile -q --generate-hashes --no-emit-options --no-header --strip-extras --allow-unsafe --extra agent --extra dicos -o requirements/agent.txt pyproject.toml
	$(PYTHON) -m piptools compile -q --generate-hashes --no-emit-options --no-header --strip-extras --allow-unsafe --extra console -o requirements/console.txt pyproject.toml
	$(PYTHON) -m piptools compile -q --generate-hashes --no-emit-options --no-header --strip-extras --allow-unsafe --extra console --extra postgres --extra report -o requirements/hq.txt pyproject.toml
	$(PYTHON) -m piptools compile -q --generate-hashes --no-emit-options --no-header --strip-extras --allow-unsafe --extra agent --extra dev --extra train -o requirements/dev.txt pyproject.toml

wheel: $(VENV)/ready  ## the package to install
	$(BIN)/python -m build --wheel --no-isolation

offline: wheel  ## all that a workstation without a network is installed from, in dist/offline
	rm -rf dist/offline && mkdir -p dist/offline
	$(BIN)/pip download -q --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/agent.txt -d dist/offline
	cp dist/edge_agent-*.whl requirements/agent.txt dist/offline
	cd dist/offline && sha256sum *.whl agent.txt > SHA256SUMS

clean:  ## remove what was made here
	rm -rf $(VENV) dist build demo-out fuzz-found .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
