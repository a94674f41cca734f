# Every target does its own set-up and can be run again.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PYTHON := $(VENV)/bin/python
BUILT := $(VENV)/.built
CARGO_SOURCES := $(shell find native Cargo.toml Cargo.lock setup.py pyproject.toml python -name '*.pyx' -o -name '*.rs' -o -name '*.toml' -o -name '*.lock' -o -name setup.py | grep -v /target/)
# Tests run side by side, a file on one worker.
WORKERS ?= 2

.PHONY: help demo test venv lint unit native bench soak fuzz docs clean system

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

system: ## Install the Debian packages that the build and the tests need (as root; else says which)
	@packaging/system.sh

$(PYTHON): | system
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install -q --upgrade pip

$(BUILT): $(PYTHON) $(CARGO_SOURCES)
	@echo "Building into $(VENV): some minutes the first time, seconds later"
	@# The build's own tools live in the venv, so that building again takes seconds.
	$(PYTHON) -m pip install -q 'setuptools>=80' 'Cython>=3.1,<4' 'maturin>=1.9,<2'
	PATH=$(abspath $(VENV))/bin:$$PATH $(PYTHON) -m pip install -q --no-build-isolation -e '.[dev]'
	@touch $@

venv: system $(BUILT) ## Make .venv with the engine built in and every tool

demo: venv ## Start an engine of its own and do the main job before your eyes
	$(PYTHON) -m drayman demo

test: venv lint native ## Run everything that CI runs
	$(PYTHON) -m pytest -n $(WORKERS)
	@# Benches as tests, on one worker: they share names on the host.
	$(PYTHON) -m pytest -q benches
	@# What containers and clients send as archives, for a minute.
	SECONDS_EACH=30 packaging/fuzz.sh tar unpack

lint: venv ## Check style, types and the directions of imports
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/stubtest --allowlist packaging/stubtest.allow drayman._native drayman.stdio.replay
	$(VENV)/bin/lint-imports
	cargo fmt --all --check
	cargo fmt --manifest-path native/fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --manifest-path native/fuzz/Cargo.toml --target-dir target --locked -- -D warnings

native: system ## Run the tests of the Rust crates
	@# In the dev profile, which tells of overflows and needs no linking across crates.
	cargo test --workspace --locked

unit: venv ## Run the tests that need no root
	$(PYTHON) -m pytest -n $(WORKERS) tests/unit tests/api

bench: venv ## Measure beside dockerd and GNU tar; print a table and draw it
	mkdir -p build/bench
	@# Without the options of test runs, which measure nothing.
	$(PYTHON) -m pytest benches -o addopts= --benchmark-only -q --timeout 900 \
	  --benchmark-json=build/bench/run.json --benchmark-columns=median,min,rounds
	$(PYTHON) -m benches.report build/bench/run.json

soak: venv ## Ten minutes of containers that come and go, then a thousand kills of engine and shims
	DRAYMAN_SOAK_SECONDS=$${DRAYMAN_SOAK_SECONDS:-600} $(PYTHON) -m pytest -q -s tests/engine/test_soak.py
	DRAYMAN_CRASH_ROUNDS=1000 DRAYMAN_CRASH_SEED=$${RANDOM} $(PYTHON) -m pytest -q tests/engine/test_crash.py

fuzz: venv ## Fuzz what reads strangers' bytes, one minute each; then ask an engine anything, 20000 times
	packaging/fuzz.sh
	DRAYMAN_FUZZ_REQUESTS=$${DRAYMAN_FUZZ_REQUESTS:-20000} $(PYTHON) -m pytest -q \
	  --hypothesis-profile=thorough tests/engine/test_any_request.py

docs: venv ## Write the manual of the Python packages and the extension to build/docs
	$(VENV)/bin/pdoc --output-directory build/docs drayman

clean: ## Remove what was built
	rm -rf build dist target $(VENV) python/*.egg-info python/drayman/bin
	find python -name '*.so' -delete
