# SPDX-License-Identifier: Apache-2.0
# setup, demo and test are all that a newcomer needs. PYTHON=… chooses the interpreter, JOBS=… the test workers.

VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 4
PYTEST := $(BIN)/python -m pytest
ENCODERS := airgap/recode/native/librecode.so

# Where it is set, every process that the tests start would compile airgap, and each worker all of the tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup packages demo test test-long mutants fuzz soak bench bench-short messages check format dist portable image deb man clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(VENV)/.ready packages $(ENCODERS) ## .venv with airgap in it, and the Debian packages that the tests use

$(VENV)/.ready: pyproject.toml constraints.txt tools/venv.sh
	@sh tools/venv.sh $(VENV) "$(PYTHON)"

packages: $(VENV)/.packages

$(VENV)/.packages: tools/debian-packages.txt tools/packages.sh $(VENV)/.ready
	@sh tools/packages.sh tools/debian-packages.txt $@

# Without a C compiler it says so and goes on. The packages come first, since one of them is a compiler.
$(ENCODERS): $(wildcard airgap/recode/native/*.[ch]) tools/native.py | packages
	@$(BIN)/python tools/native.py

demo: $(VENV)/.ready ## the main job on two registries of our own, from YAML to rewritten YAML
	@$(BIN)/airgap demo

test: setup ## every test but the long ones
	$(PYTEST) -n $(JOBS) --dist worksteal -m "not long"

test-long: setup ## soak, many kills, large sizes
	$(PYTEST) -m long

mutants: setup ## change the source in 300 small ways, and list what no test notices: less than an hour
	$(BIN)/python -m tools.mutants --jobs $(JOBS)

fuzz: setup ## random content for the encoders, then mutations of all that is read from outside, for SECONDS (3600) each
	$(BIN)/python -m tests.recode $(or $(SECONDS),3600)
	@folder=$$(mktemp -d) && cd $$folder && $(abspath $(BIN))/airgap demo > /dev/null && cd - > /dev/null && \
	$(BIN)/python -m tests.fuzz $(or $(SECONDS),3600) $$(find $$folder -name '*.tar' | head -1); code=$$?; rm -r $$folder; exit $$code

soak: setup ## commands that are killed, cut off, doubled, on failing disks and clocks, for SECONDS (600), from SEED
	$(BIN)/python -m tests.soak $(or $(SECONDS),600) $(SEED)

bench: setup ## beside the other tools on PATH, into bench/RESULTS.md: an hour or two, on a quiet machine
	$(BIN)/python -m bench.transfer --output bench/RESULTS.md

bench-short: setup ## the same in minutes, into bench/RESULTS.short.md
	$(BIN)/python -m bench.transfer --short --output bench/RESULTS.short.md

messages: $(VENV)/.ready ## collect the messages for translators, and compile the catalogues
	$(BIN)/python -m tools.messages

check: $(VENV)/.ready ## style, types, layers, messages, oldest Python
	$(BIN)/python -m tools.messages --check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vermin --quiet --no-tips --violations --target=3.10- airgap

format: $(VENV)/.ready ## write the style that check asks for
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

dist: $(VENV)/.ready ## dist/*.whl and dist/airgap.pyz, the same bytes from the same tree
	$(BIN)/python tools/wheel.py
	$(BIN)/python tools/wheel.py --pure
	$(BIN)/python tools/pyz.py

portable: $(VENV)/.ready ## dist/airgap-VERSION-portable-linux-ARCH.tar.gz out of Debian packages; ARCH=aarch64 for another machine
	$(BIN)/python -m tools.portable $(if $(ARCH),--architecture $(ARCH))

image: $(VENV)/.ready ## dist/airgap-VERSION-image-linux-ARCH.tar, a container image of the portable folder as an OCI archive
	$(BIN)/python -m tools.portable.image $(if $(ARCH),--architecture $(ARCH))

deb: $(VENV)/.ready ## dist/airgap-oci_VERSION_all.deb for Debian 13, by debhelper
	$(BIN)/python tools/deb.py

man: $(VENV)/.ready ## dist/man/*.1, a manual page for each command, made from --help
	$(BIN)/python tools/man.py

clean: ## everything that was made here
	rm -rf $(VENV) $(ENCODERS) .tools dist build airgap-demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find airgap tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +
