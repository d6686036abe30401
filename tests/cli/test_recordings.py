"""Nine recordings in the layouts in which they are published, made anew in our own words: read by the command line."""

import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from command import line

from cogbench.cli.main import cli
from cogbench.parts import registry

SENTENCES = [
    "The clerk sorts the blue files .",
    'A red "crate" waits by the dock .',
    "Nobody heard the second bell , today .",
    "Two geese crossed the wet road .",
    "She mends old nets in spring .",
    "The lamp went out at nine .",
]
GERMAN = ["Der Zöllner zählt Fässer .", "Über Nacht fiel Schnee .", "Ein Löwe gähnt müde .", "Die Tür blieb offen ."]
RUSSIAN = ["Лодка стоит у моста .", "Кот спит на печи .", "Снег идёт весь день .", "Гуси летят на юг ."]
GAZE = ["first_fix_dur", "first_pass_dur", "total_fix_dur", "fix_prob"]
RNG = np.random.default_rng(0)


def words(sentences, names, channels, subjects=("",), start=1):
    """A row for each word: subject, number of the sentence, place of the word, word, and measurements."""
    keys = [
        (subject, number, place, word)
        for subject in subjects
        for number, sentence in enumerate(sentences, start)
        for place, word in enumerate(sentence.split(), start)
    ]
    frame = pd.DataFrame(keys, columns=["subject", "number", "place", "word"])
    frame = frame.rename(columns=names).drop(columns=[c for c in ("subject", "number", "place") if c not in names])
    return frame.assign(**{name: (200 + 50 * RNG.random(len(frame))).round(3) for name in channels})


def gaze(sentences):
    frame = words(sentences, {"number": "sentence_num"}, GAZE)
    frame.insert(2, "n_fix", RNG.integers(1, 4, len(frame)))
    return frame


def provo():
    frame = words(SENTENCES, {"number": "sentence_id", "place": "word_id"}, ["nFix", "FFD", "GPT", "TRT"], start=0)
    last = frame.groupby("sentence_id").tail(1).index
    frame.loc[last, "word"] += "<EOS>"
    return frame


def luke():
    names = {"subject": "Participant_ID", "number": "Sentence_Number", "place": "Word_In_Sentence_Number"}
    times = ["IA_FIRST_FIXATION_DURATION", "IA_DWELL_TIME"]
    frame = words(SENTENCES, {**names, "word": "Word"}, times, ("Sub01", "Sub02")).astype({times[0]: object})
    frame.insert(1, "Text_ID", 1 + (frame["Sentence_Number"] > 3))
    frame.insert(2, "Word_Unique_ID", [f"QID{i}" for i in range(len(frame))])
    frame.loc[[3, 40], times[0]] = "."
    return frame


def brothers():
    keys = [(sub, i, sentence) for sub in ("6001234567", "6001234568") for i, sentence in enumerate(SENTENCES)]
    frame = pd.DataFrame(keys, columns=["SUB", "ITEM", "FullSentence"])
    return frame.assign(COND="high", CLOZE=RNG.random(len(frame)), logRT=RNG.normal(size=len(frame)).round(4))


def tuckute():
    return pd.DataFrame({"Sentence": SENTENCES, "EffectSize": RNG.normal(size=6).round(3), "cond": list("BBDDTT")})


RECORDINGS = {  # the table, how it is written, the options, the columns of a sentence and of a subject, the channels
    "dundee": (gaze(SENTENCES), {"index": True}, "", "sentence_num", None, GAZE),
    "geco": (gaze(SENTENCES), {"sep": "\t"}, "", "sentence_num", None, GAZE),
    "potsdam": (gaze(GERMAN), {"encoding": "cp1252", "sep": ";", "decimal": ","}, "", "sentence_num", None, GAZE),
    "rsc": (gaze(RUSSIAN), {"encoding": "utf-16"}, "", "sentence_num", None, GAZE),
    "provo": (provo(), {}, "", "sentence_id", None, ["nFix", "FFD", "GPT", "TRT"]),
    "luke": (
        *(luke(), {}, ",missing=.,sentence=Text_ID:Sentence_Number", "Sentence_Number", "Participant_ID"),
        ["IA_FIRST_FIXATION_DURATION", "IA_DWELL_TIME"],
    ),
    "brothers": (brothers(), {}, "", "FullSentence", "SUB", ["logRT"]),
    "tuckute": (tuckute(), {}, "", "Sentence", None, ["EffectSize"]),
}


@pytest.fixture
def dry_run(toy_plugin, tmp_path, monkeypatch):
    installed = registry.load_parts
    monkeypatch.setattr(registry, "load_parts", lambda: installed(toy_plugin))
    monkeypatch.chdir(tmp_path)
    common = "run --suite toy --backbone toy --estimator cra --offline --jobs 0 --dry-run".split()
    return lambda *arguments: CliRunner().invoke(cli, [*common, *arguments])


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_is_read_as_it_comes(dry_run, name):
    frame, form, options, by, subject, channels = RECORDINGS[name]
    frame.to_csv(f"{name}.csv", **{"index": False, **form})
    done = dry_run("--signal", f"{name}.csv{options}")
    assert done.exit_code == 0, done.output
    numbers = frame[channels].replace(".", np.nan).astype(float)
    means = numbers.groupby([frame[c] for c in (subject, by) if c], sort=False).mean()
    subjects = [*dict.fromkeys(frame[subject])] if subject else ["all"]
    assert (
        f"signal {name}: {frame[by].nunique()} sentences, {len(subjects)} subject(s) ({', '.join(subjects)}), "
        f"{len(channels)} channel(s)" in done.stdout
    )
    ranges = dict(re.findall(r"^  (\w+): (.+ to .+)$", done.stdout, re.MULTILINE))
    assert [*ranges] == channels
    for channel, text in ranges.items():
        assert [*map(float, text.split(" to "))] == pytest.approx(
            [means[channel].min(), means[channel].max()], rel=1e-5
        )


def test_a_recording_without_words_names_the_remedy(dry_run):
    frame = words(SENTENCES, {"subject": "Worker", "number": "Story_Num", "place": "Word_In_Story_Num"}, ["rt"], "ab")
    frame.drop(columns="word").to_csv("boyce.csv", index=False)
    message = line(dry_run("--signal", "boyce.csv"), 3)
    assert "'boyce.csv': it has no sentences" in message and "say sentence=COLUMN in the address" in message


def test_missing_cells_are_refused_or_said(dry_run):
    luke().to_csv("luke.csv", index=False)
    message = line(dry_run("--signal", "luke.csv"), 3)
    assert re.search("luke.csv': row 5, column 'IA_FIRST_FIXATION_DURATION' holds '.'.*say --missing .", message)
    done = dry_run("--signal", "luke.csv,sentence=Text_ID:Sentence_Number", "--missing", ".")
    assert done.exit_code == 0 and "order 'Word_In_Sentence_Number'" in done.stdout
