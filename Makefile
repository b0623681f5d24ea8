# Everything installs into .venv first, whenever a lock has changed: `make run` what production needs, the other
# targets their tools besides.
.PHONY: run test fuzz chaos year lint audit bench bench-insight lock install

PYTHON ?= python3
PIP_INSTALL = .venv/bin/python -m pip install --quiet
export PIP_DISABLE_PIP_VERSION_CHECK = 1

run: install
	.venv/bin/fleet up

# Twice as many processes as a small machine has cores: much of the time tests wait for processes of the fleet.
test: .venv/dev-installed
	.venv/bin/pytest -n 4 --dist worksteal

# Hostile input without end: ten thousand of each kind, where `make test` tries a hundred and fifty.
fuzz: .venv/dev-installed
	.venv/bin/pytest -n 2 --dist worksteal -m fuzz --hypothesis-profile=long

# Faults into fleets at work, a few seconds each; the same seed commits the same ones. SEED="1 2 3 4" AT_ONCE=2 are four
# fleets, two at a time.
FAULTS ?= 100
SEED ?= 1
AT_ONCE ?= 1
chaos: .venv/dev-installed
	.venv/bin/python -m tests.chaos --faults $(FAULTS) --seed $(SEED) --at-once $(AT_ONCE)

# The public CRM sales data lived through, once without a break and once cut and resumed.
FLEET_CRM_SALES_DIR ?= ../shared/data/crm-sales
year: .venv/dev-installed
	.venv/bin/python -m tests.year $(FLEET_CRM_SALES_DIR) --seed $(SEED)

lint: .venv/dev-installed audit
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/bandit --quiet --recursive -ll workers beat_schedule.py

audit: .venv/dev-installed
	.ci/audit

bench: .venv/dev-installed
	.venv/bin/python -m bench

bench-insight: .venv/bench-installed
	.venv/bin/python -m bench.insight

install: .venv/installed

# The build backend is used from beside the environment, so that it is no part of it.
.venv/installed: requirements.lock requirements-build.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "fleet: Python 3.11 or newer is needed; set PYTHON=python3.x"; exit 2; }
	@$(PYTHON) -m venv .venv || \
		{ echo "fleet: this Python cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 2; }
	$(PIP_INSTALL) --require-hashes --requirement requirements.lock
	@rm -rf .venv/build
	$(PIP_INSTALL) --require-hashes --target .venv/build --requirement requirements-build.lock
	PYTHONPATH="$(CURDIR)/.venv/build" $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev-installed: .venv/installed requirements-dev.lock
	$(PIP_INSTALL) --require-hashes --requirement requirements-dev.lock
	@touch $@

.venv/bench-installed: .venv/dev-installed requirements-bench.lock
	$(PIP_INSTALL) --require-hashes --requirement requirements-bench.lock
	@touch $@

# Needs uv; refreshes all locks to the newest allowed versions. Hashes only, no addresses.
LOCK = uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	--upgrade
lock:
	$(LOCK) pyproject.toml --output-file requirements.lock
	$(LOCK) --group build --constraints requirements.lock --output-file requirements-build.lock
	$(LOCK) --group dev --constraints requirements.lock --output-file requirements-dev.lock
	$(LOCK) --group bench --constraints requirements.lock --constraints requirements-dev.lock \
		--output-file requirements-bench.lock
