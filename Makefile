.DEFAULT_GOAL := help
.PHONY: help setup run worker lint check test coverage docs bench mutants migration

help: ## List these commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

setup: ## Install everything, from the lock file
	uv sync --locked

run: ## Start Videoflix with an embedded Postgres
	uv run videoflix up

worker: ## Start one more worker for the configured database
	uv run videoflix worker --role all

lint: ## Lint, format, types
	uv run ruff check
	uv run ruff format --check
	uv run mypy

check: lint ## Lint, format, types, import directions, migrations, docs
	uv run pytest -q tests/test_architecture.py tests/test_migrations.py tests/test_docs.py

test: ## Run all tests
	uv run pytest

coverage: ## Branch coverage of the fast tests: artifacts/coverage/index.html
	uv run pytest -q -m "not journey and not chaos" --cov --cov-report=html
	uv run coverage report --format=total

docs: ## Build the documentation and the module reference into site/
	uv run --group docs mkdocs build --strict

bench: ## Measure the claims: prints ratios, fails when one does not hold
	uv run python benchmarks/transcode.py
	uv run python benchmarks/auth.py
	uv run python benchmarks/encoding_neighbours.py
	uv run python benchmarks/throttle.py
	uv run python benchmarks/catalog.py
	uv run python benchmarks/storage.py
	uv run python benchmarks/streams.py
	uv run python benchmarks/movies.py
	uv run --group bench python benchmarks/queue.py

mutants: ## Break fast modules one expression at a time, and see whether tests notice
	uv run python scripts/mutants.py

migration: ## Write a migration from the models: make migration NAME="add ratings"
	uv run videoflix migration "$(NAME)"
