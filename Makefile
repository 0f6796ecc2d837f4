# make demo: set up, render a walk, say where the GIF is.   make test: set up, all fast tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# OpenAI's vocabulary, which KerasCV would download: ours is compared with KerasCV's tokenizer.
VOCABULARY := $(VENV)/.vocabulary
# Torch and diffusers, with which our pictures of checkpoints are compared: apart from TensorFlow.
JUDGE := .venv-judge

# An environment whose Python is gone, as after an update of the system, is made anew.
ifneq ($(wildcard $(READY)),)
ifneq ($(shell $(BIN)/python -c 'print("alive")' 2>/dev/null),alive)
$(shell rm -f $(READY))
endif
endif

CHOSEN ?=
.PHONY: help setup demo test test-installed test-slow test-cluster test-parity check format ui clean

help:
	@echo "make demo       set up and render the first walk"
	@echo "make test       set up and run all fast tests"
	@echo "make test-installed  build the wheel, install it into a new environment, render in an empty folder"
	@echo "make ui         open the web UI"
	@echo "make check      lint, types, walls between the rooms"
	@echo "make test-slow  the slow tests: kill -9, full disks, the web UI, S3, the training pipeline"
	@echo "make test-cluster  workers, Redis and PostgreSQL that are killed: 3 minutes; needs redis-server and postgresql"
	@echo "make test-parity  Stable Diffusion's real architecture against KerasCV and diffusers: 9 GB, an hour or more"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || \
	  { echo "There is no $(PYTHON) here. Name a Python from 3.10 to 3.13: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "$(PYTHON) is not a Python from 3.10 to 3.13. Name one: make PYTHON=python3.12 ..."; exit 2; }
	@$(BIN)/python -c '' 2>/dev/null || rm -rf $(VENV)
	@echo "Setting up $(VENV): TensorFlow and Dagster are some 3 GB on the disk, the first time takes minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

$(VOCABULARY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps open_clip_torch
	@touch $(VOCABULARY)

demo: setup
	$(BIN)/latent-assets render demo-strawberry-to-sunflower

test: $(VOCABULARY)
	$(BIN)/python -m pytest -q -m "not slow"

test-slow: setup
	$(BIN)/python -m pytest -q -m "slow and not parity and not cluster"

# CHOSEN: of these tests, as -k of pytest has it.
test-cluster: setup
	$(BIN)/python -m pytest -q -m cluster -k "$(CHOSEN)"

$(JUDGE)/.ready: judge-constraints.txt
	$(PYTHON) -m venv $(JUDGE)
	$(JUDGE)/bin/python -m pip install --quiet --disable-pip-version-check -r judge-constraints.txt
	@touch $(JUDGE)/.ready

test-parity: $(VOCABULARY) $(JUDGE)/.ready
	$(BIN)/python -m pytest -q -m parity --timeout 3600

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# As a user installs it: a wheel, a new environment, an empty folder.
test-installed: setup
	rm -rf build/wheel && $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w build/wheel .
	bash scripts/try_installed.sh $(PYTHON) build/wheel/*.whl

ui: setup
	$(BIN)/latent-assets ui

clean:
	rm -rf $(VENV) $(JUDGE) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
