# make demo and make test are all a newcomer needs: each builds .venv with pinned versions first.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all check format lint types bench bench-growth docs clean

demo: .venv/ready-to-run  ## train a pronouncing dictionary in five minutes and look inside it
	$(BIN)/glassformer demo

test: .venv/ready-to-test  ## every fast test, on both cores
	$(BIN)/python -m pytest -n auto --dist worksteal

test-all: .venv/ready-to-test  ## the slow proofs and the comparisons with other libraries as well
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

bench: .venv/ready-to-run  ## beside six others, each in an environment of its own; BENCH='--threads 2' on a quiet machine
	$(BIN)/python -m benchmarks.run $(BENCH)

bench-growth: .venv/ready-to-test  ## cost as work grows: exponents, and pictures in docs/pictures
	$(BIN)/python -m benchmarks.growth

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Glassformer needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version`. Try: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/ready-to-run: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable .
	touch $@

.venv/ready-to-test: .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[test,dev,docs,tensorboard,exchange]'
	touch $@

docs: .venv/ready-to-test  ## the site: pages that are made from the program, then HTML in site/
	$(BIN)/python docs/make.py
	$(BIN)/zensical build --clean

clean:
	rm -rf .venv .cache build dist site
