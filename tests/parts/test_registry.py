"""Plugins load one by one, answer for themselves, and are found by name or address."""

import json
import logging
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from cogbench import BrokenPlugin, MissingData, Recipe, Suite, UnknownName, UnusableData, hookimpl, load_parts
from cogbench.cli.main import cli
from cogbench.parts.fingerprint import distributions
from cogbench.parts.oracle_names import find_oracle
from cogbench.parts.registry import Parts
from cogbench.runs.stimuli import find_stimuli
from cogbench.testing.toys import ToyBackbone, ToyTask

ROOT = Path(__file__).parents[2]
COGBENCH = str(Path(sys.executable).with_name("cogbench"))
GOOD = """
from cogbench import Suite, hookimpl

@hookimpl
def register_suites():
    return [Suite("{suite}", ("a", "b", "c"), "none")]
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a plugin: a module, and the folder that says which distribution it is."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(distribution, source, *, key="own", version="1.0", attribute=""):
        module = f"{distribution.replace('-', '_')}_{key}"
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        points = info / "entry_points.txt"
        said = points.read_text() if points.exists() else "[cogbench]\n"
        points.write_text(f"{said}{key} = {module}{attribute}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


def _module(name="mine", **hooks):
    module = ModuleType(name)
    for hook, answer in hooks.items():
        setattr(module, hook, hookimpl(lambda answer=answer: answer() if callable(answer) else answer))
    return module


def _errors(parts):
    return {p.key: p.error for p in parts.plugins if p.error}


def test_a_third_partys_part_bears_its_distribution(install):
    install("someones-suites", GOOD.format(suite="theirs"), version="2.1")
    parts = load_parts()
    plugin = parts.providers["suite", "theirs"]
    assert parts.suites["theirs"].tasks == ("a", "b", "c")
    assert (plugin.distribution, plugin.version, plugin.key, plugin.parts) == (
        "someones-suites",
        "2.1",
        "own",
        ("suite theirs",),
    )
    assert parts.providers["suite", "cogtaskonomy"].distribution == "cogbench-toolkit"


@pytest.mark.parametrize(
    "source, reason",
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def f(:", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("from cogbench import hookimpl\n@hookimpl\ndef register_tasks(): raise KeyError('x')", "KeyError: 'x'"),
        ("from cogbench import hookimpl\n@hookimpl\ndef register_tasks(): return ['x']", "which is no Task"),
        ("from cogbench import hookimpl\n@hookimpl\ndef register_tasks(): return None", "returned NoneType; expected"),
    ],
    ids=["raises", "lacks a module", "no Python", "exits", "raises in a hook", "no part", "nothing"],
)
def test_a_broken_plugin_is_reported_once_and_the_others_work(install, monkeypatch, source, reason):
    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    monkeypatch.setattr(logging.getLogger("cogbench"), "handlers", [handler])
    install("broken-one", source)
    install("good-one", GOOD.format(suite="theirs"))
    parts = load_parts()
    assert "theirs" in parts.suites and "dse" in parts.estimators
    (plugin,) = [p for p in parts.plugins if p.distribution == "broken-one"]
    assert reason in plugin.error and plugin.parts == ()
    (line,) = [line for line in said if "broken-one" in line]
    assert line.startswith("plugin 'own' of broken-one 1.0 does not load: ") and reason in line


def test_an_entry_point_that_names_no_module_is_broken(install):
    install("odd-one", GOOD.format(suite="theirs"), attribute=":register_suites")
    assert "is no module: an entry point of 'cogbench' names the module of its hooks" in _errors(load_parts())["own"]


def test_a_long_reason_is_one_line(install):
    install("broken-one", "raise RuntimeError('''first\\n\\n   second''')")
    assert _errors(load_parts())["own"] == "RuntimeError: first second"


def test_a_plugin_whose_last_hook_fails_adds_nothing(install):
    install("half", GOOD.format(suite="theirs") + "\n@hookimpl\ndef register_oracles(): raise ValueError('no')\n")
    assert "theirs" not in load_parts().suites


def test_two_plugins_of_one_key_are_two_plugins(install):
    install("first", GOOD.format(suite="one"))
    install("second", GOOD.format(suite="two"))
    assert {"one", "two"} <= {*load_parts().suites}


def test_a_name_that_comes_twice_is_named_with_both_distributions(install):
    install("first", GOOD.format(suite="same"), version="1.5")
    install("second", GOOD.format(suite="same"))
    parts = load_parts()
    assert parts.providers["suite", "same"].distribution == "first"
    (plugin,) = [p for p in parts.plugins if p.error]
    assert plugin.faults == [
        "plugin 'own' of second 1.0 does not load: suite 'same' comes from plugin 'own' of first 1.5 too; "
        "uninstall one of them, rename the suite, or limit plugins with COGBENCH_LOAD_PLUGINS."
    ]


def test_no_plugin_takes_the_name_of_a_built_in_part(install):
    install("a-first-one", GOOD.format(suite="mini"))
    parts = load_parts()
    assert parts.providers["suite", "mini"].distribution == "cogbench-toolkit"
    assert "'mini' comes from plugin 'mini' of cogbench-toolkit" in _errors(parts)["own"]


def test_one_plugin_may_not_give_a_name_twice():
    parts = load_parts(_module(register_suites=[Suite("same", (), ""), Suite("same", (), "")]))
    assert "same" not in parts.suites and _errors(parts) == {"mine": "it gives suite 'same' twice."}


def test_one_name_may_stand_for_parts_of_two_kinds():
    parts = load_parts(_module(register_suites=[Suite("toy", (), "")], register_backbones=[ToyBackbone()]))
    assert parts.find("suite", "toy") is not parts.find("backbone", "toy")


def test_an_unknown_hook_is_an_error_that_names_plugin_and_hooks(install):
    install("newer", "from cogbench import hookimpl\n@hookimpl\ndef register_taks(): return []")
    error = _errors(load_parts())["own"]
    assert re.match("it implements 'register_taks', a hook that cogbench-toolkit .* does not have; did you mean", error)
    assert "'register_tasks'" in error


def test_a_hook_that_is_not_marked_is_named(install, monkeypatch):
    install("forgetful", GOOD.format(suite="theirs").replace("@hookimpl", ""))
    (fault,) = load_parts().faults
    assert fault.startswith("plugin 'own' of forgetful 1.0 defines register_suites() without @hookimpl, so it is not")
    with pytest.raises(UnknownName, match=r"unknown suite 'theirs'.*But plugin 'own' of forgetful 1\.0 defines reg"):
        load_parts().find("suite", "theirs")


@pytest.mark.parametrize("words", ["list suites", "plugins", "oracle list", "score no.csv --oracle mini-minilm-2l"])
@pytest.mark.parametrize("fault", ["misspelt", "clash"])
def test_a_fault_of_one_plugin_stops_no_command(install, words, fault):
    source = GOOD.format(suite="mini")
    install("odd-one", source if fault == "clash" else source.replace("register_suites", "register_suits"))
    done = CliRunner().invoke(cli, words.split())
    lines = [line for line in done.stderr.splitlines() if line.startswith("cogbench: plugin 'own' of odd-one 1.0 does")]
    assert len(lines) == 1 and done.exit_code == (3 if "no.csv" in words else 0), done.output
    assert words != "plugins" or "odd-one" in done.stdout


def test_plugins_are_limited_by_name(install, monkeypatch):
    install("first", GOOD.format(suite="one"))
    install("second", GOOD.format(suite="two"))
    both = {"one", "two"}
    for wanted, found in {"": set(), "first": {"one"}, "First, second": both, "third": set()}.items():
        monkeypatch.setenv("COGBENCH_LOAD_PLUGINS", wanted)
        parts = load_parts()
        assert {*parts.suites} & both == found, wanted
        assert "dse" in parts.estimators  # the built-ins are never left out


def test_a_plugin_left_out_is_not_even_imported(install, monkeypatch):
    install("first", "raise RuntimeError('it was imported')")
    monkeypatch.setenv("COGBENCH_LOAD_PLUGINS", "")
    assert not [p for p in load_parts().plugins if p.distribution == "first"]


@pytest.mark.parametrize("strict", ["1", "0", ""])
def test_a_broken_plugin_is_an_error_where_it_is_asked_for(install, tmp_path, strict):
    install("broken-one", "raise RuntimeError('no licence')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, "COGBENCH_STRICT_PLUGINS": strict, "COGBENCH_LOAD_PLUGINS": "broken-one"}
    done = subprocess.run([COGBENCH, "list", "suites", "--json"], env=env, capture_output=True, text=True, timeout=60)
    assert "broken-one 1.0 does not load: RuntimeError: no licence" in done.stderr
    assert "Traceback" not in done.stderr
    if strict == "1":
        assert (done.returncode, done.stdout) == (4, "")
    else:
        assert done.returncode == 0 and "cogtaskonomy" in [row["name"] for row in json.loads(done.stdout)]


def test_each_load_builds_afresh(install):
    calls = []
    mine = _module(register_suites=lambda: calls.append(1) or [Suite("mine", (), "")])
    assert "mine" in load_parts(mine).suites and "mine" in load_parts(mine).suites
    assert len(calls) == 2
    assert "mine" not in load_parts().suites
    install("late", GOOD.format(suite="late"))
    assert "late" in load_parts().suites


def test_parts_are_sorted_by_name():
    parts = load_parts()
    for kind in ("task", "backbone", "estimator"):
        assert [*parts.of(kind)] == sorted(parts.of(kind))


def test_an_unknown_name_lists_the_near_ones():
    with pytest.raises(
        UnknownName, match=r"'cnn'; did you mean .*'cnm'.*\? `cogbench list estimators` lists all \d+\."
    ):
        load_parts().find("estimator", "cnn")
    with pytest.raises(UnknownName, match=r"unknown suite 'zzzzzz'\. Installed: .*cogtaskonomy, "):
        load_parts().find("suite", "zzzzzz")
    with pytest.raises(UnknownName, match=r"unknown task 'm'; did you mean 'medmcqa-subject' or 'mini-cola' or '"):
        load_parts().find("task", "m")
    with pytest.raises(UnknownName, match=r"unknown suite 'x'\. Installed: none\."):
        Parts().find("suite", "x")


def test_all_distributions_of_the_repository_are_known():
    assert {*distributions()} == {p.parent.name for p in ROOT.glob("plugins/*-*/pyproject.toml")}


@pytest.mark.parametrize("distribution", distributions())
def test_the_known_parts_of_a_distribution_are_those_that_it_registers(distribution):
    known = {(kind, name) for kind, names in distributions()[distribution]["parts"].items() for name in names}
    assert known == {part for part, plugin in load_parts().providers.items() if plugin.distribution == distribution}
    project = tomllib.loads((ROOT / "plugins" / distribution / "pyproject.toml").read_text())["project"]
    assert project["name"] == distribution  # the folder that the message names is the distribution's


def test_a_part_of_a_distribution_that_is_not_installed_is_answered_with_its_distribution(monkeypatch):
    monkeypatch.setenv("COGBENCH_LOAD_PLUGINS", "")
    for distribution, content in distributions().items():
        for kind, names in content["parts"].items():
            for name in names:
                with pytest.raises(UnknownName) as caught:
                    load_parts().find(kind, name)
                assert str(caught.value) == (
                    f"unknown {kind} {name!r}: it comes with the distribution {distribution}, which is not loaded; "
                    f"install it in a checkout of cogbench: `pip install -e . -e plugins/{distribution}`."
                )
    with pytest.raises(UnknownName, match="unknown task 'logme'. `cogbench list tasks` lists all "):
        load_parts().find("task", "logme")


def test_a_run_names_the_distribution_in_one_line(monkeypatch):
    monkeypatch.setenv("COGBENCH_LOAD_PLUGINS", "")
    done = CliRunner().invoke(cli, ["run", "--suite", "mini", "--estimator", "logme", "--backbone", "minilm-2l"])
    (line,) = done.stderr.splitlines()
    assert done.exit_code == 2 and "comes with the distribution cogbench-transferability" in line


def test_a_hub_id_a_folder_and_a_table_are_opened(tmp_path):
    parts = load_parts()
    assert parts.find("backbone", "someone/model").address == "someone/model"
    assert parts.find("backbone", str(tmp_path)).address == str(tmp_path)
    (tmp_path / "s.csv").write_text("sentence,value\na b,0.5\nc d,1.5\n")
    signal = parts.find("signal", str(tmp_path / "s.csv"))
    assert signal.name not in parts.signals
    with pytest.raises(UnknownName, match="unknown backbone 'bret'; did you mean 'bert'"):
        parts.find("backbone", "bret")


@dataclass(frozen=True)
class _Opener(ToyBackbone):
    def open(self, address):
        return replace(self, name=address) if address.startswith("toy:") else None


def test_two_that_open_one_address_are_named():
    parts = load_parts(_module(register_backbones=[_Opener("one"), _Opener("two")]))
    with pytest.raises(BrokenPlugin, match="backbone 'toy:x' is opened by one and two: name one"):
        parts.find("backbone", "toy:x")
    assert parts.find("backbone", "one").name == "one"  # a name is never opened
    assert load_parts(_module(register_backbones=[_Opener("one")])).find("backbone", "toy:x").name == "toy:x"


@dataclass(frozen=True)
class _Pair:
    """An estimator that holds another and has an option named like its verb."""

    member: object
    similarity_: str = "cosine"
    weights: tuple[int, ...] = (1, 2)
    name: str = "pair"
    needs: frozenset[str] = frozenset()

    def similarity(self, evidence): ...


def test_a_label_names_the_options_that_differ():
    pair = _Pair(ToyTask("toy-a"))
    parts = load_parts(_module(register_estimators=[pair], register_backbones=[ToyBackbone()]))
    assert parts.label("backbone", ToyBackbone()) == "toy"
    assert parts.label("backbone", ToyBackbone(rate=0.5)) == "toy[rate=0.5]"
    changed = replace(pair, similarity_="pearson", weights=(1, 3), member=replace(pair.member, rows=7))
    assert parts.label("estimator", changed) == "pair[member.rows=7,similarity=pearson,weights=1:3]"
    assert parts.label("backbone", ToyBackbone("other", rate=0.5)) == "other"  # nothing to compare it with
    assert parts.label("backbone", _Opener("toy", rate=0.5)) == "toy"  # another type: its options mean something else


FORMER_BACKBONE = """
from dataclasses import dataclass
from cogbench import Origin, Settings, hookimpl

@dataclass(frozen=True)
class Own:
    name: str = "own-model"
    def source(self, files): return Origin("x", "1")
    def settings(self, kind, n_examples): return Settings(1, 1, 0.1)
    def train(self, recipe, files, out, start=None): ...
    def represent(self, checkpoint, sentences, files): ...
    def model(self, checkpoint, files): ...
    def batches(self, dataset, files): ...

@hookimpl
def register_backbones():
    return [Own()]
"""
FORMER_ORACLE = """
import numpy as np
from cogbench import Oracle, TaskMatrix, hookimpl

@hookimpl
def register_oracles():
    matrix = TaskMatrix.square(("a", "b", "c"), np.arange(9.0).reshape(3, 3))
    return [Oracle("theirs", "bert", "theirs", matrix{more})]
"""


@pytest.mark.parametrize(
    "source, says",
    [
        ("from cogbench import Source", "cogbench.Source is called cogbench.Origin since cogbench 0.2.0"),
        (FORMER_BACKBONE, "which is no Backbone: it lacks origin"),
        (FORMER_ORACLE.format(more=", kind='measured'"), "unexpected keyword argument 'kind'"),
    ],
    ids=["old name", "old verb", "old field"],
)
def test_a_plugin_of_0_1_0_that_does_not_work_says_what_to_do(install, source, says):
    install("former-plugin", source)
    error = _errors(load_parts())["own"]
    assert says in error and "CHANGELOG.md says what changed" in error and "\n" not in error


def test_an_oracle_in_memory_that_a_plugin_of_0_1_0_gives_still_works(install):
    install("former-plugin", FORMER_ORACLE.format(more=""))
    parts = load_parts()
    assert parts.oracles["theirs"].card.sources == ("a", "b", "c")
    assert find_oracle(parts, "theirs").transfers.values[0, 1] == 1


def test_the_list_of_oracles_reads_no_table():
    command = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from cogbench.cli.main import cli
cli(["list", "oracles", "--json"], standalone_mode=False)
print(*[name for name in opened if name.endswith((".csv", ".json")) and "oracles" in name], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert "cogtaskonomy-bert" in done.stdout and not done.stderr.strip()


def test_parts_cross_to_other_processes_by_kind_name_and_changed_options():
    parts = load_parts()
    minilm, cnm = parts.backbones["minilm"], parts.estimators["cnm"]
    assert parts.encode(minilm) == {"kind": "backbone", "name": "minilm"}
    changed = replace(minilm, epochs=2)
    assert parts.encode(changed) == {"kind": "backbone", "name": "minilm", "options": {"epochs": 2}}
    combined = replace(parts.estimators["cra+cnm"], cnm=replace(cnm, seeds=(5,)))
    inner = {"kind": "estimator", "name": "cnm", "options": {"seeds": [5]}}
    assert parts.encode(combined) == {"kind": "estimator", "name": "cra+cnm", "options": {"cnm": inner}}
    opened = parts.find("backbone", "someone/model")
    for part in (minilm, changed, combined, opened, Recipe((parts.tasks["cola"],), seed=3)):
        assert parts.decode(json.loads(json.dumps(parts.encode(part)))) == part
    # A part of a module that was given by hand is installed nowhere else: it crosses by its class.
    given = load_parts(_module(register_backbones=[ToyBackbone()]))
    assert given.encode(ToyBackbone())["is"] == "cogbench.testing.toys:ToyBackbone"
    assert given.decode(given.encode(ToyBackbone())) == ToyBackbone()


# --- addresses with options, and who opens them


@dataclass(frozen=True)
class _Recorder:
    name: str = "recorder"
    file: str = ""
    channels: tuple[str, ...] = ()
    transpose: bool = False

    def read(self, files):
        raise MissingData("nothing")

    def open(self, address):
        return replace(self, name="own", file=address) if address.endswith((".rec", ".csv")) else None


def test_an_address_may_set_options():
    parts = load_parts(_module(register_signals=[_Recorder()]))
    signal = parts.find("signal", "a,b.rec,channels=Cz:Pz,transpose=true")
    assert signal == _Recorder("own", "a,b.rec", ("Cz", "Pz"), True)
    with pytest.raises(UnknownName, match="unknown option of 'own' 'chanels'; did you mean 'channels'"):
        parts.find("signal", "a.rec,chanels=Cz")
    with pytest.raises(UnusableData, match="own.transpose=maybe: input should be a valid boolean"):
        parts.find("signal", "a.rec,transpose=maybe")


def test_who_opens_whatever_is_there_is_asked_last(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text("sentence,value\na b,0.5\nc d,1.5\n")
    own = load_parts(_module(register_signals=[_Recorder()]))
    assert own.find("signal", str(file)).file == str(file)  # and no clash with the table
    assert own.open("signal", str(file), last_resort=False) is not None
    assert load_parts().find("signal", str(file)).file == file
    assert load_parts().open("signal", str(file), last_resort=False) is None
    assert find_stimuli(own, str(file)).file == str(file)


def test_a_file_of_a_distribution_that_is_not_installed_is_answered_with_its_distribution(monkeypatch, tmp_path):
    monkeypatch.setenv("COGBENCH_LOAD_PLUGINS", "")
    for file in ("a.mat", "b.nii.gz,mask=c.nii.gz", "c-epo.fif", "D.HF5", "e.nc"):
        (tmp_path / file.partition(",")[0]).touch()
        with pytest.raises(UnknownName, match="such files are read by the distribution cogbench-neuro, which is not"):
            load_parts().find("signal", str(tmp_path / file))
