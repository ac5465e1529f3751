# Every target sets up what it needs: a machine with Python >= 3.11 and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: help venv lint format unit database check test coverage mutate dead-code node-tools demo \
	bench bench-operator bench-fleet site chart clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

venv: $(VENV)/.made ## the virtual environment with everything for development

$(VENV)/.made: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[operator,dev]'
	@touch $@

lint: venv ## ruff, mypy strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: venv ## what ruff corrects by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

unit: venv ## the unit tests
	$(BIN)/pytest -q -n $(WORKERS) tests/unit

database: venv ## the tests of the runner and of diff on PostgreSQL
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile tests/runner tests/diff

check: lint ## under two minutes: lint, units, one database test, one cluster test
	$(BIN)/pytest -q -m quick

# In the order of its own, xdist puts files with few tests last; the one that takes longest has one.
test: lint ## everything
	$(BIN)/python -m tests.builds
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

coverage: venv ## what the unit and database tests reach, and its floor
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile --cov --cov-report=term --cov-report=html \
		tests/unit tests/runner tests/diff

mutate: venv ## a sample of mutants of the pure core, which the unit tests have to kill
	$(BIN)/python -m pip install --quiet --editable '.[mutate]'
	$(BIN)/python -m tests.mutate

dead-code: venv ## what nothing uses
	$(BIN)/vulture

node-tools: ## Debian's programs for the tests: of a real node, and a PostgreSQL with TLS (needs root)
	apt-get update -qq
	mkdir -p /etc/postgresql-common
	test -e /etc/postgresql-common/createcluster.conf || \
		echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		-o Dpkg::Options::=--force-confold \
		buildah containernetworking-plugins debootstrap iproute2 iptables postgresql procps runc >/dev/null

demo: venv ## the whole of it on a real API server and PostgreSQL; KEEP=1, NODE=real: README.md
	$(BIN)/python -m tests.demo $(if $(KEEP),--keep) $(if $(NODE),--node $(NODE))

bench: venv ## the runner and diff beside their peers, as ratios
	$(BIN)/python -m benchmarks

bench-operator: venv ## what the operator costs at scale: requests, memory, CPU
	$(BIN)/python -m tests.operator_e2e.bench

bench-fleet: venv ## many schemas and databases beside golang-migrate and goose for each
	$(BIN)/python -m benchmarks.fleet

site: venv ## the documents as a site, in build/site
	$(BIN)/python docs/build_site.py

chart: venv ## the chart's copy of crds/, and its README.md from values.yaml
	cp crds/*.yaml charts/dbmigrate-operator/files/crds/
	$(BIN)/python docs/build_chart_readme.py

clean: ## all that was made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info operator/*.egg-info
