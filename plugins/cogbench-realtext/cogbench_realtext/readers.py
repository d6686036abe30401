"""How the rows of each form of data are read from the files of a wheel."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from .splits import Row
from .wheels import Archive

Reader = Callable[[Archive, str], Iterable[Row]]  # the rows of one file
ASPECTS = ("challenge", "approach", "outcome")


def clauses(archive: Archive, member: str) -> Iterator[Row]:
    """Yield questions, each with a clause that answers it or does not; pairs that share a text stay together."""
    for record in archive.records(member, {"question": str, "context": str, "answer": str}):
        question, clause = record["question"], record["context"]
        label = "yes" if record["answer"] == "True" else "no"
        yield Row({"text": question, "text_pair": clause, "label": label}, (question, clause))


def named_by_file(archive: Archive, member: str) -> Iterator[Row]:
    """Yield questions whose class is the name of their file, such as `Forensic_Medicine.jsonl`."""
    name = PurePosixPath(member).stem.lower().replace("_", "-")
    for record in archive.records(member, {"question": str}):
        yield Row({"text": record["question"], "label": name}, (record["question"],))


def choices(archive: Archive, member: str) -> Iterator[Row]:
    """Yield questions with lettered options, of which one is right: passages to rank.

    Rows whose options are not lettered from A on, or whose answer is none of them, are left out.
    """
    for record in archive.records(member, {"question": str, "options": str, "answer": str}):
        question, options = record["question"].strip(), lettered(record["options"])
        right = [int(record["answer"].strip() == f"{chr(65 + i)}. {option}") for i, option in enumerate(options)]
        if len(options) > 1 and sum(right) == 1:
            yield Row({"text": question, "passages": options, "label": right}, (record["question"], question))


def lettered(options: str) -> list[str]:
    """Return the options of a text such as `A. this` and, on the next line, `B. that`; none if a letter is missing."""
    _, *parts = re.split(r"(?:^|\n)([A-Z])\. ", options)
    letters, texts = parts[::2], [text.strip() for text in parts[1::2]]
    return texts if letters == [chr(65 + i) for i in range(len(letters))] and all(texts) else []


def answers_in_passage(archive: Archive, member: str) -> Iterator[Row]:
    """Yield questions with a passage that holds their answer, at its first place; the others are left out."""
    for record in archive.records(member, {"question": str, "passage": str, "answer": str}):
        passage, answer = record["passage"], record["answer"].strip()
        start = passage.find(answer)
        if answer and start >= 0:
            label = {"text": [answer], "answer_start": [start]}
            yield Row({"text": record["question"], "text_pair": passage, "label": label}, (passage, record["question"]))


def aspects(archive: Archive, member: str) -> Iterator[Row]:
    """Yield the sentences of papers that were marked as speaking of one aspect of the paper."""
    for record in archive.records(member, {"id": str, "sentences": dict, "highlights": dict}):
        for section, sentences in record["sentences"].items():
            marks = zip(*(record["highlights"][aspect][section] for aspect in ASPECTS), strict=True)
            for sentence, marked in zip(sentences, marks, strict=True):
                if sum(marked) == 1:
                    columns = {"text": sentence, "label": ASPECTS[marked.index(1)]}
                    yield Row(columns, (record["id"], sentence))


def part_of_speech(document: str) -> Reader:
    """Return the reader of sentences with the part of speech of each word, punctuation excepted.

    `document` separates the name of a document from the number of a sentence in the sentence's id. Tokens that the next
    one goes on with (`ig`, the inflectional groups of a Turkish word) are one word, which has the last one's tag.
    """

    def read(archive: Archive, member: str) -> Iterator[Row]:
        for name, lines in archive.sentences(member):
            tokens, tags, begun = list[str](), list[str](), ""
            for number, form, _, tag, *_, relation, _, _ in lines:
                if not number.isdigit():  # a contraction, whose words follow
                    continue
                begun += form
                if relation != "ig":
                    tokens.append(begun)
                    tags.append("O" if tag == "PUNCT" else f"B-{tag}")
                    begun = ""
            if tokens and not begun:
                yield Row({"tokens": tokens, "label": tags}, (name.rpartition(document)[0] or name, " ".join(tokens)))

    return read
