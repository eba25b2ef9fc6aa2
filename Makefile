# Everything sets itself up in .venv: python3, make and git are all that must be there.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
ARGS ?=

.PHONY: page demo test check cover bench pictures clean
.DEFAULT_GOAL := test

.venv/ready: pyproject.toml constraints.txt
	@echo "Setting up .venv ..." >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --upgrade pip >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all]' --group dev >&2
	@touch $@

# Does nothing while the page is as it was built.
page: .venv/ready
	@$(BIN)/python web/build.py

demo: page
	@$(BIN)/beaufort demo $(ARGS)

# Two at a time, as most of them wait for real servers; the tests of one file share theirs.
test: page
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder $(ARGS)

check: .venv/ready
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python web/build.py --check

# What decides is tested in every branch, by its own tests.
PURE := constraints reach eviction packing settle backoff policies workload model victims allocate placement room scaler standby reserve strangers queue rates pd_queue quantity dryrun width wording
cover: .venv/ready
	@$(BIN)/python -m pytest -q --cov=beaufort --cov-report= $(PURE:%=tests/test_%.py)
	@$(BIN)/coverage report --skip-covered --show-missing --fail-under=100 --include='$(shell echo src/beaufort/{accounts,allocate,backoff,claims,clearing,constraints,crowd,division,eviction,fitting,givers,kinds,model,packing,placement,pool,protocols,quantity,reach,reserve,room,scaler,settle,standing,strangers,trial,victims,wording,workload}.py | tr " " ","),src/beaufort/policies/*,src/beaufort/schedulers/engine/width.py'

bench: page
	@for each in api decide page placement queue_control reaction rest; do echo "== $$each"; $(BIN)/python benchmarks/$$each.py $(ARGS) || exit 1; done
	@echo "== reaction --scheduler docker"; \
	if command -v dockerd >/dev/null; then $(BIN)/python benchmarks/reaction.py --scheduler docker $(ARGS); \
	else echo "left out: dockerd is not installed"; fi
	@for each in mesos marathon; do echo "== reaction --scheduler $$each"; \
	if command -v tini >/dev/null && command -v g++ >/dev/null; then $(BIN)/python benchmarks/reaction.py --scheduler $$each $(ARGS); \
	else echo "left out: a Mesos can't be made here"; fi; done

pictures: page
	@$(BIN)/python docs/make_pictures.py
	@$(BIN)/python docs/make_page_pictures.py

clean:
	rm -rf .venv web/node_modules src/beaufort/web/static .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
