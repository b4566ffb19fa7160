# make pegasus: pictures from the bundled model. Everything is installed into .venv, once per change of
# pyproject.toml or constraints.txt: the stamp files in .venv remember.

PYTHON ?= python3
ARGS ?=
GPU ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1
BIN := .venv/bin
CREATED := .venv/.created
INSTALLED := .venv/.installed
WITH_CUDA := .venv/.installed-gpu
TESTABLE := .venv/.installed-dev

.PHONY: help install pegasus test check-gpu doctor pages notebook api lint format clean

help:
	@echo "make pegasus   install, then draw the 64 bundled winged horses (ARGS=\"--strip=9\" adds flags)"
	@echo "make install   create .venv and install the project with the tested versions (GPU=1 adds CUDA and cuDNN)"
	@echo "make test      install the test extra, then run pytest, a process a core (ARGS=\"-k slerp\" adds flags)"
	@echo "make check-gpu install the gpu extra, then check that everything works on a GPU; prints a table to paste"
	@echo "make doctor    print versions, processor, GPUs, data and free disk for a bug report; installs nothing"
	@echo "make pages     write explore.html and the gallery as web pages into out/pages"
	@echo "make notebook  write notebooks/pegasus.ipynb from its source, pegasus.md"
	@echo "make api       write docs/api.md from the docstrings"
	@echo "make lint      ruff check and ruff format --check"
	@echo "make format    let ruff fix and format"
	@echo "make clean     remove .venv and caches; runs/ and out/ stay"
	@echo "PYTHON=python3.12 chooses the Python (3.11 or newer), now $(PYTHON)"

install: $(INSTALLED) $(if $(filter-out 0,$(GPU)),$(WITH_CUDA))
	@echo "Installed in .venv, up to date"

pegasus: $(INSTALLED)
	@$(BIN)/python generate.py --blend $(ARGS)

test: $(TESTABLE)
	@$(BIN)/python -m pytest -n auto --maxprocesses=4 --dist loadfile --no-loadscope-reorder $(ARGS)

check-gpu: $(WITH_CUDA)
	@$(BIN)/python -m gpu_check $(ARGS)

doctor:
	@$(firstword $(wildcard $(BIN)/python) $(PYTHON)) -m common.doctor

pages: $(TESTABLE)
	@$(BIN)/python generate.py --explore --out=out/pages
	@$(BIN)/python .ci/pages.py out/pages

notebook: $(TESTABLE)
	@$(BIN)/jupytext --update --to ipynb notebooks/pegasus.md

api: $(TESTABLE)
	@$(BIN)/python .ci/api.py docs/api.md

lint: $(TESTABLE)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(TESTABLE)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is required. Received: $(PYTHON), $$($(PYTHON) --version 2>&1 | tail -n 1)." \
	    "Name another: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@echo "Creating .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv
	@touch $@

$(INSTALLED): $(CREATED) pyproject.toml constraints.txt
	@echo "Installing the project and its requirements into .venv (TensorFlow among them: some minutes)"
	@$(BIN)/python -m pip install -q -c constraints.txt -e .
	@touch $@

$(WITH_CUDA): $(INSTALLED)
	@echo "Installing CUDA and cuDNN into .venv (some 3 GB)"
	@$(BIN)/python -m pip install -q -c constraints.txt -e ".[gpu]"
	@touch $@

$(TESTABLE): $(INSTALLED)
	@echo "Installing the test extra into .venv"
	@$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	@touch $@
