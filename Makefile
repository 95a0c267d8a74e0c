# make demo    run the main job on a sample export
# make test    everything that must hold: ruff, mypy, pytest
# make accuracy    measure on simulated worlds beside baselines (WORLDS, SEEDS, ACCOUNTS), into docs/accuracy.md
# make sensitivity    halve and double every constant on simulated worlds, into docs/constants.md
# make bench    measure speed; the road at 0.1, 1 and 4 times the published scale (SCALES) takes hours
# make bench-guard    a quarter of an hour of it, which fails where a ratio has become worse: a tenth, and Leiden beside others
# make test-deep  what takes minutes beside it: killed commands, faults, hostile input, noise, presets, installs, a soak; leaves figures
# make torture  five thousand kills and as much more hostile input, hours; leaves figures as test-deep does
# make lock    pin every dependency of every extra with its hashes, into requirements.lock
# make audit    what is installed is what the lock says, unchanged, and has a permissive licence
# make release    wheel, sdist and a CycloneDX list of what they need, into dist/
# make reliability    write docs/reliability.md from the figures that test-deep or torture left (FIGURES)
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
DEMO := demo
SCALES := 0.1 1 4
.DEFAULT_GOAL := help
FIGURES := reliability-figures
.PHONY: help lock release audit demo test test-deep torture reliability lint docs sample bench bench-guard accuracy sensitivity pictures clean

help:
	@sed -n 's/^# //p' Makefile

.venv/made: pyproject.toml
	@test -n "$(PYTHON)" || { echo "linkage needs Python 3.11 or newer; none was found." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[neo4j-server]'
	@touch $@

## What is tested is what the lock says, each archive proven by its hash.
.venv/made-test: .venv/made requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

TOOLS := .venv/tools/bin
$(TOOLS): .venv/made
	$(PYTHON) -m venv --clear .venv/tools
	$(TOOLS)/python -m pip install --quiet --disable-pip-version-check uv cyclonedx-bom
	@touch $@

## One lock for all Pythons and systems; uv does not read pip's settings, and writes none of them down.
lock: $(TOOLS)
	@index="$$($(TOOLS)/python -m pip config get global.index-url 2>/dev/null)"; \
	if test -n "$$index"; then export UV_DEFAULT_INDEX="$$index"; fi; \
	$(TOOLS)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-emit-index-url --no-annotate --custom-compile-command "make lock" -o requirements.lock pyproject.toml

audit: .venv/made-test
	$(BIN)/python .ci/check_lock.py

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' linkage/__init__.py)
release: .venv/made-test $(TOOLS)
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	$(TOOLS)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-format JSON \
		--output-reproducible --output-file dist/account_linkage-$(VERSION).cdx.json

demo: .venv/made
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	@$(BIN)/python -m linkage.sample $(DEMO)/exports
	@set -e; cd $(DEMO); export PATH="$(CURDIR)/$(BIN):$$PATH"; unset LINKAGE_CASE; \
	unset LINKAGE_NEO4J_URI; export LINKAGE_NEO4J_HOME="$(CURDIR)/$(DEMO)/no-neo4j"; \
	for command in "ingest exports" detect rings "ring 1" "evaluate exports/truth.csv"; do \
		printf '\n$$ linkage %s\n' "$$command"; linkage $$command; done
	@printf '\nWhere to look next, in the folder $(DEMO)/ with ../$(BIN)/linkage:\n'
	@printf '  linkage open 1              a ring in Neo4j Browser; downloads a local Neo4j if there is none\n'
	@printf '  linkage ring 2              another ring\n  linkage rings --all         groups below the line: families, offices\n'
	@printf '  linkage hubs                what was damped\n  linkage export rings/       everything as CSV\n'

lint: .venv/made-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## Every test over ten seconds is listed.
SLOW := --durations=0 --durations-min=10

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(SLOW)

## What they measured goes into FIGURES, from which `make reliability` writes docs/reliability.md.
DEEP = LINKAGE_RELIABILITY_OUT=$(CURDIR)/$(FIGURES) $(BIN)/python -m pytest -o norecursedirs='.*' -n 2 --dist loadgroup

test-deep: .venv/made-test
	rm -rf $(FIGURES)
	$(DEEP) $(SLOW) tests/deep tests/faults tests/fuzz tests/test_leaks.py tests/test_forget_neo4j.py

## So many times as many kills as in test-deep; another LINKAGE_TORTURE_SEED draws other instants.
TORTURE := 18
torture: .venv/made-test
	rm -rf $(FIGURES)
	LINKAGE_TORTURE=$(TORTURE) $(DEEP) $(SLOW) tests/faults tests/fuzz

reliability: .venv/made
	$(BIN)/python docs/reliability.py $(FIGURES)

docs: .venv/made
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/transcript.py

sample: .venv/made
	$(BIN)/linkage simulate linkage/sample/export

pictures: .venv/made-test
	$(BIN)/python docs/pictures.py

bench: .venv/made-test
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/communities.py
	$(BIN)/python benchmarks/publish.py
	$(BIN)/python benchmarks/browser.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/prompts.py
	$(BIN)/python benchmarks/significance.py
	$(BIN)/python -m benchmarks.context --work context-worlds
	$(MAKE) bench-guard SCALES='$(SCALES)'

bench-guard: SCALES := 0.1
bench-guard: .venv/made-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check igraph graspologic-native
	$(BIN)/python benchmarks/leiden.py --least 2 --gds --louvain
	$(BIN)/python -m benchmarks.scale --scales $(SCALES) --most 35

WORLDS := mix,mix:evasion=0.3,mix:evasion=0.6,mix:evasion=0.9
SEEDS := 101,102,103
ACCOUNTS := 60000
accuracy: .venv/made-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check igraph
	$(BIN)/python -m benchmarks.accuracy --worlds $(WORLDS) --seeds $(SEEDS) --accounts $(ACCOUNTS) \
		--work accuracy --out docs/accuracy.md

sensitivity: .venv/made-test
	$(BIN)/python -m benchmarks.sensitivity --work sensitivity --out docs/constants.md

clean:
	rm -rf .venv $(DEMO) build dist .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
