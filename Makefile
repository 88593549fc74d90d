# make demo: a run on a real city's traffic.  make test: lint, types, floors, tests.  make bench: costs beside SUMO alone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

SEEDS ?= 0

.PHONY: demo test test-long lint bench clean

demo: $(STAMP)
	$(BIN)/cosim run quickstart

test: lint
	$(BIN)/pytest -n 2 --dist worksteal

# SEEDS=fresh draws new seeds and prints them.
test-long: $(STAMP)
	COSIM_TESTS=long SEEDS=$(SEEDS) $(BIN)/pytest -n 2 --dist worksteal -m 'long or counted'

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python benchmarks/city.py
	$(BIN)/python benchmarks/secured.py
	$(BIN)/python benchmarks/twin.py
	$(BIN)/python benchmarks/twin_effect.py
	$(BIN)/python benchmarks/placement.py
	$(BIN)/python benchmarks/replay.py
	$(BIN)/python benchmarks/trace.py
	$(BIN)/python benchmarks/envs.py
	$(BIN)/python benchmarks/engine.py

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cosim needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) runs
