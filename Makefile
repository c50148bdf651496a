# make            lint, types and all tests (the same as make test)
# make run        a daemon and a real Exim with example mails; ONCE=1: exit afterwards
# make bench      queries/s and CPU beside the limit;  make soak: the long fault loops
# Everything installs what it needs by itself: a venv in .venv, Debian packages where one is missing.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
DEBIAN := exim4-daemon-light exim4-config util-linux gcc libc6-dev make

.PHONY: test run bench soak lint types docs format build clean setup debian

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(SUDO) $(BIN)/python -m pytest $(PYTEST_ARGS)

run: setup
	$(SUDO) $(BIN)/python -m tests.lab.demo $(if $(ONCE),--once)

bench: setup
	$(BIN)/python -m bench

soak: setup
	$(SUDO) $(BIN)/python -m pytest -m soak $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup
	$(BIN)/python -m eximacl.config.docs
	$(BIN)/python -m eximacl.cli.reference

build: setup
	$(BIN)/python -m build

setup: $(VENV)/.installed debian

$(VENV)/.installed: pyproject.toml tests/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11"; exit 1; }
	[ -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV) || { $(SUDO) apt-get update && $(SUDO) apt-get install -y python3-venv && $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/pip install -qq --disable-pip-version-check --constraint tests/constraints.txt --editable '.[test]'
	touch $@

# The daemon of Debian's package is not started: the tests and the demo run their own Exim, with its own files.
debian:
	@for command in /usr/sbin/exim4 update-exim4.conf unshare gcc; do \
	  command -v $$command >/dev/null || missing=yes; done; \
	if [ -n "$$missing" ]; then echo "Installing with apt-get: $(DEBIAN)"; \
	  $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEBIAN); fi

clean:
	$(SUDO) rm -rf var build dist *.egg-info .coverage .hypothesis .pytest_cache .mypy_cache .ruff_cache
