# SPDX-License-Identifier: BSD-2-Clause
# What people type. The work is done by Meson and Ninja below build/, one tree for each purpose.

MESON := meson
NINJA := ninja
PREFIX ?= /usr/local
DESTDIR ?=

# BUILDTYPE and OPTIONS go with another folder than RELEASE has by itself.
RELEASE   := build/release
BUILDTYPE := release
OPTIONS   :=
CHECK     := build/check
CLANG     := build/clang

# The lists of setup/packages that each goal needs.
LISTS_all         := build
LISTS_install     := build
LISTS_setup       := build lab
LISTS_demo        := build lab
LISTS_check       := build lab lint test
LISTS_check-quick := build lab lint test
LISTS_check-long  := build lab lint test
LISTS_coverage    := build lab test
LISTS_lint        := build lab lint
LISTS_format      := lint
LISTS_bench       := build lab bench
LISTS_packages    := build lab lint test
LISTS := $(or $(sort $(foreach goal,$(or $(MAKECMDGOALS),all),$(LISTS_$(goal)))),build)
export MESON

.PHONY: all
all: $(RELEASE)/build.ninja ## build all programs and libraries, optimised, in build/release
	$(NINJA) -C $(RELEASE) $$($(PRODUCTS))

.PHONY: help
help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

.PHONY: packages
packages: ## install the Debian packages that building and testing need
	@setup/packages/install $(LISTS)

.PHONY: setup
setup: packages ## get all that VMs need as well (QEMU, kernels) below build/
	@for what in qemu kernel busybox; do setup/vm/$$what >/dev/null || exit; done

.PHONY: demo
demo: setup all ## VMs and components exchange data, before your eyes
	@examples/demo/run
	@if [ -e build/kernel/aarch64-bookworm/release ]; then examples/mixed/run; \
	else echo "examples/mixed/run shows an arm64 VM beside an x86-64 one (downloads what that needs)"; fi

.PHONY: check-quick
check-quick: setup ## find most mistakes, within three minutes once the tree has been built
	@tests/run check-quick

.PHONY: check
check: setup ## run all tests that take minutes
	@setup/build/cbmc >/dev/null
	@tests/run check

.PHONY: check-long
check-long: setup ## and those that take longer
	@setup/build/cbmc >/dev/null
	@tests/run check-long

.PHONY: bench
bench: setup all ## measure against peers; table and plot in build/bench
	@bench/run

.PHONY: lint
lint: packages ## formatting, clang-tidy, checkpatch, sparse, shellcheck
	@tests/run lint

.PHONY: format
format: packages ## format all C as .clang-format says
	@git ls-files '*.c' '*.h' | xargs clang-format -i

.PHONY: coverage
coverage: packages ## line coverage of the tests without guests, in build/coverage
	@tests/run coverage

.PHONY: install
install: all ## install below PREFIX (/usr/local), with DESTDIR in front
	$(MESON) install -C $(RELEASE) --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

.PHONY: clean
clean: ## remove what was built, keep what was downloaded
	rm -rf $(RELEASE) $(CHECK) $(CLANG) build/coverage build/bench

# What is no test: Meson's own "all" would build all tests, too.
PRODUCTS := meson introspect $(RELEASE) --targets | \
	jq -r '.[] | select(.build_by_default) | .filename[] | sub("^.*/$(RELEASE)/"; "")'

# The optimised tree; the other trees are set up by tests/run.
$(RELEASE)/build.ninja: packages
	@setup/build/configure $(RELEASE) --prefix=$(PREFIX) --buildtype=$(BUILDTYPE) $(OPTIONS)
