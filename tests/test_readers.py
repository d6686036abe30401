"""Every reader of a file that somebody else may have written reads it, or says in one line why it cannot."""

import json
import os
import pickle
import random

import pytest
from readers import READERS

from cogbench import UnusableData
from cogbench.testing import Reader, check_reader
from cogbench.testing.fuzz import damaged

each_reader = pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name.replace(" ", "-"))
TORTURE_SECONDS = 300


@each_reader
def test_a_damaged_file_is_read_or_refused_in_one_line(reader, tmp_path):
    check_reader(reader, tmp_path, seconds=0.5)


@pytest.mark.torture
@each_reader
def test_a_damaged_file_is_read_or_refused_in_one_line_for_long(reader, tmp_path):
    assert check_reader(reader, tmp_path, seconds=TORTURE_SECONDS / len(READERS), seed=random.randrange(2**32))


def sound(folder):
    (folder / "x.json").write_text('{"a": [1, {"b": "c"}]}')
    return folder / "x.json"


def test_a_reader_that_fails_in_another_way_is_found(tmp_path):
    with pytest.raises(AssertionError, match="JSONDecodeError|RecursionError|UnicodeDecodeError"):
        check_reader(Reader("careless", sound, lambda path: json.loads(path.read_text())), tmp_path)


def test_a_reader_that_says_more_than_a_line_is_found(tmp_path):
    def read(path):
        try:
            json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            raise UnusableData("a line\nand another") from None

    with pytest.raises(AssertionError, match="more than one line"):
        check_reader(Reader("wordy", sound, read), tmp_path)


@pytest.mark.parametrize("deed", ["write", "folder", "run", "unpickle"])
def test_a_reader_that_does_what_it_may_not_is_found(tmp_path, deed):
    (tmp_path / "in").mkdir()
    deeds = {
        "write": lambda: (tmp_path / "outside").write_text("x"),
        "folder": lambda: (tmp_path / "other").mkdir(exist_ok=True),
        "run": lambda: os.system("true"),
        "unpickle": lambda: pickle.loads(pickle.dumps(UnusableData)),
    }
    with pytest.raises(AssertionError, match="damage 1 of seed 0"):
        check_reader(Reader(deed, sound, lambda path: deeds[deed]()), tmp_path / "in")


def test_damage_is_the_same_by_its_seed_and_of_all_kinds():
    content = json.dumps({"a": [1, 2, {"b": "c"}], "d": None}).encode()
    found = [damaged(content, random.Random(i)) for i in range(300)]
    assert found == [damaged(content, random.Random(i)) for i in range(300)]
    assert len({*found}) > 150 and b"" in found and any(b"[" * 101 in text for text in found)
    assert any(b"\\ud800" in text for text in found) and any(b"1e+308" in text for text in found)
