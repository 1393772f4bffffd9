# itbpump: `make demo` and `make test` are all one needs; both set up .venv by themselves. `make help` lists the rest.
PY ?= python3
WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
LOCK_VENV := .lock-venv
LOCK_TOOL := uv>=0.9,<1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all cover mutate prove swarm kills screen hil fuzz check sbom format safety-matrix bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## .venv from requirements.lock, every download checked against its hash

# The second run finds the stamp newer than its inputs and does nothing.
$(STAMP): requirements.lock pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh "$(PY)" "$(VENV)"
	@touch $@

demo: $(STAMP) ## a simulated pump on a real serial device: pair, program, bolus, eleven weeks, refill
	@$(BIN)/itbpump demo

test: $(STAMP) ## all tests but the slow ones
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

test-all: $(STAMP) ## all tests
	@$(BIN)/python -m pytest -n $(WORKERS)

cover: $(STAMP) ## all tests but the slow ones, with branch coverage
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not slow" --cov --cov-report=term --cov-report=html

mutate: $(STAMP) ## change the rooms that decide a dose in thousands of ways; each change must be noticed (AREA=quantity: only there)
	@$(BIN)/python scripts/mutate.py $(AREA)

prove: $(STAMP) ## every harm at every step of a command, singly and in pairs, and deliberate breaks that this must notice
	@$(BIN)/python -m tests.proof --workers $(WORKERS) prove

swarm: $(STAMP) ## two programmers, a bad line and failing supplies, over random seeds (SECONDS=60)
	@$(BIN)/python -m tests.proof --workers $(WORKERS) swarm $(or $(SECONDS),60) $(if $(FROM),--from $(FROM))

screen: $(STAMP) ## the clinician's screen at four sizes, each workflow by keys with trouble in its midst (QUICK=1: fewer walks over random keys)
	@$(BIN)/python -m pytest -n $(WORKERS) tests/tui --ignore=tests/tui/test_tmux.py $(if $(QUICK),-k "not for_long")
	@$(BIN)/python -m pytest tests/tui/test_tmux.py

hil: $(STAMP) ## the HIL suites, as a firmware engineer runs them (PUMP=memory; PUMP="tcp" goes over a wire); report in build/hil
	@$(BIN)/python -m pytest -n $(WORKERS) hil $(foreach pump,$(or $(PUMP),memory),--pump $(pump)) --hil-report build/hil
	@$(BIN)/python -m pytest -n $(WORKERS) tests/system/test_hil_finds_defects.py tests/system/test_hil_rigs_agree.py tests/e2e/test_hil_docs.py -k "not all_firmwares"

kills: $(STAMP) ## kill -9 of a pump process on a pty at random moments (KILLS=1000)
	@ITBPUMP_KILLS=$(or $(KILLS),1000) $(BIN)/python -m pytest -n $(WORKERS) tests/e2e/test_kill.py -k many_kills

fuzz: $(STAMP) ## coverage-guided fuzzing of every reader of foreign bytes (SECONDS=60 in all)
	@$(BIN)/python scripts/fuzz.py $(or $(SECONDS),60) $(if $(SEED),--seed $(SEED))

check: $(STAMP) ## lint, format, types, import contracts, generated files up to date, secrets, audit of what is installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/python protocols/generate.py --check
	@$(BIN)/python protocols/make_vectors.py --check
	@$(BIN)/python protocols/make_session.py --check
	@$(BIN)/python scripts/safety_matrix.py --check
	@$(BIN)/python scripts/threat_model.py --check
	@$(BIN)/python scripts/secret_scan.py
	@$(BIN)/python scripts/audit.py
	@$(BIN)/itbpump schema --check docs/prescription.schema.json

sbom: $(STAMP) ## build/sbom.cdx.json: what the product is made of, in CycloneDX
	@mkdir -p build
	@$(BIN)/python scripts/sbom.py build/sbom.cdx.json

format: $(STAMP) ## put the source into the house's form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

safety-matrix: $(STAMP) ## docs/safety/matrix.md: hazard, requirement, control, test and the result of a run of them all (FAST=1: without the slow ones)
	@$(BIN)/python scripts/safety_matrix.py --workers $(WORKERS) $(if $(FAST),--fast)

bench: $(STAMP) ## speed as ratios to a floor or a peer; fails when a target is missed
	@$(BIN)/python -m tests.bench

# The tool stands in a room of its own, so that what is tested holds only what is locked.
lock: ## compute requirements.lock anew from pyproject.toml and build.in
	@$(PY) -m venv $(LOCK_VENV)
	@$(LOCK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check "$(LOCK_TOOL)"
	@$(LOCK_VENV)/bin/uv pip compile pyproject.toml build.in --group dev --group bench --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock
	@rm -rf $(LOCK_VENV)
	@echo "requirements.lock: $$(grep -c == requirements.lock) packages"

clean: ## remove .venv and everything that tools left behind
	rm -rf $(VENV) $(LOCK_VENV) build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests protocols scripts -name __pycache__ -type d -prune -exec rm -rf {} +
