# psmooth in one word each; `make` alone lists them.
# Variables: PYTHON (the Python to use), PORT (of the app), ARGS (passed on to pytest), JOBS (files tested side by side),
# TORCH_INDEX=https://download.pytorch.org/whl/cpu (takes the small CPU build of torch).

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
PORT ?= 7860
JOBS ?= 3
SUITABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

ifndef PYTHON
PYTHON = $(shell for python in python3 python python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c '$(SUITABLE)' 2>/dev/null && { echo "$$python"; break; }; done)
endif

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-network test-gpu lint bench lock clean

help:
	@echo 'make demo    set up and open the app on http://localhost:$(PORT)'
	@echo 'make test    set up and run every test (one of them: make test ARGS=tests/engine/test_bounds.py)'
	@echo 'make test-network    the tests that ask the real Hub: 605 MB are fetched; PSMOOTH_TEST_BANKS names a repository'
	@echo 'make test-gpu        the tests that run on an NVIDIA card'
	@echo 'make lint    check style, format, types and which room imports which'
	@echo 'make bench   measure the speed, print the table and write bench.json'
	@echo 'make lock    renew the hashes of all dependencies: requirements.lock and torch.lock'
	@echo 'make clean   remove the environment and everything that was built'

demo: $(VENV)/.ready-to-run
	$(BIN)/python -m psmooth app --port $(PORT)

test: $(VENV)/.ready-to-test
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-network: $(VENV)/.ready-to-test
	$(BIN)/python -m pytest tests/network -m network $(ARGS)

test-gpu: $(VENV)/.ready-to-test
	$(BIN)/python -m pytest tests/gpu -m gpu $(ARGS)

lint: $(VENV)/.ready-to-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pyright

bench: $(VENV)/.ready-to-test
	$(PIP) install -q -c constraints.txt -e '.[bench]'
	$(BIN)/python -m tests.bench

# One resolution for every platform and Python, in two files: what torch brings for NVIDIA cards is gigabytes, and a
# machine without one takes torch from its own index instead, whose hashes PyPI does not know.
lock: $(VENV)/.ready-to-test
	$(BIN)/python -m uv pip compile requirements.txt -c constraints.txt --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-header --no-annotate --quiet --output-file requirements.all
	awk '/^[a-z]/ {torch = /^(torch|torchvision|triton|nvidia-|cuda-)/} torch' requirements.all > torch.lock
	awk '/^[a-z]/ {torch = /^(torch|torchvision|triton|nvidia-|cuda-)/} !torch' requirements.all > requirements.lock
	rm requirements.all

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache bench.json *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is set up again only when one of these three files is newer than it.
$(VENV)/.ready-to-run: requirements.txt constraints.txt pyproject.toml | $(BIN)/python
	$(if $(TORCH_INDEX),$(PIP) install --extra-index-url $(TORCH_INDEX) -c constraints.txt torch torchvision)
	$(PIP) install -c constraints.txt -r requirements.txt -e .
	-$(PIP) install -c constraints.txt -e '.[fast]' # fast runs, where this system has them
	@touch $@

$(VENV)/.ready-to-test: $(VENV)/.ready-to-run
	$(PIP) install -c constraints.txt -e '.[test,train,nifti,slides,fast,ray]'
	@touch $@

$(BIN)/python:
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
		echo 'psmooth needs Python 3.11 or newer with its venv module, and found none on this machine.' >&2; \
		echo 'Install one (python.org, or your package manager; on Debian and Ubuntu add python3-venv),' >&2; \
		echo 'or name the one to use: make demo PYTHON=/path/to/python3.12' >&2; \
		exit 1; \
	elif ! "$$python" -c '$(SUITABLE)' 2>/dev/null; then \
		echo "psmooth needs Python 3.11 or newer with its venv module; $$python is $$("$$python" --version 2>&1)." >&2; \
		echo 'Name another one: make demo PYTHON=/path/to/python3.12 (on Debian and Ubuntu, python3-venv adds a missing venv).' >&2; \
		exit 1; \
	fi; \
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
