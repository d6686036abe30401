"""Sentences of tables in which each row is a word: their texts, and which rows are of one showing."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from cogbench import UnusableData


class Showing(NamedTuple):
    """The rows in which one subject reads one sentence once, word by word."""

    subject: str
    sentence: Hashable
    rows: list[int]


def showings_of(
    subjects: Sequence[str],
    sentences: Sequence[Hashable],
    orders: Sequence[float] | None,
    repetitions: Sequence[Hashable] | None,
) -> list[Showing]:
    """Return the showings of a table of words, in the order of their first rows.

    Rows of one subject and sentence are one showing, unless a column tells the repetition, or the sentence begins
    anew: its rows stand apart, or all its words come again.
    """
    by_place = dict[tuple[str, Hashable, Hashable], list[int]]()
    run, before = 0, None
    for row, (subject, sentence) in enumerate(zip(subjects, sentences, strict=True)):
        if not subject or sentence in (None, ""):
            before = None
            continue
        if repetitions is not None:
            by_place.setdefault((subject, sentence, repetitions[row]), []).append(row)
            continue
        run += (subject, sentence) != before
        before = (subject, sentence)
        by_place.setdefault((subject, sentence, run), []).append(row)
    if orders is None:
        return [Showing(subject, sentence, rows) for (subject, sentence, _), rows in by_place.items()]
    if repetitions is None:  # with an order, rows of one showing need not stand together
        together = dict[tuple[str, Hashable], list[int]]()
        for (subject, sentence, _), rows in by_place.items():
            together.setdefault((subject, sentence), []).extend(rows)
        by_place = {}
        for (subject, sentence), rows in together.items():
            times = dict[float, int]()
            nth = list[int]()
            for row in rows:
                times[orders[row]] = times.get(orders[row], 0) + 1
                nth.append(times[orders[row]])
            comes_again = len({*times.values()}) == 1
            for row, n in zip(rows, nth, strict=True):
                by_place.setdefault((subject, sentence, n if comes_again else 1), []).append(row)
    return [
        Showing(subject, sentence, sorted(rows, key=lambda row: orders[row]))
        for (subject, sentence, _), rows in by_place.items()
    ]


def runs_of(subjects: Sequence[str], orders: Sequence[float]) -> list[int]:
    """Return the number of the sentence of each row: a new one begins where the order of the words begins anew."""
    numbers, number = list[int](), 0
    for row, (subject, order) in enumerate(zip(subjects, orders, strict=True)):
        number += row > 0 and (subject != subjects[row - 1] or order <= orders[row - 1])
        numbers.append(number)
    return numbers


def texts_of(
    showings: Sequence[Showing], words: Sequence[str], orders: Sequence[float] | None, where: str
) -> tuple[list[str], list[str]]:
    """Return the text of each showing, joined of its words, and notes.

    A number means one sentence for all subjects, of which some may lack words where an order tells them apart; or, as
    numbers of trials do, another sentence for each subject.

    Raises
    ------
    UnusableData
        If subjects have unlike words under one number, and no order tells which are missing.
    """
    own = [" ".join(words[row] for row in showing.rows if words[row]) for showing in showings]
    by_sentence = dict[Hashable, list[int]]()
    for i, showing in enumerate(showings):
        by_sentence.setdefault(showing.sentence, []).append(i)
    texts, unlike = [*own], 0
    for sentence, places in by_sentence.items():
        if len({own[i] for i in places}) == 1:
            continue
        whole = _whole([showings[i] for i in places], words, orders)
        if whole is not None:
            for i in places:
                texts[i] = whole
            continue
        first, other = own[places[0]], next(own[i] for i in places if own[i] != own[places[0]])
        if _share({*first.split()}, {*other.split()}) >= 0.5:
            raise UnusableData(
                f"{where}: sentence {sentence} has unlike words, {first[:60]!r} and {other[:60]!r}; say order=COLUMN "
                "in the address, the place of a word in its sentence, or sentence=COLUMN for another column."
            )
        unlike += 1
    notes = []
    if unlike:
        notes.append(f"numbers of sentences that mean other words for other subjects, told apart by these: {unlike}.")
    return texts, notes


def _whole(showings: Sequence[Showing], words: Sequence[str], orders: Sequence[float] | None) -> str | None:
    """Return the words of a sentence that several subjects read, each with its gaps; None if they contradict."""
    if orders is None:
        return None
    by_order = dict[float, str]()
    for showing in showings:
        for row in showing.rows:
            if words[row] and by_order.setdefault(orders[row], words[row]) != words[row]:
                return None
    return " ".join(by_order[order] for order in sorted(by_order))


def _share(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, len(one | other))
