"""The suite `mini` is what it says: deterministic, balanced, varied, and its skills are where the table has them."""

import itertools
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from cogbench_tasks import mini, mini_words
from hypothesis import given, settings
from hypothesis import strategies as st

from cogbench import METRICS, TASK_KINDS, Files
from cogbench.testing import check_task

EVERY = {task.name: task for task in mini.register_tasks()}
TASKS = {
    name: task for name, task in EVERY.items() if task.kind in ("classification", "regression")
}  # of one text or two
OTHERS = [task for name, task in EVERY.items() if name not in TASKS]
PLAIN = [task for task in EVERY.values() if task.suite == "mini"]
SHUFFLED = [task for task in EVERY.values() if task.suite == "mini-shuffled"]
# The words whose knowledge each skill is.
CARRIERS = {
    "valence": ("praise", "blame"),
    "kinds": ("foods", "materials"),
    "names": ("persons", "towns"),
    "synonymy": ("agents", "deeds", "things"),
}


@cache
def load(task, split):
    return task.load(split, Files())


def rows(task, split="evaluation"):
    data = load(task, split)
    return list(zip(data.columns["text"], data.columns.get("text_pair", [""] * len(data)), strict=True))


def tokens(text):
    return re.findall(r"[A-Za-z]+", text)


def classes(lexicon, skill):
    """Return for each word of a skill what it is alike with: the number of its group, or its synonyms."""
    groups = [getattr(lexicon, name) for name in CARRIERS[skill]]
    if skill == "synonymy":
        return {word: frozenset(triple[:2]) for table in groups for triple in table for word in triple[:2]}
    return {word: number for number, group in enumerate(groups) for word in group}


def test_suites_hold_the_tasks_and_one_signal():
    suites = {suite.name: suite for suite in mini.register_suites()}
    assert set(suites["mini"].tasks) == {task.name for task in PLAIN} == set(mini.SKILLS)
    assert set(suites["mini-shuffled"].tasks) == {task.name for task in SHUFFLED}
    assert all(suite.signal == "mini" and "ynthetic" in suite.description for suite in suites.values())


@pytest.mark.parametrize("task", OTHERS, ids=lambda task: task.name)
def test_the_tasks_of_other_kinds_keep_their_promises(task):
    check_task(task)
    train, evaluation = load(task, "train"), load(task, "evaluation")
    assert (len(train), len(evaluation)) == (task.train_rows, task.evaluation_rows)
    texts = [c for c in train.columns if c != "label"]
    seen = [json.dumps([data.columns[c][i] for c in texts]) for data in (train, evaluation) for i in range(len(data))]
    assert len({*seen}) == len(seen) and task.card.synthetic
    assert load(replace(task, shuffled=not task.shuffled), "train").sha256 != train.sha256


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_rows_are_distinct_disjoint_and_balanced(task):
    train, evaluation = load(task, "train"), load(task, "evaluation")
    assert (len(train), len(evaluation)) == (task.train_rows, task.evaluation_rows)
    assert task.kind in TASK_KINDS and task.metric in METRICS and train.kind == task.kind
    assert "ynthetic" in task.card.description and "synthetic" in train.origin.id
    assert len({*rows(task), *rows(task, "train")}) == len(train) + len(evaluation)
    for data in (train, evaluation):
        counts = Counter(data.columns["label"])
        assert len(counts) == (len(data.labels) or 6)
        assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("task", [t for t in PLAIN if t.name in TASKS], ids=lambda task: task.name)
def test_sentences_are_short_varied_and_well_formed(task):
    texts = [text for row in rows(task) + rows(task, "train") for text in row if text]
    assert len({word.lower() for text in texts for word in tokens(text)}) > 120
    assert 3 <= min(len(tokens(text)) for text in texts) and max(len(tokens(text)) for text in texts) <= 20
    assert all(re.fullmatch(r"[A-Z][A-Za-z ,']*[.?]", text) and "  " not in text for text in texts)
    assert not [text for text in texts if re.search(r"\ba [aeio]|\ban [^aeio]|sss\b", text, re.I)]


def test_rows_do_not_depend_on_the_process():
    """Another process hashes strings otherwise: a set's order or `hash()` would show."""
    command = (
        "from cogbench_tasks import mini; from cogbench import Files;"
        "print(*(t.load(s, Files()).sha256 for t in mini.register_tasks() for s in ('train', 'evaluation')))"
    )
    here = [load(task, split).sha256 for task in mini.register_tasks() for split in ("train", "evaluation")]
    there = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.split()
    assert here == there


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(TASKS)), st.integers(0, 10**6), st.integers(12, 300))
def test_evaluation_rows_do_not_depend_on_the_training_rows(name, seed, train_rows):
    task = replace(TASKS[name], seed=seed, train_rows=train_rows, evaluation_rows=60)
    other = replace(task, train_rows=12)
    assert task.load("evaluation", Files()).sha256 == other.load("evaluation", Files()).sha256
    assert rows(task, "train")[:12] == rows(other, "train")
    assert not {*rows(task)} & {*rows(task, "train")}


def test_every_word_stands_in_one_group():
    words = [w for names in CARRIERS.values() for name in names for w in _flat(getattr(mini.PLANTED, name))]
    assert len(words) == len(set(words))
    assert len(mini_words.PRAISE) == len(mini_words.BLAME) and len(mini_words.PERSONS) == len(mini_words.TOWNS)


def _flat(group):
    return [word for entry in group for word in (entry if isinstance(entry, tuple) else (entry,))]


def evidence(lexicon, skill, row, group):
    """What the words of one skill say of a row: how many more of them are on one side than on the other."""
    left, right = (set(tokens(text)) for text in row)
    if skill == "synonymy":
        alike = {(a, b) for a in left - right for b in right - left if group.get(a, a) == group.get(b, b)}
        return len(alike) - len({foil for *_, foil in (*lexicon.agents, *lexicon.deeds, *lexicon.things)} & right)
    one, other = (set(getattr(lexicon, name)) for name in CARRIERS[skill])
    return sum(len(words & one) - len(words & other) for words in (left, right))


def judged(task):
    """Rows of one text or two, and what is to be told from each: of the other kinds, what their answers hang on."""
    columns = load(task, "evaluation").columns
    if task.kind in ("classification", "regression", "relation"):
        return rows(task), columns["label"]
    if task.kind == "tagging":
        tags = [[mini.forms.TAGS[tag][2:] for tag in row] for row in columns["label"]]
        return [(" ".join(words), "") for words in columns["tokens"]], [
            np.sign(t.count("PER") - t.count("LOC")) for t in tags
        ]
    if task.kind == "extractive-qa":
        first = [text.startswith(("Who", "What food")) for text in columns["text"]]
        return rows(task), [a == bool(right["text"]) for a, right in zip(first, columns["label"], strict=True)]
    found = zip(columns["text"], columns["passages"], columns["label"], strict=True)
    each = [((q, p), f"{'eat' in q} {y}") for q, passages, ys in found for p, y in zip(passages, ys, strict=True)]
    return [row for row, _ in each], [label for _, label in each]


@pytest.mark.parametrize("skill", CARRIERS)
@pytest.mark.parametrize("task", EVERY.values(), ids=EVERY)
def test_labels_hang_on_the_skills_in_the_table_and_on_no_other(task, skill):
    """The mean evidence differs between labels for a task's own skills, and then by the task's own lexicon only."""
    group = classes(task.lexicon, "synonymy")
    texts, labels = judged(task)
    labels = np.array(labels)
    found = np.array([evidence(task.lexicon, skill, row, group) for row in texts])
    means = [found[labels == label].mean() for label in sorted(set(labels))]
    if skill in mini.SKILLS[task.form]:
        assert max(means) - min(means) > 0.35
    else:
        assert max(means) - min(means) < 0.2


@pytest.mark.parametrize("one, two", itertools.combinations(range(8), 2))
def test_shuffling_leaves_two_tasks_nothing_in_common(one, two):
    lexicons = SHUFFLED[one].lexicon, SHUFFLED[two].lexicon
    for skill in CARRIERS:
        planted = [classes(PLAIN[i].lexicon, skill) for i in (one, two)]
        assert planted[0] == planted[1]
        drawn = [classes(lexicon, skill) for lexicon in lexicons]
        agreement = sum(drawn[0].get(word) == drawn[1].get(word) for word in planted[0]) / len(planted[0])
        assert agreement < 0.75, skill  # two classes agree by chance in half of their words, pairs in hardly any


def test_shuffling_keeps_every_word():
    for task in SHUFFLED:
        for field in fields(mini.Lexicon):
            assert len(getattr(task.lexicon, field.name)) == len(getattr(mini.PLANTED, field.name))
        for names in CARRIERS.values():
            for lexicon in (task.lexicon, mini.PLANTED):
                pools = [sorted(w for name in names for w in _flat(getattr(x, name))) for x in (lexicon, mini.PLANTED)]
                assert pools[0] == pools[1]
