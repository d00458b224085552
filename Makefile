# Everything a developer or a newcomer runs. The environment is made on first use and again when its list changes.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= $(shell nproc)
RUNNERS ?= $(shell expr $(WORKERS) + 1)

.PHONY: setup demo demo-web demo-train test flink-test check bench format clean

setup: $(READY)

$(READY): constraints.txt setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[models,aws,test]'
	touch $(READY)

demo: $(READY)          ## draws the toy world, curates it on all cores, verifies it, states precision and recall
	$(BIN)/python -m tests.world out/demo/world --pairs 6000 --seed 0 --workers $(WORKERS)
	$(BIN)/beamsift vocabulary build --captions out/demo/world/truth.jsonl --weight proper_noun=20 --padding metaclip2 --output out/demo/vocabulary.tsv
	$(BIN)/python -m tests.world.captioner -- $(BIN)/beamsift run caption --config tests/world/demo.yaml --input 'out/demo/world/raw/*.tar' --output out/demo/set --direct_num_workers=$(WORKERS)
	$(BIN)/beamsift verify out/demo/set
	$(BIN)/python -m tests.world.score out/demo/set/ledger out/demo/world/truth.jsonl
	@echo "report: out/demo/set/report.html"
	$(MAKE) demo-web

demo-web: $(READY)      ## draws a toy web, makes documents of its pages with a classifier and weights, verifies and scores them
	$(BIN)/python -m tests.world.web_pages out/demo/web --pages 100 --seed 0 --unmarked
	$(BIN)/beamsift run interleaved_web --config tests/world/demo_web.yaml --input out/demo/web/raw/pages.warc.gz --output out/demo/pages
	$(BIN)/beamsift verify out/demo/pages
	$(BIN)/python -m tests.world.score_web out/demo/pages out/demo/web/truth.jsonl
	@echo "report: out/demo/pages/report.html"

demo-train: $(READY)    ## after `make demo`: trains a tiny GLM-4.1V on its set, and asks it for held-out colours and shapes
	@test -f out/demo/set/manifest.json || { echo "expected out/demo/set, found none: run 'make demo' first" >&2; exit 2; }
	rm -rf out/demo/model
	$(BIN)/python -m tests.world.demo_model tests/world/demo_train.yaml
	OMP_NUM_THREADS=1 $(BIN)/beamsift train pretrain --config tests/world/demo_train.yaml --output out/demo/model
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.world.score_model out/demo/model

test: $(READY)          ## all tests, on all cores (one process more: many wait for others); coverage of the pure floors is held at 95 %
	$(BIN)/python -m pytest --cov -n $(RUNNERS) --dist loadfile --no-loadscope-reorder

flink-test: $(READY)    ## the same bytes from a real Flink, and what it survives; fetches Flink into out/flink (needs Java 17, Maven)
	$(BIN)/python -m tests.flink.distribution out/flink
	BEAMSIFT_FLINK=out/flink $(BIN)/python -m pytest -p no:cacheprovider -n 2 --dist loadfile tests/flink

check: $(READY)         ## format, lint, types, floors: under 30 s
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q --no-header -p no:cacheprovider tests/test_architecture.py

bench: $(READY)         ## every ratio of tests/benchmarks/RESULTS.md from one run
	$(BIN)/python -m tests.benchmarks

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf out .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
