# make demo and make test are all a newcomer needs: each builds .venv with pinned versions first.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all check format lint types bench docs clean

demo: .venv/ready-to-run  ## train a pronouncing dictionary in five minutes and look inside it
	$(BIN)/glassformer demo

test: .venv/ready-to-test  ## every fast test, on both cores
	$(BIN)/python -m pytest -n auto --dist worksteal

test-all: .venv/ready-to-bench  ## the slow proofs and the comparisons with other libraries as well
	$(BIN)/python -m pytest -m "" -n auto --dist worksteal --timeout 3600

check: lint types test  ## what must pass before a change is offered

format: .venv/ready-to-test
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lint: .venv/ready-to-test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/codespell

types: .venv/ready-to-test
	$(BIN)/mypy

bench: .venv/ready-to-bench  ## training and decoding beside torch.nn.Transformer and Hugging Face Marian
	$(BIN)/python benchmarks/run.py

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Glassformer needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version`. Try: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/ready-to-run: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable .
	touch $@

.venv/ready-to-test: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[test,dev,docs,tensorboard]'
	touch $@

.venv/ready-to-bench: .venv/ready-to-test
	$(INSTALL) --editable '.[test,dev,docs,tensorboard,bench]'
	touch $@

docs: .venv/ready-to-test  ## the site: pages that are made from the program, then HTML in site/
	$(BIN)/python docs/make.py
	$(BIN)/zensical build --clean

clean:
	rm -rf .venv .cache build dist site
