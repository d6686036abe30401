"""Leaderboards as tables for people: their columns, once for all formats, and how a terminal shows them."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, Literal, TypeVar

from ..results.leaderboard import LOWER_IS_BETTER, Board, Entry, score_names
from ..results.result import AS_PUBLISHED
from ..results.stacked_board import StackedEntry
from ..scoring.paired import LEVEL
from ..scoring.scores import TOP_M
from ..text import MISSING, in_decimals, in_digits, in_range, in_sign, or_blank
from .terminal import Bar, printed, styled, table_within, terminal_width

SCALE = "1 to worst"  # the column of bars, in a terminal alone
Value = str | int | Bar | None
Row = TypeVar("Row")  # an entry of a board


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of a board.

    `value` gives an entry's value in a table, None where it has none; `on_page` the same where the page writes it in
    another way, under `title`; `number` what the page sorts it by, where that is not its text; `file` the name of the
    result that it is of, whose report the page links. `words` says that it holds no numbers, `identifies` that it says
    what a row is of, `falls` that its largest values are the best. The page shows a column always, where results use
    it, or where they differ in it, and columns of `group` 0 first. `spare` is the column's turn to be left out on a
    narrow terminal, 0 if it stays.
    """

    name: str
    value: Callable[[Row], Value]
    help: str = ""
    on_page: Callable[[Row], Value] | None = None
    number: Callable[[Row], float | None] = lambda entry: None
    file: Callable[[Row], str | None] = lambda entry: None
    title: str = ""
    words: bool = False
    identifies: bool = False
    falls: bool = False
    shown: Literal["always", "used", "differing"] = "always"
    spare: int = 0
    group: int = 1

    def text(self, entry: Row) -> str:
        """Return what the page shows of an entry."""
        return or_blank((self.on_page or self.value)(entry))

    def sort_value(self, entry: Row) -> str:
        """Return the number that the page sorts an entry by, empty where its text says the same."""
        number = self.number(entry)
        exact = "" if number is None else f"{number:.6g}"
        return "" if exact == self.text(entry) else exact

    def differs(self, entries: Iterable[Row]) -> bool:
        """Whether entries differ in it."""
        return len({self.value(entry) for entry in entries}) > 1


def computed_entries(board: Board) -> list[Entry]:
    """Return a board's results that cogbench computed; a published guess says nothing of how it was computed."""
    return [entry for entry in board.entries if entry.kind == "result" and entry.second_hand != AS_PUBLISHED]


STANDING = (
    "beside the entry of the lowest TRS, if that is better than chance: a paired test over the same targets, "
    "corrected for the number of comparisons"
)
INTERVAL = (
    "of the TRS, by a Bayesian bootstrap over targets; the bar's scale goes from 1 to the number of sources "
    "that a target can choose from, the upright line is chance"
)
P = "how often the guess has a TRS as low under other names of its tasks"
SKILL = "rank correlation with the oracle over all pairs, once the effects of sources and of targets are taken out"
POPULARITY = "the TRS less that of the source that serves the other targets best; negative is better"
TOP_K = f"share of the k predicted best sources that are among the oracle's best {TOP_M}"
TOPS = {"top-3": 14, "top-4": 10, "top-5": 9}  # their turns to be left out
LEARNED = "tasks that were learned before their representations were used"
TRAININGS = "that the result stands on: its tasks, for each seed"
KNOWS_TRANSFERS = "† knows the data of the oracle that scores it: it has no standing, compare it with popularity"
POPULARITY_SKILL = "popularity leaves a target's own transfers out, so its skill is negative by construction"
SECONDS = (
    "of the processor, of the estimator alone: its matrix, its pieces and what it read of trained models, without the "
    "tasks' trainings"
)

PASSES = "examples that the estimator sent through models; with + those that went backward too, for gradients"


def board_columns(*boards: Board) -> list[Column[Entry]]:
    """Return the columns of some boards: scores where there are any, `synthetic` where something is."""
    scores = dict.fromkeys(name for board in boards for name in score_names(board))
    of_scores = [
        _score("trs", "mean true rank of the predicted best source, 1 is perfect", title="TRS", group=0),
        Column(
            "interval",
            lambda e: e.interval and in_range(e.interval),
            INTERVAL,
            number=lambda e: e.interval and e.interval[0],
            title="95 % interval",
            spare=15,
            group=0,
        ),
        _score("p", P, write=in_digits, spare=20),
        _score("corrected p", "the same, corrected for the number of estimators (Holm)", write=in_digits, spare=17),
        _score("skill", SKILL, write=in_sign, group=0),
        _score("skill p", "how often the skill is as large under other names of the tasks", write=in_digits, spare=18),
        _score("to popularity", POPULARITY, write=in_sign, spare=16),
        _score("to popularity p", "of that difference: the larger of two paired tests", write=in_digits, spare=12),
        *(_score(name, TOP_K, spare=TOPS.get(name, 0)) for name in scores if name.startswith("top-")),
        _score("regret@1", "percent lost against the truly best source", spare=11),
        _score("ndcg", "normalised discounted cumulative gain of the whole ranking", spare=7),
        _score("spearman", "rank correlation with the oracle's ranking", spare=6),
    ]
    synthetic = Column[Entry](
        "synthetic", lambda e: ", ".join(e.synthetic), words=True, identifies=True, spare=1, group=2
    )
    return [
        Column(
            "estimator",
            marked_name,
            on_page=lambda e: e.estimator,
            file=lambda e: e.file,
            words=True,
            identifies=True,
            group=0,
        ),
        Column("standing", lambda e: e.standing, STANDING, words=True, shown="used", group=0, spare=19),
        Column("backbone", lambda e: e.backbone, words=True, identifies=True, spare=8),
        Column("signal", lambda e: e.signal, words=True, identifies=True, shown="used", spare=21),
        *(of_scores if scores else []),
        Column("learned", lambda e: e.learned, LEARNED, falls=True, shown="used", spare=13, group=2),
        Column("seeds", lambda e: e.seeds, identifies=True, falls=True, shown="differing", spare=3),
        Column(
            "examples",
            lambda e: e.examples,
            "training examples a task, at most",
            on_page=lambda e: e.examples or ("all" if e.seeds else None),
            number=lambda e: e.examples or (inf if e.seeds else None),
            falls=True,
            shown="differing",
            spare=2,
        ),
        Column("trainings", lambda e: e.trainings, TRAININGS, spare=5, group=2),
        Column("seconds", lambda e: in_decimals(e.seconds, 1), SECONDS, number=lambda e: e.seconds, spare=4, group=2),
        Column("passes", _passes, PASSES, number=lambda e: e.forward, shown="used", spare=22, group=2),
        *([synthetic] if any(entry.synthetic for board in boards for entry in board.entries) else []),
    ]


def _passes(entry: Entry) -> str:
    if entry.forward is None:
        return ""
    return f"{entry.forward:,}" + (f" + {entry.backward:,}" if entry.backward else "")


def _score(name: str, help: str, *, write: Callable[[float], str] = in_decimals, **more: Any) -> Column[Entry]:
    def text(entry: Entry) -> str:
        value = entry.scores.get(name)
        return "" if value is None else write(value)

    def in_table(entry: Entry) -> str:
        return text(entry) or ("" if entry.kind == "baseline" else MISSING)

    falls = name not in LOWER_IS_BETTER
    return Column(name, in_table, help, text, lambda e: e.scores.get(name), falls=falls, **more)


def is_at_chance(entry: Entry | StackedEntry) -> bool:
    """Whether nothing tells the TRS of an entry from that of random choice, after the correction if there is one."""
    if isinstance(entry, StackedEntry):
        p = entry.p if entry.corrected_p is None else entry.corrected_p
    else:
        corrected = entry.scores.get("corrected p")
        p = entry.scores.get("p") if corrected is None else corrected
    return entry.kind == "result" and p is not None and p > LEVEL


def marked_name(entry: Entry | StackedEntry) -> str:
    """Return an estimator's name with the signs that the notes explain."""
    signs = "†" * entry.uses_oracle + (f" ({entry.second_hand})" if entry.second_hand else "")
    return entry.estimator + signs + " (baseline)" * (entry.kind == "baseline")


def board_tables(boards: Sequence[Board]) -> dict[str, list[dict[str, Any]]]:
    """Return the boards as titled tables for people."""
    named = {}
    for i, board in enumerate(boards, 1):
        n = len({*board.sources, *board.targets})
        title = f"{i}. suite {board.suite}, {n} tasks, oracle {board.oracle or 'none: not scored'}"
        if board.differs:
            title += f"; unlike table {board.unlike}: {', '.join(board.differs)}"
        if board.outdated:
            title += "; an older schema scored these results: `cogbench score` computes their p"
        columns = board_columns(board)
        named[title] = [{column.name: column.value(entry) for column in columns} for entry in board.entries]
    return named


def board_notes(boards: Sequence[Board]) -> list[str]:
    """Return what a reader of the tables must know."""
    notes = []
    if detectable := _by_table([in_decimals(b.detectable) for b in boards]):
        notes.append(
            f"a difference of TRS to the lowest is seen with 80 % power from {detectable} on (the median over the "
            "estimators)"
        )
    if tries := _by_table([str(b.tries or "") for b in boards]):
        notes.append(
            f"p-values are corrected for the number of estimators ({tries}); targets share sources, so all tests are "
            "approximate"
        )
    if no_first := [f"{i}" for i, b in enumerate(boards, 1) if b.tries and not any(e.standing for e in b.entries)]:
        notes.append(
            f"table {', '.join(no_first)}: the estimator of the lowest TRS is not told from chance, so none is first"
        )
    if any(entry.uses_oracle for board in boards for entry in board.entries):
        notes.append(KNOWS_TRANSFERS)
    if any(
        entry.estimator == "popularity" and entry.scores.get("skill") for board in boards for entry in board.entries
    ):
        notes.append(POPULARITY_SKILL)
    if any(entry.synthetic for board in boards for entry in board.entries):
        notes.append("synthetic: made by a generator")
    return notes


def _by_table(figures: Sequence[str]) -> str:
    """Return in words which tables have which figure, each figure once; a board without one is left out."""
    tables = dict[str, list[str]]()
    for number, figure in enumerate(figures, 1):
        if figure:
            tables.setdefault(figure, []).append(str(number))
    return "; ".join(f"{figure} in table{'s' * (len(n) > 1)} {', '.join(n)}" for figure, n in tables.items())


def render_leaderboard(boards: Sequence[Board], width: int | None = None) -> str:
    """Return a leaderboard for the terminal: each row's TRS with its interval as a bar, chance marked.

    A narrow terminal gets fewer columns, and a line that names those left out: none by which rows are told apart.
    """
    parts: list[Any] = []
    scale = ""
    for board, title in zip(boards, board_tables(boards), strict=True):
        columns = _with_bars(board_columns(board), board, 22 if terminal_width(width) > 80 else len(SCALE))
        # What says what a row is of stays where results differ in it.
        apart = {c.name for c in columns if c.identifies and c.differs(computed_entries(board))}
        kept = [c for c in columns if c.shown != "differing" or c.name in apart]
        kept = [c for c in kept if any(map(c.value, board.entries))]
        rows = [{c.name: c.value(entry) for c in kept} for entry in board.entries]
        spare = sorted((c for c in kept if c.spare and c.name not in apart), key=lambda c: c.spare)
        shown, gone = table_within(rows, width, [c.name for c in spare])
        parts += [*([""] if parts else []), styled("[bold]{}[/]", title), shown]
        if gone:
            parts.append(f"left out for want of width: {', '.join(gone)}; --format csv has all")
        if board.chance is not None and SCALE not in gone:
            scale = f"{SCALE}: ● the TRS, ━ its 95 % interval, ┆ chance"
    wide = width is None and not sys.stdout.isatty()
    return printed(*parts, *filter(None, [*board_notes(boards), scale]), width=width, wide=wide)


def _with_bars(columns: list[Column[Entry]], board: Board, width: int) -> list[Column[Entry]]:
    """Return the columns with one of bars after the TRS: the last one that a narrow terminal goes without."""

    def bar(entry: Entry) -> Bar | None:
        trs = entry.scores.get("trs")
        if trs is None:
            return None
        low, high = entry.interval or (trs, trs)
        return Bar(trs, low, high=high, ends=(1.0, float(board.worst)), mark=board.chance, width=width)

    scale = Column(SCALE, bar, spare=1 + max(column.spare for column in columns))
    return [more for column in columns for more in ([column, scale] if column.name == "trs" else [column])]
