"""The documents tell the truth: hooks, checks, examples, schema."""

import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import cogbench
from cogbench.parts import hookspecs
from cogbench.results.result import schema
from cogbench.testing import backbone_contracts, check_estimator, contracts

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
AUTHORS = (ROOT / "docs/authors.md").read_text()
GENERATED = ("atlas.md", "leaderboard.md", "reproduction.md", "stacked.md", "taskweb.md")
PAGES = [*ROOT.glob("*.md"), *(p for p in sorted((ROOT / "docs").glob("*.md")) if p.name not in GENERATED)]
HISTORY = ("CHANGELOG.md", "decisions.md")  # they name what is no more


def signature(function):
    text = str(inspect.signature(function)).replace("'", "")
    return re.sub(r"(?:[a-z_]+\.)+([A-Z])", r"\1", text)


@pytest.mark.parametrize("name", [n for n in vars(hookspecs) if n.startswith("register_")])
def test_each_hook_stands_in_the_guide_for_authors(name):
    assert f"- `{name}{signature(getattr(hookspecs, name))}`" in AUTHORS


CHECKS = {
    name: check
    for module in (contracts, backbone_contracts)
    for name, check in vars(module).items()
    if name.startswith("check_") and check.__module__ == module.__name__
}


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_stands_in_the_guide_for_authors(name):
    assert f"- `{name}{signature(CHECKS[name])}`" in AUTHORS


def test_each_folder_stands_in_the_picture():
    picture = CONTRIBUTING.split("```")[3]
    for folder in (ROOT / "cogbench").glob("[a-z]*/"):
        if folder.is_dir():
            assert f"{folder.name}/" in picture, folder.name


def test_the_example_estimator_of_packs_works(monkeypatch):
    code = next(b for b in re.findall(r"```python\n(.*?)```", (ROOT / "docs/packs.md").read_text(), re.S))
    module = ModuleType("ridge_probe")
    monkeypatch.setitem(sys.modules, "ridge_probe", module)
    exec(compile(code, "docs/packs.md", "exec"), module.__dict__)
    check_estimator(cogbench.load_parts(module).estimators["ridge-probe"])


def test_the_schema_of_results_is_the_records():
    assert json.loads((ROOT / "docs" / "result.schema.json").read_text()) == schema()


@pytest.mark.parametrize("file", [p for p in PAGES if p.name not in HISTORY], ids=lambda path: path.name)
def test_all_that_documents_name_of_cogbench_is_public(file):
    for name in re.findall(r"(?<![\w/.-])cogbench\.([A-Za-z_.]+)(?<!\.)", file.read_text()):
        door, _, short = f"cogbench.{name}".rpartition(".")
        assert door in ("cogbench", "cogbench.testing"), name
        assert short in (*import_module(door).__all__, "testing"), name


def entries(file):
    """Return the entries of a document, each a list item, in one line."""
    items = re.findall(r"^- (.*?)(?=\n- |\n\n|\Z)", file.read_text(), re.S | re.M)
    return [" ".join(item.split()) for item in items]


def test_the_glossary_has_at_most_forty_words_each_in_one_sentence_and_eight_for_users():
    words = dict[str, str]()
    for entry in entries(ROOT / "docs/glossary.md"):
        match = re.fullmatch(r"(★ )?\*\*([\w -]+)\*\*: (An? |The )?([^.]+\.)", entry)
        assert match, f"not a word and one sentence: {entry}"
        assert match[4].lower().startswith(match[2].lower()), f"its sentence begins with the word: {entry}"
        assert match[2] not in words, f"explained twice: {match[2]}"
        words[match[2]] = match[1] or ""
    assert 8 < len(words) <= 40
    for_users = {word for word, star in words.items() if star}
    assert for_users == {"task", "backbone", "estimator", "ranking", "score", "oracle", "signal", "plugin"}


def test_each_decision_has_a_reason_and_names_files_that_exist():
    text = (ROOT / "docs/decisions.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.M) == [
        "Plugins",
        "Tables",
        "Keys and store",
        "Workers",
        "Training",
        "Estimators and evidence",
        "Scores, results and pages",
    ]
    for entry in entries(ROOT / "docs/decisions.md"):
        match = re.fullmatch(r"\*[^*]+\*.* [^ ]+[.)] \(((?:`[^`]+`(?:, )?)+)\)", entry)
        assert match, f"not a decision, a reason and its files: {entry}"
        for name in re.findall(r"`([^`]+)`", match[1]):
            assert (ROOT / name).is_file(), f"no such file: {name}"


@pytest.mark.parametrize("file", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=lambda path: path.name)
def test_documents_name_and_link_files_that_exist(file):
    text = file.read_text()
    folders = "benchmarks|cogbench|docs|plugins|signals|tasks|tests"
    named = re.findall(rf"(?<![\w/.])((?:{folders})/[\w/.-]+\.(?:py|pyi|md|json|html))\b", text)
    for name in named:
        assert (ROOT / name).exists() or "RESULT" in name, f"no such file: {name}"
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (file.parent / link).exists(), f"a link to nothing: {link}"


def pip_installs():
    """Yield the file and the arguments of each `pip install …` in documents, messages and the Makefile."""
    folders = ("benchmarks", "cogbench", "docs", "plugins", "signals", "tasks", "tests")
    files = [p for f in folders for kind in ("md", "py", "toml") for p in (ROOT / f).rglob(f"*.{kind}")]
    for file in [*files, *ROOT.glob("*.md"), ROOT / "pyproject.toml", ROOT / "Makefile"]:
        if file != Path(__file__):
            for words in re.findall(r"\bpip install ([^`\n]*)", file.read_text()):
                yield file, [word.strip("'\",;:") for word in words.split()]


def test_nobody_is_told_to_fetch_a_distribution_of_ours_from_an_index():
    projects = [tomllib.loads(p.read_text()) for p in (ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml"))]
    own = "|".join(re.escape(made["project"]["name"]) for made in projects)
    commands = list(pip_installs())
    assert len(commands) > 10 and len(projects) > 4
    for file, words in commands:
        assert not [w for w in words if re.match(rf"({own})\b", w)], f"{file}: {words}"
        if "cogbench" in words:
            assert (file.name, words) == ("README.md", ["cogbench"])
    assert "`pip install cogbench` installs another project" in (ROOT / "README.md").read_text()


def test_a_plugin_is_installed_together_with_the_harness_in_one_command():
    plugins = {p.parent for p in ROOT.glob("plugins/*/pyproject.toml")}
    documents = set()
    for file, words in pip_installs():
        folders = [w.partition("[")[0] for w in words if w != "-e"]
        if any("plugins/" in w or w.startswith("$(PLUGINS:") for w in folders):
            assert "." in folders, f"{file}: {words}"
            documents.add(file.relative_to(ROOT).as_posix())
        elif file.parent in plugins and file.suffix == ".md":
            assert words == ["-e", "CHECKOUT", "."], f"{file}: {words}"
    assert documents >= {"README.md", "Makefile", *(f"plugins/{p.name}/README.md" for p in plugins)}
    assert "PLUGINS = $(wildcard plugins/cogbench-*)\n" in (ROOT / "Makefile").read_text()
    assert plugins == {*ROOT.glob("plugins/cogbench-*")}


def test_the_example_of_python_works_as_a_file_on_a_fresh_store(tmp_path):
    page = (ROOT / "docs/python.md").read_text()
    (example,) = [b for b in re.findall(r"```python\n(.*?)```", page, re.S) if "run(" in b]
    options = [f"minilm-2l.{option}=1" for option in ("epochs", "min_steps")]
    # It need not learn much, and one worker is enough. Other options have no usual oracle.
    few = f"max_train=100, jobs=1, set={options}, oracle='mini-minilm-2l'"
    assert "max_train=100" in example
    (tmp_path / "example.py").write_text(example.replace("max_train=100", few))
    env = {**os.environ, "COGBENCH_HOME": str(tmp_path / "home"), "COGBENCH_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, tmp_path / "example.py"], capture_output=True, text=True, timeout=250, env=env
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    (line,) = done.stdout.splitlines()  # once: the workers have not run the file
    assert "mini-mnli" in line and "mini-qqp" in line
    assert len([*(tmp_path / "home").rglob("cell.json")]) == 7  # three trainings, their encodings, the matrix


def test_each_test_that_holds_a_promise_is_there():
    """A name without a file stands in the file that was named before it."""
    file, n = Path(), 0
    for name in re.findall(r"`((?:[\w/-]+\.py)?(?:::)?(?:test_\w+)?)`", (ROOT / "docs" / "threats.md").read_text()):
        path, _, test = name.rpartition("::") if "::" in name else ("", "", name)
        path, test = (test, "") if test.endswith(".py") else (path, test)
        if path:
            (file,) = [ROOT / path] if "/" in path else (ROOT / "tests").rglob(path)
            assert file.is_file(), name
        if test:
            n += 1
            assert f"def {test}(" in file.read_text(), name
    assert n > 45
