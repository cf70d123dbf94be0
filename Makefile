# A newcomer needs two commands: `make report` and `make test`. Each sets up .venv by itself.
# PYTHON=/path/to/python3 names the Python (3.11 or newer) to build it with.

.NOTPARALLEL:
.PHONY: help report test lint bench bench-small clean

python := .venv/bin/python
set_up = @python=$$(sh scripts/find_python.sh) && "$$python" scripts/setup_venv.py

help:
	@echo "make report       a report on invented records, into out/demo"
	@echo "make test         the whole test suite (PYTEST_ADDOPTS= for pytest's own options)"
	@echo "make lint         style and types"
	@echo "make bench        the benchmarks, timed"
	@echo "make bench-small  the benchmarks once, small, untimed: do the rivals' answers agree?"
	@echo "make clean        remove .venv, out and every cache"

report:
	$(set_up) report
	@.venv/bin/disprop demo --out out/demo

test:
	$(set_up) report test
	@$(python) -m pytest

lint:
	$(set_up) report test lint
	@$(python) -m ruff check
	@$(python) -m ruff format --check
	@$(python) -m mypy

bench:
	$(set_up) report test
	@mkdir -p .benchmarks
	@for file in benchmarks/bench_*.py; do \
	    $(python) -m pytest "$$file" --benchmark-enable --benchmark-only \
	        --benchmark-json=".benchmarks/$$(basename "$$file" .py).json" || exit 1; \
	done
	@$(python) -m benchmarks.page .benchmarks

bench-small:
	$(set_up) report test
	@$(python) -m pytest benchmarks --benchmark-disable

clean:
	rm -rf .venv out dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find disprop tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
