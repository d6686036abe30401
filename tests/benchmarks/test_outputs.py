"""A benchmark that cannot write its figures says so before its work, not after it."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cogbench import UnusableData
from cogbench.workers import engine

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))  # where the scripts find each other, as they do when python runs one of them

SOURCES = {path.name: path.read_text() for path in BENCHMARKS.glob("*.py")}
WITH_OUT = sorted(name for name, source in SOURCES.items() if '"--out"' in source)
# What writes a file of the repository, and the function that does the work of it.
PAGES = {
    ("reproduce.py", "reproduction"): ([], ["PAGE"]),
    ("cnm_control.py", "curves"): (["--only", "curves"], ["FIGURE"]),
    ("atlas.py", "page"): (["--write"], ["PAGE"]),
    ("taskweb.py", "page"): (["--write"], ["PAGE"]),
    ("taskweb.py", "published_estimates"): (["--figures", "."], ["ESTIMATES"]),
}


class WorkBegan(Exception):
    """The script has begun the work that takes long."""


def begin(*args, **kwargs):
    raise WorkBegan


@pytest.fixture
def script(monkeypatch):
    """Return a function that loads a script and sets its command line; its work raises WorkBegan."""
    monkeypatch.setattr(subprocess, "run", begin)
    monkeypatch.setattr(subprocess, "Popen", begin)
    monkeypatch.setattr(engine, "compute", begin)

    def script(name, *words):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name.removesuffix('.py')}", BENCHMARKS / name)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [name, *words])
        return module

    return script


def test_these_are_all_the_scripts_that_write_files():
    writes = re.compile(r"\b(write_text|write_oracle|save_text|save\(args)|\.open\(\"[aw]|\"--out\"")
    # These write in seconds, or into a folder for models.
    others = "atlas_figures rewrite_shipped model_zoo checkpoints memory scale wide_tables".split()
    others = {f"{name}.py" for name in others}
    writing = {name for name, source in SOURCES.items() if writes.search(source)} - others
    assert writing == {*WITH_OUT, *(name for name, _ in PAGES)} and len(WITH_OUT) >= 3


@pytest.mark.parametrize("name", WITH_OUT)
def test_an_output_that_cannot_be_written_ends_a_benchmark_before_its_work(script, name, tmp_path, capsys):
    (tmp_path / "file").touch()
    module = script(name, "--out", str(tmp_path / "file" / "folder" / "out.json"))
    with pytest.raises(SystemExit) as end:
        module.main()
    assert end.value.code == 2 and "cannot write to folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in WITH_OUT if name != "wide_oracle.py"])  # which looks for data first
def test_the_folder_of_an_output_is_there_before_the_work(script, name, tmp_path):
    out = tmp_path / "missing" / "folder" / "out.json"
    with pytest.raises(WorkBegan):
        script(name, "--out", str(out)).main()
    assert out.parent.is_dir() and not [p for p in out.parent.rglob("*") if p.is_file()]


def test_an_output_file_that_is_a_folder_is_refused(script, tmp_path, capsys):
    with pytest.raises(SystemExit):
        script("engines.py", "--out", str(tmp_path)).main()
    assert "is a folder; name a file in it" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "work"), PAGES)
def test_a_page_that_cannot_be_written_ends_a_benchmark_before_its_work(script, name, work, tmp_path, monkeypatch):
    words, files = PAGES[name, work]
    module = script(name, *words)
    monkeypatch.setattr(module, work, begin)
    (tmp_path / "file").touch()
    for file in files:
        monkeypatch.setattr(module, file, tmp_path / f"{file}.md")
    with pytest.raises(WorkBegan):
        module.main()
    for file in files:
        with monkeypatch.context() as patch:
            patch.setattr(module, file, tmp_path / "file" / "page.md")
            with pytest.raises(UnusableData, match="cannot write to folder"):
                module.main()
