"""The neutral sentences: ours, all different, plain."""

import re

from cogbench import Files, load_parts
from cogbench.testing import check_signal
from cogbench.views.listing import describe_parts

NEUTRAL = load_parts().signals["neutral"]
FILES = Files(offline=True)


def test_they_are_as_many_as_the_card_says_and_have_no_responses():
    check_signal(NEUTRAL, FILES)
    recording = NEUTRAL.read(FILES)
    assert len(recording.sentences) == NEUTRAL.card.rows == 200 and not recording.subjects
    assert recording.origin.id == "the neutral sentences of cogbench"  # and no path of a machine


def test_they_are_whole_plain_sentences_of_many_words():
    sentences = NEUTRAL.read(FILES).sentences
    words = [re.findall(r"[a-z]+(?:'[a-z]+)?", sentence.lower()) for sentence in sentences]
    assert all(5 <= len(row) <= 20 for row in words)
    assert all(re.fullmatch(r"[A-Z][A-Za-z ,']+[.?]", sentence) for sentence in sentences)
    assert len({word for row in words for word in row}) > 800
    assert len({tuple(row[:2]) for row in words}) > 150  # they begin in many ways


def test_lists_show_them_without_responses(tmp_path):
    (row,) = [r for r in describe_parts(load_parts(), "signal", tmp_path) if r["name"] == "neutral"]
    assert row["data"] == "200 sentences, no responses" and row["options"] == "" and row["licence"] == "MIT"
    assert row["worth"] == {
        "sentences": 200,
        "subjects": 0,
        "channels": {},
        "unit": "no responses",
        "reliability": None,
    }
