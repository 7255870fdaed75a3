# The commands of the project. Each sets up what it needs: see requirements/setup.

.DEFAULT_GOAL := help
.SUFFIXES:
SHELL := /bin/bash
python := .venv/bin/python
# Half of the suite's time is spent waiting for processes and devices, so two of it go well together.
WORKERS := 2

# What a target is for stands behind ## on its line: `make help` reads it there.
.PHONY: help
help: ## List the commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Start a host and a kiosk with simulated devices; Ctrl-C ends them (ARGS=...)
	@requirements/setup run
	@.venv/bin/guichet-kiosk run $(ARGS)

.PHONY: demo
demo: ## Play a cardholder's day without a person and prove the books; pictures and receipts go to out/
	@requirements/setup run
	@$(python) -m tests.e2e.demo --out out $(ARGS)

.PHONY: test
test: ## Run every test (ARGS="-k words" runs some, WORKERS=0 in one process, as a debugger wants it)
	@requirements/setup test
	@PYTHONASYNCIODEBUG=1 $(python) -m pytest --numprocesses=$(WORKERS) --no-loadscope-reorder $(ARGS)

# The rooms that decide about money: what no test there has taken is not to be trusted.
deciding := proto/guichet/*,drivers/cash/*,drivers/card/pcsc/tlv.py,drivers/card/pcsc/emv.py,kiosk/journal/*,kiosk/settlement/*,$\
	kiosk/terminal/recovery.py,kiosk/terminal/note_book.py,kiosk/terminal/cash_desk.py,host/ledger/*,host/claims/*
deciding_tests := proto drivers/cash drivers/test_narration.py drivers/card/test_tlv.py drivers/card/test_emv.py conformance/test_replay.py $\
	kiosk/journal kiosk/settlement kiosk/terminal host

.PHONY: coverage
coverage: ## Branch coverage of the rooms that decide about money; below 97 % it fails
	@requirements/setup test
	@$(python) -m coverage erase
	@PYTHONASYNCIODEBUG=1 $(python) -m coverage run -m pytest --quiet $(addprefix tests/,$(deciding_tests))
	@$(python) -m coverage combine --quiet
	@$(python) -m coverage report --include="$(deciding)" --omit="*/simulator*.py,*_pb2.py,*_pb2_grpc.py" --fail-under=97

.PHONY: soak
soak: ## Ten thousand notes through every cash driver, with a fault every twenty (ARGS="--driver ccnet --notes 500", ARGS=--cuts)
	@requirements/setup test
	@$(python) -m tests.conformance.soak $(ARGS)

.PHONY: matrix
matrix: ## Compute what every cash driver does with every fault, into drivers/README.md (ARGS="--check")
	@requirements/setup test
	@$(python) -m tests.conformance.matrix $(ARGS)

SEEDS := 1000
START := 1

.PHONY: simulate
simulate: ## Terminals, devices, disks, network and host from a seed, in virtual time (SEEDS=1000 START=1 SABOTAGE=name, list, all)
	@requirements/setup test
	@$(python) -m tests.simulation --seeds $(SEEDS) --start $(START) $(if $(SABOTAGE),--sabotage $(SABOTAGE)) $(ARGS)

.PHONY: chaos
chaos: ## Kill -9, cut off and fill up the real processes at random times, the books compared each time (ARGS="--kills 1000 --seed 7")
	@requirements/setup test
	@$(python) -m tests.e2e.chaos $(ARGS)

.PHONY: fuzz
fuzz: ## Ten million inputs, guided by coverage, for every decoder of the devices (ARGS="--decoder ccnet-framing --runs 100000")
	@requirements/setup test
	@$(python) -m tests.fuzz $(ARGS)

.PHONY: lint
lint: ## Style, strict types, import contracts, generated code, protocol
	@requirements/setup run
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/basedpyright
	@.venv/bin/lint-imports
	@proto/generate --check
	@.venv/bin/buf lint proto
	@git ls-files --cached --others --exclude-standard | xargs -d "\n" awk "FNR == 1 && /^#!.*sh$$/ { print FILENAME } { nextfile }" \
		| xargs .venv/bin/shellcheck

.PHONY: format
format: ## Put the code into the project's format, and mend what ruff can mend
	@requirements/setup run
	@.venv/bin/ruff check --fix-only
	@.venv/bin/ruff format

.PHONY: generate
generate: ## Generate the Python of proto/guichet/v1
	@requirements/setup run
	@proto/generate

.PHONY: lock
lock: ## Write the locks in requirements/ anew (ARGS="--upgrade", ARGS="-P grpcio")
	@requirements/compile $(ARGS)

.PHONY: fresh
fresh: ## Test and demo of HEAD on a fresh Debian 12 that has never seen the project (as root; ARGS="test")
	@images/fresh-debian $(ARGS)

.PHONY: bench
bench: ## Measure, each thing against a baseline of the same run; table on screen, out/bench.json (ARGS="--only decode")
	@requirements/setup test
	@$(python) -m tests.bench $(ARGS)

# Commands whose work has still to come. They fail, so that no script takes silence for success.
later = @echo 'make $@ is not there yet: it comes with $(1).' >&2; exit 2

.PHONY: image
image: ## (not there yet) Build the kiosk's operating system image
	$(call later,the operating system image of the kiosk)

.PHONY: image-test
image-test: ## (not there yet) Start that image in QEMU
	$(call later,the operating system image of the kiosk)

.PHONY: clean
clean: ## Remove what tests, demo and tools left behind; .venv stays
	@rm -rf out .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist build
	@rm -f .coverage .coverage.*
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
