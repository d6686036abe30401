"""How the rows of each form of data are read from a folder: tables in the hub's layout, or the files as they came."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from cogbench import Files, MissingData, UnusableData, read_tagged

Columns = dict[str, list[Any]]
TAGGED = {"train": "train.tsv", "validation": "devel.tsv", "test": "test.tsv"}  # what their authors call the splits
BATCHES = {"train": "12", "validation": "3", "test": "4"}  # of a year's golden files of BioASQ
ABSTRACTS, TESTED = "ori_pqal.json", "test_ground_truth.json"  # files of PubMedQA


class Place(NamedTuple):
    """Where one split of a task is read: a folder, and the names of the classes in the order of their numbers."""

    task: str
    folder: Path
    split: str
    classes: tuple[str, ...]

    def table(self, files: Files, *columns: str, label: str) -> Columns:
        """Return columns of a table in the hub's layout; UnusableData if it states the classes otherwise."""
        door = replace(files, overrides=((self.task, self.folder),), tell=None)  # the folder has been told of
        rows = door.dataset(self.task, str(self.folder), self.split)
        classes = {label: self.classes} if self.classes else {}
        return dict(zip((*columns, label), rows.of(*columns, label, classes=classes), strict=True))

    def numbers(self, names: Iterable[str], where: str) -> list[int]:
        """Return the numbers of classes; UnusableData if one is none of them."""
        names, number = list(names), {name: i for i, name in enumerate(self.classes)}
        if unknown := sorted({*names} - {*number}):
            raise UnusableData(f"{where} has the class {unknown[0]!r}; expected {', '.join(self.classes)}.")
        return [number[name] for name in names]


def entities(place: Place, files: Files) -> Columns:
    """Return words with tags: of the files that have a word on each line, or of tables."""
    path = place.folder / TAGGED[place.split]
    if not any((place.folder / name).is_file() for name in TAGGED.values()):
        columns = place.table(files, "tokens", label="ner_tags")
        return {"tokens": columns["tokens"], "label": columns["ner_tags"]}
    tokens, names = read_tagged(path).of("tokens", "label")
    return {"tokens": tokens, "label": [place.numbers(tags, repr(str(path))) for tags in names]}


def abstracts(place: Place, files: Files) -> Columns:
    """Return questions with abstracts, their conclusions left out: they would give the answers away."""
    if not (place.folder / ABSTRACTS).is_file():
        columns = place.table(files, "question", "context", label="label")
        return {"text": columns["question"], "text_pair": columns["context"], "label": columns["label"]}
    if place.split == "validation":
        raise MissingData(f"{str(place.folder)!r} has no validation split: PubMedQA's own files are train and test.")
    path = place.folder / ABSTRACTS
    articles, tested = _object(path), _object(place.folder / TESTED)
    texts, contexts, answers = list[str](), list[str](), list[str]()
    for number, article in articles.items():
        if (number in tested) == (place.split == "test"):
            question, parts, answer = _fields(article, path, QUESTION=str, CONTEXTS=list, final_decision=str)
            if not all(isinstance(part, str) for part in parts):
                raise UnusableData(f"{str(path)!r}: the CONTEXTS of article {number!r} are no texts.")
            texts.append(question)
            contexts.append(" ".join(parts))
            answers.append(answer)
    return {"text": texts, "text_pair": contexts, "label": place.numbers(answers, repr(str(path)))}


def factoids(place: Place, files: Files) -> Columns:
    """Return each factoid question with each of its snippets, and where these hold an answer to it.

    A snippet holds an answer where one of its synonyms stands in it as a whole word, whatever the case: at its first
    place, as the snippet writes it.
    """
    golden = _golden(place.folder)
    if not golden:
        columns = place.table(files, "question", "context", "question_id", label="answers")
        names = ("question", "context", "question_id", "answers")
        return dict(zip(("text", "text_pair", "group", "label"), (columns[n] for n in names), strict=True))
    rows = []
    for question, snippet, path in _with_snippets(golden, place.split, "factoid"):
        (answers,) = _fields(question, path, exact_answer=list)
        synonyms = [s for answer in answers for s in (answer if isinstance(answer, list) else [answer])]
        rows.append((question["body"], snippet, question["id"], places_of(map(str, synonyms), snippet)))
    return _by_column(rows, place)


def verdicts(place: Place, files: Files) -> Columns:
    """Return each yes/no question with each of its snippets; the answer is the question's, and not the snippet's."""
    golden = _golden(place.folder)
    if not golden:
        columns = place.table(files, "question", "context", "question_id", label="label")
        names = ("question", "context", "question_id", "label")
        return dict(zip(("text", "text_pair", "group", "label"), (columns[n] for n in names), strict=True))
    rows = []
    for question, snippet, path in _with_snippets(golden, place.split, "yesno"):
        (answer,) = _fields(question, path, exact_answer=str)
        (label,) = place.numbers([answer.strip().lower()], repr(str(path)))
        rows.append((question["body"], snippet, question["id"], label))
    return _by_column(rows, place)


def places_of(synonyms: Iterable[str], text: str) -> dict[str, list[Any]]:
    """Return the first place of each synonym that stands in a text as a whole word, as SQuAD's answers are written."""
    answers = dict[int, str]()
    for synonym in synonyms:
        match = (
            re.search(rf"(?<!\w){re.escape(synonym.strip())}(?!\w)", text, re.IGNORECASE) if synonym.strip() else None
        )
        if match and len(match[0]) > len(answers.get(match.start(), "")):
            answers[match.start()] = match[0]
    return {"text": list(answers.values()), "answer_start": list(answers)}


def _golden(folder: Path) -> dict[str, Path]:
    """Return the golden files of BioASQ in a folder by the numbers of their batches."""
    files = {match[1]: path for path in sorted(folder.iterdir()) if (match := GOLDEN.fullmatch(path.name))}
    if lacking := sorted({*"1234"} - {*files}) if files else []:
        raise MissingData(f"{str(folder)!r} lacks 12B{lacking[0]}_golden.json: BioASQ 12b has four golden files.")
    return files


GOLDEN = re.compile(r"12B([1-4])_golden\.json")


def _with_snippets(golden: Mapping[str, Path], split: str, kind: str) -> Iterator[tuple[dict[str, Any], str, Path]]:
    """Yield the questions of a kind with each of their snippets, each text once."""
    for batch in BATCHES[split]:
        path = golden[batch]
        (questions,) = _fields(_object(path), path, questions=list)
        for question in questions:
            kind_of_question, _, _ = _fields(question, path, type=str, body=str, id=str)
            if kind_of_question == kind:
                (snippets,) = _fields(question, path, snippets=list)
                for text in dict.fromkeys(_fields(snippet, path, text=str)[0] for snippet in snippets):
                    yield question, text, path


def _by_column(rows: list[tuple[Any, ...]], place: Place) -> Columns:
    if not rows:
        raise UnusableData(f"{str(place.folder)!r} has no {place.split} questions for task {place.task!r}.")
    return dict(zip(("text", "text_pair", "group", "label"), map(list, zip(*rows, strict=True)), strict=True))


def _object(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file."""
    try:
        content = json.loads(path.read_text("utf-8"))
        json.dumps(content, ensure_ascii=False).encode()  # halves of letters are no text
    except FileNotFoundError as error:
        raise MissingData(f"no file {str(path)!r}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UnusableData(f"{str(path)!r} cannot be read as JSON in UTF-8.") from error
    if not isinstance(content, dict):
        raise UnusableData(f"{str(path)!r} is no JSON object.")
    return content


def _fields(record: Any, path: Path, **types: type) -> list[Any]:
    """Return the values of these names; UnusableData if one lacks or has another type."""
    values = [record.get(name) if isinstance(record, dict) else None for name in types]
    for (name, kind), value in zip(types.items(), values, strict=True):
        if not isinstance(value, kind):
            raise UnusableData(f"{str(path)!r}: an entry has no {name}, which is a {kind.__name__} of JSON.")
    return values
