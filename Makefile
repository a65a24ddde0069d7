# make demo [N=1000000]   try it: simulated org, first sync, a table of what arrived
# make test               everything that must hold; fails when anything does not
# make bench              the table of speed and memory
# make torture SEEDS=1-1000   random histories of an org and its replicas, with local edits, with change events
# Needs Python 3.11 or newer. No compiler.

PYTHON ?= python3
N ?= 10000
SEEDS ?= 1-1000
VENV := .venv
BIN := $(VENV)/bin
# What is compiled is kept, whatever the environment says: there are hundreds of processes.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test bench torture lint types compiled unit format clean

demo: $(VENV)/.runtime
	@$(BIN)/salesforce-sync demo --records $(N)

# Two at a time, from the installing on: Debian's packages beside Python's, mypy beside the rest.
test:
	@$(MAKE) --no-print-directory --jobs=2 types lint compiled
	@$(MAKE) --no-print-directory unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/deptry .

types: $(VENV)/.dev
	$(BIN)/mypy

# Compiles the tests once, while mypy has the other processor: each process that runs them would do it for itself.
compiled: $(VENV)/.dev $(VENV)/.debian
	@-$(BIN)/python -m pytest --collect-only --quiet >/dev/null 2>&1

# Half of a test is waiting for another process, and what the tests write is not for keeping: hence more of them than
# processors, and their files in memory where there is room.
unit: $(VENV)/.dev $(VENV)/.debian
	@scratch=$$(sh .ci/scratch-folder) && trap 'rm -rf "$$scratch"' EXIT && \
	    TMPDIR=$$scratch $(BIN)/python -m pytest --numprocesses=4 --dist=worksteal

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

torture: $(VENV)/.dev
	$(BIN)/python -m tests.torture --seeds $(SEEDS) --minimise
	$(BIN)/python -m tests.torture --two-way --seeds $(SEEDS) --minimise
	$(BIN)/python -m tests.torture --events --seeds $(SEEDS) --minimise
	$(BIN)/python -m tests.torture --events --two-way --seeds $(SEEDS) --minimise

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# The stamps below are newer than what they were made from, so that a second `make` starts at once.
# Nothing is compiled by pip: of most packages only a part is ever loaded, and compiled then. hatchling, which
# builds this package, is among what the tests need; without them pip fetches it for the moment.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile

$(VENV)/.dev: requirements-dev.txt requirements.txt pyproject.toml .ci/install-pinned $(BIN)/pip
	@echo "Installing what the tests need into $(VENV) ..."
	@sh .ci/install-pinned $(BIN)/python requirements.txt requirements-dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.runtime $@

# After the environment, for whose making Debian may be asked, too.
$(VENV)/.debian: .ci/install-debian-packages $(BIN)/pip
	@sh .ci/install-debian-packages
	@touch $@

$(VENV)/.runtime: requirements.txt pyproject.toml $(BIN)/pip
	@echo "Installing into $(VENV) ..."
	@$(PIP) -r requirements.txt
	@$(PIP) --no-deps --editable .
	@touch $@

$(BIN)/pip:
	@PYTHON="$(PYTHON)" sh .ci/make-venv $(VENV)
