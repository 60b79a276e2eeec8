# Everything that has to be installed is installed here, into a virtual environment of its own.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: help demo test test-core lint docs screenshots bench clean

help:  ## show what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/	/'

$(VENV)/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/dev: $(VENV)/core
	$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/torch: $(VENV)/dev
	$(PIP) --editable '.[torch,dev]'
	@touch $@

demo: $(VENV)/core  ## generated scenes: make some, prune them, show what it cost
	$(BIN)/paring demo --overwrite -o demo

# two processes of one thread each; with two threads each they would fight over two cores
test: $(VENV)/torch  ## all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

test-core: $(VENV)/dev  ## the tests that need no torch
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m 'not torch'

lint: $(VENV)/torch  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/dev  ## the documentation, into site/
	$(BIN)/mkdocs build --strict

screenshots: $(VENV)/torch  ## the pictures of report pages in the docs; needs chromium
	$(BIN)/python docs/screenshots.py docs/assets

bench: $(VENV)/torch  ## the benchmarks that need no data; results go to benchmarks/results
	for file in contour imports train2017 windowed similarity similarity_scale report loading channels; do $(BIN)/python benchmarks/$$file.py || exit 1; done

clean:  ## remove what was made
	rm -rf $(VENV) site demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
