# Two commands matter: `make run` and `make test`. Both work on a machine with nothing but make and Python 3.11.

.DEFAULT_GOAL := help
.PHONY: help run test test-compiled nightly check lint fuzz lock format interop interop-rabbitmq bench bench-rabbitmq bench-growth bench-fairness bench-results clean

VENV := .venv
BIN := $(VENV)/bin
COMPILED := .venv-compiled
RESULTS := interop/bench/results
LOCK := requirements-dev.lock
FUZZ_SECONDS := 60

help:
	@echo "make run [ARGS=...]     start the broker on 127.0.0.1:5672 (ARGS are those of 'leveret server')"
	@echo "make test               lint, types, all tests, and stock clients against the broker"
	@echo "make test-compiled      all tests against the compiled build (needs a C compiler)"
	@echo "make check              format, lint, types, architecture, and known vulnerabilities of what it depends on"
	@echo "make nightly            ten times as many kills and simulated histories: some minutes"
	@echo "make fuzz               atheris against all that reads bytes of peers: a minute each (FUZZ_SECONDS=60)"
	@echo "make format             let ruff lay out the code"
	@echo "make interop            stock clients and tools against the broker, those of the HTTP API too"
	@echo "make interop-rabbitmq   the interop scenarios against a real RabbitMQ (needs rabbitmq-server)"
	@echo "make bench              speed, CPU time and memory through the port, in two minutes"
	@echo "make bench-rabbitmq     the same beside a real RabbitMQ, thoroughly (ARGS=--help tells more)"
	@echo "make bench-growth       both with up to 10,000 idle queues, connections and bindings"
	@echo "make bench-fairness     both beside a flood: latency, heartbeats, expiry"
	@echo "make bench-results      all of it anew, and its tables into README and docs: half an hour"

run: $(VENV)/.installed
	@exec $(BIN)/leveret server $(ARGS)

test: lint
	$(BIN)/python -m pytest -n 2

# Tests import the installed package: `pythonpath` would have the sources before it.
test-compiled: $(COMPILED)/.installed
	$(COMPILED)/bin/leveret --version | grep compiled
	$(COMPILED)/bin/python -m pytest -n 2 -o pythonpath=. $(ARGS)

nightly: $(VENV)/.installed-dev
	LEVERET_CRASH_SEEDS=200 $(BIN)/python -m pytest -n 2 tests/crash $(ARGS)
	LEVERET_MODEL_HISTORIES=8000 $(BIN)/python -m pytest tests/core/test_queue_model.py $(ARGS)
	LEVERET_SEEDS=0-5000 $(BIN)/python -m pytest -n 2 tests/simulation $(ARGS)

# Not for `test`: it would fail one day for what somebody has found in a package, with nothing changed here.
check: lint
	@$(BIN)/python .ci/audit.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

fuzz: $(VENV)/.installed-fuzz
	@for target in frames tables headers connection; do \
		mkdir -p .fuzz/$$target; \
		$(BIN)/python -m fuzz.run $$target -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=.fuzz/$$target- \
			.fuzz/$$target fuzz/corpus/$$target $(ARGS) || exit 1; \
	done

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

interop: $(VENV)/.installed-interop
	LEVERET_INTEROP_TOOLS=1 $(BIN)/python -m pytest interop --ignore interop/bench $(ARGS)

interop-rabbitmq: $(VENV)/.installed-interop
	LEVERET_INTEROP_TOOLS=1 $(BIN)/python -m interop.rabbitmq -- $(BIN)/python -m pytest interop --ignore interop/bench $(ARGS)

bench: $(VENV)/.installed-dev
	$(BIN)/python -m interop.bench.compare --only leveret --rounds 1 --seconds 2 $(ARGS)

bench-rabbitmq: $(VENV)/.installed-dev
	$(BIN)/python -m interop.bench.compare $(ARGS)

bench-growth: $(VENV)/.installed-dev
	$(BIN)/python -m interop.bench.compare --suite growth --rounds 1 --seconds 2 $(ARGS)

bench-fairness: $(VENV)/.installed-dev
	$(BIN)/python -m interop.bench.compare --suite fairness $(ARGS)

# A failed run is in the tables, and must not keep them from being made.
bench-results: $(VENV)/.installed-dev
	-$(BIN)/python -m interop.bench.compare --json $(RESULTS)/modes.json
	-$(BIN)/python -m interop.bench.compare --suite growth --rounds 1 --seconds 2 --json $(RESULTS)/growth.json
	-$(BIN)/python -m interop.bench.compare --suite fairness --json $(RESULTS)/fairness.json
	$(BIN)/python -m interop.bench.report

clean:
	rm -rf $(VENV) $(COMPILED) .fuzz build dist broker/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Anew from pyproject.toml: the newest of everything. Then `make test`.
lock: $(VENV)/.installed-dev
	$(BIN)/pip install --quiet --disable-pip-version-check pip-tools
	$(BIN)/pip-compile --quiet --upgrade --extra dev --extra fuzz --extra interop --strip-extras \
		--annotation-style line --no-header --no-emit-index-url --no-emit-find-links \
		--output-file $(LOCK).new pyproject.toml
	@{ echo "# What development and tests use, as constraints. Made from pyproject.toml on Python 3.11: make lock"; \
		cat $(LOCK).new; } > $(LOCK) && rm $(LOCK).new

# The stamps make the environment once; a changed pyproject.toml or lock refreshes it.
$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(LOCK) | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]' -c $(LOCK)
	@touch $(VENV)/.installed $@

$(VENV)/.installed-fuzz: $(VENV)/.installed-dev
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,fuzz]' -c $(LOCK)
	@touch $@

$(VENV)/.installed-interop: $(VENV)/.installed-dev
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,interop]' -c $(LOCK)
	@touch $@

$(COMPILED)/.installed: setup.py pyproject.toml $(LOCK) $(shell find broker protocol -name '*.py') | $(COMPILED)/bin/pip
	@rm -rf build/lib.* build/temp.*  # of a compile of other modules: they would not go together
	LEVERET_COMPILE=1 $(COMPILED)/bin/pip install --quiet --disable-pip-version-check '.[dev]' -c $(LOCK)
	@touch $@

$(COMPILED)/bin/pip:
	@.ci/make-venv $(COMPILED)

$(BIN)/pip:
	@.ci/make-venv $(VENV)
