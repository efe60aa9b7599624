# `make demo` and `make test` need Python 3.11 or newer with venv, make, git and a package index.

PYTHON ?= python3
PORT ?= 3000
DIR ?= demo
PROCESSES ?= 2

READY = .venv/.ready
RUN = .venv/bin/
ARLEN = $(CURDIR)/$(RUN)arlen
MINUTES = browser or proxy or bouncer or deploy or shells or soak

.PHONY: help demo test slow lint format check bench fuzz docs clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

demo: $(READY) ## create an application with a table of posts in DIR (demo) and serve it on PORT (3000)
	@test -d '$(DIR)' || { echo 'arlen new $(DIR) ...'; $(ARLEN) new '$(DIR)' >/dev/null; }
	@cd '$(DIR)' && { ls db/migrations/*_create_posts.sql >/dev/null 2>&1 || { echo 'arlen generate resource posts title:string body:text ...'; $(ARLEN) generate resource posts title:string body:text >/dev/null; }; }
	@echo 'arlen migrate, with a PostgreSQL of its own in $(DIR)/.arlen/pg ...'
	@cd '$(DIR)' && $(ARLEN) migrate && echo 'http://localhost:$(PORT)/posts' && exec $(ARLEN) serve --port '$(PORT)'

test: check ## style, types and tests; without those that need a browser, a proxy, a bouncer, other shells or minutes
	@echo 'pytest, in $(PROCESSES) processes ...'
	@$(RUN)python -m pytest -q -n $(PROCESSES) --dist loadfile --no-loadscope-reorder -m 'not ($(MINUTES) or fuzz)'

slow: $(READY) ## the tests that `make test` leaves out
	@echo 'pytest, the tests that take minutes or other programs ...'
	@$(RUN)python -m pytest -q -m '$(MINUTES)'

check: lint ## style and types
	@echo 'mypy ...'
	@$(RUN)mypy

lint: $(READY) ## style
	@echo 'ruff ...'
	@$(RUN)ruff check && $(RUN)ruff format --check

format: $(READY) ## fix what the linter can fix
	@$(RUN)ruff check --fix && $(RUN)ruff format

bench: $(READY) ## compare with other servers; needs wrk, and npm for the server that runs on node
	@$(RUN)pip install --quiet --disable-pip-version-check -e '.[bench]'
	@npm install --silent --no-package-lock --prefix tests/performance/contenders
	@$(RUN)python tests/performance/bench_http.py

fuzz: $(READY) ## search for inputs that break the HTTP parser, for a minute; installs atheris
	@$(RUN)pip install --quiet --disable-pip-version-check -e '.[fuzz]' && $(RUN)python -m pytest -q -m fuzz

docs: $(READY) ## generate the reference pages from the code
	@$(RUN)python -m arlen_runtime.config.reference > docs/reference/config.md

clean: ## remove generated files
	@rm -rf .venv demo dist build .mypy_cache .ruff_cache

# The stamp is written last: an environment that was not completed is built again.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo 'Python 3.11 or newer with venv is needed; on Debian or Ubuntu: apt-get install python3 python3-venv make git' >&2; exit 1; }
	@echo 'installing into .venv, about a minute the first time ...'
	@test -e $@ || { rm -rf .venv && $(PYTHON) -m venv .venv; }
	@$(RUN)python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
