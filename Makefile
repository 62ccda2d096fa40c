# Each target makes what it needs first: a .venv from the lock, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Tests start hundreds of processes: without bytecode each of them would compile the house anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

# Targets whose sentence stands behind so many #.
said = grep -hE '^[a-z-]+:[^\#]* $(1) ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^\#]*$(1) /  make \1\t/' | expand -t 18

help: ## what can be made
	@echo "To use it:"; $(call said,##)
	@echo "To change it:"; $(call said,###)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Countersign needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; set PYTHON=…") if sys.version_info < (3, 11) else None'
	@echo "· installing the locked packages into $(VENV) (once, less than a minute)"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

install: $(STAMP) ## the .venv with everything in it

demo: $(STAMP) ## a customer's whole onboarding in under a minute, checked step by step
	@$(BIN)/countersign demo

dev: $(STAMP) ## the whole stack on this machine until Ctrl-C
	@$(BIN)/countersign dev

test: $(STAMP) ## all tests but the long ones; REQUIRE_BROWSER=1, REQUIRE_NGINX=1, REQUIRE_POSTGRESQL=1 make missing ones a failure; TENANT=folder: only a tenant's answers
	@$(if $(TENANT),TENANT="$(abspath $(TENANT))" $(BIN)/python -m pytest -q -s tests/starter/tenant/test_contract.py,$(BIN)/python -m pytest -n 4 --dist worksteal -q -m "not long") $(PYTEST)

slow: $(STAMP) ### the fifty tests of make test that take most processor time
	@$(BIN)/python -m pytest -n 4 --dist worksteal -q -m "not long" -p tests.processor_time $(PYTEST)

stories: $(STAMP) ## the tests that take long: whole stacks, browser, PostgreSQL, S3
	@$(BIN)/python -m pytest -n 4 --dist worksteal -q -m long $(PYTEST)

chaos: $(STAMP) ### the long runs of tests/chaos (an hour); SEED=7 repeats a run
	@CHAOS_SEED="$(SEED)" $(BIN)/python -m pytest -q tests/chaos $(PYTEST)

rehearse: $(STAMP) ### an installation on several machines, with PostgreSQL and S3, of which each part dies; SEED=7, JSON=1, IMAGE=1
	@$(BIN)/python -m tests.rehearsal $(if $(IMAGE),--image) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json)

soak: $(STAMP) ### requests open at a steady rate while a part dies each minute; MINUTES=3, OPEN=60, RATE=0.4, SEED=7, STRICT=1, JSON=1, PROGRESS=file
	@$(BIN)/python -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(OPEN),--open $(OPEN)) $(if $(RATE),--rate $(RATE)) $(if $(SEED),--seed $(SEED)) $(if $(STRICT),--strict) $(if $(JSON),--json) $(if $(PROGRESS),--progress "$(PROGRESS)")

bench: $(STAMP) ### a request beside the smallest honest workflow; BENCH=request.bytes, BENCH_JSON=file
	@$(BIN)/python -m tests.bench --only "$(BENCH)" --json "$(or $(BENCH_JSON),bench.json)" $(if $(WAITING),--waiting $(WAITING)) $(if $(N),--people $(N)) $(if $(ENGINE),--engine $(ENGINE))

gate: $(STAMP) ### the short benches, held against tests/bench/baseline.json: no more actions, events, bytes, SQL, time; BENCH=counts
	@$(BIN)/python -m tests.bench.gate --only "$(BENCH)"

baseline: $(STAMP) ### tests/bench/baseline.json anew, each bench five times: in a commit of its own, with its reason; RUNS=1
	@$(BIN)/python -m tests.bench.gate --only "$(BENCH)" --measure $(if $(RUNS),--runs $(RUNS))

figures: $(STAMP) ### the tables of docs/costs.md and docs/scale.md anew, each bench five times (hours); BENCH=waits, RUNS=1
	@$(BIN)/python -m tests.bench.pages --only "$(BENCH)" $(if $(RUNS),--runs $(RUNS))

check: $(STAMP) ### format, lint, types, the files of deploy/; REQUIRE_DEPLOY_TOOLS=1 makes missing tools a failure
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m deploy.validate

fix: $(STAMP) ### format and mend what a machine can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

pictures: $(STAMP) ### the README's pictures anew, of a life that is really lived (needs Chromium)
	@$(BIN)/python -m tests.browser.pictures

histories: $(STAMP) ### keep the histories of stories that are not in the replay corpus yet
	@RECORD_HISTORIES=1 $(BIN)/python -m pytest -n 3 -q tests/workflows tests/starter/cli/test_together.py tests/activities/hand_off/test_operations.py

reliability: $(STAMP) ### print each fault and each bound with its tests, as Markdown
	@$(BIN)/python -m tests.reliability

messages: $(STAMP) ### print the catalogue of messages into docs/messages.json, the table of commands into docs/commands.md
	@$(BIN)/python -m tests.test_docs_messages
	@$(BIN)/python -m tests.starter.test_surfaces

golden: $(STAMP) ### add new models, fields and words to the wire samples; nothing in them is changed
	@$(BIN)/python -m tests.golden

dashboards: $(STAMP) ### deploy/grafana/*.json anew from the module beside them
	@$(BIN)/python -m deploy.grafana.dashboards

migration: $(STAMP) ### a migration from what activities/records/schema.py has become; NAME="what changes"
	@$(BIN)/python -m activities.records.migrations $(NAME) $(if $(CONTRACT),--contract)
	@$(BIN)/ruff format --quiet activities/records/migrations && $(BIN)/ruff check --quiet --fix activities/records/migrations

# What `make lock` makes of pyproject.toml; the image's locks take the pins of the first.
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock"
SAME := --constraint requirements.lock --no-annotate

lock: $(STAMP) ### requirements.lock and the image's locks anew from pyproject.toml
	@$(LOCK) --extra dev pyproject.toml -o requirements.lock
	@$(LOCK) $(SAME) $(addprefix --extra ,otel postgres preview s3) pyproject.toml -o requirements.runtime.lock
	@echo hatchling | $(LOCK) $(SAME) - -o deploy/image/requirements.build.lock

# pip-audit answers on stdout only if it found something, and fails then too, as it does if it could not ask.
AUDIT := $(BIN)/uv tool run --quiet pip-audit --strict --disable-pip --require-hashes --progress-spinner off

outdated: $(STAMP) ### newer versions of the locked packages, and what pip-audit knows against these, where the network has it
	@echo "Newer versions:"
	@$(BIN)/uv pip list --quiet --python $(BIN)/python --outdated --exclude-editable 2> /dev/null || echo "  not known: nobody answers who has the packages"
	@echo "Vulnerabilities:"
	@found=$$($(AUDIT) --requirement requirements.lock 2> /dev/null) && echo "  none known" || echo "$${found:-  not known: pip-audit or its list is not reached}"

image: $(STAMP) ### the image, by buildah; BASE=local makes its base too, where no registry is reached
	@$(BIN)/python -m deploy.image.build --base "$(BASE)"

image-test: $(STAMP) ### that image, run by runc: what is in it, and a request that is lived in it
	@$(BIN)/python -m pytest -q -s tests/image $(PYTEST)

upgrade: $(STAMP) ### from the image of the commit before to that of `make image` and back, under way; BEFORE=commit
	@$(BIN)/python -m tests.rehearsal.upgrade --base "$(BASE)" $(if $(BEFORE),--before $(BEFORE))

supply-chain: $(STAMP) ### what the image is made of (dist/sbom.json), its licences; secrets in the sources
	@$(BIN)/python -m deploy.image.supply_chain

.PHONY: help install demo dev test stories chaos rehearse soak bench gate baseline figures check fix pictures histories golden messages reliability dashboards migration lock outdated image image-test upgrade supply-chain
