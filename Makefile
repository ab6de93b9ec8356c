# `make demo` and `make test` set everything up by themselves; neither needs root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
CLIP := examples/clips/dashcam_clear_rain_haze.mp4
TOY := runs/toy
DATA ?= $(TOY)/train
VAL ?= $(TOY)/val
ABLATE = $(BIN)/python -m training.ablate --data $(DATA) --val $(VAL) --out runs/ablate-smoke --width 8
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check bench live-figures reliability ablate-smoke clean

demo: $(READY)
	mkdir -p demo
	$(BIN)/streamrestore restore $(CLIP) -o demo/restored.mp4 --report demo/report.json --overwrite
	$(BIN)/streamrestore compare $(CLIP) demo/restored.mp4 -o demo/comparison.mp4 --overwrite
	$(BIN)/streamrestore inspect $(CLIP)
	@echo
	@echo "restored video:  demo/restored.mp4"
	@echo "comparison:      demo/comparison.mp4"
	@echo "report:          demo/report.json"

test: check
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(READY_DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(READY_DEV)
	$(BIN)/python -m tests.bench

live-figures: $(READY_DEV)
	$(BIN)/python -m tests.live.figures

reliability: $(READY_DEV)
	$(BIN)/python -m tests.reliability

# Every ablation for about a minute on pictures that are made: it shows that all of it runs, and nothing else.
ablate-smoke: $(READY_DEV) $(TOY)
	$(ABLATE) uffn --minutes 0.33
	$(ABLATE) addunet --minutes 0.07
	$(ABLATE) joint --minutes 0.07
	$(ABLATE) alpha --minutes 0.07
	@echo
	@echo "tables and charts:  runs/ablate-smoke/NAME/table.md"

$(TOY): | $(READY_DEV)
	$(BIN)/python -m training.toy $@

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("streamrestore needs Python 3.11 or newer, not " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) -e .
	touch $@

$(READY_DEV): $(READY)
	$(PIP) -e '.[dev,training]'
	touch $@

clean:
	rm -rf $(VENV) build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
