"""Two Turkish tasks: names in Wikipedia, and parts of speech of the IMST treebank; no hub has them in a form to read.

The parts of speech of `turkish-web-pos` and `turkish-wiki-pos`, of another distribution, are those of another treebank,
without punctuation.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

from cogbench import Card, Dataset, Files, Origin, Suite, Task, UnusableData, hookimpl, read_tagged

NAMED = "name the folder that holds it with --data-dir, or its own with --task-data"
TYPES = (
    *("CARDINAL", "DATE", "EVENT", "FAC", "GPE", "LANGUAGE", "LAW", "LOC", "MONEY", "NORP", "ORDINAL", "ORG"),
    *("PERCENT", "PERSON", "PRODUCT", "QUANTITY", "TIME", "TITLE", "WORK_OF_ART"),
)
UPOS = (  # in the order of the hub; the most frequent one is the first, and so the constant answer
    *("NOUN", "PUNCT", "ADP", "NUM", "SYM", "SCONJ", "ADJ", "PART", "DET", "CCONJ", "PROPN", "PRON", "X", "_", "ADV"),
    *("INTJ", "VERB", "AUX"),
)


class Form(NamedTuple):
    """How a task's files are read: where they may be, their names beside the split, and two columns of each word."""

    origin: str
    places: tuple[str, ...]
    bring: str
    prefix: str
    ending: str
    word: int
    tag: int
    column: str  # of the tags in a table
    classes: tuple[str, ...]


FORMS = {
    "turkish-wiki-ner": Form(
        origin="turkish-nlp-suite/Turkish-Wiki-NER-Dataset",
        places=("turkish/wiki_ner", "Turkish-Wiki-NER-Dataset/Turkish-Wiki-NER-Dataset", "Turkish-Wiki-NER-Dataset"),
        bring="the files are in github.com/turkish-nlp-suite/Turkish-Wiki-NER-Dataset (read at 34b6e73; CC BY-SA 4.0): "
        f"clone it, and {NAMED} turkish-wiki-ner=FOLDER.",
        prefix="",
        ending=".conll",
        word=0,
        tag=-1,
        column="ner_tags",
        classes=("O", *(f"{mark}-{name}" for name in TYPES for mark in "BI")),
    ),
    "turkish-imst-pos": Form(
        origin="UniversalDependencies/UD_Turkish-IMST",
        places=("turkish/ud_turkish_imst", "UD_Turkish-IMST"),
        bring="the files are in github.com/UniversalDependencies/UD_Turkish-IMST (read at bcd48da; CC BY-NC-SA 4.0): "
        f"clone it, and {NAMED} turkish-imst-pos=FOLDER.",
        prefix="tr_imst-ud-",
        ending=".conllu",
        word=1,
        tag=3,
        column="upos",
        classes=UPOS,
    ),
}


@dataclass(frozen=True)
class TurkishTags:
    """Tag each word of Turkish sentences; how its files are read stands in `FORMS` under its name."""

    answers: ClassVar[int] = 1  # the hash of its rows stands in each key: its code need not

    name: str
    metric: str
    card: Card
    further: tuple[str, ...] = ()
    kind: str = "tagging"
    suite: str = "turkish"

    def load(self, split: str, files: Files) -> Dataset:
        """Read one split, from a table in the hub's layout or from the files of the authors.

        Raises
        ------
        MissingData
            If it is not there: the message says what to fetch and from where.
        UnusableData
            If a word has another tag than those of the task.
        """
        form = FORMS[self.name]
        folder = files.folder(self.name, *form.places, bring=form.bring)
        if not any(folder.glob(f"{form.prefix}*{form.ending}")):
            door = replace(files, overrides=((self.name, folder),), tell=None)  # the folder has been told of
            rows = door.dataset(self.name, form.origin, "validation" if split == "evaluation" else "train")
            tokens, tags = rows.of("tokens", form.column, classes={form.column: form.classes})
        else:
            path = folder / f"{form.prefix}{'dev' if split == 'evaluation' else 'train'}{form.ending}"
            tokens, names = read_tagged(path, word=form.word, tag=form.tag).of("tokens", "label")
            tags = [_numbers(sentence, form.classes, path) for sentence in names]
        return Dataset(self.kind, {"tokens": tokens, "label": tags}, form.classes, Origin(form.origin))


def _numbers(names: list[str], classes: tuple[str, ...], path: Path) -> list[int]:
    if unknown := sorted({*names} - {*classes}):
        raise UnusableData(f"{str(path)!r} has the tag {unknown[0]!r}; expected {', '.join(classes)}.")
    return [classes.index(name) for name in names]


@hookimpl
def register_tasks() -> Iterable[Task]:
    """Add both tasks."""
    names = Card(
        17_967,
        "CC BY-SA 4.0",
        "Find names, dates, amounts and others of 19 types in sentences of the Turkish Wikipedia, word by word.",
        "Altinok (2023), A diverse set of freely available linguistic resources for Turkish, ACL",
        "tr",
    )
    parts_of_speech = Card(
        3_435,
        "CC BY-NC-SA 4.0",
        "Say the part of speech of each word of sentences of Turkish news and novels, punctuation included.",
        "Sulubacak et al. (2016), Universal dependencies for Turkish, COLING",
        "tr",
    )
    return [
        TurkishTags("turkish-wiki-ner", "entity-f1", names, ("word-accuracy",)),
        TurkishTags("turkish-imst-pos", "word-accuracy", parts_of_speech),
    ]


@hookimpl
def register_suites() -> Iterable[Suite]:
    """Add the suite of both, with names in English news beside them: a ranking of sources needs three tasks."""
    description = "names and parts of speech in Turkish, and names in English news"
    return [Suite("turkish", (*FORMS, "conll-2003"), "neutral", (), description)]
