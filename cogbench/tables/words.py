"""Texts of which each line is a word with its tags, as CoNLL has them, and SemEval's pairs of text and relation."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UnusableData
from ..storage.atomic import readable
from ..storage.origin import Origin
from ..text import listed
from .content import text_lines
from .options import TableOptions
from .rows import Rows

OF_CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
NUMBERED_TEXT = re.compile(r'\d+\t\s*"?(.*?)"?\s*')
UTF_8 = TableOptions(encoding="utf-8-sig")  # that of published corpora: no other one is guessed
PREFIXED = re.compile(r"O|[BIESLUM]-.+")


def read_tagged(path: Path, *, word: int = 0, tag: int = -1) -> Rows:
    """Read sentences of words with tags: a word a line, its columns apart by tabs, an empty line after each sentence.

    Returns the columns `tokens` and `label`, lists of texts: those of the columns `word` and `tag` of the file, which
    are 1 and 3 for the parts of speech of CoNLL-U. Its lines without a whole number (`1-2`, `8.1`) are no words.

    Raises
    ------
    MissingData, UnusableData
        If there is no such file, it is no text, or a line has too few columns.
    """
    readable(path)
    where, notes = repr(str(path)), list[str]()
    sentences, numbers = _sentences(path, UTF_8, notes, where, tabs=True, least=max(word, tag, 1) + 1)
    if word:
        sentences = [[line for line in sentence if line[0].isdigit()] for sentence in sentences]
    kept = [(sentence, number) for sentence, number in zip(sentences, numbers, strict=True) if sentence]
    columns = {
        "tokens": [[line[word] for line in sentence] for sentence, _ in kept],
        "label": [[line[tag] for line in sentence] for sentence, _ in kept],
    }
    return Rows(
        {**columns},
        {},
        origin=Origin(str(path)),
        what=where,
        numbers=[number for _, number in kept],
        notes=tuple(notes),
    )


def read_words(path: Path, options: TableOptions, notes: list[str]) -> tuple[dict[str, Sequence[Any]], Sequence[int]]:
    """Return the columns of a text of words with tags, as lists for each sentence, and the lines where these begin.

    `tokens` are the words, `label` their last tags; all columns of the file go by their numbers too, from 1, or by
    their names in CoNLL-U. There a key of `misc` is a column, and the `label` if it alone has tags such as `B-PER`.

    Raises
    ------
    UnusableData
        If a word has no tag, or lines have unlike numbers of columns.
    """
    where = repr(str(path))
    sentences, numbers = _sentences(path, options, notes, where, tabs=False, least=2)
    if not sentences:
        return {"tokens": [], "label": []}, []
    first = sentences[0][0]
    if len(first) == len(OF_CONLLU) and re.fullmatch(r"\d+([-.]\d+)?", first[0]):
        kept = [[line for line in sentence if line[0].isdigit()] for sentence in sentences]
        return _of_conllu(kept, notes), numbers
    width = len(first)
    for number, sentence in zip(numbers, sentences, strict=True):
        for i, line in enumerate(sentence):
            if len(line) != width:
                raise UnusableData(f"{where}: line {number + i} has {len(line)} columns, the first word {width}.")
    columns = {str(i + 1): [[line[i] for line in sentence] for sentence in sentences] for i in range(width)}
    if width > 2:
        notes.append(f"of its {width} columns the first holds the words and the last their tags")
    return {"tokens": columns["1"], "label": columns[str(width)], **columns}, numbers


def _sentences(
    path: Path, options: TableOptions, notes: list[str], where: str, *, tabs: bool, least: int
) -> tuple[list[list[list[str]]], list[int]]:
    """Return the columns of each word of each sentence, and the number of the line on which the sentence begins."""
    lines = [line.removesuffix("\r") for line in text_lines(path, options.encoding, notes)]
    tabs = tabs or any("\t" in line for line in lines[:1000])
    sentences, numbers = list[list[list[str]]](), list[int]()
    begins, width = True, 0
    tags = {line.split()[-1] for line in lines if line.strip() and not line.startswith("#")} if not tabs else set()
    for number, line in enumerate(lines, 1):
        parts = line.split("\t") if tabs else line.split()
        # Words may be a number sign, too: one that begins a sentence has a tag that other words have.
        is_note = line.startswith("#") and (len(parts) == 1 if tabs else begins and parts[-1] not in tags)
        if not line.strip() or parts[0] == "-DOCSTART-" or is_note:
            begins = True
            continue
        if len(parts) < least:
            apart = ", apart by tabs" if tabs else ""
            raise UnusableData(f"{where}: line {number} has {len(parts)} column(s){apart}: it lacks a tag.")
        if begins:
            sentences.append([])
            numbers.append(number)
        begins, width = False, width or len(parts)
        sentences[-1].append(parts)
    return sentences, numbers


def _of_conllu(sentences: Sequence[Sequence[Sequence[str]]], notes: list[str]) -> dict[str, Sequence[Any]]:
    """Return the columns of CoNLL-U by their names, and the keys of its last one."""
    columns = {
        name: [[line[i] for line in sentence] for sentence in sentences] for i, name in enumerate(OF_CONLLU) if i
    }
    pairs = [
        [dict(pair.partition("=")[::2] for pair in line[-1].split("|") if "=" in pair) for line in sentence]
        for sentence in sentences
    ]
    keys = dict.fromkeys(key for sentence in pairs for word in sentence for key in word)
    more = {key: [[word.get(key, "_") for word in sentence] for sentence in pairs] for key in keys}
    tags = [key for key, rows in more.items() if all(PREFIXED.fullmatch(tag) for tags in rows for tag in tags)]
    table: dict[str, Sequence[Any]] = {"tokens": columns["form"], **columns}
    table |= {key: rows for key, rows in more.items() if key not in table}
    if len(tags) == 1:
        table["label"] = more[tags[0]]
        notes.append(f"it is CoNLL-U, and the tags are {tags[0]!r} of its column misc")
    else:
        notes.append(f"it is CoNLL-U: the tags may be {listed([*columns, *more])}")
    return table


def read_relations(
    path: Path, options: TableOptions, notes: list[str]
) -> tuple[dict[str, Sequence[Any]], Sequence[int]]:
    """Return the columns `text` and `label` of SemEval's form: a numbered text in quotes, its relation below it.

    Raises
    ------
    UnusableData
        If a text has no relation below it.
    """
    where = repr(str(path))
    texts, labels, numbers = list[str](), list[str](), list[int]()
    for number, line in enumerate(text_lines(path, options.encoding, notes), 1):
        line = line.removesuffix("\r")
        if text := NUMBERED_TEXT.fullmatch(line):
            if len(texts) > len(labels):
                raise UnusableData(f"{where}: the text in line {numbers[-1]} has no relation in the line below it.")
            texts.append(text[1])
            numbers.append(number)
        elif line.strip() and len(texts) > len(labels):
            labels.append(line.strip())
        elif line.strip() and not line.startswith("Comment") and not labels:
            raise UnusableData(f"{where}: line {number} is no numbered text, as SemEval has it.")
    if len(texts) > len(labels):
        raise UnusableData(f"{where}: the text in line {numbers[-1]} has no relation in the line below it.")
    return {"text": texts, "label": labels}, numbers


def holds_relations(first: str, second: str) -> bool:
    """Whether the first two lines of a text are those of SemEval's form."""
    return NUMBERED_TEXT.fullmatch(first) is not None and '"' in first and "\t" not in second and bool(second.strip())
