"""What strangers expect of a repository: how to cite it, how to report, and workflows that name what is there."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_fits_a_screen_or_two_and_spells_its_words_out():
    assert len(README.splitlines()) <= 90
    for words in ("task ranking score", "representational dissimilarity matrix", "cognitive representation analytics"):
        assert words in README
    assert "cognitive-neural mapping" in README and "Hugging Face" in README and "](docs/figures/ranking.svg)" in README
    assert "cogbench run --estimator cnm --backbone tinybert\n" in README
    assert "cogbench recommend --target docs/examples/reviews.csv" in README


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert citation["keywords"] == PROJECT["keywords"]


def test_the_forms_for_issues_ask_for_something():
    forms = [p for p in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if p.name != "config.yml"]
    assert len(forms) >= 3
    for form in forms:
        record = yaml.safe_load(form.read_text(encoding="utf-8"))
        ids = [field["id"] for field in record["body"]]
        assert record["name"] and record["description"] and len(ids) == len({*ids})
        assert any(field.get("validations", {}).get("required") for field in record["body"])


def test_the_workflow_says_that_it_is_not_run_here_and_names_targets_that_are_there():
    text = (ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8")
    assert "not run here" in text.splitlines()[0]
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert {*re.findall(r"run: make (\w+)", text)} == {"test", "docs"} <= {*targets}
    jobs = yaml.safe_load(text)["jobs"]
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert jobs["linux"]["strategy"]["matrix"]["python"][0] == lowest
    assert {*jobs["others"]["strategy"]["matrix"]["system"]} == {"macos-latest", "windows-latest"}
    for folder in re.findall(r"plugins/[\w-]+\b(?!\*)", text):
        assert folder.endswith("cogbench") or (ROOT / folder).is_dir(), folder
