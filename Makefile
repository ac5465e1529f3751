# Every target sets up what it needs; a machine with Python >= 3.11, make and Go is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: help venv node-tools lint format check test demo bench bench-operator site chart clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

venv: $(VENV)/.made ## the virtual environment with everything for development

$(VENV)/.made: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[operator,dev]'
	@touch $@

lint: venv ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: venv ## what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint ## under two minutes: lint, units, one database test, one cluster test
	$(BIN)/pytest -q -m quick

# In the order of its own, xdist puts files with few tests last; the one that takes longest has one.
test: lint ## everything
	$(BIN)/python -m tests.builds
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

node-tools: ## Debian's programs for the tests on a real node (needs root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		buildah containernetworking-plugins debootstrap iproute2 iptables procps runc >/dev/null

demo: venv ## the whole of it on a real API server and a real PostgreSQL; KEEP=1 leaves it running, NODE=real runs Pods
	$(BIN)/python -m tests.demo $(if $(KEEP),--keep) $(if $(NODE),--node $(NODE))

bench-operator: venv ## what the operator costs at scale: requests, memory, CPU
	$(BIN)/python -m tests.operator_e2e.bench

bench: venv ## the runner and diff beside their peers, as ratios
	$(BIN)/python -m benchmarks

site: venv ## the documents as a site, in build/site
	$(BIN)/python docs/build_site.py

chart: ## the chart's copy of crds/
	cp crds/*.yaml charts/dbmigrate-operator/files/crds/

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info operator/*.egg-info
