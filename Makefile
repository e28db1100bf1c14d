# What a person does with cClear. Each target sets up what it needs first; a second run finds it done.

SHELL := /bin/bash
PYTHON ?= python3
WORKERS ?= 2
ROWS ?= 10M
VENV := .venv
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest
LOCK := $(VENV)/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11
WITHOUT_DJANGO := tests/wire tests/cstor tests/cvu tests/lab tests/bench tests/conformance

# These measure or kill the whole chain: nothing else may run beside them.
WHOLE_CHAIN := tests/test_end_to_end.py tests/test_chaos.py

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run test soak lint bench bench-samples conformance reset lock

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.runs node_modules/.built ## Install what cClear runs on: Python and front-end packages, system libraries
	@scripts/system-packages run

setup-test: setup $(VENV)/.tests ## Install what the tests need beyond that
	@scripts/system-packages test

run: setup ## Start everything on this machine: lab, cVu, two cStor nodes, cClear. Ctrl-C stops it
	@exec $(PY) -m cclear.services -- $(PY) -m cclear.supervise

test: setup-test ## Run every test
	@status=0; \
	$(PYTEST) -n $(WORKERS) $(WITHOUT_DJANGO) || status=1; \
	$(PYTEST) -n $(WORKERS) tests $(addprefix --ignore=,$(WITHOUT_DJANGO) $(WHOLE_CHAIN)) || status=1; \
	$(PYTEST) $(WHOLE_CHAIN) || status=1; \
	exit $$status

soak: setup-test ## Kill nodes hundreds of times, fill disks, flood: the long forms of what make test tries shortly
	$(PYTEST) -m soak --durations=0 tests/soak $(OPTIONS)

lint: $(VENV)/.tests ## Check style, types and migrations
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PY) -m cclear.services -- $(PY) manage.py check
	$(PY) -m cclear.services -- $(PY) manage.py makemigrations --check --dry-run

bench: setup $(VENV)-bench/.done ## Print the tables of benchmarks; OPTIONS=--write keeps them in docs/benchmarks.md
	@scripts/system-packages bench || echo "Going on without them: their rows say so"
	@exec $(PY) -m bench $(OPTIONS)

bench-samples: setup ## Time panels over synthetic samples in a database of its own; ROWS=100M takes 160 GB for a while
	@exec $(PY) -m bench.samples_read --rows $(ROWS)

conformance: setup-test ## Compare with tshark, tcptrace and the lab's truth, and write docs/conformance.md
	@exec $(PY) -m tests.conformance.page

reset: ## Ask, then delete all data (DATA_DIR, by default var/)
	@exec $(PY) -m cclear.services.reset

lock: $(VENV)/.runs ## Lock the packages of requirements.in and requirements-dev.in anew
	@$(PY) -m pip install -qq uv
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt
	$(LOCK) bench/requirements.in -o bench/requirements.txt
	@npm run --silent lock

$(VENV)/.runs: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "cClear needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "Installing the Python packages of requirements.txt ..."
	@$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.tests: requirements-dev.txt $(VENV)/.runs
	@echo "Installing the Python packages of requirements-dev.txt ..."
	@$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# nfstream, to be compared with: its packages are not those of cClear. Without it the benchmark goes on.
$(VENV)-bench/.done: bench/requirements.txt | $(VENV)/.runs
	@echo "Installing nfstream, which the benchmark compares with, into $(VENV)-bench ..."
	@test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip install -qq --disable-pip-version-check --only-binary :all: --require-hashes \
	  -r bench/requirements.txt && touch $@ || echo "nfstream could not be installed: its row will say so"

node_modules/.built: package.json package-lock.json static/build.mjs
	@command -v npm > /dev/null || { echo "cClear needs Node with npm for its pages: install Node 18 or newer"; exit 1; }
	@echo "Installing the front-end packages of package-lock.json ..."
	@npm ci --silent --no-audit --no-fund
	@npm run --silent build
	@touch $@
