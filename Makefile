# `make book` and `make test` are all a reader needs; both set themselves up from a bare Python 3.11.

PYTHON  ?= python3.11
VENV    := .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
UV      := _build/uv

# One thread per process: results do not depend on the number of cores, and workers do not fight over them.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install book test test-long bench lint format lock clean
.DELETE_ON_ERROR:

help:
	@echo "make book       execute the chapters (what changed) and render the site"
	@echo "make test       the tests, five minutes at most"
	@echo "make test-long  the long checks"
	@echo "make bench      the benchmarks, about five minutes: results/benchmarks.json, read by a chapter"
	@echo "make install    the private environment alone (every other target does it too)"
	@echo "make lint       lint, format, types and import rules, as CI runs them"
	@echo "make format     let ruff mend what it can"
	@echo "make lock       solve the lock again after a change of pins in pyproject.toml"
	@echo "make clean      forget what was built and executed (not the environment)"

install: $(STAMP)

book: $(STAMP)
	@$(BIN)/moelib book

test: $(STAMP)
	@$(BIN)/pytest -m "not long"

test-long: $(STAMP)
	@$(BIN)/pytest -m long

bench: $(STAMP)
	@$(BIN)/python -m benchmarks.checks
	@$(BIN)/python -m benchmarks results/benchmarks.json

lint: $(STAMP)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(STAMP)
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean:
	rm -rf _build

# pip checks hashes for all packages of one call or for none, hence the lock in two steps: docs/decisions/lock.md.
$(STAMP): requirements.lock requirements-torch.lock requirements-cuda.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "This book needs Python 3.11 with its venv module; '$(PYTHON)' is not one. Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) (once) ..."
	@$(BIN)/python -m pip install -qq --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq -r requirements-torch.lock
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check -q
	@touch $@

lock:
	@test -x $(UV)/bin/uv || { $(PYTHON) -m venv $(UV) && $(UV)/bin/pip install -qq uv; }
	@.ci/lock $(UV)/bin/uv
