"""Damage of any kind is named in one line, set aside and computed again; what cannot be mended stops in one line."""

import errno
import json
import logging
import os
import shutil
import threading

import pytest

from cogbench import Store
from cogbench.errors import FullDisk, LostStore
from cogbench.storage import atomic, locks
from cogbench.storage.atomic import write_whole
from cogbench.storage.hashes import digest
from cogbench.storage.locks import locked

PLACE = "nap/toy-a/seed-0"
INGREDIENTS = {"cell": "Training", "x": [1, 2.5, None], "name": "ünï"}
KEY = digest(INGREDIENTS)
FILES = {"model/weights.bin": bytes(range(200)), "outputs.npy": b"numbers" * 9, "training.json": b"{}"}


def fill(out):
    for name, content in FILES.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(content)


def contents(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "cell.json"
    }


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def cell(store):
    return store.write(PLACE, KEY, INGREDIENTS, fill)


def answers(store):
    """Ask a store all that can be asked of a cell; return whether it is there whole."""
    store.has(PLACE, KEY), store.size(PLACE, KEY), store.busy(KEY)
    folder = store.read(PLACE, KEY)
    assert folder is None or contents(folder) == FILES
    assert contents(store.write(PLACE, KEY, INGREDIENTS, fill)) == FILES
    return folder is not None


def replace_by(path, kind):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    match kind:
        case "file":
            path.write_text("somebody's")
        case "empty file":
            path.touch()
        case "folder":
            path.mkdir()
        case "link to nowhere":
            path.symlink_to(path.parent / "nowhere")
        case "circle":
            path.symlink_to(path.name)
        case "pipe":
            os.mkfifo(path)


KINDS = ["file", "empty file", "folder", "link to nowhere", "circle", "pipe"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "what",
    [
        ".",
        "cell.json",
        "outputs.npy",
        "model",
        "model/weights.bin",
        "..",
        "../..",
        "../../../.damaged",
        "../../../.tmp",
        "../../../.locks",
        f"../../../.locks/{KEY[:16]}",
        "../../../.failed",
    ],
)
def test_whatever_stands_in_the_place_of_whatever_the_cell_is_computed_again(store, cell, caplog, what, kind):
    path = cell / what if what == "." else type(cell)(os.path.normpath(cell / what))
    replace_by(path, kind)
    answers(store)
    assert store.log(PLACE, KEY, "why it failed").is_file() and answers(store)
    assert all(len(record.getMessage().splitlines()) == 1 for record in caplog.records)
    if what in (".", "cell.json", "outputs.npy", "model/weights.bin"):
        assert f"{PLACE}-{KEY[:8]} in the store is damaged" in caplog.text and "computed again" in caplog.text
    if kind == "file" and what != ".":  # nothing is lost, it may be somebody's
        kept = [p for p in store.root.rglob("*") if p.is_file() and p.read_bytes() == b"somebody's"]
        assert kept or what.endswith(KEY[:16])


@pytest.mark.parametrize("bits", [1, pytest.param(8, marks=pytest.mark.torture)])
def test_each_bit_of_a_record(store, cell, caplog, bits):
    """Of each byte one bit in turn each day, and all eight in `make torture`."""
    caplog.set_level(logging.ERROR)
    record = (cell / "cell.json").read_bytes()
    accepted = 0
    for place in range(len(record)):
        for bit in range(8) if bits == 8 else [place % 8]:
            flipped = bytes(c ^ (1 << bit) * (place == i) for i, c in enumerate(record))
            (cell / "cell.json").write_bytes(flipped)
            store.size(PLACE, KEY), store.has(PLACE, KEY)
            if store.read(PLACE, KEY) is None:
                store._made(PLACE, KEY, INGREDIENTS, fill)
            else:  # white space, or the name of the seal
                accepted += 1
                same = json.loads(record)
                assert {k: v for k, v in json.loads(flipped).items() if k in same} | {"seal": same["seal"]} == same
            assert contents(cell) == FILES
    assert accepted < len(record)


WRONG = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"5",
    b'"text"',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"1" * 5000,
    *(
        json.dumps({"key": KEY, "ingredients": {}, "files": files}).encode()
        for files in (
            None,
            [],
            5,
            "x",
            {},
            {"outputs.npy": 1},
            {"outputs.npy": {}},
            {"outputs.npy": {"size": "63", "sha256": "x"}},
            {"outputs.npy": {"size": True, "sha256": "x"}},
            {"outputs.npy": {"size": 10**400, "sha256": "x"}},
            {"outputs.npy": {"size": 63, "sha256": None}},
            {"../../../../etc/passwd": {"size": 1, "sha256": "x"}},
            {"/etc/passwd": {"size": 1, "sha256": "x"}},
            {"a\0b": {"size": 1, "sha256": "x"}},
            {"x" * 5000: {"size": 1, "sha256": "x"}},
        )
    ),
    *(json.dumps({"key": key, "ingredients": {}, "files": {}}).encode() for key in (None, 5, [], "0" * 64)),
    json.dumps({"key": KEY, "files": {}}).encode(),
]


@pytest.mark.parametrize("record", WRONG, ids=range(len(WRONG)))
def test_a_record_of_a_wrong_shape(store, cell, caplog, record):
    (cell / "cell.json").write_bytes(record)
    assert not answers(store) and answers(store)
    (line,) = caplog.messages
    assert "is damaged" in line and len(line.splitlines()) == 1


def test_a_record_without_a_seal_is_one_of_old(store, cell):
    record = json.loads((cell / "cell.json").read_text())
    assert record.pop("seal") == digest([record["key"], record["ingredients"], record["files"]])
    (cell / "cell.json").write_text(json.dumps(record))
    assert store.has(PLACE, KEY) and store.read(PLACE, KEY) == cell


# --- names that are too long


@pytest.mark.parametrize("place", ["n" * 300, "ü" * 300, f"{'n' * 300}/{'m' * 255}/{'k' * 250}"])
def test_a_long_name_is_cut_before_the_work(store, place):
    folder = store.write(place, KEY, INGREDIENTS, fill)
    assert store.read(place, KEY) == folder and folder.name.endswith(KEY[:8])
    assert store.log(place, KEY, "why").is_file()
    (folder / "outputs.npy").unlink()
    assert store.read(place, KEY) is None and len([*(store.root / ".damaged").iterdir()]) == 1
    assert store.name("n" * 246, KEY) == f"{'n' * 246}-{KEY[:8]}"  # what always fitted is as it was


def test_a_file_may_have_the_longest_name(tmp_path):
    write_whole(tmp_path / ("n" * 255), "text")
    assert [path.read_text() for path in tmp_path.glob("n*")] == ["text"]


# --- stores that cannot be used


@pytest.mark.parametrize(
    "number, says",
    [
        (errno.EACCES, "a store that several people share needs a folder with the setgid bit and"),
        (errno.EROFS, "what it holds can be read, and nothing can be added"),
        (errno.ESTALE, "what was finished is kept, the same command goes on from there"),
    ],
)
@pytest.mark.parametrize("where", ["lock", "draft", "aside", "record", "status"])
def test_a_store_that_cannot_be_used_is_one_line(store, cell, monkeypatch, number, says, where):
    def fail(path, *more, **options):
        raise OSError(number, os.strerror(number), str(path))

    real = os.stat

    def status(path, *more, **options):  # of a record, which is there
        return (fail if str(path).endswith("cell.json") else real)(path, *more, **options)

    if where == "record":
        monkeypatch.setattr("cogbench.storage.damage.open", fail, raising=False)
    elif where == "status":
        monkeypatch.setattr(os, "stat", status)
    elif where == "aside":
        (cell / "outputs.npy").unlink()
        monkeypatch.setattr(os, "replace", fail)
    else:
        shutil.rmtree(cell)
        monkeypatch.setattr(*((os, "open") if where == "lock" else (type(cell), "mkdir")), fail)
    with pytest.raises(LostStore, match=f"^the store cannot be used: '{store.root}.*: [^;]*; {says}") as told:
        store.read(PLACE, KEY)
        store.write(PLACE, KEY, INGREDIENTS, fill)
    assert len(str(told.value).splitlines()) == 1


def test_a_lock_of_somebody_else_that_cannot_be_opened_is_one_line(store, cell, monkeypatch):
    def fail(path, *more, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(LostStore, match="umask 002"):
        store.busy(KEY)


def test_a_file_that_is_not_the_stores_says_nothing_of_the_store(store, tmp_path):
    def fill(out):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "weights"))

    with pytest.raises(PermissionError):
        store.write(PLACE, KEY, INGREDIENTS, fill)


def test_a_limit_of_the_size_of_files_is_told_as_such(store):
    def fill(out):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    with pytest.raises(FullDisk, match="ulimit -f unlimited"):
        store.write(PLACE, KEY, INGREDIENTS, fill)


# --- waiting


def test_whoever_waits_is_told_for_what(store, monkeypatch, caplog):
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    begun, go = threading.Event(), threading.Event()

    def slow(out):
        begun.set()
        go.wait(30)
        fill(out)

    other = threading.Thread(target=store.write, args=(PLACE, KEY, INGREDIENTS, slow))
    other.start()
    begun.wait(30)
    waiting = threading.Thread(target=store.write, args=(PLACE, KEY, INGREDIENTS, fill))
    waiting.start()
    for _ in range(600):
        if not caplog.messages:
            waiting.join(0.05)
    go.set()
    for thread in (other, waiting):
        thread.join()
    assert caplog.messages == [f"waiting for {PLACE}, which another process computes."]


def test_a_lock_is_free_again_after_whatever_error(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(tmp_path / "a", tmp_path, "a", timeout=0):
            raise ZeroDivisionError


# --- loss of power


def test_a_file_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(atomic, "flush", lambda path: done.append(str(path)))
    rename = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("renamed"), rename(a, b)))
    write_whole(tmp_path / "a.json", "{}")
    assert done[0].startswith(f"{tmp_path}/.a.json-") and done[1:] == ["renamed", str(tmp_path)]
    done.clear()
    write_whole(tmp_path / "a.json", "{}", durable=False)
    assert done == ["renamed"]


def test_a_file_system_that_flushes_nothing_is_one_all_the_same(tmp_path, monkeypatch):
    def fail(number):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", fail)
    write_whole(tmp_path / "a.json", "{}")
    assert (tmp_path / "a.json").read_text() == "{}"


def test_a_disk_that_fails_is_told(tmp_path, monkeypatch):
    def fail(number):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError):
        write_whole(tmp_path / "a.json", "{}")
    assert not [*tmp_path.glob(".a*")]
