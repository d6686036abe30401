"""`cogbench fetch`: what is local, what fails, and what each exit code means; the hub's side is in test_offline.py."""

import json
from dataclasses import dataclass
from types import ModuleType

import pyarrow as pa
import pytest
from click.testing import CliRunner
from repositories import TAGS, bert_files, conll_columns, parquet_bytes, semeval_columns, squad_columns

from cogbench import Files, MissingData, Origin, Suite, hookimpl, load_parts
from cogbench.cli.main import cli
from cogbench.parts import registry
from cogbench.runs.fetch import fetch_wanted, resolve_wanted
from cogbench.testing.toys import ToyBackbone, ToySignal
from cogbench.text import in_words
from cogbench.views.listing import fetch_rows


@dataclass(frozen=True)
class Taught(ToyBackbone):
    """A backbone with others among its fields; it names its source without looking for the model."""

    name: str = "taught"
    teacher: ToyBackbone = ToyBackbone("teacher")
    others: tuple[ToyBackbone, ...] = (ToyBackbone("second"),)

    def origin(self, files):
        return Origin("someone/taught", "1")


@dataclass(frozen=True)
class Absent(ToySignal):
    name: str = "absent"

    def read(self, files):
        raise MissingData("absent: ask its authors.")


@dataclass(frozen=True)
class Bug(ToySignal):
    name: str = "bug"

    def read(self, files):
        raise ZeroDivisionError("by zero\nand more")


@dataclass(frozen=True)
class Large(ToySignal):
    name: str = "large"

    def read(self, files):
        if not files.fetching:
            raise MissingData("large: only fetch brings it.")
        return super().read(files)


@pytest.fixture
def invoke(toy_plugin, tmp_path, monkeypatch):
    extra = ModuleType("extra_plugin")
    extra.register_backbones = hookimpl(lambda: [Taught()], specname="register_backbones")
    extra.register_signals = hookimpl(lambda: [Absent(), Bug(), Large()], specname="register_signals")
    suites = [Suite("lonely", ("toy-a",), "nowhere"), Suite("heavy", ("toy-a",), "large")]
    extra.register_suites = hookimpl(lambda: suites, specname="register_suites")
    load_parts = registry.load_parts
    monkeypatch.setattr(registry, "load_parts", lambda: load_parts(toy_plugin, extra))
    monkeypatch.chdir(tmp_path)
    return lambda *words, **env: CliRunner().invoke(cli, ["fetch", *map(str, words)], env=env)


def rows_of(found):
    return {row["what"]: row for row in json.loads(found.stdout)}


def last_line(found, code):
    assert found.exit_code == code and "Traceback" not in found.output, found.output
    return found.stderr.strip().splitlines()[-1]


def write(folder, split, columns, schema=None):
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    table = table.replace_schema_metadata(schema) if schema else table
    (folder / f"{split}-00000-of-00001.parquet").write_bytes(parquet_bytes(table))
    return folder


def squad(folder, change=lambda answers: answers):
    for split, n in (("train", 6), ("validation", 3)):
        columns = squad_columns(split, n)
        write(folder, split, {**columns, "answers": [change(dict(a)) for a in columns["answers"]]})
    return folder


def conll(folder, change=lambda tokens: tokens, names=TAGS):
    features = {"ner_tags": {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "List"}}
    schema = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    for split, n in (("train", 6), ("validation", 3)):
        columns = conll_columns(split, n)
        write(folder, split, {**columns, "tokens": [change(t) for t in columns["tokens"]]}, schema)
    return folder


def model(folder, files):
    folder.mkdir()
    for file, content in files.items():
        (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_a_suite_with_its_usual_signal_and_a_backbone(invoke):
    found = invoke("--suite", "toy", "--backbone", "toy", "--json")
    assert found.exit_code == 0, found.output
    rows = rows_of(found)
    assert [*rows] == [*(f"task toy-{letter}" for letter in "abcd"), "backbone toy", "signal toy"]
    assert {row["state"] for row in rows.values()} == {"built in"} and rows["task toy-a"]["licence"] == "MIT"
    assert found.stderr.splitlines()[0] == "cogbench: task toy-a (1 of 6) …"
    assert [*rows_of(invoke("--tasks", "toy-a", "--json", COGBENCH_FETCH_BACKBONE="toy"))][1] == "backbone toy"
    table = invoke("--suite", "toy", "--tasks", "toy-b,toy-a").stdout
    assert table.index("task toy-b") < table.index("task toy-a") and "built in" in table and "toy-c" not in table


def test_a_backbones_members_are_fetched_too(invoke, monkeypatch):
    asked = []
    represent = ToyBackbone.represent
    monkeypatch.setattr(ToyBackbone, "represent", lambda self, *rest: asked.append(self.name) or represent(self, *rest))
    found = invoke("--suite", "toy", "--tasks", "toy-a", "--backbone", "taught", "--json")
    assert rows_of(found)["backbone taught"]["id"] == "someone/taught"
    assert asked == ["teacher", "second", "taught"]


def test_each_model_of_a_backbone_has_a_row(tmp_path):
    for seed, name in enumerate(("small", "large")):
        model(tmp_path / name, bert_files(seed=seed))
    (tmp_path / "large" / "README.md").write_text("---\nlicense: [mit, apache-2.0]\n---\n")
    (tmp_path / "small" / "README.md").write_text("---\nlicense: : no YAML\n---\n")
    opened = (
        load_parts().find("backbone", str(tmp_path / "small")),
        load_parts().find("backbone", str(tmp_path / "large")),
    )

    @dataclass(frozen=True)
    class Pair:
        student: object
        teacher: object
        name: str = "pair"

        def origin(self, files):
            self.teacher.origin(files)
            return self.student.origin(files)

    first, second = fetch_wanted([("backbone", Pair(*opened))], Files(offline=True))
    assert [first["what"], second["what"]] == ["backbone pair"] * 2
    assert [r["folder"] for r in (first, second)] == [str(tmp_path / "small"), str(tmp_path / "large")]
    assert [r["licence"] for r in (first, second)] == ["", "mit, apache-2.0"]
    assert first["state"] == "local" and first["revision"] != second["revision"]
    assert fetch_rows([first])[0]["revision"] == first["revision"][: len("sha256:") + 8]


def test_local_files_are_shown_as_local(invoke, tmp_path):
    own = squad(tmp_path / "own")
    write(tmp_path / "data" / "sem_eval_2010_task_8", "train", semeval_columns("train", 6))
    write(tmp_path / "data" / "sem_eval_2010_task_8", "test", semeval_columns("test", 3))
    (tmp_path / "signal.csv").write_text("sentence,value\nthe dog,0.5\nthe cat,1.5\na bird,2.5\n")
    words = ["--tasks", "squad-v2,semeval-2010-8", "--signal", "signal.csv", "--data-dir", tmp_path / "data"]
    found = invoke(*words, "--task-data", f"squad-v2={own}", "--json")
    assert found.exit_code == 0, found.output
    rows = rows_of(found)
    assert {row["state"] for row in rows.values()} == {"local"}
    assert rows["task squad-v2"]["folder"] == str(own) and rows["task squad-v2"]["revision"] is None
    assert rows["task squad-v2"]["bytes"] == sum(f.stat().st_size for f in own.iterdir())
    assert rows["signal signal"]["bytes"] == (tmp_path / "signal.csv").stat().st_size


def test_what_fails_is_one_line_each_and_the_others_go_on(invoke, tmp_path):
    words = ["--tasks", "squad-v2,rte", "--task-data", f"squad-v2={squad(tmp_path / 'own')}"]
    found = invoke(*words, "--signal", "absent", "--signal", "bug", "--signal", "toy")
    assert last_line(found, 1) == "cogbench: 3 of 5 could not be had; the same command tries them again."
    told = [line for line in found.stderr.splitlines() if not line.endswith("…")]
    assert told[0].startswith("cogbench: task rte: data of task 'rte', nyu-mll/glue: not on this machine, and HF_HUB_")
    assert told[1:3] == [
        "cogbench: signal absent: absent: ask its authors.",
        "cogbench: signal bug: ZeroDivisionError: by zero",
    ]
    assert found.stdout.count("failed") == 3 and found.stdout.count("local") == 1


def test_nothing_at_all_is_3_and_an_unknown_name_2(invoke):
    assert "2 of 2 could not be had" in last_line(invoke("--tasks", "rte", COGBENCH_OFFLINE="1"), 3)  # and the signal
    assert "unknown task 'rtee'; did you mean 'rte'" in last_line(invoke("--tasks", "rtee"), 2)
    assert "unknown backbone 'bert-base-uncased'" in last_line(invoke("--backbone", "bert-base-uncased"), 2)
    assert "unknown task in --task-data 'cola'" in last_line(invoke("--tasks", "rte", "--task-data", "cola=."), 2)
    assert "unknown part in --set 'toy'" in last_line(invoke("--tasks", "rte", "--set", "toy.seed=1"), 2)


def test_an_option_changes_what_is_fetched(toy_plugin):
    found, _ = resolve_wanted(load_parts(), tasks=["ms-marco"], set=["ms-marco.version=v2.1"])
    assert found[1].version == "v2.1"


def test_a_usual_signal_that_is_not_installed_is_told_and_no_failure(invoke):
    found = invoke("--suite", "lonely", "--json")
    assert found.exit_code == 0 and [*rows_of(found)] == ["task toy-a"]
    assert "no installed plugin gives 'nowhere', the usual signal of suite 'lonely': none is fetched." in found.stderr


def test_what_is_large_is_fetched_by_its_name_alone(invoke):
    found = invoke("--suite", "heavy", "--json")
    assert rows_of(found)["signal large"]["error"] == "large: only fetch brings it." and found.exit_code == 1
    found = invoke("--suite", "heavy", "--signal", "large", "--json")
    assert rows_of(found)["signal large"]["state"] == "built in" and found.exit_code == 0


@pytest.mark.parametrize(
    "task, make, says",
    [
        (
            "squad-v2",
            lambda f: squad(f, lambda a: {**a, "answer_start": [s + 1 for s in a["answer_start"]]}),
            "does not",
        ),
        (
            "conll-2003",
            lambda f: conll(f, names=[*TAGS[:1], *TAGS[3:], *TAGS[1:3]]),
            "states the classes of ner_tags as",
        ),
        ("conll-2003", lambda f: conll(f, lambda tokens: ["", *tokens[1:]]), "row 0 has no text in word 1"),
        ("conll-2003", lambda f: conll(f, lambda tokens: []), "row 0 has 0 words"),
        ("squad-v2", conll, "lacks column question, context, answers; it has id, tokens"),
        ("rte", lambda f: write(f, "train", {"sentence1": [], "sentence2": [], "label": []}), "has no rows"),
        ("rte", lambda f: f.mkdir() or f, "no train*.parquet (or csv, tsv, jsonl) for task 'rte'"),
    ],
    ids=["answer_start", "order of names", "empty word", "no words", "columns", "no rows", "no files"],
)
def test_bad_local_data_is_one_clear_line(invoke, tmp_path, task, make, says):
    folder = make(tmp_path / "bad")
    found = invoke("--tasks", task, "--task-data", f"{task}={folder}")
    last_line(found, 3)
    (told,) = [line for line in found.stderr.splitlines() if line.startswith(f"cogbench: task {task}: ")]
    assert says in told
    found = invoke("--tasks", f"{task},toy-a", "--task-data", f"{task}={folder}")
    last_line(found, 1)


def test_a_model_folder_without_tokenizer_is_one_clear_line(invoke, tmp_path):
    kept = {file: content for file, content in bert_files().items() if "token" not in file and file != "vocab.txt"}
    found = invoke("--tasks", "toy-a", "--backbone", model(tmp_path / "model", kept))
    last_line(found, 1)
    assert "has no tokenizer (tokenizer_config.json, tokenizer.json" in found.stderr


@pytest.mark.parametrize(
    "n, words", [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3_500_000, "3.3 MiB"), (5 * 2**50, "5120.0 TiB")]
)
def test_sizes_in_words(n, words):
    assert in_words(n) == words
