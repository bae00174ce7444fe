# Two commands matter: `make run` and `make test`. Both work on a machine with nothing but make and Python 3.11.

.DEFAULT_GOAL := help
.PHONY: help run test nightly check format interop-rabbitmq bench bench-rabbitmq bench-growth bench-fairness bench-results clean

VENV := .venv
BIN := $(VENV)/bin
RESULTS := interop/bench/results

help:
	@echo "make run [ARGS=...]     start the broker on 127.0.0.1:5672 (ARGS are those of 'leveret server')"
	@echo "make test               lint, types, all tests, and stock clients against the broker"
	@echo "make check              format, lint, types and architecture only: under a minute"
	@echo "make nightly            ten times as many kills and simulated histories: some minutes"
	@echo "make format             let ruff lay out the code"
	@echo "make interop-rabbitmq   the interop scenarios against a real RabbitMQ (needs rabbitmq-server)"
	@echo "make bench              speed, CPU time and memory through the port, in two minutes"
	@echo "make bench-rabbitmq     the same beside a real RabbitMQ, thoroughly (ARGS=--help tells more)"
	@echo "make bench-growth       both with up to 10,000 idle queues, connections and bindings"
	@echo "make bench-fairness     both beside a flood: latency, heartbeats, expiry"
	@echo "make bench-results      all of it anew, and its tables into README and docs: half an hour"

run: $(VENV)/.installed
	@exec $(BIN)/leveret server $(ARGS)

test: check
	$(BIN)/python -m pytest -n 2

nightly: $(VENV)/.installed-dev
	LEVERET_CRASH_SEEDS=200 $(BIN)/python -m pytest -n 2 tests/crash $(ARGS)
	LEVERET_SEEDS=0-5000 $(BIN)/python -m pytest -n 2 tests/simulation $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

interop-rabbitmq: $(VENV)/.installed-dev
	$(BIN)/python -m interop.rabbitmq -- $(BIN)/python -m pytest interop --ignore interop/bench $(ARGS)

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
	rm -rf $(VENV) build dist broker/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamps make the environment once; a changed pyproject.toml refreshes it.
$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(VENV)/.installed $@

$(BIN)/pip:
	@.ci/make-venv $(VENV)
