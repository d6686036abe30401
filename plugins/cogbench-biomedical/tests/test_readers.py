"""Files that are damaged at random are read, or refused in one line."""

import json
from pathlib import Path

import pytest
from biomedical_files import golden, pubmedqa, word_a_line
from cogbench_biomedical.tasks import Biomedical

from cogbench import Files
from cogbench.testing import Reader, check_reader


def both_splits(name, **options):
    """Return what reads both splits of a task from the folder of a file."""

    def read(path):
        files = Files(overrides={name: Path(path).parent}, offline=True)
        for split in ("train", "evaluation"):
            Biomedical(name, **options).load(split, files)

    return read


def of_tested(folder):
    """Write PubMedQA's files; return the one that says which articles are tested."""
    return pubmedqa(folder) / "test_ground_truth.json"


def table(folder):
    """Write a corpus as tables in the hub's layout."""
    for split in ("train", "validation"):
        rows = [{"tokens": ["Tau", f"{split}{i}"], "ner_tags": [1, 0]} for i in range(3)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "train.jsonl"


READERS = [
    Reader("a word a line", lambda f: word_a_line(f, "GENE") / "train.tsv", both_splits("bc2gm")),
    Reader("a table of words", table, both_splits("bc2gm")),
    Reader("articles", lambda f: pubmedqa(f) / "ori_pqal.json", both_splits("pubmedqa")),
    Reader("tested articles", of_tested, both_splits("pubmedqa")),
    Reader("factoid questions", lambda f: golden(f) / "12B1_golden.json", both_splits("bioasq-factoid")),
    Reader("yes/no questions", lambda f: golden(f) / "12B3_golden.json", both_splits("bioasq-yesno")),
]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_damaged_files_are_read_or_refused_in_one_line(reader, tmp_path):
    assert check_reader(reader, tmp_path, rounds=100) > 0
