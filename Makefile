# make demo: a run on a real city's traffic.  make test: lint, types, floors, tests.  make bench: costs beside SUMO alone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# For pip. A CPU build of torch: make test PIP_ARGS='--extra-index-url https://download.pytorch.org/whl/cpu'
PIP_ARGS ?=
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(PIP_ARGS)
RUNS := $(VENV)/.runs
TESTS := $(VENV)/.tests
DOCS := $(VENV)/.docs

SEEDS ?= 0

.PHONY: demo test test-long test-cost pytest lint bench docs clean

demo: $(RUNS)
	$(BIN)/cosim run quickstart

# Linters and tests side by side: types are checked while tests wait for SUMO, disks and browsers.
test: $(TESTS)
	+$(MAKE) --no-print-directory --jobs 2 lint pytest

pytest: $(TESTS)
	$(BIN)/pytest -n 2 --dist worksteal

# SEEDS=fresh draws new seeds and prints them.
test-long: $(TESTS) $(DOCS)
	COSIM_TESTS=long SEEDS=$(SEEDS) $(BIN)/pytest -n 2 --dist worksteal -m 'long or counted'

test-cost: $(TESTS)
	PYTHONPATH=tests/support $(BIN)/pytest -q -p cpu_seconds -n 2 --dist worksteal

lint: $(TESTS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(TESTS)
	$(BIN)/python benchmarks/city.py
	$(BIN)/python benchmarks/secured.py
	$(BIN)/python benchmarks/key_sites.py
	$(BIN)/python benchmarks/votes.py
	$(BIN)/python benchmarks/overload.py
	$(BIN)/python benchmarks/candidates.py
	$(BIN)/python benchmarks/driving.py
	$(BIN)/python benchmarks/twin.py
	$(BIN)/python benchmarks/twin_effect.py
	$(BIN)/python benchmarks/placement.py
	$(BIN)/python benchmarks/replay.py
	$(BIN)/python benchmarks/trace.py
	$(BIN)/python benchmarks/envs.py
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/packet_level.py

docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(RUNS): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cosim needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(TESTS): $(RUNS)
	@echo 'Fetching torch, learners, linters and test tools: about 3 GB, or 0.3 GB with a CPU build of torch (see Makefile)'
	$(PIP) --editable '.[dev]'
	touch $@

$(DOCS): $(RUNS)
	$(PIP) --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) runs site
