"""What makes two parts the same: changed options and code, however the code is laid out and wherever it lies."""

import importlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cogbench import Card, Settings, load_parts
from cogbench.parts import fingerprint
from cogbench.parts.fingerprint import Fingerprints, identity, syntax_sha256
from cogbench.testing import ToyBackbone, ToyTask

ROOT = Path(__file__).parents[2]
PART = """
from dataclasses import dataclass
from .helper import double

@dataclass(frozen=True)
class Part:
    name: str = "part"

    def answer(self, x):
        return double(x)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a part, what that stands on, and a module that it does not import."""
    folder = tmp_path / "layered"
    folder.mkdir()
    texts = {
        "__init__": "",
        "part": PART,
        "helper": "from layered.deep import g\n\ndef double(x):\n    return g * x\n",
        "deep": "g = 2",
        "other": "h = 1",
    }
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        sys, "dont_write_bytecode", True
    )  # a file that changes within a second looks the same to Python
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "layered"]:
        del sys.modules[name]


def code(package):
    return identity(importlib.import_module("layered.part").Part())["code"]


def test_the_code_of_a_part_is_its_module_and_what_that_imports_of_its_package(package):
    before = code(package)
    (package / "other.py").write_text("h = 2")
    assert code(package) == before
    (package / "deep.py").write_text("g = 3")
    assert code(package) != before


def test_comments_docstrings_and_layout_change_nothing_and_an_expression_does(package):
    before, file = code(package), package / "helper.py"
    text = file.read_text()
    file.write_text(
        '"""What a helper does."""\n# why\n'
        + text.replace("    return g * x", '    """Double."""\n\n    return (g\n        * x)')
    )
    assert code(package) == before
    file.write_text(text.replace("g * x", "g + x"))
    assert code(package) != before


def test_a_class_that_states_its_answers_is_told_apart_by_them(package):
    file = package / "part.py"
    stated = PART.replace('    name: str = "part"', '    name: str = "part"\n    answers = 1')
    file.write_text(stated)
    before = code(package)
    assert before == {"distribution": None, "answers": 1}
    (package / "deep.py").write_text("g = 3")
    assert code(package) == before
    sys.modules.pop("layered.part")
    file.write_text(stated.replace("answers = 1", "answers = 2"))
    assert code(package) == {"distribution": None, "answers": 2}


def test_a_subclass_does_not_inherit_the_promise_of_its_base():
    class Base:
        answers = 1

    @dataclass(frozen=True)
    class Own(Base):
        name: str = "own"

    assert "sha256" in identity(Own())["code"]


def test_the_code_that_a_process_has_loaded_stays_what_it_is(package):
    fingerprints, part = Fingerprints(), importlib.import_module("layered.part").Part()
    before = fingerprints.identity(part)
    (package / "deep.py").write_text("g = 3")
    assert fingerprints.identity(part) == before != identity(part)


def test_fields_at_their_default_stand_in_no_identity():
    assert identity(Settings(3, 16, 0.1)) == {
        "is": "cogbench:Settings",
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 0.1,
    }
    assert identity(Settings(3, 16, 0.1, warmup=0.1))["warmup"] == 0.1
    assert identity(Card(0, "MIT", "", synthetic=False)) == identity(Card(0, "MIT", ""))


def test_a_part_among_the_fields_never_counts_as_a_default():
    @dataclass(frozen=True)
    class Inner:
        scale: float = 1.0

    @dataclass(frozen=True)
    class Outer:
        inner: Inner = field(default_factory=Inner)
        several: tuple = (Inner(),)

    made = identity(Outer())
    assert "code" in made["inner"] and "code" in made["several"][0]


def test_the_code_of_the_harness_stands_in_no_key():
    assert "code" not in json.dumps([identity(part) for part in (ToyBackbone(), ToyTask(), Card(1, "MIT", "x"))])
    every = load_parts()
    named = json.dumps([identity(part) for part in [*every.tasks.values(), *every.backbones.values()]])
    assert '"is": "cogbench:Card"' in named and "cogbench.data" not in named and "cogbench/" not in named


def test_a_part_is_named_by_its_distribution_not_by_its_module():
    bert = load_parts().backbones["bert"]
    assert identity(bert)["is"] == "cogbench-toolkit:HuggingFace"


def _pythons():
    """Return other versions of Python that are found here."""
    places = [shutil.which(f"python3.{minor}") for minor in (11, 12, 13)]
    places += map(str, Path.home().glob(".pyenv/versions/3.1[123].*/bin/python3"))
    found = {}
    for place in filter(None, places):
        done = subprocess.run([place, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
        if done.returncode == 0:
            found[done.stdout.strip()] = place
    return found


def test_the_hash_is_the_same_on_other_versions_of_python():
    pythons = _pythons()
    if len(pythons) < 2:
        pytest.skip("no other version of Python (3.11, 3.12, 3.13) is installed here")
    source = Path(fingerprint.__file__).read_text()
    body = source[source.index("def syntax_sha256") : source.index("def _code(")]
    script = (
        "import ast, hashlib, pathlib, sys\nfrom typing import Any\n" + body + "\nfor name in sys.argv[1:]:\n"
        "    print(syntax_sha256(pathlib.Path(name).read_bytes()))"
    )
    folders = ("cogbench", "plugins", "tasks", "signals", "tests")
    files = sorted(str(file) for folder in folders for file in (ROOT / folder).rglob("*.py"))
    assert len(files) > 150
    ours = [syntax_sha256(Path(file).read_bytes()) for file in files]
    for place in pythons.values():
        done = subprocess.run([place, "-c", script, *files], capture_output=True, text=True, timeout=120)
        assert done.stdout.split() == ours, done.stderr


def test_an_identity_of_0_1_0_is_read_in_todays_form(package):
    part = importlib.import_module("layered.part").Part("other")
    # A module of no distribution stays as it was written: nothing is imported because a file names it.
    old = {"is": "layered.part:Part", "name": "other", "code": {"sha256": "x"}}
    assert fingerprint.upgraded(old) == old
    assert fingerprint.upgraded({"is": "cogbench.records:Source", "id": "x"}) == {"is": "cogbench:Origin", "id": "x"}
    minilm = load_parts().backbones["minilm"]
    written = {
        "is": "cogbench_backbones.huggingface:HuggingFace",
        **{
            name: getattr(minilm, name)
            for name in ("name", "address", "revision", "package", "layers", "size", "paper")
        },
        "precision": None,
        "epochs": None,
        "code": {"distribution": "cogbench-toolkit", "version": "0.1.0", "sha256": "add3658f63e2428a"},
    }
    assert fingerprint.upgraded(written) == identity(minilm)
    unknown = fingerprint.upgraded(written | {"code": {**written["code"], "sha256": "0123456789abcdef"}})
    assert unknown["code"]["sha256"] == "0123456789abcdef"
    assert fingerprint.upgraded(identity(minilm)) == identity(minilm) and part.name == "other"
    alike = {"is": "x:Y", "members": [identity(minilm) | {"code": {**identity(minilm)["code"], "answers": 1}}]}
    assert fingerprint.upgraded(alike)["members"] == [identity(minilm)], "other draws of the same trainings"
    foreign = {"is": "cogbench-toolkit:HuggingFace", "code": {"answers": [1]}}  # of somebody else's file
    assert fingerprint.upgraded(foreign) == foreign
