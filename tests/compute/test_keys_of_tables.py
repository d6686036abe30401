"""Which column of a table of a task or a signal moves which key."""

import numpy as np
import pytest
from cogbench_signals.table import TableSignal
from key_changes import Asking, moved, workspace

from cogbench import Origin, Recipe, Recording, Responses, TableTask
from cogbench.compute.cells import Encoding, Training
from cogbench.compute.evidence import Piece, Similarity
from cogbench.testing.toys import TASKS, ToyBackbone, ToySignal

ROWS = [
    (f"the {word} boat is {'red' if i % 2 else 'blue'}", i % 2, f"remark {i}") for i, word in enumerate("abcdefghij")
]


def write(path, rows, head="text,label,remark"):
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def keys_of_table(tmp_path):
    table = TableTask("own", str(tmp_path / "train.csv"), evaluation_file=str(tmp_path / "evaluation.csv"))
    here, backbone = workspace(tmp_path), ToyBackbone()
    training = Training(backbone, Recipe((table,)))
    cells = {
        "training": training,
        "transfer to": Training(backbone, Recipe((table,), Recipe(TASKS[:1]))),
        "transfer from": Training(backbone, Recipe(TASKS[:1], Recipe((table,)))),
        "encoding": Encoding(training, ToySignal()),
        "similarity": Similarity(Asking(), backbone, (table, *TASKS), ToySignal()),
        "texts": Similarity(Asking(needs=frozenset({"texts"})), backbone, (table, *TASKS)),
        "another": Training(backbone, Recipe(TASKS[:1])),
        "others": Similarity(Asking(), backbone, TASKS, ToySignal()),
    }
    return {name: here.key(cell) for name, cell in cells.items()}


OF_TABLE = {"training", "transfer to", "transfer from", "encoding", "similarity", "texts"}


@pytest.mark.parametrize("file", ["train", "evaluation"])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_each_column_of_a_table_of_a_task(tmp_path, file, column):
    for name in ("train", "evaluation"):
        write(tmp_path / f"{name}.csv", ROWS)
    before = keys_of_table(tmp_path)
    rows = [list(row) for row in ROWS]
    rows[3][column] = ("another text", 0, "another remark")[column]
    write(tmp_path / f"{file}.csv", rows)
    assert moved(before, keys_of_table(tmp_path)) == (set() if column == 2 else OF_TABLE)


SIGNAL = [(f"The {word} boat is here.", "s1", 0.5 + i, 1.5 * i, i + 0.25) for i, word in enumerate("abcdefgh")]
RESPONSES = {"matrix of responses", "piece"}


def keys_of_signal(tmp_path, columns=("first", "second")):
    signal = TableSignal("own", tmp_path / "signal.csv", columns)
    here, backbone = workspace(tmp_path), ToyBackbone()
    training = Training(backbone, Recipe(TASKS[:1]))
    asking = Asking(needs=frozenset({"representations", "responses"}))
    cells = {
        "training": training,
        "encoding": Encoding(training, signal),
        "matrix of representations": Similarity(Asking(), backbone, TASKS, signal),
        "matrix of responses": Similarity(asking, backbone, TASKS, signal),
        "piece": Piece(Similarity(asking, backbone, TASKS[:1], signal), "x"),
    }
    return {name: here.key(cell) for name, cell in cells.items()}


@pytest.mark.parametrize(
    "column, moves",
    [
        (0, {"encoding", "matrix of representations", *RESPONSES}),
        (1, RESPONSES),
        (2, RESPONSES),
        (3, RESPONSES),
        (4, set()),
    ],
    ids=["sentence", "subject", "first", "second", "not used"],
)
def test_each_column_of_a_table_of_a_signal(tmp_path, column, moves):
    head = "sentence,subject,first,second,third"
    write(tmp_path / "signal.csv", SIGNAL, head)
    before = keys_of_signal(tmp_path)
    rows = [list(row) for row in SIGNAL]
    for row in rows if column == 1 else rows[3:4]:
        row[column] = ("Another sentence.", "s2", 77.5, 77.5, 77.5)[column]
    write(tmp_path / "signal.csv", rows, head)
    assert moved(before, keys_of_signal(tmp_path)) == moves
    write(tmp_path / "signal.csv", SIGNAL, head)
    assert moved(before, keys_of_signal(tmp_path, ("first",))) == RESPONSES


def test_which_stimuli_a_subject_has_is_in_the_hash_of_a_recording():
    values, sentences = np.arange(6.0).reshape(3, 2), ("a", "b", "c")

    def sha256(**more):
        return Recording(sentences, {"s": Responses(values, ("x", "y"), **more)}, "ms", Origin("o")).sha256

    assert sha256() == sha256(present=np.ones(3, bool)) != sha256(present=np.array([True, True, False]))
