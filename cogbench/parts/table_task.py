"""A task from one's own table."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.dataset import Card, Dataset, Split
from ..data.kinds import TASK_KINDS
from ..data.tables import read_table
from ..errors import MissingData, UnknownName, UnusableData
from ..scoring.metrics import METRICS
from .examples import OUTSIDE, Examples, examples_of
from .hold_out import SHARE, held_out

if TYPE_CHECKING:
    from ..data.files import Files


@dataclass(frozen=True)
class TableTask:
    """A task whose examples stand in a table; lists of words or passages need jsonl, json or parquet.

    Parameters
    ----------
    name : str
        What to call it.
    file : str or Path
        The training examples.
    kind : str
        One of `cogbench.TASK_KINDS`.
    columns : tuple of (column of the kind, column of the file) pairs
        Such as `(("text", "review"), ("label", "stars"))`; those that are called the same need not be named.
    evaluation_file : str or Path, optional
        The examples to score on; without it a fifth of the rows of `file` is held out for that.
    metric : str
        One of `cogbench.METRICS`; by default the first that is for this kind.
    description : str
        A paragraph that says what the task is, for its card and for estimators that read it.
    drop_missing : bool
        Leave out rows without a text or a label, with a note, instead of refusing the table.

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

    def __post_init__(self) -> None:
        for name in ("file", "evaluation_file"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, str(getattr(self, name)))
        if self.kind not in TASK_KINDS:
            raise UnknownName.of("kind of task", self.kind, TASK_KINDS, there="Known")
        if isinstance(self.columns, dict):
            object.__setattr__(self, "columns", tuple(self.columns.items()))
        if not self.metric:
            usual = next((name for name, metric in METRICS.items() if self.kind in metric.kinds), "")
            object.__setattr__(self, "metric", usual)
        if self.description:
            object.__setattr__(self, "card", replace(self.card, description=self.description))

    def load(self, split: Split, files: "Files") -> Dataset:
        """Read one split."""
        examples = self._examples(self.file)
        if self.evaluation_file is None:
            return self._held_out(examples, split)
        classes = self._classes(examples)
        if split == "train":
            return examples.dataset(classes)
        evaluation = self._examples(self.evaluation_file)
        unseen = sorted({*evaluation.names} - {*classes}) if evaluation.has_names else []
        if unseen and self.kind != "tagging":
            row = evaluation.numbers[evaluation.names.index(unseen[0])]
            raise UnusableData(
                f"{evaluation.where}: row {row} has the class {unseen[0]!r}, which no row of {self.file!r} has; "
                f"the classes there are {', '.join(classes)}."
            )
        return evaluation.dataset(classes)

    def _held_out(self, examples: Examples, split: Split) -> Dataset:
        """Return one side of a single table."""
        n_rows, texts = len(examples.numbers), examples.texts()
        if n_rows < SHARE:
            raise UnusableData(
                f"{examples.where} has {n_rows} row(s); one row of {SHARE} is held out to score on, so it takes at "
                f"least {SHARE}, or a table of its own for the evaluation."
            )
        classes = self._classes(examples)
        groups = examples.columns["label"] if TASK_KINDS[self.kind].classes else [""] * n_rows
        n, notes = max(1, round(n_rows / SHARE)), list[str]()
        rows = held_out(texts, groups, n)
        if "text_pair" in examples.columns and not n / 2 <= len(rows) <= 2 * n:  # second texts tie most rows together
            by_first = held_out([pair[:1] for pair in texts], groups, n)
            if n / 2 <= len(by_first) <= 2 * n:
                rows = by_first
                notes.append(f"{self.name}: equal second texts stand in training and evaluation both.")
        if not rows:
            single = len({*groups}) == n_rows
            reason = "no class has a second row" if single else "all rows of a class have a text in common"
            raise UnusableData(
                f"{examples.where}: no row can be held out to score on, as {reason}; give a table of its own for the "
                "evaluation."
            )
        notes.insert(0, f"{self.name}: {len(rows)} of {n_rows} rows are held out to score on{self._how(len(rows), n)}.")
        if whole := sorted({*groups} - {groups[row] for row in rows}):
            notes.append(
                f"{self.name}: no row of class {', '.join(whole)} is held out, so nothing tells how well it is learned."
            )
        chosen = {*rows}
        side = [row for row in range(n_rows) if (row in chosen) == (split == "evaluation")]
        return examples.dataset(classes, side, notes)

    def _how(self, n: int, asked: int) -> str:
        by_class = ", each class in its share" if TASK_KINDS[self.kind].classes else ""
        return f", a fifth{by_class}" if n == asked else by_class

    def _classes(self, examples: Examples) -> list[str]:
        """Return the names of classes or tags in the order of their numbers; none where labels are neither."""
        if not examples.has_names:
            return []
        names = {*examples.names}
        if self.kind == "tagging" and self.evaluation_file is not None:
            names |= {*self._examples(self.evaluation_file).names}
        if self.kind == "tagging" and OUTSIDE not in names:
            counts = [(-examples.names.count(name), name) for name in names]
            return [name for _, name in sorted(counts)]
        if self.kind != "tagging" and len(names) == 1:
            raise UnusableData(
                f"{examples.where}: all rows have the label {names.pop()!r}; expected two classes or more."
            )
        classes = [*examples.classes]
        classes += sorted(names - {*classes}, key=lambda name: (name != OUTSIDE, name))
        return sorted(classes, key=lambda name: name != OUTSIDE) if self.kind == "tagging" else classes

    def _examples(self, file: str) -> Examples:
        path = Path(file)
        where = f"task {self.name!r}: {file!r}"
        if not path.is_file():
            raise MissingData(f"task {self.name!r}: no file {file!r}.")
        return examples_of(
            read_table(path, as_text=True), self.kind, dict(self.columns), where, drop_missing=self.drop_missing
        )
