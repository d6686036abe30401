"""The suite `mini`: eight small synthetic tasks whose shared skills are planted, and a control that shares none.

The sentences are written by a grammar over the words of `mini_words`; nobody said them, and no result on them says
anything about English. They exist because their answer is known: which tasks teach the same knowledge about the same
words stands in `SKILLS`. In `mini-shuffled` each task draws that knowledge anew for itself, so that its neighbours
teach it nothing but the form.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cogbench import Card, Dataset, Files, Oracle, Source, Suite, hookimpl, read_oracle

from . import mini_words as words

# What a task can be solved with. Tasks with a skill in common draw on the same words and the same knowledge of them:
# `valence` which adjectives praise; `kinds` which nouns are food; `synonymy` which words mean the same; `names` which
# names are a person's and which a town's. Only `agreement` of subject and verb is grammar, and one task's own.
SKILLS: dict[str, frozenset[str]] = {
    "mini-cola": frozenset({"agreement", "names"}),
    "mini-mnli": frozenset({"kinds", "valence"}),
    "mini-mrpc": frozenset({"synonymy"}),
    "mini-qnli": frozenset({"kinds", "names"}),
    "mini-qqp": frozenset({"names", "synonymy"}),
    "mini-rte": frozenset({"kinds"}),
    "mini-sst-2": frozenset({"valence"}),
    "mini-sts-b": frozenset({"synonymy", "valence"}),
}

# The share of rows that turn the usual question round ("not", "which town" for "who", …): few, so that a small model
# can start from what single words say, and enough that this alone does not reach the ceiling.
TURNED = 0.1

Triples = tuple[tuple[str, str, str], ...]  # a word, one that means the same, one that does not
Row = tuple[str, str | None]


@dataclass(frozen=True)
class Lexicon:
    """What a task holds true of its words."""

    praise: tuple[str, ...]
    blame: tuple[str, ...]
    foods: tuple[str, ...]
    materials: tuple[str, ...]
    persons: tuple[str, ...]
    towns: tuple[str, ...]
    agents: Triples
    things: Triples
    deeds: Triples


def _triples(table: str) -> Triples:
    rows = [row.split() for line in table.strip().splitlines() for row in line.split("|")]
    return tuple((word, twin, foil) for word, twin, foil in rows)


PLANTED = Lexicon(
    tuple(words.PRAISE),
    tuple(words.BLAME),
    tuple(words.FOODS),
    tuple(words.MATERIALS),
    tuple(words.PERSONS),
    tuple(words.TOWNS),
    _triples(words.AGENTS),
    _triples(words.THINGS),
    _triples(words.DEEDS),
)


def shuffled(lexicon: Lexicon, seed: str) -> Lexicon:
    """Return the same words with other knowledge: within a part of speech, words change places."""
    rng = random.Random(seed)

    def mixed(groups: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
        """Return groups of the same sizes over the same words in another order."""
        groups = list(groups)
        pool = [word for group in groups for word in group]
        rng.shuffle(pool)
        return [tuple(pool.pop() for _ in group) for group in groups]

    pairs = ((lexicon.praise, lexicon.blame), (lexicon.foods, lexicon.materials), (lexicon.persons, lexicon.towns))
    classes = [group for pair in pairs for group in mixed(pair)]
    tables = [tuple((a, b, c) for a, b, c in mixed(t)) for t in (lexicon.agents, lexicon.things, lexicon.deeds)]
    return Lexicon(*classes, *tables)  # type: ignore[arg-type]


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"


def _sentence(*parts: str) -> str:
    text = " ".join(part for part in parts if part)
    return text[0].upper() + text[1:]


def _mood(rng: random.Random, lexicon: Lexicon, good: bool) -> str:
    """Return an adjective of this valence, now and then as the denial of its opposite."""
    if rng.random() < TURNED:
        denied = rng.choice(lexicon.blame if good else lexicon.praise)
        return f"{rng.choice(('anything but', 'not at all', 'hardly'))} {denied}"
    word = rng.choice(lexicon.praise if good else lexicon.blame)
    return f"{rng.choice(('', '', 'rather', 'truly', 'quite'))} {word}".strip()


def _sst_2(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    good = label == 1
    one, two = rng.sample(words.FEATURES, 2)
    work, when = rng.choice(words.WORKS), rng.choice(words.WHEN)
    mood = _mood(rng, lexicon, good)
    forms = (
        f"the {one} was {mood}",
        f"the {work} was {mood} {when}",
        f"the {one} of the {work} was {mood}",
        f"I found the {one} {mood}",
        f"what {_a(rng.choice(lexicon.praise if good else lexicon.blame))} {work}",
        f"nobody minded the {one}, but the {two} was {mood}",
    )
    return _sentence(rng.choice(forms)) + ".", None


def _cola(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    if rng.random() < 0.3:
        return _agreement(rng, lexicon, label)
    about_person = rng.random() >= TURNED
    name = rng.choice(lexicon.persons if about_person == (label == 1) else lexicon.towns)
    predicate = rng.choice(words.OF_PERSONS if about_person else words.OF_TOWNS)
    start = rng.choice(("", "", "in fact", "I hear that"))
    return _sentence(start, name, predicate, rng.choice(words.WHEN)) + ".", None


def _agreement(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    agent, plural = rng.choice(rng.choice(lexicon.agents)), rng.random() < 0.75
    subject, verb = f"{agent}s" if plural else agent, "have" if plural == (label == 1) else "has"
    deed, thing = rng.choice(rng.choice(lexicon.deeds)), rng.choice(rng.choice(lexicon.things))
    return f"The {subject} {verb} {deed} the {thing} {rng.choice(words.WHEN)}.", None


def _mnli(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    pleased = rng.random() >= TURNED
    noun = rng.choice(lexicon.materials if label == 1 else lexicon.foods)
    good = rng.random() < 0.5 if label == 1 else pleased == (label == 0)
    work = rng.choice(words.WORKS)
    verdict = rng.choice(words.PLEASED if pleased else words.DISPLEASED)
    premise = f"the {work} about {noun} was {_mood(rng, lexicon, good)}"
    return _sentence(premise) + ".", f"People {verdict} {_a(work)} about food."


def _rte(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    food = rng.random() >= TURNED
    noun = rng.choice(lexicon.foods if food == (label == 0) else lexicon.materials)
    who, (_, past) = rng.choice(rng.choice(lexicon.agents)), rng.choice(words.MINDED)
    claims = (
        (f"the {who} {past} something to eat", f"somebody {past} food", f"it was food that the {who} {past}")
        if food
        else (f"the {who} {past} something inedible", f"somebody {past} a raw material")
    )
    return f"The {who} {past} some {noun} {rng.choice(words.WHERE)}.", _sentence(rng.choice(claims)) + "."


def _qnli(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    usual, right = rng.random() >= TURNED, label == 0
    if rng.random() < 0.5:
        answer, asked = rng.choice(lexicon.persons if usual == right else lexicon.towns), ("who", "which town")
    else:
        answer = "some " + rng.choice(lexicon.foods if usual == right else lexicon.materials)
        asked = ("what food", "what material")
    who, (base, past) = rng.choice(rng.choice(lexicon.agents)), rng.choice(words.MINDED)
    question = f"{asked[not usual].capitalize()} did the {who} {base}?"
    return question, f"The {who} {past} {answer} {rng.choice(words.WHEN)}."


def _slots(rng: random.Random, tables: Sequence[Triples], same: Sequence[bool]) -> tuple[list[str], list[str]]:
    """Return two lists of words, one of each table: in each place they mean the same, or not."""
    left, right = [], []
    for table, equal in zip(tables, same, strict=True):
        word, twin, foil = rng.choice(table)
        pair = rng.choice(((word, twin), (twin, word), (word, word)))
        left.append(pair[0])
        right.append(pair[1] if equal else foil)
    return left, right


def _same(rng: random.Random, n_wrong: int, label: int) -> list[bool]:
    """Return for three places that all agree (label 1), or that so many do not."""
    wrong = rng.sample(range(3), n_wrong) if label == 0 else []
    return [i not in wrong for i in range(3)]


def _deed(rng: random.Random, slots: Sequence[str]) -> str:
    agent, deed, thing = slots
    return rng.choice((f"the {agent} {deed} the {thing}", f"the {thing} was {deed} by the {agent}"))


def _mrpc(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    left, right = _slots(rng, (lexicon.agents, lexicon.deeds, lexicon.things), _same(rng, rng.choice((1, 2)), label))
    when = rng.choice(words.WHEN)
    return _sentence(_deed(rng, left), when) + ".", _sentence(_deed(rng, right), when) + "."


def _qqp(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    *same, known = _same(rng, rng.choice((1, 2, 2)), label)
    (agent, thing), (agent2, thing2) = _slots(rng, (lexicon.agents, lexicon.things), same)
    person, (base, past) = rng.random() >= TURNED, rng.choice(words.MINDED)
    name = rng.choice(lexicon.persons if person == known else lexicon.towns)
    second = f"Did the {agent2} with the {thing2} {base} that {'man' if person else 'town'}?"
    return f"Was it {name} that the {agent} with the {thing} {past}?", second


def _sts_b(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    agrees = rng.random() < (0, 0, 0.5, 0.5, 1, 1)[label]
    alike = label - 2 * agrees  # the opinion counts as much as two words
    same = [i < alike for i in rng.sample(range(3), 3)]
    left, right = _slots(rng, (lexicon.agents, lexicon.deeds, lexicon.things), same)
    good, where = rng.random() >= TURNED, rng.choice(words.WHERE)
    texts = [
        _sentence(f"the {mood} {thing} was {deed} by the {agent}", where) + "."
        for (agent, deed, thing), mood in (
            (left, rng.choice(lexicon.praise if good else lexicon.blame)),
            (right, rng.choice(lexicon.praise if good == agrees else lexicon.blame)),
        )
    ]
    one, two = rng.sample(texts, 2)  # either may be the one with the odd words
    return one, two


@dataclass(frozen=True)
class Form:
    """How a task's rows are made: `row` writes one with the wanted label, of those that `labels` or `levels` count."""

    row: Callable[[random.Random, Lexicon, int], Row]
    what: str
    labels: tuple[str, ...] = ()
    levels: int = 0
    metric: str = "accuracy"
    train_rows: int = 600


FORMS = {
    "mini-cola": Form(
        _cola, "is the sentence acceptable?", ("unacceptable", "acceptable"), metric="mcc", train_rows=240
    ),
    "mini-mnli": Form(_mnli, "does the first sentence entail the second?", ("entailment", "neutral", "contradiction")),
    "mini-mrpc": Form(_mrpc, "do two sentences say the same?", ("not_equivalent", "equivalent"), train_rows=160),
    "mini-qnli": Form(_qnli, "does the sentence answer the question?", ("entailment", "not_entailment")),
    "mini-qqp": Form(_qqp, "do two questions ask the same?", ("not_duplicate", "duplicate"), train_rows=300),
    "mini-rte": Form(
        _rte, "does the first sentence entail the second?", ("entailment", "not_entailment"), train_rows=120
    ),
    "mini-sst-2": Form(_sst_2, "is the sentence favourable?", ("negative", "positive"), train_rows=240),
    "mini-sts-b": Form(
        _sts_b, "how much do two sentences agree, from 0 to 5?", levels=6, metric="spearman", train_rows=200
    ),
}


@dataclass(frozen=True)
class MiniTask:
    """A synthetic task: its rows are generated from a seed, the same on every machine.

    Parameters
    ----------
    name, kind, metric, card, suite
        As every task has them.
    form : str
        The key in `FORMS` and `SKILLS`.
    train_rows, evaluation_rows : int
        The evaluation split does not change with the number of training rows; the two share no row.
    seed : int
        Of the rows, and of the shuffle.
    shuffled : bool
        Whether this task's knowledge of its words is a draw of its own, which no other task shares.
    """

    name: str
    kind: str
    metric: str
    card: Card
    suite: str = "mini"
    form: str = ""
    train_rows: int = 400
    evaluation_rows: int = 1200
    seed: int = 0
    shuffled: bool = False

    @property
    def lexicon(self) -> Lexicon:
        """What this task holds true of its words."""
        return shuffled(PLANTED, f"{self.form} {self.seed}") if self.shuffled else PLANTED

    def load(self, split: Literal["train", "evaluation"], files: Files) -> Dataset:
        """Write the rows of one split; `files` is not asked for anything."""
        form, lexicon = FORMS[self.form], self.lexicon
        rng = random.Random(f"rows of {self.form} {self.seed}")
        n = self.evaluation_rows + (self.train_rows if split == "train" else 0)
        labels: dict[Row, int] = {}
        while len(labels) < n:
            label = len(labels) % (form.levels or len(form.labels))
            labels.setdefault(form.row(rng, lexicon, label), label)
        rows = list(labels.items())[self.evaluation_rows if split == "train" else 0 :]
        columns: dict[str, list] = {"text": [text for (text, _), _ in rows]}
        if rows[0][0][1] is not None:
            columns["text_pair"] = [pair for (_, pair), _ in rows]
        columns["label"] = [float(label) if form.levels else label for _, label in rows]
        return Dataset(self.kind, columns, form.labels, Source(f"cogbench synthetic {self.name}", f"seed {self.seed}"))


def _task(name: str, form: Form, *, shuffled: bool) -> MiniTask:
    skills = f"{', '.join(sorted(SKILLS[name]))}, {'drawn for this task alone' if shuffled else 'shared as planted'}"
    suite = "mini-shuffled" if shuffled else "mini"
    return MiniTask(
        name=name.replace("mini", suite),
        kind="regression" if form.levels else "classification",
        metric=form.metric,
        card=Card(
            form.train_rows, "MIT", f"Synthetic, written by a generator: {form.what} Skills: {skills}.", synthetic=True
        ),
        suite=suite,
        form=name,
        train_rows=form.train_rows,
        shuffled=shuffled,
    )


@hookimpl
def register_tasks() -> list[MiniTask]:
    """Return the tasks of both suites."""
    return [_task(name, form, shuffled=shuffled) for shuffled in (False, True) for name, form in FORMS.items()]


@hookimpl
def register_oracles() -> list[Oracle]:
    """Return the transfers measured on `mini`; `make mini-oracle` measures them again."""
    return [read_oracle(path) for path in sorted(Path(__file__).parent.glob("oracles/mini-*.json"))]


@hookimpl
def register_suites() -> list[Suite]:
    """Return `mini`, and `mini-shuffled`, its negative control."""
    return [
        Suite(
            "mini",
            tuple(FORMS),
            signal="mini",
            oracles=(("minilm-2l", "mini-minilm-2l"),),
            description="Eight small synthetic tasks with planted shared skills: a control whose answer is known.",
        ),
        Suite(
            "mini-shuffled",
            tuple(name.replace("mini", "mini-shuffled") for name in FORMS),
            signal="mini",
            description="Negative control, synthetic: the tasks of `mini`, each with word knowledge of its own.",
        ),
    ]
