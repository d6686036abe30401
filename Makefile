# Two commands do everything on a machine with Python, make and a package index: `make demo` and `make test`.
PYTHON ?= python3
BIN = .venv/bin
PLUGINS = $(wildcard plugins/cogbench-*)
export OMP_NUM_THREADS = 1
export OMP_WAIT_POLICY = passive
unexport PYTHONDONTWRITEBYTECODE  # or each of the many processes that tests start compiles all anew

.PHONY: demo test torture lint types check format schema mini-oracle reproduce board picture docs bench clean

demo: .venv/demo  ## Rankings of real tasks and of a planted control, from the installed evidence packs.
	$(BIN)/cogbench demo --out results/demo

test: .venv/dev lint types  ## Everything that must hold before a commit.
	$(BIN)/pytest -n 2 --dist worksteal

torture: .venv/dev  ## What takes long: kills, full disks, shared stores, and three distillations; under 90 minutes.
	$(BIN)/pytest -m torture

bench: .venv/demo  ## CNM and CRA beside their peers: about fifteen minutes of one core.
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"
	$(BIN)/python benchmarks/engines.py --out build/bench.json

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: .venv/dev  ## Write docs/result.schema.json anew after a change of the result record.
	$(BIN)/python -c "import json; from cogbench.results.result import schema; print(json.dumps(schema(), indent=1))" > docs/result.schema.json

mini-oracle: .venv/demo  ## Measure the shipped oracles of the mini suite and its negative control again.
	$(BIN)/python benchmarks/shipped_oracle.py --seeds 0
	$(BIN)/python benchmarks/shipped_oracle.py --seeds 0 --suite mini-shuffled

reproduce: .venv/demo  ## Write docs/reproduction.md: the paper's tables recomputed, beside what is printed.
	$(BIN)/python benchmarks/reproduce.py

# The oracles of real tasks that we measured: all estimators have results on them.
MEASURED = cogtaskonomy-minilm-max-1000,cogtaskonomy-minilm-2l-max-1000,realtext-minilm-2l,wide-minilm-2l-max-400

board: .venv/demo  ## Write docs/leaderboard.html, leaderboard.md, stacked.md and cogbench/runs/worth.json anew from docs/results.
	$(BIN)/cogbench leaderboard docs/results --stacked --format html --out docs/leaderboard.html
	$(BIN)/cogbench leaderboard docs/results --format markdown --out docs/leaderboard.md
	$(BIN)/cogbench leaderboard docs/results --stacked --oracle $(MEASURED) --format markdown --out docs/stacked.md
	$(BIN)/python -c "from cogbench import read_results; from cogbench.runs.recommendation import write_worth; write_worth(read_results('docs/results'))"

picture: .venv/demo  ## Write docs/figures anew: the picture of README from the report of the demo, and those of docs/ideas.md.
	$(BIN)/cogbench demo --out build/demo
	$(BIN)/cogbench report build/demo/cra--minilm-2l--neutral--*.json --out build/demo/report.html --figures build/demo/figures
	cp build/demo/figures/ranking.svg docs/figures/ranking.svg
	$(BIN)/python docs/site/figures.py docs/figures

docs: .venv/docs  ## Write the site of the documents into build/docs; a warning is an error.
	$(BIN)/python docs/site/build.py build/docs

.venv/demo: pyproject.toml constraints.txt $(PLUGINS:=/pyproject.toml)
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[demo]" $(PLUGINS:%=-e %)
	touch $@

.venv/dev: pyproject.toml constraints.txt $(PLUGINS:=/pyproject.toml)
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[demo,dev,docs]" $(PLUGINS:%=-e %)
	touch $@ .venv/demo

.venv/docs: pyproject.toml constraints.txt $(PLUGINS:=/pyproject.toml)
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[demo,docs]" $(PLUGINS:%=-e %)
	touch $@ .venv/demo

clean:
	rm -rf .venv build dist results
