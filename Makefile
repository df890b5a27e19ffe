# Plain `make` lists the commands. Each does all the set-up it needs.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo up down test test-unit test-integration test-faults test-e2e bench bench-listener bench-bus check

# brings .venv up to date first; stops make where that fails
SETUP = uv=$$(deploy/local/bootstrap) &&
RUN = $(SETUP) $$uv run --no-sync

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

demo: ## start the real stack, ride two teams' DAGs through it, show what happened
	@$(RUN) outrider demo

up: ## start the real stack (Kafka, PostgreSQL, S3 with IAM, Airflow, the services); WITH=kubernetes for pods
	@$(RUN) outrider up $(addprefix --with ,$(WITH))

down: ## stop what `up` or `demo` started, and nothing else
	@$(RUN) outrider down

test: ## all tests, on the real systems
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-integration
	@$(RUN) pytest tests/faults
	@$(MAKE) --no-print-directory test-e2e

test-unit: ## tests without any system: seconds
	@$(RUN) pytest tests/unit

test-integration: ## each part on real Kafka, PostgreSQL, S3 with IAM; the plugin in Airflow's environment
	@$(RUN) python -m outrider_local.prerequisites chromium
	@$(RUN) pytest tests/integration
	@$(RUN) python -m outrider_local.airflow_tools pytest airflow_plugin/tests

test-faults: ## everything dies, freezes and is slow at random: SECONDS=600 SEED=7 (a failure prints its seed)
	@$(SETUP) OUTRIDER_FAULT_SECONDS=$(or $(SECONDS),300) OUTRIDER_FAULT_SEED=$(SEED) $$uv run --no-sync pytest tests/faults

test-e2e: ## the whole stack with Airflow, ridden end to end, and its parts killed on the way
	@$(RUN) python -m outrider_local.prerequisites java jdk maven chromium
	@$(RUN) pytest tests/e2e

bench: ## how soon a place is ready, and a round of the sweep beside 1,000,000 rows, on the running stack
	@$(RUN) python benchmarks/environment_ready.py
	@$(RUN) python benchmarks/sweep_rounds.py

bench-listener: ## what listeners cost a task: none, ours, OpenLineage's, Kafka's; in an Airflow of its own
	@$(RUN) python -m outrider_local.prerequisites java
	@$(RUN) python benchmarks/listener.py

bench-bus: ## the bus beside raw clients, FastStream and loops by hand, on a Kafka and PostgreSQL of its own
	@$(RUN) python -m outrider_local.prerequisites java maven
	@$(RUN) python -m benchmarks.bus

check: ## format, lint, types, layers, dependencies, locks, schemas
	@$(SETUP) UV=$$uv deploy/local/check
