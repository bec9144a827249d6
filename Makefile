# What people and CI type. Each target sets up what it needs, so none has to come
# before another.

SHELL := /bin/sh
PORT ?= 8000
export PORT
python := .venv/bin/python
# Development's settings, with a secret key of this machine's own. Whoever installs for
# production does not come by here.
environment := { [ -e .env ] || { cp .env.example .env && chmod 600 .env && \
	echo "SECRET_KEY=$$(head -c 48 /dev/urandom | base64 | tr -d '\n')" >>.env; }; }

.PHONY: help run test proof lint format bench lock clean

help:  ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*##/ { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run:  ## Start everything with demo data, on PORT (8000); Ctrl-C stops it
	@requirements/install base && $(environment)
	@DEBUG=true exec $(python) manage.py up

test:  ## Run the whole suite on SQLite, and on PostgreSQL with Valkey
	@requirements/install dev && $(environment)
	@$(python) -m tests.run $(ARGS)

proof:  ## Run races, kills and random histories at full counts
	@requirements/install dev && $(environment)
	@PROOF=1 $(python) -m tests.run -m "proof or postgres" $(ARGS)

lint:  ## Check style, types, imports, migrations and templates
	@requirements/install dev && $(environment)
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy .
	.venv/bin/lint-imports
	$(python) manage.py makemigrations --check --dry-run
	$(python) -m djlint --lint --quiet templates

format:  ## Put the code into its format
	@requirements/install dev && $(environment)
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

bench:  ## Measure rates and queries on seeded data
	@requirements/install dev && $(environment)
	@$(python) -m tests.run --bench $(ARGS)

lock:  ## Compile requirements/*.in after a change
	@requirements/install dev && $(environment)
	@cd requirements && for list in tools base dev; do \
		../.tools/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes \
			--no-header --no-emit-index-url --no-emit-find-links \
			$$list.in -o $$list.txt || exit 1; \
	done

clean:  ## Remove the environment and the demo's data
	rm -rf .venv .tools var staticfiles .mypy_cache .ruff_cache .pytest_cache
