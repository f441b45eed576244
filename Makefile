# Every target sets up what it needs and is quick when nothing has changed.
# PYTHON names the interpreter for the virtual environment, PORT the port of the site, VENV the environment's folder,
# WORKERS how many processes run the tests.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin
RUN := $(BIN)/python
CODE := ftplatform training evaluation worker tests benchmarks docs/make_screenshots.py manage.py

PIP := $(RUN) -m pip --disable-pip-version-check -qq install --constraint constraints.txt
export PYTHONUNBUFFERED := 1

CHECKS := check-lint check-types check-architecture check-migrations check-settings

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo run test test-sqlite test-postgresql check $(CHECKS) bench clean-venv

help:
	@echo "make demo        the whole loop on bundled data, then the site (PORT=8000)"
	@echo "make run         the site without demo data"
	@echo "make test        all tests, on SQLite and on PostgreSQL"
	@echo "make check       lint, types, architecture, migrations, deployment settings"
	@echo "make bench       all benchmarks, into var/bench"
	@echo "make clean-venv  remove the virtual environment"

# --- What the targets stand on ----------------------------------------------------------------------------

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed, but $(PYTHON) is $$($(PYTHON) --version 2>&1); name another one with PYTHON=..., for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	    exit 1; }
	@echo "Making the virtual environment $(VENV) with $$($(PYTHON) --version)."
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); echo "The virtual environment could not be made; on Debian and Ubuntu, install python3-venv first." >&2; exit 1; }

# PyTorch first and by itself, so that a build that is already at hand (a CPU build, say) is taken as it is.
$(VENV)/torch.stamp: constraints.txt | $(VENV)/pyvenv.cfg
	@echo "Installing PyTorch."
	@$(PIP) torch
	@touch $@

$(VENV)/worker.stamp: pyproject.toml constraints.txt $(VENV)/torch.stamp
	@echo "Installing ftplatform and its dependencies; the first time this takes a minute or two."
	@$(PIP) --editable ".[worker]"
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt $(VENV)/torch.stamp
	@echo "Installing ftplatform, its dependencies and the tools for development; the first time this takes minutes."
	@$(PIP) --editable ".[worker,dev]"
	@touch $(VENV)/worker.stamp $@

# --- For everybody ----------------------------------------------------------------------------------------

# The site of these two speaks plain HTTP on the loopback address, and goes when make is killed.
demo run: export HTTPS := 0
demo run: export STOP_WITH_PARENT := 1

demo: $(VENV)/worker.stamp
	@$(RUN) manage.py demo

run: $(VENV)/worker.stamp
	@$(RUN) manage.py run

# --- For developers ---------------------------------------------------------------------------------------

test: test-sqlite test-postgresql

# The whole suite runs in WORKERS processes, each with databases and servers of its own; tests/faults, which kills and
# freezes processes, runs after it with nothing beside it. A part that PYTEST names, as in
# `make test-sqlite PYTEST="tests/jobs -k lease"`, runs in one process unless PYTEST itself says `-n 2`.
SPREAD := -n $(WORKERS) --dist worksteal
AGAIN := --last-failed --last-failed-no-failures=none
# With CI set, failed tests run once more, alone: both runs name them, and what fails twice fails.
run-tests = $(RUN) -m pytest $(1) $(if $(CI),|| { echo "Once more what failed:"; $(RUN) -m pytest $(2) $(AGAIN); })
ON_POSTGRESQL := --database=postgresql -m "django_db and not browser and not slow"

test-sqlite: $(VENV)/dev.stamp
	@echo "Testing on SQLite, everything."
ifdef PYTEST
	@$(RUN) -m pytest $(PYTEST)
else
	@$(call run-tests,$(SPREAD) --ignore=tests/faults,--ignore=tests/faults)
	@$(call run-tests,tests/faults,tests/faults)
endif

test-postgresql: $(VENV)/dev.stamp
	@echo "Testing on PostgreSQL, everything that uses the database but the browser and what takes long."
ifdef PYTEST
	@$(RUN) -m pytest $(ON_POSTGRESQL) $(PYTEST)
else
	@$(call run-tests,$(ON_POSTGRESQL) $(SPREAD),$(ON_POSTGRESQL))
endif

# `make -k check` goes on after the first failure; each part can be run alone.
check: $(CHECKS)
$(CHECKS): export VAR_DIR := $(CURDIR)/build/check
$(CHECKS): $(VENV)/dev.stamp

check-lint:
	@echo "Lint."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/djangofmt --check templates

check-types:
	@echo "Types."
	@$(BIN)/mypy $(CODE)

check-architecture:
	@echo "Architecture."
	@$(BIN)/lint-imports
	@$(RUN) -m pytest -q tests/architecture

check-migrations:
	@echo "Migrations."
	@$(RUN) manage.py makemigrations --check --dry-run

check-settings:
	@echo "Settings as deployed."
	@HTTPS=1 SECRET_KEY="$$($(RUN) -c 'import secrets; print(secrets.token_urlsafe(64))')" \
	    $(RUN) manage.py check --deploy --fail-level WARNING

bench: $(VENV)/dev.stamp
	@mkdir -p var/bench
	@for script in $$(ls benchmarks/*.py | grep -v __init__); do \
	    module=$$(basename $$script .py); \
	    echo "Benchmark $$module."; \
	    $(RUN) -m benchmarks.$$module || exit 1; \
	done
	@echo "The whole loop with a real model."
	@$(RUN) -m pytest -m bench

clean-venv:
	rm -rf $(VENV)
