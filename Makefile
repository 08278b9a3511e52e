# Every target prepares what it needs: on a fresh machine `make demo` or `make test` alone is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# What the core's branch coverage is measured with.
CORE_TESTS := tests/unit/test_guards.py tests/unit/test_standing.py tests/unit/test_unanswered_creates.py \
	tests/unit/test_identifiers.py tests/unit/test_secrets_cannot_be_printed.py \
	tests/unit/test_manifests_desired.py tests/unit/test_promises_hold_in_odd_cases.py \
	tests/property/test_converges_after_crashes.py tests/property/test_receipt_codec.py

.PHONY: demo test lint coverage check format bench lock clean

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

demo: $(READY)  ## the main job on the example data: validate, plan, apply, plan again
	BIN=$(BIN) sh examples/demo.sh

test: $(READY)  ## all tests
	$(BIN)/python -m pytest -n 2

coverage: $(READY)  ## 100 % of the core's branches
	$(BIN)/coverage run -m pytest -q $(CORE_TESTS)
	$(BIN)/coverage report

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint coverage test  ## what CI runs

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## one million members through a socket, beside pure Python, polars and naive DuckDB
	$(BIN)/python benchmarks/million.py

lock:  ## renew requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.lock

clean:
	rm -rf $(VENV) .reconciler .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
