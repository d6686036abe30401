"""What the store holds, what is out of reach, and that nothing else is removed."""

import gc
import importlib
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass

import pytest
from click.testing import CliRunner
from platformdirs import user_cache_path

from cogbench import Files, Parts, Recipe, Store
from cogbench.cli.main import cli
from cogbench.compute.cells import Encoding, Training
from cogbench.compute.inventory import info, inventory, prune
from cogbench.compute.workspace import Workspace
from cogbench.storage.locks import kept_from_pruning, needed
from cogbench.storage.remote_store import open_store
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal
from cogbench.workers import engine

OWN = """
from dataclasses import dataclass
from cogbench.testing.toys import ToyBackbone

@dataclass(frozen=True)
class Own(ToyBackbone):
    name: str = "own"
"""


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with two trainings and their encodings, one of a backbone in a module of its own."""
    (tmp_path / "own_backbone.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("own_backbone", None)
    module = importlib.import_module("own_backbone")
    workspace = Workspace(Files(offline=True), Store(tmp_path / "store"))
    for backbone in (ToyBackbone(), module.Own()):
        workspace.folder(Encoding(Training(backbone, Recipe(TASKS[:1])), ToySignal()))
    yield workspace.store
    sys.modules.pop("own_backbone", None)


def aged(store):
    """Make everything in a store older than an hour."""
    for path in store.root.rglob("*"):
        os.utime(path, (1, 1))


def test_what_can_be_asked_for_is_in_reach(store):
    rows = {row["kind"]: row for row in info(store, Parts())}
    assert (rows["training"]["folders"], rows["encoding"]["folders"]) == (2, 2)
    assert all(row["out of reach"] == 0 and row["bytes"] > 0 for row in rows.values())
    assert prune(store, Parts()) == []


def test_a_record_that_is_no_mapping_is_damage_and_stops_nothing(store):
    (record, *_) = store.root.rglob("cell.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"ingredients": ["x"]}))
    assert {row["kind"]: row["folders"] for row in info(store, Parts())}["damaged"] == 1


def test_changed_code_puts_a_cell_and_what_is_made_from_it_out_of_reach(store, tmp_path):
    file = tmp_path / "own_backbone.py"
    file.write_text(file.read_text() + "CHANGED = True\n")
    found = [one for one in inventory(store, Parts()) if one.fault]
    assert {one.kind for one in found} == {"training", "encoding"} and len(found) == 2
    assert any(one.fault == "own_backbone has changed since" for one in found)
    assert prune(store, Parts()) == [] and all(one.spared == "it is younger than an hour" for one in found)
    aged(store)
    found = [one for one in inventory(store, Parts()) if one.fault]
    assert prune(store, Parts(), dry_run=True) == found and all(one.folder.is_dir() for one in found)
    prune(store, Parts())
    assert not any(one.folder.exists() for one in found)
    assert {row["kind"]: row["folders"] for row in info(store, Parts())} == {"training": 1, "encoding": 1}


def test_a_plugin_that_is_gone_and_another_version(store, tmp_path):
    (tmp_path / "own_backbone.py").unlink()
    sys.modules.pop("own_backbone")
    assert any("own_backbone, which made it, is not installed" in one.fault for one in inventory(store, Parts()))
    record = next(p for p in store.root.rglob("cell.json") if "toy/" in str(p) and "stimuli" not in str(p))
    read = json.loads(record.read_text())
    read["ingredients"]["cogbench"] = "0.0.1"
    del read["seal"]  # as in records of old
    record.write_text(json.dumps(read))
    others = [one for one in inventory(store, Parts()) if one.version]
    assert [one.version for one in others] == ["0.0.1"] * 2 and not any(one.fault for one in others)  # and its encoding
    rows = {row["kind"]: row for row in info(store, Parts())}
    assert all(rows[kind]["other versions"] == 1 for kind in ("training", "encoding"))
    aged(store)
    assert not [one for one in prune(store, Parts()) if one.version] and all(one.folder.is_dir() for one in others)
    removed = prune(store, Parts(), other_versions=True)
    assert [one.folder for one in removed] == [one.folder for one in others]
    assert not any(one.folder.exists() for one in removed)


@pytest.mark.parametrize("broken", ["def (", "raise OSError", "import not_installed_here"])
def test_cells_of_a_plugin_that_cannot_be_imported_just_now_stay(store, tmp_path, broken):
    (tmp_path / "own_backbone.py").write_text(broken)
    sys.modules.pop("own_backbone")
    assert not [one for one in inventory(store, Parts()) if one.fault] and prune(store, Parts()) == []


def test_drafts_are_left_alone_until_they_are_old(store):
    draft = store.root / ".tmp" / "0123456789abcdef-01234567"
    draft.mkdir(parents=True)
    (draft / "x").write_text("half")
    assert {one.kind: one.fault for one in inventory(store, Parts())}["draft"] == ""
    for path in (draft, draft / "x"):
        os.utime(path, (1, 1))
    with store._lock("0123456789abcdef"):  # a long training is under way
        assert prune(store, Parts()) == []
    assert [one.kind for one in prune(store, Parts())] == ["draft"] and not draft.exists()


def test_a_record_that_cannot_be_read_is_damaged(store):
    file = next(store.root.rglob("cell.json"))
    file.write_text(file.read_text()[:-10])
    assert [one.fault for one in inventory(store, Parts()) if one.kind == "damaged"] == ["its record cannot be read"]


def test_the_commands(store, monkeypatch, tmp_path):
    monkeypatch.setenv("COGBENCH_HOME", str(store.root))
    shown = CliRunner().invoke(cli, ["cache", "info"])
    assert shown.exit_code == 0 and "training" in shown.stdout and str(store.root) in shown.stderr
    (tmp_path / "own_backbone.py").write_text("")
    young = CliRunner().invoke(cli, ["cache", "prune"])
    assert "0 folders" in young.stderr and "2 more are out of reach and stay: younger than an hour" in young.stderr
    aged(store)
    pruned = CliRunner().invoke(cli, ["cache", "prune", "--dry-run"])
    assert "2 folders" in pruned.stderr and "would be removed" in pruned.stderr
    assert len(json.loads(CliRunner().invoke(cli, ["cache", "prune", "--json"]).stdout)) == 2
    assert json.loads(CliRunner().invoke(cli, ["cache", "prune", "--json"]).stdout) == []
    monkeypatch.setenv("COGBENCH_HOME", str(tmp_path / "nowhere"))
    assert CliRunner().invoke(cli, ["cache", "info"]).exit_code == 0


def test_what_was_read_from_files_that_have_changed_or_gone_is_out_of_reach(store, monkeypatch, tmp_path):
    monkeypatch.setenv("COGBENCH_HOME", str(store.root))
    files, paths = Files(offline=True), [tmp_path / "a.mat", tmp_path / "b.mat"]
    for path in paths:
        path.write_text("as it was")
        files.derived(f"signals/{path.stem}", [path], lambda out: (out / "read.npy").write_text("numbers"))
    assert [one.kind for one in inventory(store, Parts())].count("reading") == 2 and prune(store, Parts()) == []
    paths[0].write_text("as it is")
    paths[1].unlink()
    aged(store)
    faults = {one.folder.name[0]: one.fault for one in prune(store, Parts())}
    assert faults["a"] == f"{paths[0]}, which was read, has changed since"
    assert faults["b"] == f"{paths[1]}, which was read, is gone"
    assert not [one for one in inventory(store, Parts()) if one.kind == "reading"]


# --- what is not ours


def test_nothing_of_somebody_else_is_removed(tmp_path, monkeypatch):
    theirs = {
        "project/cell.json": '{"voltage": 3.7}',
        "project/data/thesis.txt": "years of work",
        "cell.json": '{"voltage": 3.7}',
        "battery-0123abcd/cell.json": '{"voltage": 3.7}',
        "battery-0123abcd/measured.csv": "1,2",
        "other-89abcdef/cell.json": json.dumps({"key": "0" * 64, "ingredients": {"cogbench": "0.0.1"}, "files": {}}),
        "plain89abcdef/cell.json": json.dumps({"key": "89abcdef" * 8, "ingredients": {"cogbench": "0"}, "files": {}}),
        "empty-89abcdef/cell.json": "",
        "half-89abcdef/cell.json": '{"key": "0000',
        ".tmp/mine/notes.txt": "notes",
        ".damaged/car/photo.jpg": "a photo",
        ".failed/exam.log": "an exam",
        ".runs/marathon.json": "[]",
    }
    root = tmp_path / "store-01234567"  # which is itself called as a cell
    for name, text in theirs.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "cell.json").write_text(json.dumps({"key": "01234567" * 8, "ingredients": {"cogbench": "0"}, "files": {}}))
    link = root / "linked-0123abcd"
    link.symlink_to(root / "project")
    aged(Store(root))
    assert prune(Store(root), Parts(), other_versions=True) == []
    assert all((root / name).is_file() for name in theirs) and link.is_symlink()
    monkeypatch.setenv("COGBENCH_HOME", str(root))
    monkeypatch.setenv("COGBENCH_STORE", "")
    assert "0 folders" in CliRunner().invoke(cli, ["cache", "prune", "--other-versions"]).stderr
    assert all((root / name).is_file() for name in theirs)


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_variable_is_no_folder(tmp_path, monkeypatch, empty):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COGBENCH_STORE", empty)
    assert open_store().root == tmp_path / "home"
    monkeypatch.setenv("COGBENCH_HOME", empty)
    assert open_store().root == user_cache_path("cogbench")


def outdated(store, tmp_path):
    """Return the store with the cells of the own backbone out of reach, and all of it old."""
    (tmp_path / "own_backbone.py").write_text(OWN + "CHANGED = True\n")
    aged(store)
    return [one for one in inventory(store, Parts()) if one.fault]


def test_what_a_running_command_needs_stays_until_it_ends(store, tmp_path):
    cells = outdated(store, tmp_path)
    with kept_from_pruning(store.root, [cells[0].key]):
        assert [one.folder for one in prune(store, Parts())] == [cells[1].folder] and cells[0].folder.is_dir()
    (left,) = prune(store, Parts())
    assert left.folder == cells[0].folder and not [*(store.root / ".runs").iterdir()]


RUNNING = """
    import sys, time
    from pathlib import Path
    from cogbench.storage import locks

    moment, root, *keys = sys.argv[1:]

    def wait(*_, **__):
        print("it runs", flush=True)
        time.sleep(60)

    if moment == "before it has said what it needs":
        locks.write_whole = wait
    with locks.kept_from_pruning(Path(root), keys):
        wait()
"""


@pytest.mark.parametrize("moment", ["while it runs", "before it has said what it needs"])
def test_what_a_killed_command_needed_does_not_stay(store, tmp_path, moment):
    cells = outdated(store, tmp_path)
    command = [sys.executable, "-c", textwrap.dedent(RUNNING), moment, store.root, *(one.key for one in cells)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "it runs\n"
    if moment == "while it runs":
        assert prune(store, Parts()) == [] and all(one.folder.is_dir() for one in cells)
    process.kill()
    process.communicate()
    assert [*(store.root / ".runs").iterdir()]
    assert len(prune(store, Parts())) == 2 and not [*(store.root / ".runs").iterdir()]


def test_a_locked_cell_stays(store, tmp_path):
    cells = outdated(store, tmp_path)
    with store._lock(cells[0].key):
        assert [one.folder for one in prune(store, Parts())] == [cells[1].folder]


def test_a_run_says_which_cells_it_needs(store, tmp_path):
    """Whatever prunes while a cell is computed leaves its inputs alone."""
    spared = []

    @dataclass(frozen=True)
    class Pruning(ToyBackbone):
        name: str = "pruning"

        def represent(self, checkpoint, sentences, files):
            spared.append(needed(store.root))
            return super().represent(checkpoint, sentences, files)

    cell = Encoding(Training(Pruning(), Recipe(TASKS[:1])), ToySignal())

    def computed():
        here = Workspace(Files(offline=True), store, jobs=0)
        here.folder(cell.training)
        engine.compute([cell], here)
        while_it_lives = needed(store.root)
        return while_it_lives, {here.key(cell), here.key(cell.training)}, {here.key(cell)}

    needs, both, _ = computed()
    gc.collect()
    assert spared == [both] and needs == both and not needed(store.root)
    needs, _, one = computed()  # which only reads
    gc.collect()
    assert needs == one and not needed(store.root)
