"""The suite `mini`: eight small synthetic tasks whose shared skills are planted, and a control that shares none.

The sentences are written by a grammar over the words of `mini_words`; nobody said them, and no result on them says
anything about English. They exist because their answer is known: which tasks teach the same knowledge about the same
words stands in `SKILLS`. In `mini-shuffled` each task draws that knowledge anew for itself, so that its neighbours
teach it nothing but the form.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from cogbench import Card, Dataset, Files, Source, Suite, hookimpl

from . import mini_words as words

# What a task can be solved with. Tasks with a skill in common draw on the same words and the same knowledge of them:
# `valence` which words praise; `kinds` which noun names which kind; `synonymy` which words mean the same; `names`
# which names are a person's and which a town's; `agreement` of subject, verb and participle.
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

Triples = tuple[tuple[str, str, str], ...]  # a word, one that means the same, one that does not
Row = tuple[str, str | None, float]


@dataclass(frozen=True)
class Lexicon:
    """What a task holds true of its words."""

    praise: tuple[str, ...]
    blame: tuple[str, ...]
    kinds: tuple[tuple[str, tuple[str, ...]], ...]
    agents: Triples
    things: Triples
    deeds: Triples
    persons: tuple[str, ...]
    towns: tuple[str, ...]


def _triples(table: str) -> Triples:
    rows = [row.split() for line in table.strip().splitlines() for row in line.split("|")]
    return tuple((word, twin, foil) for word, twin, foil in rows)


PLANTED = Lexicon(
    praise=words.PRAISE,
    blame=words.BLAME,
    kinds=tuple((kind, tuple(nouns.split())) for kind, nouns in words.KINDS.items()),
    agents=_triples(words.AGENTS),
    things=_triples(words.THINGS),
    deeds=_triples(words.DEEDS),
    persons=words.PERSONS,
    towns=words.TOWNS,
)


def shuffled(lexicon: Lexicon, seed: str) -> Lexicon:
    """Return the same words with other knowledge: each group's words change places among themselves."""
    rng = random.Random(seed)

    def mixed(*groups: Iterable[str]) -> list[tuple[str, ...]]:
        """Return groups of the same sizes over the same words in another order."""
        sizes = [len(tuple(group)) for group in groups]
        pool = [word for group in groups for word in group]
        rng.shuffle(pool)
        return [tuple(pool.pop() for _ in range(size)) for size in sizes]

    praise, blame = mixed(lexicon.praise, lexicon.blame)
    persons, towns = mixed(lexicon.persons, lexicon.towns)
    nouns = mixed(*(nouns for _, nouns in lexicon.kinds))
    triples = [tuple((a, b, c) for a, b, c in mixed(*table)) for table in (lexicon.agents, lexicon.things, lexicon.deeds)]
    kinds = tuple((kind, group) for (kind, _), group in zip(lexicon.kinds, nouns, strict=True))
    return Lexicon(praise, blame, kinds, *triples, persons, towns)


WHEN = (
    "on Monday", "last spring", "before noon", "after the storm", "in early May", "two years ago", "at dawn",
    "during the festival", "late in the evening", "over the winter", "on market day", "shortly before Easter",
)  # fmt: skip
WHERE = (
    "at the market", "in the harbour", "near the old bridge", "behind the station", "in the town hall", "by the canal",
    "next to the chapel", "in the village school", "at the fair", "outside the library",
)  # fmt: skip
WORKS = ("song", "story", "poem", "film", "essay", "lecture", "ballad", "play", "novel", "sketch")
FEATURES = (
    "food", "service", "plot", "music", "acting", "dialogue", "lighting", "opening", "ending", "soup", "dessert",
    "decor", "staging", "prose", "pacing", "bread", "wine", "garden", "lobby", "finale",
)  # fmt: skip
MINDED = (
    ("mention", "mentioned"), ("describe", "described"), ("remember", "remembered"), ("sketch", "sketched"),
    ("admire", "admired"), ("photograph", "photographed"), ("recall", "recalled"), ("paint", "painted"),
    ("dream of", "dreamed of"), ("write about", "wrote about"), ("ask about", "asked about"),
)  # fmt: skip
PLEASED = ("were delighted by", "warmly recommended", "enjoyed", "were fond of", "approved of")
DISPLEASED = ("were disappointed by", "warned others about", "disliked", "were tired of", "complained about")
OF_PERSONS = (
    "sneezed twice {when}", "blushed and left the room {when}", "has a twin sister", "married a pilot {when}",
    "is afraid of spiders", "learned to swim {when}", "told us a long joke {when}", "hummed a tune {when}",
    "lost a wallet {when}", "wants to become a dentist",
)  # fmt: skip
OF_TOWNS = (
    "was founded by fishermen", "has two railway stations", "lies on a wide river", "was flooded {when}",
    "elected a new mayor {when}", "has narrow streets and a cathedral", "was linked to the motorway {when}",
    "has four thousand inhabitants", "was besieged for a month", "built a tram line {when}",
)  # fmt: skip


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"


def _sibling(lexicon: Lexicon, kind: int) -> int:
    """Return the other kind of the same field: they stand in pairs."""
    return kind ^ 1


def _sentence(*parts: str) -> str:
    text = " ".join(part for part in parts if part)
    return text[0].upper() + text[1:]


def _mood(rng: random.Random, lexicon: Lexicon, good: bool) -> str:
    """Return an adjective of this valence, now and then as the denial of its opposite."""
    word = rng.choice(lexicon.praise if good else lexicon.blame)
    if rng.random() < 0.25:
        return f"{rng.choice(('anything but', 'not at all', 'hardly'))} {rng.choice(lexicon.blame if good else lexicon.praise)}"
    return f"{rng.choice(('', '', 'rather', 'truly', 'simply', 'quite'))} {word}".strip()


def _sst_2(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    good = label == 1
    one, two = rng.sample(FEATURES, 2)
    work, when = rng.choice(WORKS), rng.choice(WHEN)
    same, other = (lambda: _mood(rng, lexicon, good)), (lambda: _mood(rng, lexicon, not good))
    forms: list[Callable[[], str]] = [
        lambda: f"although the {one} was {other()}, the {two} was {same()}",
        lambda: f"despite {_a(rng.choice(lexicon.blame if good else lexicon.praise))} {one}, the {work} was {same()}",
        lambda: f"the {one} was {same()} and the {two} was {same()}",
        lambda: f"the {work} we heard {when} was {same()}",
        lambda: f"I found the {one} {same()}, and so did my neighbour",
        lambda: f"the {work}'s {one} is {same()}",
    ]
    return _sentence(rng.choice(forms)()) + ".", None, label


def _cola(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    return (_agreement if rng.random() < 0.4 else _selection)(rng, lexicon, label)


def _selection(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    person = rng.random() < 0.5
    name = rng.choice(lexicon.persons if person == (label == 1) else lexicon.towns)
    predicate = rng.choice(OF_PERSONS if person else OF_TOWNS).format(when=rng.choice(WHEN))
    start = rng.choice(("", "", "As you know, ", "They say that ", "In fact "))
    return f"{start}{name} {predicate}.", None, label


def _agreement(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    plural = rng.random() < 0.5
    agent, other = rng.choice(lexicon.agents)[0], rng.choice(lexicon.agents)[0]
    other += "s" if rng.random() < 0.5 else ""
    deed, thing = rng.choice(rng.choice(lexicon.deeds)), rng.choice(rng.choice(lexicon.things))
    verb = ("have", "has")[plural == (label == 1)] if False else ("have" if plural == (label == 1) else "has")
    link = rng.choice(("near", "beside", "behind", "known to"))
    return f"The {agent}{'s' if plural else ''} {link} the {other} {verb} {deed} the {thing} {rng.choice(WHEN)}.", None, label


def _mnli(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    kind = rng.randrange(len(lexicon.kinds))
    noun, good, work = rng.choice(lexicon.kinds[kind][1]), rng.random() < 0.5, rng.choice(WORKS)
    claimed = lexicon.kinds[_sibling(lexicon, kind) if label == 1 else kind][0]
    verdict = rng.choice(PLEASED if good == (label != 2) else DISPLEASED)
    premise = f"the {work} about {_a(noun)} was {_mood(rng, lexicon, good)}"
    return _sentence(premise) + ".", f"People {verdict} {_a(work)} about {_a(claimed)}.", label


def _rte(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    kind = rng.randrange(len(lexicon.kinds))
    noun, who = rng.choice(lexicon.kinds[kind][1]), rng.choice(rng.choice(lexicon.agents))
    claimed = _a(lexicon.kinds[kind if label == 0 else _sibling(lexicon, kind)][0])
    base, past = rng.choice(MINDED)
    premise = _sentence(rng.choice(("", rng.choice(WHEN))), f"the {who} {past} {_a(noun)} {rng.choice(WHERE)}")
    hypothesis = rng.choice((f"the {who} {past} {claimed}", f"what the {who} {past} was {claimed}", f"somebody {past} {claimed}"))
    return premise + ".", _sentence(hypothesis) + ".", label


def _qnli(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    if rng.random() < 0.5:
        kind = rng.randrange(len(lexicon.kinds))
        answer = _a(rng.choice(lexicon.kinds[kind][1]))
        asked = lexicon.kinds[kind if label == 0 else _sibling(lexicon, kind)][0]
    else:
        person = rng.random() < 0.5
        answer = rng.choice(lexicon.persons if person else lexicon.towns)
        asked = "person" if person == (label == 0) else "town"
    who, when = rng.choice(rng.choice(lexicon.agents)), rng.choice(WHEN)
    base, past = rng.choice(MINDED)
    question = rng.choice((f"Which {asked} did the {who} {base}?", f"What {asked} did the {who} {base} {when}?"))
    return question, f"The {who} {past} {answer} {when}.", label


def _slots(rng: random.Random, tables: tuple[Triples, ...], same: list[bool]) -> tuple[list[str], list[str]]:
    """Return two lists of words, one from each table: in each place they mean the same, or not."""
    left, right = [], []
    for table, equal in zip(tables, same, strict=True):
        word, twin, foil = rng.choice(table)
        pair = (word, twin) if rng.random() < 0.5 else (twin, word)
        left.append(pair[0])
        right.append((pair[1] if rng.random() < 0.75 else pair[0]) if equal else foil)
    return left, right


def _same(rng: random.Random, n: int, label: int) -> list[bool]:
    """Return `n` places that all agree (label 1), or of which one or two do not."""
    wrong = rng.sample(range(n), rng.choice((1, 2)) if n > 1 else 1) if label == 0 else []
    return [i not in wrong for i in range(n)]


def _deed(rng: random.Random, slots: list[str]) -> str:
    agent, deed, thing = slots
    return rng.choice((f"the {agent} {deed} the {thing}", f"the {thing} was {deed} by the {agent}"))


def _mrpc(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    left, right = _slots(rng, (lexicon.agents, lexicon.deeds, lexicon.things), _same(rng, 3, label))
    when = rng.choice(WHEN)
    return _sentence(_deed(rng, left), when) + ".", _sentence(when + ",", _deed(rng, right)) + ".", label


def _qqp(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    *same, known = _same(rng, 3, label)
    (agent, deed), (agent2, deed2) = _slots(rng, (lexicon.agents, lexicon.deeds), same)
    thing = rng.choice(rng.choice(lexicon.things))
    person = rng.random() < 0.5
    name = rng.choice(lexicon.persons if person else lexicon.towns)
    what = "person" if person == known else "town"
    question = f"How well does the {agent} who {deed} the {thing} know {name}?"
    return question, f"How familiar is the {agent2} who {deed2} the {thing} with that {what}?", label


def _sts_b(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    same = [i < label for i in range(5)]
    rng.shuffle(same)
    left, right = _slots(rng, (lexicon.agents, lexicon.deeds, lexicon.things), same[:3])
    good = rng.random() < 0.5
    first, second = _mood(rng, lexicon, good), _mood(rng, lexicon, good == same[3])
    place = rng.sample(WHERE, 2)
    texts = [
        _sentence(_deed(rng, slots), where) + f", which was {mood}."
        for slots, where, mood in ((left, place[0], first), (right, place[0 if same[4] else 1], second))
    ]
    return texts[0], texts[1], float(label)


@dataclass(frozen=True)
class Form:
    """How a task's rows are made: a generator of one row of a wanted label, and the labels there are."""

    row: Callable[[random.Random, Lexicon, int], Row]
    labels: tuple[str, ...]
    metric: str = "accuracy"
    train_rows: int = 800
    levels: int = 0  # of a regression


FORMS = {
    "mini-cola": Form(_cola, ("unacceptable", "acceptable"), "mcc"),
    "mini-mnli": Form(_mnli, ("entailment", "neutral", "contradiction")),
    "mini-mrpc": Form(_mrpc, ("not_equivalent", "equivalent")),
    "mini-qnli": Form(_qnli, ("entailment", "not_entailment")),
    "mini-qqp": Form(_qqp, ("not_duplicate", "duplicate")),
    "mini-rte": Form(_rte, ("entailment", "not_entailment")),
    "mini-sst-2": Form(_sst_2, ("negative", "positive")),
    "mini-sts-b": Form(_sts_b, (), "spearman", levels=6),
}


@dataclass(frozen=True)
class MiniTask:
    """A synthetic task: rows are generated from a seed, the same on every machine.

    Parameters
    ----------
    name, kind, metric, card, suite
        As every task has them.
    form : str
        A key of `FORMS` and `SKILLS`.
    train_rows, evaluation_rows : int
        The evaluation split does not depend on the number of training rows; the two share no row.
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
    train_rows: int = 800
    evaluation_rows: int = 1200
    seed: int = 0
    shuffled: bool = False

    @property
    def lexicon(self) -> Lexicon:
        """What this task holds true of its words."""
        return shuffled(PLANTED, f"{self.form}/{self.seed}") if self.shuffled else PLANTED

    def load(self, split: Literal["train", "evaluation"], files: Files) -> Dataset:
        """Return the rows of one split."""
        form = FORMS[self.form]
        rng, lexicon = random.Random(f"{self.form}/{self.seed}"), self.lexicon
        n_labels = form.levels or len(form.labels)
        rows: dict[tuple[str, str | None], float] = {}
        wanted = self.evaluation_rows + (self.train_rows if split == "train" else 0)
        while len(rows) < wanted:
            text, pair, label = form.row(rng, lexicon, len(rows) % n_labels)
            rows.setdefault((text, pair), label)
        kept = list(rows.items())
        kept = kept[self.evaluation_rows :] if split == "train" else kept[: self.evaluation_rows]
        columns: dict[str, list] = {"text": [t for (t, _), _ in kept], "label": [label for _, label in kept]}
        if kept[0][0][1] is not None:
            columns["text_pair"] = [p for (_, p), _ in kept]
        return Dataset(self.kind, columns, form.labels, Source(self.name, f"seed {self.seed}"))
