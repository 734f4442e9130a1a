# `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export MYPY_CACHE_DIR := $(CURDIR)/.cache/mypy
export RUFF_CACHE_DIR := $(CURDIR)/.cache/ruff
export PYTHONDONTWRITEBYTECODE := 1
# What runs the tests: tests/runner.
RUNNER := PYTHONPATH=tests .venv/bin/python -m runner

# The collection that is worth installing by itself.
DJANGO := collections/ansible_collections/edusphere/django

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: bootstrap ## Deploy the sample site on a throw-away VM on this machine, and say where it is (MODE=compose: in containers)
	@MODE=$(MODE) scripts/demo up

.PHONY: demo-down
demo-down: ## Remove the demo (`make clean` also removes engine images and tools)
	@scripts/demo down

.PHONY: test
test: bootstrap ## Show every promise once, in half an hour: lint, sanity, unit tests, hosts, a browser
	@$(RUNNER) test

.PHONY: test-all
test-all: bootstrap ## Run every test, also what `make test` leaves out; goes on where it was interrupted (FRESH=1: from the start)
	@$(RUNNER) test-all

.PHONY: lint
lint: bootstrap ## Check the style of Ansible, YAML and Python, Python's types, and the modules' documentation
	@$(MAKE) --jobs=2 --output-sync lint-ansible lint-others

# It alone takes as long as the others together, several times.
.PHONY: lint-ansible
lint-ansible:
	ansible-lint

.PHONY: lint-others
lint-others:
	yamllint --strict .
	ruff check
	ruff format --check
	mypy
	cd $(DJANGO) && antsibull-changelog lint
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs dependent \
	  --disallow-unknown-collection-refs $(DJANGO)

.PHONY: unit
unit: bootstrap ## Test modules, filters, templates and the documents generated from them; some: make unit TESTS=tests/unit/roles
	scripts/unit $(TESTS)

.PHONY: sanity
sanity: bootstrap ## Run ansible-test sanity on both collections
	scripts/sanity

.PHONY: molecule
molecule: bootstrap ## Run whole scenarios, with all of their tests: make molecule SCENARIOS="default rolling"
	@$(RUNNER) scenarios $(SCENARIOS)

.PHONY: converge
converge: bootstrap ## Make the hosts of a scenario and deploy to them, or bring them up to date: make converge SCENARIO=default
	@scripts/molecule converge '$(SCENARIO)'

.PHONY: verify
verify: bootstrap ## Run a scenario's tests on the hosts that are there: make verify SCENARIO=default TESTS="-k test_health"
	@TEST_ALL=1 scripts/molecule verify '$(SCENARIO)'

.PHONY: login
login: bootstrap ## Open a shell on a scenario's host: make login SCENARIO=default (HOST=name, if it has several)
	@scripts/login '$(SCENARIO)' $(HOST)

.PHONY: destroy
destroy: bootstrap ## Remove the hosts of a scenario: make destroy SCENARIO=default
	@scripts/molecule destroy '$(SCENARIO)'

.PHONY: soak
soak: bootstrap ## Upgrade, roll back and be killed again and again under the full load (no part of `make test-all`: hours)
	ROLLING_SOAK=1 ROLLING_LOAD=1 JOBS=1 $(RUNNER) scenarios rolling rolling-compose tiers

.PHONY: e2e
e2e: bootstrap ## Use a deployed site as people do, in a browser
	scripts/e2e

.PHONY: bench
bench: bootstrap ## Measure what finds nothing to do (modules of edusphere.django, site.yml on the demo), and upgrades under load
	@python scripts/bench/modules.py
	@scripts/demo up > /dev/null
	@python scripts/bench/playbook.py
	@python scripts/bench/upgrade.py rolling
	@python scripts/bench/upgrade.py rolling-compose

.PHONY: secrets
secrets: bootstrap ## Make a site's secrets, in a vault: make secrets SITE=prod
	@scripts/secrets $(SITE)

.PHONY: docs
docs: bootstrap ## Write docs/variables.md and molecule/README.md anew, from the roles' argument_specs and the scenarios' catalogue
	python scripts/variables.py > docs/variables.md
	PYTHONPATH=tests python -m runner.page > molecule/README.md

.PHONY: lock
lock: ## Write requirements.lock anew from pyproject.toml
	scripts/bootstrap --lock

.PHONY: clean
clean: demo-down ## Remove the test hosts, the images, the tools and all caches
	scripts/testbed purge
	rm -rf .venv .cache

.PHONY: bootstrap
bootstrap: ## Put the control node's tools into .venv
	@scripts/bootstrap
