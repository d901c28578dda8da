# Everything a checkout can do. Each target that needs the virtual environment sees to it first (`setup`), so any of them
# can be the first command in a fresh clone. Paths reach the recipes as environment variables, never as text, so that
# spaces in them are safe.

# Where the virtual environment goes, with the caches of the tools in it.
VENV := .venv
# The Python to make it with; empty: python3, or the newest that is new enough.
PYTHON :=
# Where `make run` keeps its catalogue and its sample library; empty: .state (see .ci/start).
STATE :=
# The trees for `make run`, separated by spaces; empty: the sample library.
REPO :=
# Where `make install` installs to, what goes before it while a package is made, and the Debian revision of `make deb`.
PREFIX := /usr/local
DESTDIR :=
REVISION := 1
# More arguments for the tool behind a target, as in: make test ARGS="-k names -x"
ARGS :=

# How many processes run tests: twice as many as there are cores, since many tests wait for something; at most 8.
TESTERS := $(shell n=$$((2 * $$(nproc))); echo $$((n > 8 ? 8 : n)))

override VENV := $(if $(filter /%,$(firstword $(VENV))),$(VENV),$(CURDIR)/$(VENV))
export VENV PYTHON STATE REPO PREFIX DESTDIR REVISION
export HYPOTHESIS_STORAGE_DIRECTORY := $(VENV)/cache/hypothesis
export MYPY_CACHE_DIR := $(VENV)/cache/mypy
export RUFF_CACHE_DIR := $(VENV)/cache/ruff

.PHONY: help setup run test test-slow test-system faults bench lint format generate lock install uninstall deb clean

help: ## Say what can be made (this text)
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: ## Make the virtual environment, if it is not there and sound
	@.ci/setup

run: setup ## Run the daemon on a sample library, or on yours: make run REPO="/path/one /path/two"
	@exec .ci/start

test: setup ## Run the fast tests, with a real PostgreSQL
	@"$$VENV/bin/python" -m pytest -o cache_dir="$$VENV/cache/pytest" -n $(TESTERS) --dist worksteal \
	    -m "not system and not slow and not faults" $(ARGS)

test-slow: setup ## Run the tests that take too long for every change: stress, large tables, the manual of operation
	@"$$VENV/bin/python" -m pytest -o cache_dir="$$VENV/cache/pytest" -m "slow and not system and not faults" -rs $(ARGS)

test-system: setup ## Run what needs root: the daemon under a real systemd, real mounts, a real Prometheus
	@"$$VENV/bin/python" -m pytest -o cache_dir="$$VENV/cache/pytest" -m system -rs $(ARGS)

faults: setup ## Run the fault suite in its long form: lost, wrongly missing, time to repair; as root for all of it
	@"$$VENV/bin/python" -m pytest -o cache_dir="$$VENV/cache/pytest" tests/faults tests/integration/test_machine.py -m faults -rs $(ARGS)

bench: setup ## Run the benchmarks, or one of them: make bench ARGS=watch
	@for name in $(or $(ARGS),$$(ls tests/bench | sed -n 's/^bench_\(.*\)\.py$$/\1/p')); do \
	    echo "== $$name"; "$$VENV/bin/python" -m "tests.bench.bench_$$name" || exit; \
	done

lint: setup ## Check style, types and who imports whom
	"$$VENV/bin/ruff" check
	"$$VENV/bin/ruff" format --check
	"$$VENV/bin/mypy"
	"$$VENV/bin/lint-imports" --no-logo --cache-dir "$$VENV/cache/import-linter"

format: setup ## Put the code into the house style
	"$$VENV/bin/ruff" check --fix-only
	"$$VENV/bin/ruff" format

generate: setup ## Write what is made from declarations: the dashboards, docs/metrics.md, a man page
	@"$$VENV/bin/python" .ci/generate.py $(ARGS)

lock: ## Write the lock files anew; ARGS=--upgrade for the newest versions
	@.ci/lock $(ARGS)

install: setup ## Install for the whole machine, as root: PREFIX=/usr/local, DESTDIR= for packages
	@"$$VENV/bin/python" .ci/install.py install

uninstall: ## Remove what `make install` installed; the data and the configuration stay
	@python3 -I .ci/install.py uninstall

deb: setup ## Make a Debian package, in dist/
	@.ci/deb

clean: ## Remove what was made here
	rm -rf .venv .state build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find daemon tests .ci -name __pycache__ -prune -exec rm -rf {} +
