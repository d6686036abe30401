"""How the rows of the suite `mini` are written: one function for each of its forms, over the words of `mini_words`.

Each takes a random generator, what the task holds true of its words, and the number of the sort of row that is wanted:
its label, where a label is a number. It returns the row's columns, and `label` where that is more than this number.
"""

import random
from collections.abc import Sequence
from typing import Any

from . import mini_words as words
from .mini_words import Lexicon, Triples

# The share of rows that turn the usual question round ("not", "which town" for "who", …): few, so that a small model
# can start from what single words say, and enough that this alone does not reach the ceiling.
TURNED = 0.1

Row = dict[str, Any]  # a value for each column


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


def sst_2(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
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
    return {"text": _sentence(rng.choice(forms)) + "."}


def cola(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    if rng.random() < 0.3:
        return _agreement(rng, lexicon, label)
    about_person = rng.random() >= TURNED
    name = rng.choice(lexicon.persons if about_person == (label == 1) else lexicon.towns)
    predicate = rng.choice(words.OF_PERSONS if about_person else words.OF_TOWNS)
    start = rng.choice(("", "", "in fact", "I hear that"))
    return {"text": _sentence(start, name, predicate, rng.choice(words.WHEN)) + "."}


def _agreement(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    agent, plural = rng.choice(rng.choice(lexicon.agents)), rng.random() < 0.75
    subject, verb = f"{agent}s" if plural else agent, "have" if plural == (label == 1) else "has"
    deed, thing = rng.choice(rng.choice(lexicon.deeds)), rng.choice(rng.choice(lexicon.things))
    return {"text": f"The {subject} {verb} {deed} the {thing} {rng.choice(words.WHEN)}."}


def mnli(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    pleased = rng.random() >= TURNED
    noun = rng.choice(lexicon.materials if label == 1 else lexicon.foods)
    good = rng.random() < 0.5 if label == 1 else pleased == (label == 0)
    work = rng.choice(words.WORKS)
    verdict = rng.choice(words.PLEASED if pleased else words.DISPLEASED)
    premise = f"the {work} about {noun} was {_mood(rng, lexicon, good)}"
    return {"text": _sentence(premise) + ".", "text_pair": f"People {verdict} {_a(work)} about food."}


def rte(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    food = rng.random() >= TURNED
    noun = rng.choice(lexicon.foods if food == (label == 0) else lexicon.materials)
    who, (_, past) = rng.choice(rng.choice(lexicon.agents)), rng.choice(words.MINDED)
    claims = (
        (f"the {who} {past} something to eat", f"somebody {past} food", f"it was food that the {who} {past}")
        if food
        else (f"the {who} {past} something inedible", f"somebody {past} a raw material")
    )
    premise = f"The {who} {past} some {noun} {rng.choice(words.WHERE)}."
    return {"text": premise, "text_pair": _sentence(rng.choice(claims)) + "."}


def qnli(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    usual, right = rng.random() >= TURNED, label == 0
    if rng.random() < 0.5:
        answer, asked = rng.choice(lexicon.persons if usual == right else lexicon.towns), ("who", "which town")
    else:
        answer = "some " + rng.choice(lexicon.foods if usual == right else lexicon.materials)
        asked = ("what food", "what material")
    who, (base, past) = rng.choice(rng.choice(lexicon.agents)), rng.choice(words.MINDED)
    question = f"{asked[not usual].capitalize()} did the {who} {base}?"
    return {"text": question, "text_pair": f"The {who} {past} {answer} {rng.choice(words.WHEN)}."}


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


def mrpc(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    left, right = _slots(rng, (lexicon.agents, lexicon.deeds, lexicon.things), _same(rng, rng.choice((1, 2)), label))
    when = rng.choice(words.WHEN)
    one, two = (_sentence(_deed(rng, slots), when) + "." for slots in (left, right))
    return {"text": one, "text_pair": two}


def qqp(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
    *same, known = _same(rng, rng.choice((1, 2, 2)), label)
    (agent, thing), (agent2, thing2) = _slots(rng, (lexicon.agents, lexicon.things), same)
    person, (base, past) = rng.random() >= TURNED, rng.choice(words.MINDED)
    name = rng.choice(lexicon.persons if person == known else lexicon.towns)
    second = f"Did the {agent2} with the {thing2} {base} that {'man' if person else 'town'}?"
    return {"text": f"Was it {name} that the {agent} with the {thing} {past}?", "text_pair": second}


def sts_b(rng: random.Random, lexicon: Lexicon, label: int) -> Row:
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
    return {"text": one, "text_pair": two, "label": float(label)}


def squad(rng: random.Random, lexicon: Lexicon, answered: int) -> Row:
    """Two names or nouns in one sentence, of which the question asks for one; or for neither (0)."""
    usual, named = rng.random() >= TURNED, rng.random() < 0.5
    classes = (lexicon.persons, lexicon.towns) if named else (lexicon.foods, lexicon.materials)
    asked = (("who", "which town") if named else ("what food", "what material"))[not usual]
    right, wrong = classes if usual else classes[::-1]
    (answer, rival), foils = rng.sample(right, 2), rng.sample(wrong, 2)
    of_one = [answer if answered else foils[1], foils[0]]
    # Of the other agent's sentence little is to be known, but now and then that it is not the one asked about.
    of_other = [rival if rng.random() < TURNED else f"the {rng.choice(rng.choice(lexicon.things))}"]
    (one, other), minded = rng.sample(lexicon.agents, 2), rng.sample(words.MINDED, 2)
    agents = rng.choice(one), rng.choice(other)
    sentences = [
        f"The {who} {past} {' and '.join(rng.sample(mentions, len(mentions)))} {rng.choice(words.WHEN)}."
        for who, (_, past), mentions in zip(agents, minded, (of_one, of_other), strict=True)
    ]
    question, context = f"{asked.capitalize()} did the {agents[0]} {minded[0][0]}?", " ".join(rng.sample(sentences, 2))
    right_answers = [answer] if answered else []
    places = [context.index(f" {text} ") + 1 for text in right_answers]
    return {"text": question, "text_pair": context, "label": {"text": right_answers, "answer_start": places}}


def _name(rng: random.Random, lexicon: Lexicon, person: bool) -> tuple[str, str]:
    """Return what stands before a name, mostly nothing, and the name; now and then the former alone tells its class."""
    turned = rng.random() < TURNED
    names = rng.sample(lexicon.persons if person != turned else lexicon.towns, rng.choice((1, 1, 2)))
    return f"{'somebody' if person else 'somewhere'} called " if turned else "", " ".join(names)


TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def conll(rng: random.Random, lexicon: Lexicon, n_names: int) -> Row:
    """A sentence with so many names; it is written with a slash and its tag behind each word of a name."""
    mentions = [f"the {rng.choice(rng.choice(lexicon.things))}"] if n_names < 2 else []
    for _ in range(n_names):
        person = rng.random() < 0.5
        before, name = _name(rng, lexicon, person)
        tagged = (f"{word}/{'I' if i else 'B'}-{'PER' if person else 'LOC'}" for i, word in enumerate(name.split()))
        mentions.append(before + " ".join(tagged))
    who, (_, past) = rng.choice(rng.choice(lexicon.agents)), rng.choice(words.MINDED)
    listed = " and ".join(rng.sample(mentions, len(mentions)))
    text = _sentence(f"the {who} {past} {listed} {rng.choice(words.WHEN)} .")
    pairs = [word.partition("/") for word in text.split()]
    label = tuple(TAGS.index(tag or "O") for _, _, tag in pairs)
    return {"tokens": tuple(word for word, _, _ in pairs), "label": label}


RELATIONS = (
    "Admirer-Admired(e1,e2)",
    "Admirer-Admired(e2,e1)",
    "Critic-Criticised(e1,e2)",
    "Critic-Criticised(e2,e1)",
    "Other",
)


def semeval(rng: random.Random, lexicon: Lexicon, sort: int) -> Row:
    """A person who thinks well or ill of a work, named first or last; a town in that place is no relation (4 and 5)."""
    related = sort < 4
    good, first = (sort < 2, sort % 2 == 0) if related else (rng.random() < 0.5, rng.random() < 0.5)
    mood, work = _mood(rng, lexicon, good), rng.choice(words.WORKS)
    before, name = _name(rng, lexicon, person=related)
    if first:
        one, two = f"{before}<e1>{name}</e1>", f"the <e2>{work}</e2>"
        forms = f"{one} found {two} {mood}", f"{one} said that {two} was {mood}"
    else:
        one, two = f"the <e1>{work}</e1>", f"{before}<e2>{name}</e2>"
        forms = f"{one} was {mood}, said {two}", f"{one} was {mood} to {two}"
    return {"text": _sentence(rng.choice(forms), rng.choice(words.WHEN)) + ".", "label": min(sort, 4)}


def marco(rng: random.Random, lexicon: Lexicon, sort: int) -> Row:
    """A passage is relevant if agent and kind of noun are those asked for; one query in ten (0) has none such."""
    n_relevant, n = (0, 1, 1, 1, 1, 1, 1, 1, 2, 2)[sort], rng.choice((4, 5, 6))
    food, (_, past) = rng.random() >= TURNED, rng.choice(words.MINDED)
    right, wrong = (rng.sample(nouns, n) for nouns in (lexicon.foods, lexicon.materials)[:: 1 if food else -1])
    *twins, foil = rng.choice(lexicon.agents)
    found = []
    for i in range(n):
        relevant = i < n_relevant
        agent = relevant or rng.random() < 0.5  # the others are wrong in one of the two
        who, what = rng.choice(twins) if agent else foil, right[i] if relevant or not agent else wrong[i]
        found.append((f"The {who} {past} some {what} {rng.choice(words.WHERE)}.", int(relevant)))
    passages, label = zip(*rng.sample(found, n), strict=True)
    query = f"Which {rng.choice(twins)} {past} something {'to eat' if food else 'inedible'}?"
    return {"text": query, "passages": passages, "label": label}
