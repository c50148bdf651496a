# make check      lint, types and the tests that need neither root, nor Exim, nor a network: a minute, as any user
# make            lint, types and all tests (the same as make test)
# make help       this text
# make run        a daemon and a real Exim with example messages; ONCE=1: exit afterwards
# make heavy      exim4-daemon-heavy below var/, which the tests run beside the installed Exim (part of make test);
#                 make test EXIM=heavy: all tests with it
# make bench      queries/s and CPU beside the limit;  make soak: the long fault loops
# make soak-lists lists that a job rewrites badly, under queries, for an hour (SECONDS=3600 RATE=500 queries/s)
# make deb        the Debian package, in build/;  make deb-test: lintian, and its whole life in Debians of its own;
#                 make deb-test RELEASES="trixie trixie-backports": in these (by default 12, 13, and from 12 to 13)
# All but `make check` install what they need: a venv in .venv, and Debian packages where one is missing.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
HEAVY  := var/heavy
PYTEST := $(if $(EXIM),env EXIMACL_LAB_EXIM=$(EXIM)) $(BIN)/python -m pytest
CORES  := $(shell getconf _NPROCESSORS_ONLN)
# All tests together wait half of the time for other processes. 0: one after the other, in this process.
JOBS   ?= $(shell expr 2 '*' $(CORES))
DEBIAN := exim4-daemon-light exim4-config util-linux iproute2 gcc libc6-dev systemd groff-base jq procps python3-venv

.PHONY: readable help test check run bench soak soak-lists lint types docs format build clean setup setup-python debian heavy deb deb-test

# A file's tests stay together, since they share a fixture; what measures time has the machine for itself afterwards.
test: setup readable heavy lint types
	$(SUDO) $(PYTEST) -m "not quiet" --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)
	$(SUDO) $(PYTEST) -m quiet $(PYTEST_ARGS) || [ $$? = 5 ]  # 5: PYTEST_ARGS has chosen none of these

check: lint types
	$(BIN)/python -m pytest -m "not (needs_root or needs_exim or needs_network or quiet)" \
	  --numprocesses $(or $(filter 0,$(JOBS)),$(CORES)) --dist worksteal $(PYTEST_ARGS)

help:
	@sed -n 's/^# //p; /^$$/q' $(firstword $(MAKEFILE_LIST))

# Exim's own user reads the snippets from here.
readable: debian
	@$(SUDO) setpriv --reuid=Debian-exim --regid=Debian-exim --clear-groups test -r '$(CURDIR)/exim-snippets/macros' || { \
	  echo "Exim's user cannot read $(CURDIR): move the checkout to where other users can read it, not in /root"; exit 1; }

run: setup readable
	$(SUDO) $(BIN)/python -m tests.lab.demo $(if $(ONCE),--once)

bench: setup
	$(SUDO) $(BIN)/python -m bench

soak: setup readable heavy
	$(SUDO) $(PYTEST) -m soak $(PYTEST_ARGS)

soak-lists: setup
	$(SUDO) $(BIN)/python -m tests.lab.bad_jobs --seconds $(or $(SECONDS),3600) --rate $(or $(RATE),500)

lint: setup-python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-python
	$(BIN)/mypy

format: setup-python
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup-python
	$(BIN)/python -m tools.option_docs
	$(BIN)/python -m tools.cli_reference

build: setup-python
	$(BIN)/python -m build

# In a copy, without what .gitignore names: nothing is left in the tree.
deb:
	@{ command -v dpkg-buildpackage && dpkg-checkbuilddeps; } >/dev/null 2>&1 || $(call apt,build-dep ./)
	rm -rf build/deb
	mkdir -p build/deb/eximacl
	sed 's,/$$,,' .gitignore | tar -c --exclude-vcs --exclude-from=- . | tar -x -C build/deb/eximacl
	cd build/deb/eximacl && env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 \
	  DEB_BUILD_OPTIONS="$(DEB_BUILD_OPTIONS)" dpkg-buildpackage --unsigned-source --unsigned-changes --build=binary
	rm -f build/eximacl_*
	mv build/deb/eximacl_* build/
	rm -rf build/deb
	@ls build/eximacl_*.deb

deb-test: deb
	@for command in lintian debootstrap systemd-nspawn unshare; do \
	  command -v $$command >/dev/null || missing=yes; done; \
	if [ -n "$$missing" ]; then $(call apt,install lintian debootstrap systemd-container util-linux); fi
	$(SUDO) env RELEASES="$(RELEASES)" tests/debian/try-build build/eximacl_*_all.deb
	$(SUDO) env RELEASES="$(RELEASES)" tests/debian/try-package build/eximacl_*_all.deb

setup: debian setup-python

setup-python: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml tests/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	[ -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --disable-pip-version-check --constraint tests/constraints.txt --editable '.[test]'
	@touch $@

debian:
	@for command in /usr/sbin/exim4 update-exim4.conf unshare ip gcc systemd-analyze groff jq ps; do \
	  command -v $$command >/dev/null || missing=yes; done; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || missing=yes; \
	if [ -n "$$missing" ]; then $(call apt,install $(DEBIAN)); fi

# The package is only unpacked, since to install it would remove exim4-daemon-light. What it depends on is installed, and
# nothing upgraded. The directory is root's alone: it has a set-uid program that no security upgrade reaches.
heavy: debian
	@$(SUDO) test -x $(HEAVY)/usr/sbin/exim4 || { $(fetch_heavy); }

define fetch_heavy
  echo "Getting exim4-daemon-heavy with apt-get, into $(HEAVY)"; new=$(HEAVY).new; \
  $(SUDO) rm -rf $$new && $(SUDO) install -d -m 700 $$new && \
  $(SUDO) sh -ec "cd $$new; { apt-get update -qq && apt-get download -qq exim4-daemon-heavy; } >log 2>&1 \
    || { cat log; exit 1; }; dpkg-deb -x *.deb .; chmod 700 ." && \
  needs=$$($(SUDO) sh -c "dpkg-deb -f $$new/*.deb Depends" | tr , '\n' | sed -E 's/^ *([^ |(]+).*/\1/' | tr '\n' ' ') && \
  $(call apt,install --no-upgrade $$needs) && \
  { $(SUDO) $$new/usr/sbin/exim4 -C /dev/null -bV >/dev/null 2>&1 || { echo "$$new/usr/sbin/exim4 does not run:"; \
    $(SUDO) $$new/usr/sbin/exim4 -C /dev/null -bV; exit 1; }; } && \
  $(SUDO) rm -rf $(HEAVY) && $(SUDO) mv $$new $(HEAVY)
endef

# $(call apt,COMMAND PACKAGES). Nothing that is installed is removed for it (another mail server!), and no service is
# started: the tests and the demo run an Exim with its own files.
define apt
{ echo "apt-get $(1)"; log=$$(mktemp); \
  [ -e /usr/sbin/policy-rc.d ] || { policy=yes; printf '#!/bin/sh\nexit 101\n' | $(SUDO) tee /usr/sbin/policy-rc.d >/dev/null; \
    $(SUDO) chmod 755 /usr/sbin/policy-rc.d; }; \
  { $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -y -qq \
    --no-remove --no-install-recommends $(1); } >"$$log" 2>&1; status=$$?; \
  [ -z "$$policy" ] || $(SUDO) rm -f /usr/sbin/policy-rc.d; \
  [ $$status = 0 ] || { cat "$$log"; \
    echo "apt-get $(1) failed. Where another mail server would have to go, use a container or a virtual machine."; \
    exit 1; }; }
endef

clean:
	$(SUDO) rm -rf var build dist *.egg-info .coverage .hypothesis .pytest_cache .mypy_cache .ruff_cache
