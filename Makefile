# Everything lives in .venv; `make` brings it there. Needs Python 3.11 to 3.13, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo

.DEFAULT_GOAL := help
.PHONY: help setup check demo kernel test test-services lint lock bench gallery notebook screenshots clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready  ## install everything, hash-checked, into .venv

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --build-constraints requirements.lock --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

lock:  ## renew requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --group dev --group build --output-file requirements.lock pyproject.toml

demo: setup  ## the default sweep, its figures, and the line that opens the MLflow UI
	mkdir -p $(DEMO)
	cd $(DEMO) && ../$(BIN)/python -m experiments.train -m 'lr=0.05,0.1,0.5,1.0' 'hidden=2,4,8' 'epochs=1500,10000' 'seed=range(100)' criterion.tolerance=0.1
	cd $(DEMO) && ../$(BIN)/python -m analysis.figures sweep=latest
	@echo
	@echo "Browse the runs:  cd $(DEMO) && ../$(BIN)/python -m experiments.sweeps ui"

check: setup  ## format, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

kernel: setup  # compiled once, or every process of the tests would
	$(BIN)/python -m nn_core.compiled

test: setup  ## that, and all tests that need nothing but Python
	$(MAKE) --no-print-directory -j 2 --output-sync check kernel
	# In one process more than there are cores, for some wait for servers.
	$(BIN)/pytest -m "not services" -n $$($(BIN)/python -c 'import os; print(os.cpu_count() + 1)') --dist loadfile --no-loadscope-reorder

test-services: setup  ## the tests that need PostgreSQL and Chromium, none of which may be skipped
	$(BIN)/pytest -m services

bench: setup  ## speed comparisons, side by side; results into docs/benchmarks.md
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[bench]'
	$(BIN)/python -m benchmarks

gallery: demo  ## renew the pictures of README and docs from the demo's sweep
	mkdir -p docs/gallery
	cp $$(ls -td $(DEMO)/figures/*/ | head -n 1)*.png docs/gallery/

notebook: setup  ## run docs/notebook.ipynb anew, in a folder of its own
	folder=$$(mktemp -d) && cp docs/notebook.ipynb $$folder && $(BIN)/jupyter-execute --inplace $$folder/notebook.ipynb \
	&& sed "s#$$folder#.#g" $$folder/notebook.ipynb > docs/notebook.ipynb; code=$$?; rm -rf $$folder; exit $$code

screenshots: setup  ## renew the pictures of docs/browsing.md, by the tests that look at them in Chromium
	SCREENSHOTS=docs/browsing $(BIN)/pytest -m services tests/experiments/test_browser.py -k small

clean:  ## remove what was made here
	rm -rf $(VENV) $(DEMO) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
