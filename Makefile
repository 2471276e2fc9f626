# Each target is a few commands that you could type yourself; on Windows type them (docs/running.md, "Without make").
# The first Python that TensorFlow 2.21 has wheels for; `make PYTHON=…` chooses another.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& command -v $$name && break; done)
VENV = .venv/bin/python
# Libraries are compiled once, at installation, where Python may not keep what it compiles: else each process does it anew.
COMPILED = $(if $(PYTHONDONTWRITEBYTECODE),--compile-bytecode)

.PHONY: reproduce thesis check test lab demo bench docs help
.DEFAULT_GOAL := reproduce

reproduce: .venv/installed   # the study that params.yaml names, of the drawn sample at first: offline, minutes, ends with the path of the report
	$(VENV) -m pipeline.run repro --jobs 2

thesis: .venv/installed      # the thesis's configurations on the real data: downloads, then hours without a GPU
	$(VENV) -m pipeline.run compose data=fashion_small suite=thesis
	$(VENV) -m pipeline.run repro

check: .venv/installed       # style, types and the fast tests: some minutes
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(VENV) -m mypy
	$(VENV) -m pytest -q -n 2 --dist loadgroup -m "not slow"

test: .venv/installed        # style, types, then every test: the whole graph on the sample, the kills, the site in a browser
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(VENV) -m mypy
	$(VENV) -m pytest -n 2 --dist loadgroup

lab: .venv/installed         # the notebooks, to read and change
	$(VENV) -m jupyterlab notebooks

demo: .venv/installed        # the site, over what the last run made: upload a photo, see matching products
	$(VENV) -m pipeline.app

bench: .venv/installed       # speed as ratios, measured side by side
	$(VENV) -m benchmarks

docs: .venv/installed        # README and docs/ as pages that open offline, with the sample's report where there is one
	rm -rf build/pages
	$(VENV) -m sphinx -q -W --keep-going -E -d build/doctrees -c docs . build/pages
	@echo build/pages/index.html

help:                        # what can be made
	@sed -n 's/^\([a-z]*\):[^#]*# \(.*\)/make \1\t\2/p' Makefile | expand -t 18

# Where a Python is named and .venv has another, it is made anew.
ifneq ($(filter command environment,$(firstword $(origin PYTHON))),)
ifneq ($(wildcard .venv/installed),)
ifneq ($(shell "$(PYTHON)" -V),$(shell $(VENV) -V))
.PHONY: .venv/installed
endif
endif
endif

.venv/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed, and none was found. Install one, or name it:" \
		"make PYTHON=/path/to/python3.12 (TensorFlow 2.21 has no wheels for 3.14, nor for macOS on Intel)" >&2; exit 1; }
	@test ! -L .venv || { echo ".venv is a link to $$(readlink .venv), which an installation would empty: remove the link" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear .venv
	@$(VENV) -m pip install --quiet --disable-pip-version-check uv || echo "without uv, pip takes minutes"
	if $(VENV) -m uv --version > /dev/null 2>&1; then $(VENV) -m uv pip install --quiet $(COMPILED) -r requirements.lock -e .; \
		else $(VENV) -m pip install --quiet -r requirements.lock -e .; fi
	touch $@
