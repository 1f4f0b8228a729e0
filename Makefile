# `make` or `make help` lists the targets. Only `make install` needs the network, and only when something changed.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed

# The tools of this project before those of the user, and no other project that the shell is set up for.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# The searches of CLV solve systems of ten equations, for which waking threads takes longer than solving.
export OPENBLAS_NUM_THREADS := 1
unexport PYTHONPATH PYTHONHOME DBT_PROJECT_DIR DBT_PROFILES_DIR DBT_PROFILE DBT_TARGET DBT_TARGET_PATH DBT_LOG_PATH

# Tests and lint look at the project alone, whatever lake and warehouse the shell points at.
OWN_SETTINGS := env -u CX_RAW_PATH -u CX_RAW_FORMAT -u CX_WAREHOUSE_DIR -u CX_PII_KEY -u CX_MEMORY_LIMIT -u CX_THREADS
# dbt parses anew when the warehouse's path differs from the last time: linting in a folder of its own
# leaves the partial parse of the inner loop alone, and never waits for a build that holds the file.
LINT_DIR := target/lint
LINT_SETTINGS := $(OWN_SETTINGS) CX_WAREHOUSE_DIR=$(LINT_DIR) DBT_TARGET_PATH=$(LINT_DIR) DBT_LOG_PATH=$(LINT_DIR)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 12

.PHONY: install
install: $(INSTALLED) ## Create .venv with the pinned versions; PYTHON=... picks the interpreter

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "cx_warehouse needs Python 3.11, 3.12 or 3.13; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another interpreter, for example: make install PYTHON=python3.11"; exit 1; } >&2
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

.PHONY: demo
demo: install ## Build the demo shop into ./warehouse and print where to look
	CX_RAW_PATH='$(CURDIR)/data/demo' CX_RAW_FORMAT=parquet cx build

.PHONY: test
test: lint ## Run every check: lint, then all tests
	@# One worker per core; each builds what its files share. The order is that of conftest.py, longest files first.
	$(OWN_SETTINGS) python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Two linters at a time where make can keep their messages apart (from 4.0 on).
SIDE_BY_SIDE := $(if $(filter output-sync,$(.FEATURES)),--jobs=2 --output-sync)

.PHONY: lint lint-python lint-dbt lint-sql
lint: install ## Check style, types and architecture without running anything
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) lint-python lint-sql

lint-python:
	ruff check .
	ruff format --check .
	mypy

lint-dbt:
	@mkdir -p $(LINT_DIR)
	@# A warning of dbt is a mistake here (a description of no model, a path of no folder); only a full parse
	@# repeats them.
	$(LINT_SETTINGS) dbt --quiet --warn-error --no-partial-parse parse
	$(LINT_SETTINGS) COLUMNS=200 dbt-bouncer run --show-all-failures

# after dbt, whose parse it reads
lint-sql: lint-dbt
	$(LINT_SETTINGS) python .ci/lint_sql.py lint --processes 2 $(wildcard models analyses tests/dbt)

.PHONY: bench
bench: install ## Measure a full build against copying its raw tables: SIZE=S|M|L (DAY=1: one more day) or ORDERS=...; RUNS=...; EXCLUDE='model+ ...'
	python benchmarks/bench.py $(if $(SIZE),--size $(SIZE)) $(if $(DAY),--day) $(if $(ORDERS),--orders $(ORDERS)) $(if $(RUNS),--runs $(RUNS)) $(if $(EXCLUDE),--exclude $(EXCLUDE))

.PHONY: bench-clv
bench-clv: install ## Measure the fit and score of CLV, with lifetimes beside it; RUNS=...
	python benchmarks/bench_clv.py $(if $(RUNS),--runs $(RUNS))

.PHONY: splits
splits: install ## Compare builds of a lake that arrives in parts with builds at once; N=cases, SEED=first, KILLS=...
	$(OWN_SETTINGS) python tests/python/splits.py --cases $(or $(N),10) --seed $(or $(SEED),1) --kills $(or $(KILLS),0)

.PHONY: clean
clean: ## Remove what tools leave behind; .venv and warehouse/ stay
	rm -rf target logs .pytest_cache .mypy_cache .ruff_cache benchmarks/results
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
