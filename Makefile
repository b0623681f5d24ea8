# make run, make test: both install into .venv first, from requirements.lock, whenever it changed.
.PHONY: run test fuzz lint bench bench-insight lock install

PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK = 1

run: install
	.venv/bin/fleet up

test: install
	.venv/bin/pytest -n 2

# 10,000 hostile mails instead of 300.
fuzz: install
	.venv/bin/pytest --hypothesis-profile=fuzz tests/integration/test_hostile_mail.py

lint: install
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: install
	.venv/bin/python -m bench

bench-insight: .venv/bench-installed
	.venv/bin/python -m bench.insight

.venv/bench-installed: .venv/installed requirements-bench.lock
	.venv/bin/python -m pip install --quiet --require-hashes --requirement requirements-bench.lock
	@touch $@

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "fleet: Python 3.11 or newer is needed; set PYTHON=python3.x"; exit 2; }
	@$(PYTHON) -m venv .venv || \
		{ echo "fleet: this Python cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 2; }
	.venv/bin/python -m pip install --quiet --require-hashes --requirement requirements.lock
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Needs uv; refreshes the lock to the newest allowed versions. Hashes only, no addresses.
lock:
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --upgrade --output-file requirements.lock
	uv pip compile --group bench --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --upgrade --constraints requirements.lock \
		--output-file requirements-bench.lock
