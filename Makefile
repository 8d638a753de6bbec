# `make ask` and `make test` do all their set-up: a virtual environment in .venv, the pinned packages, the weights.
# PYTHON=python3.12 chooses the interpreter (3.11 or newer); the second run finds everything in place.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input install -c constraints.txt
BASE   := $(VENV)/.base-is-installed
DEV    := $(VENV)/.dev-is-installed

IMAGE    ?= evaluation/samples/invoice.png
QUESTION ?= What is the total?

export HF_HUB_DISABLE_TELEMETRY := 1
export ORT_DISABLE_TELEMETRY    := 1

.DEFAULT_GOAL := help
.PHONY: help ask test lint types layers unit bench parity samples weights clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

ask: weights  ## answer the sample question (IMAGE=... QUESTION=...), with the evidence in evidence.png
	$(BIN)/p2g ask "$(IMAGE)" "$(QUESTION)" --evidence evidence.png

test: lint types layers unit  ## lint, types, layers, tests

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)
	$(BIN)/mypy

layers: $(DEV)
	$(BIN)/lint-imports

unit: $(DEV) weights
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

bench: $(DEV) weights  ## where the time goes: import, load, OCR, decide, answer; contexts; the runner; scenes a second
	$(BIN)/python -m evaluation.bench --json runs/bench.json
	$(BIN)/python -m policies.bench_model --json runs/bench_model.json
	$(BIN)/python -m evaluation.bench_runner --json runs/bench_runner.json
	rm -rf runs/bench-scenes
	$(BIN)/python -m policies.data.scenes.shards --out runs/bench-scenes --scenes 120 --workers 1

parity:  ## the original Grounding DINO against transformers', in an environment of its own
	sh experts/groundingdino-original/parity.sh

samples: weights  ## the sample questions in every mode, with intervals and a report
	$(BIN)/p2g bench run samples

weights: $(BASE)  ## fetch the base model of profile nano into the cache, once
	@$(BIN)/p2g weights fetch > /dev/null

clean:  ## remove the environment and what was made; the cache (~/.cache/p2g) stays
	rm -rf $(VENV) build dist runs evidence.png *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "p2g needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(BASE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

# opencv-contrib (wanted by paddlex) overwrites the files of opencv-headless and needs libGL; headless goes on top again.
$(DEV): $(BASE)
	$(PIP) --editable '.[dev]'
	$(PIP) --force-reinstall --no-deps opencv-python-headless
	@touch $@
