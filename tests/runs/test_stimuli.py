"""Which sentences an estimator reads: the signal's where it needs responses, else any; and what is said of it."""

import logging
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from command import cogbench, line

from cogbench import (
    Estimator,
    Files,
    MissingData,
    Origin,
    Recording,
    Responses,
    SentenceFile,
    Store,
    Suite,
    TaskMatrix,
    UnknownName,
    UnusableData,
    hookimpl,
    load_parts,
    recommend,
    run,
)
from cogbench.errors import FailedCells
from cogbench.parts import registry
from cogbench.runs.stimuli import find_stimuli, takes_sentences
from cogbench.testing.toys import ToySignal
from cogbench.views.card import render_results
from cogbench.views.listing import describe_parts
from cogbench.views.pages import report_page

MINE = "The lamp is on.\nNo ship came in today.\nWho has the key?\nIt was a long walk.\n"
FEW = ("cnm.epochs=2", "cnm.seeds=5", "cnm.hidden=4")
QUICK = ("cnm.epochs=2", "cnm.seeds=5", "cnm.hidden=4", "cra+cnm.cnm.epochs=2")


@dataclass(frozen=True)
class Absent(ToySignal):
    """A signal whose data are not on this machine."""

    name: str = "absent"

    def read(self, files):
        raise MissingData("absent: ask its authors.")


@dataclass(frozen=True)
class Remote(ToySignal):
    """A signal that the hub has: it is read where the hub may be asked."""

    name: str = "remote"

    def read(self, files):
        if files.offline:
            raise MissingData("remote: the hub has it.")
        raise AssertionError("it was downloaded")


@dataclass(frozen=True)
class Broken(ToySignal):
    """A signal whose data are there and broken."""

    name: str = "broken"

    def read(self, files):
        raise UnusableData("broken: it is cut short.")


@dataclass(frozen=True)
class Both:
    """The sum of any estimators' similarities."""

    members: tuple[Any, ...] = ()
    name: str = "both"

    @property
    def needs(self):
        return frozenset().union(*(m.needs for m in self.members if isinstance(m, Estimator)))

    def similarity(self, evidence):
        return TaskMatrix.square(evidence.tasks, np.sum([evidence.similarity(m).values for m in self.members], axis=0))


@pytest.fixture
def parts(toy_plugin):
    extra = ModuleType("extra_plugin")
    names = tuple(task.name for task in toy_plugin.register_tasks())
    signals = [Absent(), Remote(), Broken()]
    extra.register_signals = hookimpl(lambda: signals, specname="register_signals")
    extra.register_estimators = hookimpl(lambda: [Both()], specname="register_estimators")
    suites = [Suite(f"with-{s}", names, s) for s in ("absent", "remote", "broken", "nowhere")]
    extra.register_suites = hookimpl(lambda: suites, specname="register_suites")
    return load_parts(toy_plugin, extra)


@pytest.fixture
def ask(parts, tmp_path):
    """Run on the toys; every call shares one store."""

    def asked(estimator, **more):
        options = {"suite": "toy", "jobs": 0, "parts": parts, "files": Files(offline=True), **more}
        return run(estimator, "toy", store=Store(tmp_path / "store"), **options)

    return asked


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(MINE)
    return path


# --- stimuli of one's own


def test_one_that_needs_no_responses_reads_the_stimuli(ask, mine):
    (plain,) = ask("cra")
    (result,) = ask("cra", stimuli=str(mine))
    assert (plain.signal, result.signal) == ("toy", "mine") and plain.similarity != result.similarity
    quality = result.signal_quality
    assert (quality.sentences, quality.subjects, quality.n_channels, quality.reliability) == (4, 0, {}, None)
    assert quality.origin == str(mine) and not result.notes and result.synthetic == ["tasks"]
    assert result.provenance.cells.computed == 5  # four encodings and a matrix: the trainings are there
    again = [ask("cra", stimuli=stimuli)[0] for stimuli in (mine, SentenceFile("mine", mine))]
    assert [r.provenance.cells.computed for r in again] == [0, 0]


def test_one_that_needs_responses_reads_the_signal(ask, mine):
    results = ask(["cra", "cnm", "size"], stimuli=str(mine), set=FEW)
    assert [(r.estimator.partition("[")[0], r.signal) for r in results] == [
        ("cra", "mine"),
        ("cnm", "toy"),
        ("size", None),
    ]


def test_the_members_of_a_combination_decide_and_share_their_sentences(ask, mine, parts):
    (both,) = ask("both", set="both.members=cra:dse", stimuli=mine)
    assert both.signal == "mine"
    results = ask(["both", "cra", "cra+cnm"], set=("both.members=cra:cnm", *QUICK), stimuli=mine)
    assert [r.signal for r in results] == ["toy", "mine", "toy"]
    cra, dse, cnm = (parts.estimators[name] for name in ("cra", "dse", "cnm"))
    assert takes_sentences(Both((cra, dse))) and not takes_sentences(Both((cra, cnm)))


@pytest.mark.parametrize(
    "estimators, options, message",
    [
        (["cnm"], (), "'cnm' cannot use them without responses: name a signal that has responses with --signal"),
        (["cnm", "cra+cnm"], (), "'cnm', 'cra\\+cnm' cannot use them without responses"),
        (["both"], ("both.members=cra:cnm",), "'both' cannot use them without responses"),
        (["size"], (), "'size' reads none: leave the option out"),
    ],
)
def test_stimuli_that_nobody_reads_are_refused(ask, mine, estimators, options, message):
    with pytest.raises(UnusableData, match=message):
        ask(estimators, stimuli=str(mine), set=options)


def test_several_stimuli_give_a_result_each(ask, mine):
    results = ask("dse", stimuli=[str(mine), "neutral", "toy"])
    assert [r.signal for r in results] == ["mine", "neutral", "toy"]
    assert [r.signal_quality.sentences for r in results] == [4, 200, 40]


def test_a_signal_or_a_table_may_give_its_sentences(parts, tmp_path):
    assert find_stimuli(parts, "toy") is parts.signals["toy"]
    (tmp_path / "table.csv").write_text("sentence,value\na,0.5\nb,1.5\nc,2.5\n")
    assert find_stimuli(parts, str(tmp_path / "table.csv")).read(Files()).sentences == ("a", "b", "c")
    assert find_stimuli(parts, "neutral.txt") == SentenceFile("neutral-own", "neutral.txt")
    assert find_stimuli(parts, "~/x.txt").file.endswith("/x.txt") and "~" not in find_stimuli(parts, "~/x.txt").file
    with pytest.raises(UnknownName, match="unknown signal or file of sentences 'neutrl'; did you mean 'neutral'"):
        find_stimuli(parts, "neutrl")


# --- sentences alone as a signal


@pytest.mark.parametrize("estimator, options", [("cnm", ()), ("cra+cnm", ()), ("both", ("both.members=cra:cnm",))])
def test_a_signal_without_responses_is_refused_by_who_needs_them(ask, estimator, options):
    with pytest.raises(UnusableData, match="signal 'neutral' holds sentences without responses, which estimator") as e:
        ask(estimator, signal="neutral", set=options)
    assert "name a signal that has them, such as --signal toy." in str(e.value) and "\n" not in str(e.value)
    (result,) = ask("cra", signal="neutral")
    assert result.signal == "neutral" and not result.notes


def test_a_recording_has_no_subjects_or_a_row_for_each_sentence():
    assert not Recording(("a", "b"), {}, "none", Origin("x")).subjects
    with pytest.raises(UnusableData, match="each subject needs a row for each of the sentences"):
        Recording(("a", "b"), {"S": Responses(np.ones((3, 2)), ("c", "d"))}, "none", Origin("x"))


# --- where the usual signal is not at hand


@pytest.mark.parametrize("suite", ["with-absent", "with-remote"])
def test_neutral_sentences_stand_in_and_the_result_says_so(ask, suite, caplog):
    with caplog.at_level(logging.WARNING, "cogbench"):
        results = ask(["cra", "dse"], suite=suite, files=Files())
    signal = suite.removeprefix("with-")
    (note,) = results[0].notes
    assert note.startswith(f"stimuli: neutral sentences stand in for those of '{signal}'") and "\n" not in note
    assert f"`cogbench fetch --signal {signal}`" in note and "--stimuli" in note
    assert [r.signal for r in results] == ["neutral", "neutral"] and caplog.messages == [note]
    card, page = render_results(results, "table"), report_page(results[0])
    assert "neutral sentences stand in" in " ".join(card.split())
    assert "stimuli: 200 sentences without responses, the neutral sentences of cogbench" in card
    assert "reliability" not in card and "0 subject" not in card
    assert "Stimuli: neutral sentences stand in" in page and "The stimuli: neutral" in page


def test_a_usual_signal_that_is_not_installed_is_not_at_hand(ask):
    (result,) = ask("cra", suite="with-nowhere")
    assert result.signal == "neutral" and "which is not installed" in result.notes[0]
    with pytest.raises(UnknownName, match="no installed plugin gives 'nowhere', the usual signal"):
        ask("cnm", suite="with-nowhere")


def test_one_that_needs_responses_says_what_is_missing(ask):
    with pytest.raises(MissingData, match="absent: ask its authors"):
        ask("cnm", suite="with-absent")
    with pytest.raises(FailedCells, match=r"^absent: ask its authors\.$"):
        ask(["cra", "cnm"], suite="with-absent", set=FEW)


def test_nothing_stands_in_for_what_is_named_at_hand_or_broken(ask, parts, mine):
    with pytest.raises(MissingData, match="absent: ask its authors"):
        ask("cra", signal="absent")
    assert ask("cra", suite="with-absent", signal="toy")[0].signal == "toy"
    (own,) = ask("cra", suite="with-absent", stimuli=mine)
    assert own.signal == "mine" and not own.notes
    with pytest.raises(UnusableData, match="broken: it is cut short"):
        ask("cra", suite="with-broken")
    without = {name: signal for name, signal in parts.signals.items() if name != "neutral"}
    with pytest.raises(MissingData, match="absent: ask its authors"):
        ask("cra", suite="with-absent", parts=replace(parts, signals=without))


def test_a_usual_signal_at_hand_is_read_once(ask, monkeypatch):
    times = []
    read = ToySignal.read
    monkeypatch.setattr(ToySignal, "read", lambda self, files: times.append(files.offline) or read(self, files))
    results = ask(["cra", "dse", "cnm"], files=Files(), set=FEW)
    assert [r.signal for r in results] == ["toy"] * 3 and times == [True]


# --- recommend


def test_a_recommendation_reads_them_too(parts, tmp_path, mine):
    how = {"parts": parts, "jobs": 0, "files": Files(offline=True), "store": Store(tmp_path / "store")}
    run("dse", "toy", suite="toy", tasks=["toy-a", "toy-b", "toy-c"], **how)
    found = recommend("toy-d", "dse", "toy", suite="toy", stimuli=mine, **how)
    assert found.signal == "mine" and not [note for note in found.notes if note.startswith("stimuli")]
    found = recommend("toy-d", "dse", "toy", suite="with-absent", **how)
    assert found.signal == "neutral" and any(n.startswith("stimuli: neutral sentences stand in") for n in found.notes)
    with pytest.raises(UnusableData, match="'neutral' holds sentences without responses, which estimator 'cnm' needs"):
        recommend("toy-d", "cnm", "toy", suite="toy", signal="neutral", **how)
    with pytest.raises(UnusableData, match="'cnm' cannot use them without responses"):
        recommend("toy-d", "cnm", "toy", suite="toy", stimuli=mine, **how)


# --- the command line


@pytest.fixture
def invoke(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "load_parts", lambda: parts)
    monkeypatch.chdir(tmp_path)
    return lambda *words: cogbench(*"run --suite toy --backbone toy --jobs 0 --offline".split(), *words)


def test_the_command_takes_a_file(invoke, mine):
    found = invoke("--estimator", "cra", "--estimator", "dse", "--stimuli", mine)
    assert found.exit_code == 0, found.output
    assert "signal mine" in found.stdout and "stimuli: 4 sentences without responses" in found.stdout


@pytest.mark.parametrize(
    "content, code, message",
    [
        (MINE + "The lamp is on.\n", 3, "'own.txt' holds a sentence twice, in lines 1 and 5; delete one of each."),
        ("a b\n\nc d\ne f\n", 3, "'own.txt' has empty lines, which hold no sentence: 2; delete them."),
        ("a b\nc d\n", 3, "'own.txt' holds 2 sentence(s); stimuli are at least 3, one a line."),
        (b"a b\nc \xff d\ne f\n", 3, "'own.txt' is not UTF-8 in line 2: save the file in that encoding."),
        (None, 3, "no file 'own.txt' of sentences; expected a text file with one sentence a line."),
    ],
    ids=["twice", "empty", "few", "encoding", "absent"],
)
def test_each_bad_file_is_one_line_before_any_work(invoke, tmp_path, content, code, message):
    if content is not None:
        (tmp_path / "own.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    for words in (["--estimator", "cra"], ["--estimator", "cra", "--estimator", "dse"]):
        assert line(invoke(*words, "--stimuli", "own.txt"), code) == f"cogbench: {message}"
    assert not [*(tmp_path / "home").rglob("cell.json")]


def test_lists_show_each_signal(parts, tmp_path):
    rows = {row["name"]: row for row in describe_parts(parts, "signal", tmp_path)}
    assert rows["neutral"]["data"] == "200 sentences, no responses" and rows["absent"]["data"] == "missing"
