# make up: run Overlayweb. make test: prove it. Everything is installed into .venv from locked requirements.

PYTHON ?= python3
BIN := .venv/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement
TEST_PACKAGES := busybox-static chromium-headless-shell debootstrap docker-compose docker.io fonts-dejavu-core iproute2 iptables \
	nftables postgresql python3-firewall redis-server ufw
# Tests that start no engine, no browser and no whole installation.
QUICK := not dockerd and not chromium and not slow
# Five processes share the files, long ones first: much of the time goes in waiting for engines and leases.
ALL := $(BIN)/python -m pytest --numprocesses 5 --dist loadfile --no-loadscope-reorder

# Programs start hundreds of times in the tests, and a third sooner where the bytecode is kept.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := up
.PHONY: up demo test test-quick test-engines coverage faults format test-tools collected lock lab secrets clean
.PHONY: lint lint-code lint-templates lint-types lint-imports

up: .venv/installed-base
	@$(BIN)/python manage.py up

# The demo Swarm with four people and a past, in a data folder of its own.
demo: .venv/installed-base
	@OVERLAYWEB_DATA="$${OVERLAYWEB_DATA:-data/demo}" OVERLAYWEB_DEMO=1 $(BIN)/python manage.py up

test: lint
	@$(ALL)

# The same with a report of the lines that no test reaches; counting them costs half as much time again.
coverage: .venv/installed-dev
	@$(ALL) --cov --cov-report=term:skip-covered

test-quick: .venv/installed-dev
	@OVERLAYWEB_EXAMPLES=100 $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder -m "$(QUICK)"

# The long way of tests/faults: every kill point, every call in every way, 2,000 schedules, 5,000 walks of the model.
faults: .venv/installed-dev
	@OVERLAYWEB_MODEL=long $(BIN)/python -m pytest tests/faults/test_model.py
	@$(BIN)/python -m bench.faults

# The facts about the Engine API, rebuilds and repairs, on the real engines of three Debian releases.
test-engines: .venv/installed-dev
	@failed=; for release in bookworm trixie sid; do \
		LAB_ENGINE=$$release $(BIN)/python -m pytest -k "real or on_swarm" tests/contract \
			tests/workflows/test_rebuild_on_swarm.py tests/workflows/test_repair_on_swarm.py || failed="$$failed $$release"; \
		done; [ -z "$$failed" ] || { echo "Failed on:$$failed" >&2; exit 1; }

lint: lint-code lint-templates lint-types lint-imports

lint-code: .venv/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .

lint-templates: .venv/installed-dev
	@$(BIN)/djlint --check --lint --quiet templates

lint-types: .venv/installed-dev
	@$(BIN)/python -m mypy

lint-imports: .venv/installed-dev
	@$(BIN)/lint-imports

format: .venv/installed-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/djlint --reformat --quiet templates || true

# What the tests use beside Python, as Debian packages.
test-tools:
	$(SUDO) apt-get update -qq
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(TEST_PACKAGES)

# pytest prepares each file of tests once, here, and not in every process of a first run, which says what is wrong with one.
collected: .venv/installed-dev
	-@$(BIN)/python -m pytest --collect-only --quiet > /dev/null

# Three real engines joined to a Swarm, for people to try things on. Ctrl-C takes all of it down.
lab: .venv/installed-dev
	@$(BIN)/python -m tests.lab up

# Random secrets for compose.yaml, made once. Containers read them as another user, hence the closed folder around.
secrets:
	@[ ! -e secrets ] || { echo "The folder secrets is there already; the database knows its password." >&2; exit 1; }
	@umask 077 && mkdir secrets && chmod 700 secrets && $(PYTHON) -c \
		'import base64, pathlib, secrets; \
		folder = pathlib.Path("secrets"); password = secrets.token_hex(24); \
		url = f"postgresql://overlayweb:{password}@postgres:5432/overlayweb"; \
		key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(); \
		values = {"secret-key": secrets.token_urlsafe(50), "encryption-keys": key, \
			"postgres-password": password, "database-url": url}; \
		[(folder / name).write_text(value) for name, value in values.items()]; \
		[(folder / name).chmod(0o444) for name in values]'

lock: .venv-lock/bin/uv
	cd requirements && for set in base dev; do ../.venv-lock/bin/uv pip compile --quiet --upgrade --universal --no-strip-extras \
		--python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
		$$set.in --output-file $$set.txt || exit 1; done

clean:
	rm -rf .venv .venv-lock .coverage* htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Overlayweb needs Python 3.11 or newer. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo "On Debian, venv comes with the package python3-venv." >&2; exit 1; }

.venv/installed-base: requirements/base.txt | .venv/bin/python
	@echo "Installing into .venv …"
	@$(PIP) requirements/base.txt
	@touch $@

.venv/installed-dev: requirements/dev.txt | .venv/bin/python
	@echo "Installing into .venv …"
	@$(PIP) requirements/dev.txt
	@touch $@ .venv/installed-base

.venv-lock/bin/uv:
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
