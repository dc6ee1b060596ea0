# Everything runs from .venv, which is made on first use from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Bytecode is kept, whatever the environment says: else every process of a run would compile the tests and the packages.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

BUDGET ?= 2M
TRIALS ?= 8

.PHONY: hpo check brief docs test servers ui lint verify
.DELETE_ON_ERROR:

hpo: $(VENV)/.installed
	PATH="$(CURDIR)/$(BIN):$$PATH" MLFLOW_DISABLE_TELEMETRY=true mlflow run . -e hpo -P budget=$(BUDGET) -P trials=$(TRIALS) --env-manager local

check: $(VENV)/.test-installed
	$(MAKE) --no-print-directory --jobs 2 lint brief

brief: $(VENV)/.test-installed
	$(PYTEST) -m "not slow" --hypothesis-profile few

test: $(VENV)/.test-installed
	$(PYTEST) --numprocesses 3

servers: $(VENV)/.test-installed
	$(PYTEST) --numprocesses 3 tests/servers

lint: $(VENV)/.test-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.docs-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

ui: $(VENV)/.installed
	$(BIN)/patchscale ui

verify: $(VENV)/.installed
	$(BIN)/patchscale verify

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "patchscale needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

$(VENV)/.docs-installed: $(VENV)/.installed
	$(PIP) -e '.[docs]'
	touch $@

$(VENV)/.test-installed: $(VENV)/.installed
	$(PIP) -e '.[docs,test]'
	touch $@
