# make demo        shows the whole thing on an embedded cluster, without root
# make test        everything that needs no root; make lint, sanity, units, molecule or pytest: one part of it
# make dev         makes .venv with all that the tests, and the linters, need, and runs nothing
# make role-options  rewrites roles/*/meta/argument_specs.yml from the modules' documentation
# make mechanisms  rewrites the lines of code in docs/architecture.md
# make years       1000 years of use beside the 60 of make test, each with its own accidents, told by a seed
# make meetings    5000 schedules of runs that meet, in memory, and 20 on an embedded cluster
# make image       the execution environment of this checkout, by its Containerfile, for the real cluster (root, Debian)
# make test-real   the same scenarios, and those of the real one alone, on a real Kubernetes on this machine (root, Go, Debian)
# make test-faults those of them that need long waits, or the cluster for themselves
# make hostile     200 states in which a stranger may leave a volume, on local directories
# make compaction-kills  500 kills of runs that put packs together, with checkouts that borrow
# make racer       2000 tries of a stranger who acts on a volume while it is filled, by each sh
# make terminals   draws the two terminals that README shows, from real runs
# make benchmark   the figures, on the real cluster
# make benchmark-large  the figures of a repository as large as the kernel, which it makes and keeps, and of a year of daily updates
PYTHON ?= python3
PYTEST_ARGS ?=
# What `make pytest` runs: all scenarios, or a path below tests/, which may be of unit tests.
TESTS ?= tests/integration
# pytest's exit code where PYTEST_ARGS leaves nothing of one of the two halves.
NONE_CHOSEN := 5
VENV := .venv
BIN := $(VENV)/bin
COLLECTIONS := .build/collections
LIBRARY := $(COLLECTIONS)/ansible_collections/packit/deployment
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/$(COLLECTIONS)
# What Python has compiled, of the checkout and of the packages, and of the modules that Ansible packs (tests/site): the tree stays clean.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.build/pycache
unexport PYTHONDONTWRITEBYTECODE
RUN := PYTHONPATH=$(CURDIR)/$(COLLECTIONS):$(CURDIR):$(CURDIR)/tests/site PATH=$(CURDIR)/$(BIN):$$PATH

.PHONY: demo test dev docs role-options mechanisms years compaction-kills meetings image test-real test-faults hostile racer terminals benchmark benchmark-large lint lowest sanity units pytest molecule prerequisites clean

demo: prerequisites $(VENV)/demo-installed
	@$(RUN) $(BIN)/python -m tests.demo

# All side by side: the scenarios tell how far they are (the + in front of their command), the others when they have ended.
test: prerequisites $(VENV)/dev-installed
	@$(MAKE) --no-print-directory --output-sync=target --jobs=5 sanity pytest units molecule lint lowest

dev: prerequisites $(VENV)/dev-installed

pytest: prerequisites $(VENV)/dev-installed
	+@echo "== pytest: $(TESTS), by four processes, of which each has an embedded cluster"
	+@$(RUN) $(BIN)/python -m pytest $(TESTS) -n 4 --dist worksteal $(PYTEST_ARGS)

units: prerequisites $(VENV)/dev-installed
	@echo "== ansible-test units"
	@$(BIN)/python tests/tools/ansible_test.py units --requirements --num-workers 4

molecule: prerequisites $(VENV)/dev-installed
	@echo "== molecule: all roles, on one embedded cluster"
	@$(RUN) $(BIN)/molecule test --all >.build/molecule.log 2>&1 || { cat .build/molecule.log; exit 1; }
	@tail -n 5 .build/molecule.log

lowest: prerequisites $(VENV)/dev-installed
	@echo "== nox: the lowest ansible-core and Kubernetes client for this Python"
	@$(BIN)/nox -s lowest >.build/lowest.log 2>&1 || { cat .build/lowest.log; exit 1; }
	@tail -n 3 .build/lowest.log

sanity: prerequisites $(VENV)/dev-installed
	@echo "== ansible-test sanity"
	@$(BIN)/python tests/tools/ansible_test.py sanity --requirements

lint: prerequisites $(VENV)/dev-installed
	@echo "== ruff, mypy, import-linter, yamllint, ansible-lint, antsibull-docs, antsibull-changelog"
	@$(BIN)/ruff check .
	@cd $(COLLECTIONS) && MYPYPATH=$(CURDIR) ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../mypy_cache \
		-p ansible_collections.packit.deployment.plugins -p tests -m noxfile
	@$(RUN) $(BIN)/lint-imports --no-cache
	@$(BIN)/yamllint --strict .
	@$(RUN) $(BIN)/ansible-lint
# antsibull-docs lint also builds each page of `make docs`.
	@$(RUN) $(BIN)/antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all --skip-rstcheck $(LIBRARY)
	@$(BIN)/antsibull-changelog lint

docs: prerequisites $(VENV)/dev-installed
	@mkdir -p .build/docs
	@$(RUN) ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/$(COLLECTIONS) $(BIN)/antsibull-docs collection --use-current --squash-hierarchy --fail-on-error \
		--dest-dir .build/docs packit.deployment >.build/docs.log || { cat .build/docs.log; exit 1; }
	@echo "== .build/docs has a page for each module and role"

role-options: prerequisites $(VENV)/demo-installed
	@$(RUN) $(BIN)/python -m tests.tools.role_options

mechanisms: prerequisites $(VENV)/demo-installed
	@$(RUN) $(BIN)/python -m tests.tools.mechanisms

years: prerequisites $(VENV)/dev-installed
	@echo "== 1000 years of use, against the real git on local directories"
	@$(RUN) $(BIN)/python -m tests.years

image: prerequisites $(VENV)/demo-installed
	@tests/real_cluster/cluster.sh prepare
	@tests/real_cluster/cluster.sh image

# $(1): the marks of the scenarios that run side by side. Those that need the cluster for themselves follow.
define on_real_cluster
@tests/real_cluster/cluster.sh install
@trap 'tests/real_cluster/cluster.sh down' EXIT; tests/real_cluster/cluster.sh down; tests/real_cluster/cluster.sh up && \
	{ $(RUN) $(BIN)/python -m pytest --real tests/integration -m "$(1)" -n 5 --dist worksteal $(PYTEST_ARGS) || [ $$? = $(NONE_CHOSEN) ]; } && \
	{ $(RUN) $(BIN)/python -m pytest --real tests/integration -m alone $(PYTEST_ARGS) || [ $$? = $(NONE_CHOSEN) ]; }
endef

test-real: prerequisites $(VENV)/dev-installed
	@echo "== the scenarios on a real Kubernetes (the first time builds it, about 10 minutes)"
	$(call on_real_cluster,not alone)
	@echo "== what needs root, or a program that is built with that Kubernetes"
	@$(RUN) $(BIN)/python -m pytest tests/unit -m root $(PYTEST_ARGS) || [ $$? = $(NONE_CHOSEN) ]

test-faults: prerequisites $(VENV)/dev-installed
	@echo "== faults that take their time, and what changes nodes, on a real Kubernetes"
	$(call on_real_cluster,faults and not alone)

hostile: prerequisites $(VENV)/dev-installed
	@HOSTILE_STATES=200 $(RUN) $(BIN)/python -m pytest tests/unit/cache/repository/test_hostile.py -q -n 2 $(PYTEST_ARGS)

compaction-kills: prerequisites $(VENV)/dev-installed
	@echo "== 500 kills of runs that put packs together, with checkouts that borrow"
	@for seed in 1 2 3 4; do COMPACTION_KILLS=125 COMPACTION_SEED=$$seed $(RUN) $(BIN)/python -m pytest -q \
		tests/unit/cache/repository/test_compaction.py -k killed $(PYTEST_ARGS) || exit; done

racer: prerequisites $(VENV)/dev-installed
	@echo "== 2000 tries of a stranger at work on a volume that is filled, updated, checked or emptied"
	@$(RUN) $(BIN)/python -m tests.racer --tries 1000 --shell bash
	@$(RUN) $(BIN)/python -m tests.racer --tries 700 --seed 1000 --shell dash
	@$(RUN) $(BIN)/python -m tests.racer --tries 300 --seed 1700 --shell busybox

meetings: prerequisites $(VENV)/dev-installed
	@echo "== 5000 schedules of runs that meet, by the real decisions and records, with volumes and claims in memory"
	@MEETING_SCHEDULES=5000 $(RUN) $(BIN)/python -m pytest tests/unit/populate/test_meet.py -q $(PYTEST_ARGS)
	@MEETING_SCHEDULES=20 $(RUN) $(BIN)/python -m pytest tests/integration/test_meet.py -q -n 4 $(PYTEST_ARGS)

terminals: prerequisites $(VENV)/dev-installed
	@$(RUN) $(BIN)/python -m tests.terminals
	@echo "== drawn: docs/terminal-success.svg, docs/terminal-failure.svg"

benchmark: prerequisites $(VENV)/dev-installed
	@tests/real_cluster/cluster.sh install
	@trap 'tests/real_cluster/cluster.sh down' EXIT; tests/real_cluster/cluster.sh down; tests/real_cluster/cluster.sh up && \
		$(RUN) $(BIN)/python -m tests.benchmarks

# What needs no cluster goes first.
benchmark-large: prerequisites $(VENV)/dev-installed
	@$(RUN) $(BIN)/python -m tests.benchmarks.large make
	@$(RUN) $(BIN)/python -m tests.benchmarks.large year
	@tests/real_cluster/cluster.sh install
	@trap 'tests/real_cluster/cluster.sh down' EXIT; tests/real_cluster/cluster.sh down; tests/real_cluster/cluster.sh up && \
		$(RUN) $(BIN)/python -m tests.benchmarks.large kernel

# These run the embedded cluster, which needs more of a machine.
demo test pytest molecule lowest terminals: NEEDS := cluster
prerequisites:
	@PYTHON=$(PYTHON) tests/tools/prerequisites.sh $(NEEDS)

$(VENV)/demo-installed: requirements/demo.txt tests/tools/lay_out.py
	@echo "== makes $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/demo.txt
	@$(BIN)/python tests/tools/lay_out.py
	@touch $@

$(VENV)/dev-installed: $(VENV)/demo-installed requirements/dev.txt requirements/consumer.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements/consumer.txt
	@touch $@

clean:
	rm -rf $(VENV) .build
