"""A task from one's own table, and which of its rows are held out to score on."""

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.dataset import Card, Dataset, Split
from ..data.hub import joined, split_files
from ..data.kinds import TASK_KINDS
from ..errors import Absent, MissingData, UnknownName, UnusableData
from ..scoring.metrics import METRICS
from ..storage.origin import Origin
from ..tables.content import text_lines
from ..tables.options import TableOptions, ending_of, split_address
from ..tables.reading import read_texts
from ..tables.rows import Rows
from .examples import OUTSIDE, Examples, examples_of

if TYPE_CHECKING:
    from ..data.files import Files

SCORED = ("validation", "test")  # the splits of a data set that are scored on: the first that there is
SHARE = 5  # one row of so many is held out, where a single table has no rows to score on
Group = list[int]  # the numbers of rows that have a text in common
ALSO_CALLED = {"validation": ("validation", "valid", "val", "dev", "devel"), "test": ("test",)}
OF_TASKS = tuple(dict.fromkeys(column.removesuffix("?") for kind in TASK_KINDS.values() for column in kind.columns))
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class TableTask:
    """A task whose examples stand in a table; lists of words or passages need jsonl, json or parquet.

    Parameters
    ----------
    name : str
        What to call it.
    file : str or Path
        The training examples: a file, a folder in the hub's layout, or a data set on the hub, `namespace/name`. The
        latter two are scored on their split `validation`, or else `test`, if they have one. Options may follow, which
        say how it is read and what its columns are: `FILE,header=no,text=4,label=2`.
    kind : str
        One of `cogbench.TASK_KINDS`.
    columns : tuple of (column of the kind, column of the file) pairs
        Such as `(("text", "review"), ("label", "stars"))`; those that are called the same need not be named.
    evaluation_file : str or Path, optional
        The examples to score on; without any a fifth of the rows of `file` is held out for that.
    metric : str
        One of `cogbench.METRICS`; by default the first that is for this kind.
    description : str
        A paragraph that says what the task is, for its card and for estimators that read it.
    drop_missing : bool
        Leave out rows without a text or a label, with a note, instead of refusing the table.
    max_evaluation : int, optional
        At most so many examples to score on, each class in its share.

    Notes
    -----
    Classes and tags may be texts or numbers: they are numbered as their sorted distinct names, after `O` for tags; tags
    without `O` begin with the most frequent one.

    Rows are held out by hashes of their texts, so always the same ones: each class in its share, while equal texts, and
    the rows of one query, stay on one side. Every class keeps rows for training; a class with a single one, or with
    the same text in all its rows, has none held out, which a note says.
    """

    name: str
    file: str
    kind: str = "classification"
    columns: tuple[tuple[str, str], ...] = ()
    evaluation_file: str | None = None
    metric: str = ""
    suite: str = "own"
    card: Card = field(default=Card(rows=0, licence="one's own", description=""))
    description: str = ""
    drop_missing: bool = False
    max_evaluation: int | None = 2000

    def __post_init__(self) -> None:
        for name in ("file", "evaluation_file"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, str(getattr(self, name)))
        if self.kind not in TASK_KINDS:
            raise UnknownName.of("kind of task", self.kind, TASK_KINDS, label="Known")
        pairs = self.columns.items() if isinstance(self.columns, dict) else self.columns
        said = [(role, name) for role, name in self._said(self.file)[1].items() if role in OF_TASKS]
        object.__setattr__(self, "columns", tuple([*pairs, *(pair for pair in said if pair not in [*pairs])]))
        roles = [column.removesuffix("?") for column in TASK_KINDS[self.kind].columns]
        for role, _ in self.columns:
            if role not in roles:
                raise UnknownName.of(f"column of {self.kind}", role, roles, label="It has")
        for number, what in ((0, "column {!r} is given twice"), (1, "{!r} is given for several columns")):
            names = Counter(pair[number] for pair in self.columns)
            if twice := [name for name, n in names.items() if n > 1]:
                raise UnusableData(f"task {self.name!r}: {what.format(twice[0])}: each has one of its own.")
        if self.max_evaluation is not None and self.max_evaluation < 1:
            raise UnusableData(f"task {self.name!r}: max_evaluation={self.max_evaluation}; expected 1 or more.")
        if not self.metric:
            usual = next((name for name, metric in METRICS.items() if self.kind in metric.kinds), "")
            object.__setattr__(self, "metric", usual)
        if self.description:
            object.__setattr__(self, "card", replace(self.card, description=self.description))

    @staticmethod
    def _said(address: str | None) -> tuple[str, dict[str, str]]:
        """Return the file, folder or hub id of an address, and its options."""
        return split_address(address or "", OF_TASKS)

    def load(self, split: Split, files: "Files") -> Dataset:
        """Read one split.

        Raises
        ------
        MissingData
            If the table is not there.
        UnusableData
            If it cannot be read, its rows are not of the kind, or no row can be held out to score on.
        """
        examples, evaluation = self._examples(self.file, "train", files), self._evaluation(files)
        classes = self._classes(examples, evaluation)
        if evaluation is None:
            return self._held_out(examples, classes, split)
        if split == "train":
            return examples.dataset(classes)
        unseen = sorted({*evaluation.names} - {*classes}) if evaluation.has_names else []
        if unseen:
            row = evaluation.numbers[evaluation.names.index(unseen[0])]
            raise UnusableData(
                f"{evaluation.where}: row {row} has the class {unseen[0]!r}, which no training example has; the "
                f"classes are {', '.join(classes)}."
            )
        whole = evaluation.dataset(classes, notes=self._shared(examples, evaluation))
        scored = whole.sample(self.max_evaluation)
        if scored is whole:
            return whole
        by_class = ", each class in its share" if TASK_KINDS[self.kind].classes else ""
        note = f"{self.name}: {len(scored)} of {len(whole)} evaluation examples are scored on{by_class}."
        return replace(scored, notes=(*scored.notes, note))

    def _shared(self, examples: Examples, evaluation: Examples) -> list[str]:
        """Return a note on evaluation examples whose texts stand in the training, too."""

        def plain(rows: Sequence[Sequence[str]]) -> list[str]:
            return [unicodedata.normalize("NFC", " ".join(" ".join(row).split())) for row in rows]

        learned = {*plain(examples.texts())}
        n = sum(text in learned for text in plain(evaluation.texts()))
        share = f"{n} of {len(evaluation.numbers)} evaluation examples have a text that stands in the training, too"
        return [f"{self.name}: {share}."] if n else []

    def _held_out(self, examples: Examples, classes: Sequence[str], split: Split) -> Dataset:
        """Return one side of a single table."""
        examples.dataset(classes)  # a faulty row is told of before anything is chosen
        n_rows, texts = len(examples.numbers), examples.texts()
        if n_rows < SHARE:
            raise UnusableData(
                f"{examples.where} has {n_rows} row(s); one row of {SHARE} is held out to score on, so it takes at "
                f"least {SHARE}, or a table of its own for the evaluation."
            )
        groups = examples.columns["label"] if TASK_KINDS[self.kind].classes else [""] * n_rows
        n, notes = min(max(1, round(n_rows / SHARE)), self.max_evaluation or n_rows), list[str]()
        rows = held_out(texts, groups, n)
        if "text_pair" in examples.columns and not n / 2 <= len(rows) <= 2 * n:  # second texts tie most rows together
            by_first = held_out([(row[0], *row[2:]) for row in texts], groups, n)
            if n / 2 <= len(by_first) <= 2 * n:
                rows = by_first
                notes.append(f"{self.name}: equal second texts stand in training and evaluation both.")
        if not rows:
            reason = "all rows of a class have a text in common" if TASK_KINDS[self.kind].classes else "all are alike"
            reason = "no class has a second row" if len({*groups}) == n_rows else reason
            raise UnusableData(
                f"{examples.where}: no row can be held out to score on, as {reason}; give a table of its own for the "
                "evaluation."
            )
        share = ", a fifth" if len(rows) == round(n_rows / SHARE) else ""
        by_class = ", each class in its share" if TASK_KINDS[self.kind].classes else ""
        notes.insert(0, f"{self.name}: {len(rows)} of {n_rows} rows are held out to score on{share}{by_class}.")
        if whole := sorted({*groups} - {groups[row] for row in rows}):
            notes.append(
                f"{self.name}: no row of class {', '.join(whole)} is held out, so nothing tells how well it is learned."
            )
        chosen = {*rows}
        side = [row for row in range(n_rows) if (row in chosen) == (split == "evaluation")]
        return examples.dataset(classes, side, notes)

    def _classes(self, examples: Examples, evaluation: Examples | None) -> list[str]:
        """Return the names of classes or tags in the order of their numbers; none where labels are neither."""
        names = self._distinct(examples)
        if len(names) == 1:
            all_have = {"tagging": "words have the tag", "reranking": "passages have the label"}
            expected = {"tagging": "tags", "regression": "numbers", "reranking": "labels"}
            raise UnusableData(
                f"{examples.where}: all {all_have.get(self.kind, 'rows have the label')} {names.pop()!r}; "
                f"expected two {expected.get(self.kind, 'classes')} or more."
            )
        if not examples.has_names:
            return []
        if self.kind == "tagging":  # rare tags may stand in the evaluation alone
            names |= {*evaluation.names} if evaluation else set()
            if OUTSIDE not in names:
                counts = Counter(examples.names)
                return sorted(names, key=lambda name: (-counts[name], name))
            return sorted({*names, *examples.classes}, key=lambda name: (name != OUTSIDE, name))
        return [*examples.classes, *sorted(names - {*examples.classes})]

    def _distinct(self, examples: Examples) -> set[Any]:
        """Return the labels, tags or numbers that there are; of questions none."""
        if self.kind == "reranking":
            return {label for labels in examples.columns["label"] for label in labels}
        return set() if self.kind == "extractive-qa" else {*examples.names}

    def _evaluation(self, files: "Files") -> Examples | None:
        """Return the examples to score on, if there is a table of them."""
        if self.evaluation_file is not None:
            return self._examples(self.evaluation_file, "evaluation", files)
        file = self._said(self.file)[0]
        if Path(file).is_dir():
            split = next((split for split in SCORED if _files_of(Path(file), split)), None)
            return self._examples(self.file, split, files) if split else None
        if not is_hub_id(file):
            return None
        for split in SCORED:
            with suppress(MissingData):
                return self._examples(self.file, split, files)
        return None

    def _examples(self, address: str, split: str, files: "Files") -> Examples:
        file, said = self._said(address)
        options = TableOptions().updated(self._said(self.file)[1]).updated(said)
        columns = {**dict(self.columns), **{role: name for role, name in said.items() if role in OF_TASKS}}
        path, where = Path(file), f"task {self.name!r}: {file!r}"

        def read(path: Path) -> Rows:
            return read_texts(path, options=self._with_layout(path, options, columns))

        if path.is_dir():
            if not (shards := _files_of(path, split)):
                raise MissingData(f"{where} holds no {split}*.parquet (or csv, tsv, jsonl).")
            rows, where = joined(shards, Origin(file), what=where, read=read), f"{where} ({split})"
        elif is_hub_id(file):
            try:
                rows, where = files.dataset(self.name, file, split), f"{where} ({split})"
            except Absent as error:  # `cogbench fetch` knows tasks by name alone
                raise MissingData(
                    f"{where} is no file or folder, and no data set of the hub that is on this machine: the hub cannot "
                    "be asked. The same command downloads it where there is a network; or name a folder of it."
                ) from error
        elif path.is_file():
            rows = read(path)
        else:
            raise MissingData(f"task {self.name!r}: no file {file!r}.")
        examples = examples_of(rows, self.kind, columns=columns, where=where, drop_missing=self.drop_missing)
        return replace(examples, notes=tuple(f"{self.name}: {note}" for note in examples.notes))

    def _with_layout(self, path: Path, options: TableOptions, columns: Mapping[str, str]) -> TableOptions:
        """Return the options, with the layout of words with tags for a text without a header that holds tags."""
        if self.kind != "tagging" or options.layout or ending_of(path).removesuffix(".gz") not in (".tsv", ".txt"):
            return options
        first = next((line for line in text_lines(path, options.encoding, []) if line.strip()), "")
        names = {name.strip().strip('"') for name in re.split(r"[\t,;]", first)}
        has_header = {columns.get(role, role) for role in ("tokens", "label")} <= names
        return options if has_header else replace(options, layout="words")


def _files_of(folder: Path, split: str) -> list[Path]:
    """Return the files of a split of a folder, under any of the names that people give it."""
    return next((files for name in ALSO_CALLED.get(split, (split,)) if (files := split_files(folder, name))), [])


def is_hub_id(address: str) -> bool:
    """Whether an address is a data set on the hub, and neither a file or folder here nor the name of a table."""
    address = split_address(address, OF_TASKS)[0]
    return HUB_ID.fullmatch(address) is not None and not ending_of(address) and not Path(address).exists()


def held_out(texts: Sequence[Sequence[str]], classes: Sequence[Hashable], n: int, *, seed: int = 0) -> list[int]:
    """Return the numbers of the rows to score on, in rising order; the other rows are for training.

    Parameters
    ----------
    texts : sequence of (n_texts,) sequences of str
        Those of each row. Rows that share one stay together, and so do rows that are together with the same row. Texts
        are the same if they differ in blanks alone; an empty text is nothing to share.
    classes : sequence
        The class of each row; one and the same for all where there are no classes.
    n : int
        How many rows to hold out, at least 1.
    seed : int
        Another one chooses other rows.

    Returns
    -------
    list of int
        About `n` rows, each class in its share, and at least one of each class if there are not more classes than
        `n`. Every class keeps a row for training; so nothing is held out of a class whose rows all stay together. The
        list is empty if that holds for each class.

    Notes
    -----
    Groups of rows come in the order of the hashes of their texts, so the order of the rows changes nothing.
    """
    groups = _groups(texts, seed)
    counts = [Counter(classes[row] for row in group) for group in groups]  # of each class in a group
    sizes, pieces = Counter(classes), Counter(name for count in counts for name in count)
    taken, chosen = Counter[Hashable](), dict[int, None]()

    def choose(order: Iterator[int], most: Mapping[Hashable, int], enough: int) -> None:
        """Hold out groups until there are enough rows, and of no class more than the most, or all."""
        for i in order:
            if taken.total() >= enough:
                return
            if i not in chosen and all(taken[c] + k <= min(most[c], sizes[c] - 1) for c, k in counts[i].items()):
                chosen[i] = None
                taken.update(counts[i])

    all_rows = len(classes)
    if sum(count > 1 for count in pieces.values()) <= n:
        choose(iter(range(len(groups))), dict.fromkeys(sizes, 1), all_rows)
    choose(iter(range(len(groups))), {c: size * n // all_rows for c, size in sizes.items()}, all_rows)
    choose(iter(range(len(groups))), {c: math.ceil(size * n / all_rows) for c, size in sizes.items()}, n)
    if taken.total() < n / 2:  # groups are large: rather other shares than hardly any row
        smallest_first = sorted(range(len(groups)), key=lambda i: len(groups[i]))
        choose(iter(i for i in smallest_first if taken.total() + len(groups[i]) <= all_rows / 2), sizes, n)
    return sorted(row for i in chosen for row in groups[i])


def _groups(texts: Sequence[Sequence[str]], seed: int) -> list[Group]:
    """Return the rows in groups that have no text in common, in the order of the groups' hashes."""
    leader = dict[Hashable, Hashable]()  # of a row or a text, another one of the same group

    def first(node: Hashable) -> Hashable:
        path = []
        while leader.setdefault(node, node) != node:
            path.append(node)
            node = leader[node]
        leader.update(dict.fromkeys(path, node))
        return node

    plain = [[" ".join(text.split()) for text in row] for row in texts]
    for row, of_row in enumerate(plain):
        for text in filter(None, of_row):
            leader[first(row)] = first(text)
    groups, hashes = dict[Hashable, Group](), dict[Hashable, str]()
    for row, of_row in enumerate(plain):
        name, digest = first(row), hashlib.sha256("\n".join([str(seed), *of_row]).encode()).hexdigest()
        groups.setdefault(name, []).append(row)
        hashes[name] = min(digest, hashes.get(name, digest))
    return [groups[name] for name in sorted(groups, key=lambda name: hashes[name])]
