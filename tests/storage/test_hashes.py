"""Hashes of files are remembered, and no note is believed that is not of this very file."""

import os

import pytest

from cogbench import Files

FILES = Files(offline=True)


@pytest.mark.parametrize("harm", ["", "0" * 64, "half", "nonsense"])
def test_a_note_of_a_hash_that_is_damaged_is_not_believed(tmp_path, harm):
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    right = FILES.sha256(file)
    (note,) = (tmp_path / "home/.hashes").iterdir()
    whole = note.read_text()
    note.write_text(whole[: len(whole) // 2] if harm == "half" else harm)
    assert FILES.sha256(file) == right and note.read_text() == whole
    for place in range(len(whole)):  # of one bit
        note.write_bytes(bytes(c ^ (place == i) for i, c in enumerate(whole.encode())))
        assert FILES.sha256(file) == right


def test_a_note_of_another_file_is_not_believed(tmp_path):
    files = [tmp_path / name for name in "ab"]
    for file in files:
        file.write_text(file.name)
    right = [FILES.sha256(file) for file in files]
    notes = [*(tmp_path / "home/.hashes").iterdir()]
    texts = [note.read_text() for note in notes]
    for note, text in zip(notes, reversed(texts), strict=True):
        note.write_text(text)
    assert [FILES.sha256(file) for file in files] == right


def test_other_contents_of_the_same_size_and_time_are_seen(tmp_path):
    file = tmp_path / "weights"
    file.write_text("abc")
    stat, before = file.stat(), FILES.sha256(file)
    while file.stat().st_ctime_ns == stat.st_ctime_ns:  # until the clock of the file system ticks
        file.write_text("xyz")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert FILES.sha256(file) != before
