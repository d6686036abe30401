"""Sentences of one's own: a line each, as they are; each fault is one line that names its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogbench import Files, MissingData, SentenceFile, UnusableData, load_parts, noise_ceiling
from cogbench.parts.codec import decode, encode
from cogbench.testing import check_signal

FILES = Files(offline=True)
THREE = "A dog barks.\nTwo cats sleep.\nIt rains.\n"


@pytest.fixture
def read(tmp_path):
    def of(content):
        path = tmp_path / "mine.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return SentenceFile("mine", path).read(FILES)

    return of


@pytest.mark.parametrize(
    "content",
    [
        THREE,
        THREE.removesuffix("\n"),
        THREE.replace("\n", "\r\n"),
        THREE.replace("\n", "\r"),
        f"\ufeff{THREE}",
        " A  dog\tbarks. \nTwo cats sleep.\nIt rains.",
    ],
    ids=["plain", "no last newline", "windows", "old mac", "byte order mark", "white space"],
)
def test_a_line_is_a_sentence(read, content):
    recording = read(content)
    assert recording.sentences == ("A dog barks.", "Two cats sleep.", "It rains.")
    assert not recording.subjects and recording.unit == "no responses" and not recording.synthetic
    assert noise_ceiling(recording) is None


def test_its_origin_is_the_file_and_its_hash(read):
    one, other = read(THREE), read(THREE + "A fourth one.\n")
    assert one.origin.id.endswith("mine.txt") and one.origin.revision.startswith("sha256:")
    assert one.origin.revision != other.origin.revision and one.sha256 != other.sha256


@pytest.mark.parametrize(
    "content, message",
    [
        ("A.\nB.\nA.\nC.\n", "holds a sentence twice, in lines 1 and 3; delete one of each"),
        ("A.\nB.\n a. \nA.\nB.\nB.\n A. \nA.\n", "in lines 1 and 4, 2 and 5, 2 and 6 and 2 more; delete one of each"),
        ("A.\n\nB.\nC.\n", "has empty lines, which hold no sentence: 2; delete them"),
        ("A.\nB.\nC.\n\n", "has empty lines, which hold no sentence: 4"),
        ("\n \nA.\n\t\n\nB.\n", "hold no sentence: 1, 2, 4 and 1 more"),
        ("A.\nB.\n", "holds 2 sentence(s); stimuli are at least 3, one a line"),
        ("", "holds 0 sentence(s)"),
        ("A.\nB.\nCafé.\n".encode("latin-1"), "is not UTF-8 in line 3: save the file in that encoding"),
    ],
)
def test_each_fault_is_one_line_that_names_its_place(read, content, message):
    with pytest.raises(UnusableData) as caught:
        read(content)
    assert message in str(caught.value) and "\n" not in str(caught.value) and "mine.txt" in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.txt", ""], ids=["no file", "a folder"])
def test_a_file_that_is_not_there_is_one_line(tmp_path, name):
    with pytest.raises(MissingData, match="no file .* of sentences; expected a text file with one sentence a line"):
        SentenceFile("mine", tmp_path / name).read(FILES)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1), min_size=3, max_size=8))
def test_any_text_comes_back_or_is_refused(tmp_path_factory, lines):
    sentences = [" ".join(line.split()) for line in lines]
    path = tmp_path_factory.mktemp("any") / "mine.txt"
    path.write_bytes("\n".join(lines).removeprefix("\ufeff").encode())
    if all(sentences) and len({*sentences}) == len(sentences) and not lines[0].startswith("\ufeff"):
        assert SentenceFile("mine", path).read(FILES).sentences == tuple(sentences)
    elif not lines[0].startswith("\ufeff"):
        with pytest.raises(UnusableData):
            SentenceFile("mine", path).read(FILES)


def test_it_is_a_part_like_others(tmp_path):
    (tmp_path / "mine.txt").write_text(THREE)
    part = SentenceFile("mine", tmp_path / "mine.txt")
    check_signal(part, FILES)
    assert decode(encode(part)) == part and load_parts().label("signal", part) == "mine"
