"""A store under a URL: cells are shared whole, the first complete copy is everybody's, damage is computed again."""

import hashlib
import json
import shutil
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import cogbench, line

from cogbench import Files, MissingData, Recipe, Store, UnusableData
from cogbench.compute.cells import Encoding, Training
from cogbench.compute.workspace import Workspace
from cogbench.errors import LostStore
from cogbench.storage.remote_store import RemoteStore, open_store
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal
from cogbench.workers import engine


@pytest.fixture
def machine(tmp_path):
    """Return the workspace of one of several machines that share a store through its URL."""
    return lambda name: Workspace(Files(offline=True), RemoteStore(tmp_path / name, f"file://{tmp_path}/shared"))


def cells():
    return [Encoding(Training(ToyBackbone(), Recipe((t,))), ToySignal()) for t in TASKS]


def test_what_one_machine_has_computed_another_takes(machine, tmp_path, monkeypatch):
    a = machine("a")
    assert len(engine.compute(cells(), replace(a, jobs=0)).computed) == 8
    monkeypatch.setattr(ToyBackbone, "train", None)
    b = machine("b")
    assert not engine.compute(cells(), replace(b, jobs=0)).computed
    for cell in cells():
        assert np.array_equal(cell.representations(a), cell.representations(b))
        assert (tmp_path / "b") in b.folder(cell).parents
    assert not list((tmp_path / "b" / ".tmp").iterdir())


def test_what_was_computed_before_there_was_a_url_is_shared_when_it_is_asked_for(machine, tmp_path, monkeypatch):
    alone = Workspace(Files(offline=True), Store(tmp_path / "a"))
    engine.compute(cells(), replace(alone, jobs=0))
    monkeypatch.setattr(ToyBackbone, "train", None)
    engine.compute(cells(), replace(machine("a"), jobs=0))
    assert not engine.compute(cells(), replace(machine("b"), jobs=0)).computed


def test_the_first_complete_copy_is_everybodys(machine, tmp_path):
    cell, a, b = cells()[0].training, machine("a"), machine("b")
    key = a.key(cell)
    fill = lambda text: lambda out: (out / "who").write_text(text)  # noqa: E731

    def late(out):  # while b computes, a is done
        (out / "who").write_text("b")
        a.store.write(cell.place, key, {}, fill("a"))

    assert not b.has(cell)
    assert (b.store.write(cell.place, key, {}, late) / "who").read_text() == "a"
    shared = tmp_path / "shared" / f"{cell.place}-{key[:8]}"
    assert len([p for p in shared.iterdir() if p.is_dir()]) == 1  # nothing of b is left


@pytest.mark.parametrize("harm", ["change", "remove", "other"])
def test_what_is_damaged_there_is_told_and_computed_again(machine, tmp_path, caplog, harm):
    cell = cells()[0].training
    first = np.array(cell.outputs(machine("a")))
    (record,) = (tmp_path / "shared").rglob("cell.json")
    file = next(record.parent.rglob("outputs.npy"))
    if harm == "change":
        file.write_bytes(file.read_bytes()[:-5] + bytes(5))
    elif harm == "remove":
        file.unlink()
    else:
        record.write_text(json.dumps(json.loads(record.read_text()) | {"key": "0" * 64}))
    assert np.array_equal(cell.outputs(machine("b")), first)
    assert "is damaged" in caplog.text and "computed again" in caplog.text
    caplog.clear()
    assert np.array_equal(cell.outputs(machine("c")), first) and not caplog.text


def test_what_another_machine_has_just_finished_is_seen_and_not_copied(machine):
    cell, a, b = cells()[0].training, machine("a"), machine("b")
    assert not b.has(cell) and not b.store.arrived(cell.place, b.key(cell))  # what is there is listed now
    a.folder(cell)
    assert b.store.arrived(cell.place, b.key(cell)) and not b.store.folder(cell.place, b.key(cell)).exists()


def test_two_machines_may_find_the_same_damage(machine, tmp_path, monkeypatch):
    cell = cells()[0].training
    first = np.array(cell.outputs(machine("a")))
    (record,) = (tmp_path / "shared").rglob("cell.json")
    next(record.parent.rglob("outputs.npy")).unlink()
    b = machine("b")

    def gone(path):
        record.unlink()  # by the other
        raise FileNotFoundError(path)

    monkeypatch.setattr(b.store._files, "rm_file", gone)
    assert np.array_equal(cell.outputs(b), first)


def test_a_record_that_is_being_written_is_not_yet_there(machine, tmp_path, monkeypatch):
    cell = cells()[0].training
    first = np.array(cell.outputs(machine("a")))
    (record,) = (tmp_path / "shared").rglob("cell.json")
    record.write_text(record.read_text()[:30])
    b = machine("b")
    assert b.store.read(cell.place, b.key(cell)) is None and record.is_file()
    # If it was a killed process that wrote it, whoever has the cell whole completes it.
    assert np.array_equal(cell.outputs(b), first)
    monkeypatch.setattr(ToyBackbone, "train", None)
    assert np.array_equal(cell.outputs(machine("c")), first)


def test_a_cell_that_is_shared_in_one_place_is_not_in_another(machine, tmp_path, monkeypatch):
    cell = cells()[0].training
    machine("a").folder(cell)
    monkeypatch.setattr(ToyBackbone, "train", None)
    other = Workspace(Files(offline=True), RemoteStore(tmp_path / "a", f"file://{tmp_path}/other"))
    assert not other.has(cell) and other.folder(cell) and other.has(cell)
    assert list((tmp_path / "other").rglob("cell.json"))


def test_the_url_may_be_that_of_a_plain_store(tmp_path, monkeypatch):
    cell = cells()[0].training
    first = np.array(cell.outputs(Workspace(Files(offline=True), Store(tmp_path / "plain"))))
    monkeypatch.setattr(ToyBackbone, "train", None)
    there = Workspace(Files(offline=True), RemoteStore(tmp_path / "a", f"file://{tmp_path}/plain"))
    assert there.has(cell) and np.array_equal(cell.outputs(there), first)


def test_what_workers_have_shared_is_known_to_who_asked_for_it(tmp_path):
    a = Workspace(Files(offline=True), open_store(f"file://{tmp_path}/shared"))
    training = [c.training for c in cells()]
    assert not engine.plan(training, a)[1]  # the cells there are listed now
    engine.compute(training, replace(a, jobs=2))
    assert not engine.plan(training, a)[0]


def test_workers_share_through_the_url(tmp_path):
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from cogbench import Files, Recipe
        from cogbench.workers import engine
        from cogbench.compute.cells import Training
        from cogbench.compute.workspace import Workspace
        from cogbench.storage.remote_store import RemoteStore
        from cogbench.testing.toys import TASKS, ToyBackbone
        if __name__ == "__main__":
            here = Workspace(Files(offline=True), RemoteStore(Path(sys.argv[1]), sys.argv[2]), jobs=2)
            found = engine.compute([Training(ToyBackbone(), Recipe((t,))) for t in TASKS], here)
            print(len(found.computed), len(found.failed))
    """)
    (tmp_path / "main.py").write_text(script)
    for name, expected in (("a", "4 0"), ("b", "0 0")):
        command = [sys.executable, tmp_path / "main.py", tmp_path / name, f"file://{tmp_path}/shared"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == expected


def test_the_environment_names_the_store(tmp_path, monkeypatch):
    assert type(open_store()) is Store
    monkeypatch.setenv("COGBENCH_STORE", f"file://{tmp_path}/shared/")
    assert open_store().address == f"file://{tmp_path}/shared"
    assert open_store(str(tmp_path / "x")).root == tmp_path / "x"


def test_a_url_that_nothing_reads_is_one_line(tmp_path):
    with pytest.raises(UnusableData, match="cannot use the store 'nosuch://x'"):
        RemoteStore(tmp_path, "nosuch://x")
    found = cogbench("cache", "info", COGBENCH_STORE="nosuch://x")
    assert "cannot use the store" in line(found, 3)


def test_a_url_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    here = Workspace(Files(offline=True), RemoteStore(tmp_path / "a", f"file://{tmp_path}/file/shared"))
    with pytest.raises(MissingData, match="cannot be used"):
        here.folder(cells()[0].training)
    assert not list((tmp_path / "a").rglob("cell.json"))  # told before the work


def test_what_cannot_be_copied_there_is_kept_and_copied_by_the_next_run(machine, monkeypatch):
    cell, a = cells()[0].training, machine("a")
    with monkeypatch.context() as patch:
        patch.setattr(type(a.store._files), "put_file", lambda *_, **__: (_ for _ in ()).throw(OSError("no route")))
        with pytest.raises(MissingData, match="cannot be used: no route"):
            a.folder(cell)
    monkeypatch.setattr(ToyBackbone, "train", None)
    again = machine("a")
    assert not again.has(cell) and again.folder(cell) and machine("b").folder(cell)


@pytest.mark.parametrize(
    "address", ["file://", "file:///", "file:////", "s3://", "memory:///", "file:/shared", "s3:/bucket"]
)
def test_an_address_without_a_folder_is_one_line(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnusableData, match="names no folder: an address is SCHEME://FOLDER, such as file:///shared"):
        open_store(address)
    done = cogbench("cache", "prune", COGBENCH_STORE=address)
    assert "names no folder" in line(done, 3) and not [*tmp_path.iterdir()]


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_store_that_cannot_be_reached_any_more_ends_the_run(machine, tmp_path, jobs):
    """Nothing more begins, what was finished stays here, and the next run copies it there."""
    a, told = machine("a"), []
    a.store.write("first", "0" * 64, {}, lambda out: (out / "x").touch())
    (tmp_path / "shared").rename(tmp_path / "away")
    (tmp_path / "shared").write_text("no folder")
    with pytest.raises(LostStore, match="the store 'file://.*' cannot be used: "):
        engine.compute(cells(), replace(a, jobs=jobs, progress=told.append))
    finished = len([*(tmp_path / "a").glob("toy/*/*/cell.json")])
    assert len([step for step in told if not step.phase]) == 1 and finished <= max(1, jobs)
    (tmp_path / "shared").unlink()
    (tmp_path / "away").rename(tmp_path / "shared")
    computed = engine.compute(cells(), replace(machine("a"), jobs=0)).computed
    assert len(computed) == 8 and not engine.compute(cells(), replace(machine("b"), jobs=0)).computed


@pytest.fixture
def change_record(machine, tmp_path):
    """Share a cell, and return its record, its folder, and a function that puts another record in its place."""
    cell = cells()[0].training
    machine("a").folder(cell)
    (file,) = (tmp_path / "shared").rglob("cell.json")
    return json.loads(file.read_text()), file.parent, file.write_text


OUTSIDE = (
    "{tmp}/victim",
    "../../../../../victim",
    "model/../../../../../../victim",
    "C:\\victim",
    "c:victim",
    "..\\victim",
    "\\victim",
    "a\nb",
    "a\x1b[2Jb",
    "a\u202eb",
    "model//victim",
    ".",
    "",
)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_record_that_names_a_file_outside_its_cell_writes_nothing_there(
    change_record, machine, tmp_path, caplog, name
):
    record, folder, change = change_record
    name, evil = name.format(tmp=tmp_path), b"of a stranger"
    stamped = {"size": len(evil), "sha256": hashlib.sha256(evil).hexdigest()}
    change(json.dumps({**record, "files": {**record["files"], name: stamped}}))
    cell, b, taken = cells()[0].training, machine("b"), []
    b.store._files.get_file = lambda source, target, **_: taken.append(target) or Path(target).write_bytes(evil)
    try:
        assert b.store.read(cell.place, b.key(cell)) is None
    finally:
        del b.store._files.get_file
    assert not taken and not (tmp_path / "victim").exists() and not list((tmp_path / "b").rglob("*victim*"))
    assert "is damaged" in caplog.text and "outside the cell" in caplog.text and "\x1b" not in caplog.text
    assert b.folder(cell).is_dir()  # computed again, and shared in place of the other


@pytest.mark.parametrize("change_of", ["files", "no files", "stamp", "no stamp", "ingredients", "copy", "far copy"])
def test_a_record_of_another_shape_is_damage(change_record, machine, caplog, change_of):
    record, folder, change = change_record
    shutil.copytree(folder / record["copy"], folder.parents[1] / "elsewhere")
    name = next(iter(record["files"]))
    changed = {
        "files": {**record, "files": [name]},
        "no files": {k: v for k, v in record.items() if k != "files"},
        "stamp": {**record, "files": {name: {}}},
        "no stamp": {**record, "files": {name: 5}},
        "ingredients": {k: v for k, v in record.items() if k != "ingredients"},
        "copy": {**record, "copy": 5},
        "far copy": {**record, "copy": "../../elsewhere"},
    }
    change(json.dumps(changed[change_of]))
    cell, b = cells()[0].training, machine("b")
    assert b.store.read(cell.place, b.key(cell)) is None
    assert "is damaged" in caplog.text
    assert b.folder(cell).is_dir()


@pytest.mark.parametrize("text", ["[]", '"x"', "null", "5", "", "{", "[" * 100_000, '{"key":' * 100_000])
def test_what_is_no_record_is_no_cell(change_record, machine, text):
    _, _, change = change_record
    change(text)
    cell, b = cells()[0].training, machine("b")
    assert b.store.read(cell.place, b.key(cell)) is None
    assert b.folder(cell).is_dir()
