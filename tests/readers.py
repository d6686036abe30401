"""The readers of files that somebody else may have written: who adds one to cogbench adds it here."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from cogbench_backbones.huggingface import HuggingFace
from made_results import made, recorded
from repositories import bert_files
from safetensors.numpy import save as serialised

from cogbench import (
    Files,
    Oracle,
    SetScore,
    TaskMatrix,
    TaskSets,
    compare,
    leaderboard,
    load_parts,
    read_sets,
    read_table,
    score,
    score_sets,
)
from cogbench.data.oracle_files import read_card, read_oracle, write_oracle, write_table
from cogbench.oracles.task_sets import plain_sets, write_sets
from cogbench.packs.pack import Pack
from cogbench.parts.table_task import TableTask
from cogbench.results.comparison import read_for_comparison
from cogbench.results.guess import read_guess, rescore
from cogbench.results.plain import plain
from cogbench.results.result import Result
from cogbench.scoring.task_tree import task_tree
from cogbench.storage.remote_store import RemoteStore
from cogbench.testing import Reader
from cogbench.testing.fuzz import other_json
from cogbench.testing.toys import ToyBackbone
from cogbench.text import COMMANDS
from cogbench.views.card import render_card, render_results
from cogbench.views.comparison import comparison_tables
from cogbench.views.formats import FORMATS, render_tables
from cogbench.views.leaderboard import board_notes, board_tables, render_leaderboard
from cogbench.views.listing import pack_in_full, pack_tables
from cogbench.views.pages import board_page, report_page
from cogbench.views.rows import (
    oracle_in_full,
    oracle_notes,
    oracle_tables,
    score_notes,
    score_tables,
    set_notes,
    set_rows,
    set_score_notes,
    set_score_tables,
)

FILES = Files(offline=True)
TASKS = ("p", "q", "r", "s")
TRUE = np.array([[0, 0.6, 0.5, 0.9], [0.8, 0, 0.7, 0.2], [0.7, 0.9, 0, 0.1], [0.6, 0.5, 0.9, 0]])
SENTENCES = ("the dog runs", "a cat sat", "big red house", "old river", "new train came", "cold garden")


def oracle():
    seeds = np.stack([TRUE, TRUE + 0.01])
    return Oracle(
        name="true",
        backbone="bert",
        suite="letters",
        transfers=TaskMatrix.square(TASKS, TRUE),
        no_transfer=np.full(4, 0.5),
        standard_error=np.full((4, 4), 0.1),
        evaluation_error=np.full((4, 4), 0.1),
        by_seed=seeds,
        seeds=(0, 1),
        per_example={(s, t): np.ones((2, 5)) for s in TASKS for t in TASKS if s != t},
        metrics=dict.fromkeys(TASKS, "accuracy"),
        units={"p": "per cent"},
        better={"q": "lower"},
        groups={"r": ("a", "b")},
        basis="measured",
        provenance={"seed": 1, "model": {"id": "x"}},
        max_train_target=5,
    )


def shown(named, notes=()):
    """Render tables in all formats; what a terminal or another program obeys may stand in none."""
    for form in ("table", "markdown", "latex", "csv"):
        check_shown(render_tables(named, form, notes))


def check_shown(text):
    assert not COMMANDS.search(text), COMMANDS.search(text)
    text.encode()


def make_result(folder):
    details = [
        {
            "by_subject": {"S1": TRUE.tolist(), "S2": (TRUE / 2).tolist()},
            "prediction": {"S1": {"p": {"share_above_shuffled": 0.1, "score": 0.2, "error_to_shuffled": 0.9}}},
            "fingerprints": {t: [0.5, 0.5] for t in TASKS},
            "cost": {"trainings": 3},
        }
    ]
    result = made(
        by_seed=[TRUE, TRUE + 0.01], no_transfer=np.full(4, 0.5), signal_quality=recorded("0"), details=details
    )
    return replace(result, notes=["a note"]).save(folder)


def read_result(path):
    result = Result.load(path)
    for form in FORMATS:
        check_shown(render_results([result], form))
    boards = leaderboard([result])
    check_shown(render_leaderboard(boards))
    shown(board_tables(boards), board_notes(boards))
    check_shown(render_card(result))
    result.plain()
    shown(comparison_tables(compare([result, replace(result, options={"other": 1})])))
    if not result.is_outdated:
        result.save(path.parent / "again")
    check_shown(board_page(boards))
    check_shown(report_page(result))
    scored = rescore(result, replace(oracle(), groups={}))
    scored.save(path.parent / "scored")


def make_oracle(folder):
    return write_oracle(oracle(), folder / "oracle.json")[0]


def make_scores(folder):
    return write_oracle(oracle(), folder / "oracle.json")[1]


def make_oracle_table(folder):
    return write_table(oracle(), folder / "oracle.csv")[0]


def sets():
    rows = [SetScore("p", ("q",), 0.5, 0.1, (0.5,)), SetScore("p", ("q", "r"), 0.75), SetScore("p", ("r",), 0.25)]
    return TaskSets(name="sets", sets=(*rows, SetScore("q", (), 0.5)), better={"p": "lower"}, seeds=(0,))


def make_sets(folder):
    write_sets(sets(), folder / "sets.json")
    return folder / "sets.json"


def make_set_table(folder):
    lines = [f"{one.target},{'+'.join(one.members)},{one.score},{one.score}" for one in sets().sets]
    (folder / "sets.csv").write_text("target,sources,f1_1,f1_2\n" + "\n".join(lines) + "\n")
    return folder / "sets.csv"


def make_together_table(folder):
    (folder / "sets.csv").write_text("trained_together,p,q,r\np+q,1,2,\np+q+r,2,3,4\np+r,1,,2\n")
    return folder / "sets.csv"


def read_task_sets(path):
    found = read_sets(path)
    shown({found.name: set_rows(found)}, set_notes(found))
    json.dumps(plain_sets(found), allow_nan=False)
    write_sets(found, path.parent / "again.json")
    if any(len(one.members) == 1 for one in found.sets):
        names = sorted({*found.targets, *found.members})
        scored = score_sets(found, TaskMatrix.square(names, np.add.outer(np.arange(len(names)), np.ones(len(names)))))
        shown(set_score_tables(scored), set_score_notes(scored))


def read_whole_oracle(path):
    path = path.with_name("oracle.json") if path.suffix == ".npz" else path
    found = read_oracle(path)
    shown(oracle_tables(found, 100), oracle_notes(found))
    json.dumps(oracle_in_full(found), allow_nan=False)
    write_oracle(found, path.parent / "again.json")
    write_table(found, path.parent / "again.csv")
    if found.transfers.sources == found.transfers.targets:
        task_tree(found.transfers)
        picks = {t: next(s for s in TASKS if s != t) for t in TASKS}
        scored = score(picks, found)
        shown(score_tables(scored), score_notes(scored))
        json.dumps(plain(scored), allow_nan=False)
    if path.suffix == ".json":
        read_card(path)
        read_for_comparison(path)


def make_guess(folder):
    (folder / "guess.csv").write_text("target,source\n" + "".join(f"{t},{'pq'[t == 'p']}\n" for t in TASKS))
    return folder / "guess.csv"


def make_json_guess(folder):
    columns = {t: {s: TRUE[i, j] for i, s in enumerate(TASKS)} for j, t in enumerate(TASKS)}
    (folder / "guess.json").write_text(json.dumps(columns))
    return folder / "guess.json"


def read_and_score(path):
    read_guess(path)
    scored = score(path, oracle())
    shown(score_tables(scored), score_notes(scored))
    json.dumps(plain(scored), allow_nan=False)


def signal_table():
    return "sentence,subject,x,y,i\n" + "".join(
        f"{s},{who},{i + 0.5},{i * 1.5},{i}\n" for who in ("S1", "S2") for i, s in enumerate(SENTENCES)
    )


def make_signal(folder):
    (folder / "signal.csv").write_text(signal_table())
    return folder / "signal.csv"


def make_sidecar(folder):
    make_signal(folder)
    (folder / "signal.json").write_text(json.dumps({"columns": ["x"], "unit": {"x": "ms"}, "names": {"x": ["a"]}}))
    return folder / "signal.json"


def make_column_names(folder):
    make_signal(folder)
    (folder / "columns.json").write_text(json.dumps({"x": ["a"], "v": ["b", "c"]}))
    return folder / "columns.json"


def make_npz_signal(folder):
    rng = np.random.default_rng(0)
    arrays = {"sentences": np.array(SENTENCES), "values": rng.random((6, 4)), "channels": np.array([*"abcd"])}
    np.savez_compressed(folder / "signal.npz", **arrays, subjects=np.array(["A"] * 6))
    return folder / "signal.npz"


def make_lines(folder):
    rows = [{"sentence": s, "x": i + 0.5, "words": s.split(), "v": [0.5, 1.5, i]} for i, s in enumerate(SENTENCES)]
    (folder / "signal.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "signal.jsonl"


def read_signal(path):
    file = next(path.parent.glob("signal.[!j]*"), path.parent / "signal.jsonl")
    recording = load_parts().signals["table"].open(str(file)).read(FILES)
    assert len(recording.sentences)


def make_parquet(folder):
    names = {"info": {"features": {"label": {"names": ["no", "yes"]}, "x": {"feature": {"names": ["a"]}}}}}
    table = pyarrow.table({"text": [f"{s} {i}" for s in SENTENCES for i in range(4)], "label": [0, 1] * 12})
    pyarrow.parquet.write_table(
        table.replace_schema_metadata({b"huggingface": json.dumps(names)}), folder / "task.parquet"
    )
    return folder / "task.parquet"


def other_parquet(content, rng):
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    stated = table.schema.metadata[b"huggingface"]
    out = io.BytesIO()
    pyarrow.parquet.write_table(table.replace_schema_metadata({b"huggingface": other_json(stated, rng)}), out)
    return out.getvalue()


def make_task(folder):
    rows = [f"{s} {i},{'yes' if i % 2 else 'no'}\n" for s in SENTENCES for i in range(4)]
    (folder / "task.csv").write_text("text,label\n" + "".join(rows))
    return folder / "task.csv"


def read_rows(path):
    read_table(path)
    columns = (("text", "text"), ("label", "label"))
    TableTask(name="t", file=str(path), kind="classification", columns=columns).load("train", FILES)


def make_model(folder):
    for name, content in bert_files().items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "modules.json").write_text(json.dumps([{"path": "1_Pooling", "type": "sentence.Pooling"}]))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))


def model_file(name):
    def make(folder):
        make_model(folder)
        return folder / name

    return make


def read_model(path):
    folder = path.parent if path.parent.name != "1_Pooling" else path.parents[1]
    (folder / "modules.json").touch()  # what is remembered of the folder goes by the times of these files
    backbone = HuggingFace(folder.name, str(folder), pooling="auto")
    backbone.origin(FILES)
    backbone.limit(64, FILES)
    backbone.head_kind(FILES)
    backbone.pretrained(FILES).unsuitable("classification")
    backbone.pooling_of("auto", FILES)
    backbone.pretrained(FILES).tokenizer("the dog runs")
    backbone.pretrained(FILES).encoder()


def adapter_file(name):
    def make(folder):
        (base := folder / "base").mkdir(parents=True)
        (adapter := folder / "adapter").mkdir()
        make_model(base)
        options = {"peft_type": "LORA", "task_type": "FEATURE_EXTRACTION", "base_model_name_or_path": "../base"}
        options |= {"r": 2, "lora_alpha": 4, "target_modules": ["query"]}
        (adapter / "adapter_config.json").write_text(json.dumps(options))
        shapes, rng = {"A": (2, 32), "B": (32, 2)}, np.random.default_rng(0)
        place = "base_model.model.encoder.layer.{}.attention.self.query.lora_{}.weight"
        tensors = {place.format(i, k): rng.normal(size=shapes[k]).astype(np.float32) for i in range(2) for k in "AB"}
        (adapter / "adapter_model.safetensors").write_bytes(serialised(tensors, {"format": "pt"}))
        return adapter / name

    return make


def read_adapter(path):
    backbone = HuggingFace("adapter", str(path.parent), pooling="auto")
    backbone.origin(FILES)
    backbone.limit(64, FILES)
    backbone.head_kind(FILES)
    backbone.pretrained(FILES).unsuitable("classification")
    backbone.pretrained(FILES).encoder()


def other_arrays(content, rng):
    """Return an npz file of which an array has another shape or kind, or is left out."""
    with np.load(io.BytesIO(content)) as held:
        arrays = {name: held[name] for name in held.files}
    name = rng.choice([*arrays])
    others = [
        *(np.zeros(0), np.zeros((6, 4, 1)), np.array([1, 2]), np.array("x"), np.zeros((6, 0)), np.full((6, 4), np.inf)),
        *(np.zeros((6, 4), complex), np.array(["\0"] * 6), np.array([[True] * 4] * 6), np.array(["a"] * 6)),
        *(arrays[name][:1], arrays[name].T, arrays[name].astype(str), arrays[name] if rng.random() < 0.5 else 5),
    ]
    arrays[name] = rng.choice(others)
    if rng.random() < 0.2:
        del arrays[name]
    if rng.random() < 0.2:
        arrays[rng.choice(["x", "a\tb\tc", "\x1b", "p\tp", "x\ty"])] = np.zeros((2, 5), np.float32)
    out = io.BytesIO()
    np.savez(out, **arrays)
    return _with_object(out.getvalue()) if rng.random() < 0.1 else out.getvalue()


def _with_object(content):
    """Return an npz file with an array of objects, which a careless reader would unpickle."""
    out, objects = io.BytesIO(content), io.BytesIO()
    np.save(objects, np.array([Path("x"), {}], object), allow_pickle=True)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("objects.npy", objects.getvalue())
    return out.getvalue()


def other_card(content, rng):
    """Return a file of safetensors of which the head, or the card in it, is damaged as JSON."""
    size = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + size])
    card = head.get("__metadata__", {}).get("cogbench-pack")
    if card is not None and rng.random() < 0.8:
        head["__metadata__"]["cogbench-pack"] = other_json(card.encode(), rng).decode()
        text = json.dumps(head).encode()
    else:
        text = other_json(json.dumps(head).encode(), rng)
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def make_pack(folder):
    from cogbench.runs.make_pack import make_pack as pack_of

    source = _toy_pack(pack_of)
    (folder / "toys.safetensors").write_bytes(source)
    return folder / "toys.safetensors"


def _toy_pack(pack_of, kept={}):  # noqa: B006 - made once
    if not kept:
        import tempfile

        from toy_parts import toy_module

        from cogbench import Store

        with tempfile.TemporaryDirectory() as place:
            world = {
                "parts": load_parts(toy_module()),
                "store": Store(Path(place) / "store"),
                "files": FILES,
                "jobs": 0,
            }
            kept["pack"] = pack_of(
                ToyBackbone(), Path(place) / "toys.safetensors", suite="toy", examples=20, **world
            ).read_bytes()
    return kept["pack"]


def read_pack(path):
    content = Pack("toys", str(path)).content()
    content.check()
    shown(pack_tables(content))
    json.dumps(pack_in_full(content), allow_nan=False)
    _ = content.oracle, content.responses, content.stimuli


def make_record(folder):
    shared = RemoteStore(folder / "a", f"file://{folder}/shared")
    shared.write("toy/p", "0" * 64, {"cell": "x"}, lambda out: (out / "array.npy").write_bytes(b"0123"))
    return next((folder / "shared").rglob("cell.json"))


def read_record(path):
    folder = path.parents[2].parent
    here = RemoteStore(folder / "b", f"file://{folder}/shared")
    sound = path.read_bytes()
    here.read("toy/p", "0" * 64)
    here.size("toy/p", "0" * 64)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sound)  # a damaged one is removed
    import shutil

    shutil.rmtree(folder / "b", ignore_errors=True)


READERS = [
    Reader("a result", make_result, read_result),
    Reader("an oracle", make_oracle, read_whole_oracle),
    Reader("an oracle's scores of examples", make_scores, read_whole_oracle, other_arrays),
    Reader("an oracle's table", make_oracle_table, read_whole_oracle),
    Reader("task sets", make_sets, read_task_sets),
    Reader("a table of task sets", make_set_table, read_task_sets),
    Reader("a table of tasks trained together", make_together_table, read_task_sets),
    Reader("a selection", make_guess, read_and_score),
    Reader("a guess in json", make_json_guess, read_and_score),
    Reader("a signal in csv", make_signal, read_signal),
    Reader("a signal in lines of json", make_lines, read_signal),
    Reader("a signal in npz", make_npz_signal, read_signal, other_arrays),
    Reader("a signal's sidecar", make_sidecar, read_signal),
    Reader("names of columns", make_column_names, read_signal),
    Reader("a table in parquet", make_parquet, read_rows, other_parquet),
    Reader("a table in csv", make_task, read_rows),
    Reader("a pack", make_pack, read_pack, other_card),
    Reader("a shared record", make_record, read_record),
    Reader("a model's config", model_file("config.json"), read_model),
    Reader("a model's tokenizer", model_file("tokenizer.json"), read_model),
    Reader("a model's tokenizer config", model_file("tokenizer_config.json"), read_model),
    Reader("a model's weights", model_file("model.safetensors"), read_model, other_card),
    Reader("a model's pooling", model_file("1_Pooling/config.json"), read_model),
    Reader("a model's modules", model_file("modules.json"), read_model),
    Reader("an adapter's options", adapter_file("adapter_config.json"), read_adapter),
    Reader("an adapter's weights", adapter_file("adapter_model.safetensors"), read_adapter, other_card),
]
