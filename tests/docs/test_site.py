"""The site of the documents: its pages are complete, its links lead somewhere, its reference is the program's."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

import cogbench
from cogbench import errors

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "site"))

# A folder `build` of a checkout is no package, but looks like one: the order would depend on it.
# isort: off
import build  # noqa: E402
import notebook  # noqa: E402

# isort: on

ANCHOR = re.compile(r"\]\(([^)\s:]+\.md)?#([^)]+)\)")


def slugs(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub and myst make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    heads = re.findall(r"^#+ (.*)$", text, re.M)
    plain = [re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads]
    return {*plain}


def test_each_page_stands_in_a_toctree():
    site = build.places()
    pages = [*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb"), *ROOT.glob("plugins/*/README.md"), *ROOT.glob("*.md")]
    assert not [page for page in pages if page not in site]
    index = build.with_toctrees((DOCS / "index.md").read_text(encoding="utf-8"), site)
    trees = "\n".join(re.findall(r"```\{toctree\}\n(.*?)```", index, re.S)).splitlines()
    for place in {*site.values(), *build.REFERENCE} - {"index.md"}:
        assert any(line.endswith(f" <{place.rpartition('.')[0]}>") for line in trees), place


@pytest.mark.parametrize("page", [p for p in build.places() if p.suffix == ".md"], ids=lambda page: page.stem)
def test_each_link_to_a_heading_leads_to_one(page):
    for file, anchor in ANCHOR.findall(page.read_text(encoding="utf-8")):
        target = Path(os.path.normpath(page.parent / file)) if file else page
        assert anchor in slugs(target), f"{file}#{anchor}"


def test_links_are_those_of_the_site():
    site, files = {DOCS / "a.md": "a.md", ROOT / "plugins/x/README.md": "distributions/x.md"}, {}
    text = "[a](../plugins/x/README.md#b) [w](https://w.org/a.md)\n```\n[a](no.md)\n```\n[c](examples/c.csv)"
    assert build.moved(text, DOCS / "a.md", "a.md", site, files) == (
        "[a](distributions/x.md#b) [w](https://w.org/a.md)\n```\n[a](no.md)\n```\n[c](files/docs/examples/c.csv)"
    )
    assert files == {DOCS / "examples/c.csv": "files/docs/examples/c.csv"}


def test_the_pages_for_programs_are_those_of_the_index():
    text = (DOCS / "llms.txt").read_text(encoding="utf-8")
    assert text == build.llms(), "run `make docs`"
    assert all(f"]({link})" in text for _, link in build.listed())


def test_the_notebook_prints_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path))
    monkeypatch.setenv("COGBENCH_OFFLINE", "1")
    cells = json.loads((DOCS / "first_ranking.ipynb").read_text(encoding="utf-8"))["cells"]
    for cell, again in zip(cells, notebook.run(cells), strict=True):
        assert again == cell, "run `python docs/site/notebook.py docs/first_ranking.ipynb`"


def test_each_variable_of_the_environment_is_explained():
    page = (DOCS / "environment.md").read_text(encoding="utf-8")
    folders = ("cogbench", "plugins", "tasks", "signals")
    files = [f for folder in folders for f in (ROOT / folder).rglob("*.py") if "tests" not in f.parts]
    used = {name for f in files for name in re.findall(r"\"(COGBENCH_[A-Z_]+)\"", f.read_text(encoding="utf-8"))}
    assert len(used) > 5 and not [name for name in used if f"`{name}`" not in page]


def test_each_exit_code_is_explained():
    page = (DOCS / "environment.md").read_text(encoding="utf-8")
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, cogbench.CogbenchError)]
    for code in {kind.exit_code for kind in kinds} | {0, 130}:
        assert f"\n| {code} | " in page, code


def test_the_reference_is_made_from_the_program():
    text = build.commands()
    assert "## cogbench run\n" in text and "### cogbench oracle measure\n" in text and "--max-train-target" in text
    names = [name for names in build.public_names().values() for name in names]
    assert {*names, "__version__"} >= {*cogbench.__all__} and len(names) == len({*names})
    assert "TRS" in build.result() and "schema_version" in build.result()


@pytest.mark.timeout(1200)  # 20 seconds of the processor
def test_the_site_is_made_without_a_warning(tmp_path):
    pytest.importorskip("furo")
    pytest.importorskip("myst_parser")
    pytest.importorskip("numpydoc")
    before = (DOCS / "llms.txt").read_text(encoding="utf-8")
    assert build.build(tmp_path / "site") == 0
    assert (DOCS / "llms.txt").read_text(encoding="utf-8") == before
    pages = {page.relative_to(tmp_path / "site").as_posix() for page in (tmp_path / "site").rglob("*.html")}
    assert pages >= {
        "index.html",
        "tutorial.html",
        "hooks.html",
        "reference/api.html",
        "distributions/cogbench-atlas.html",
    }
    assert "cogbench.run" in (tmp_path / "site/reference/api.html").read_text(encoding="utf-8")
    assert (tmp_path / "site/llms.txt").is_file()
