# Everything sets up what it needs by itself: a virtual environment in .venv, from pinned and hashed wheels.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.ready

.PHONY: demo test lint bench faults lock clean
demo: $(STAMP)  ## the whole product on this machine; open the address it prints
	$(VENV)/bin/pointsman demo

test: $(STAMP)  ## the whole suite, on SQLite and on PostgreSQL (which comes from a wheel)
	$(VENV)/bin/pytest -n auto

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(STAMP)  ## figures, each beside its raw part in the same run
	$(VENV)/bin/python -m tests.bench

faults: $(STAMP)  ## kills, stops and breaks everything around it, and counts what was lost or doubled; FAULTS="--kills 20"
	AT_EVERY_PLACE=yes $(VENV)/bin/pytest -n auto tests/stories/test_dying.py tests/stories/test_runs_dying.py
	$(VENV)/bin/python -m tests.faults $(FAULTS)

$(STAMP): requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

lock: $(STAMP)  ## pins again: needs uv
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev -o requirements-dev.txt pyproject.toml
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -c requirements-dev.txt -o requirements.txt pyproject.toml

clean:
	rm -rf $(VENV) build *.egg-info
