"""The stacked board as tables for people: the figures over all oracles, and TRS and skill on each of them."""

import sys
from collections.abc import Callable
from typing import Any, Literal

from ..results.stacked_board import FEW_FAMILIES, ONE_RANK, OracleScores, StackedBoard, StackedColumn, StackedEntry
from ..scoring.paired import LEVEL
from ..text import MISSING, in_decimals, in_digits, in_range, in_sign
from .leaderboard import KNOWS_TRANSFERS, POPULARITY_SKILL, Column, marked_name
from .terminal import Bar, columns_within, printed, styled, table_within, terminal_width

SCALE = "0 to 1"  # the column of bars, in a terminal alone
INCOMPLETE = "‡"
RELATIVE_RANK = "mean true rank of the predicted best source, from 0, the best source, to 1, the worst; chance is 0.5"
INTERVAL = "of the relative rank, by a Bayesian bootstrap over target tasks within each family of oracles"
P = "how often the relative rank is as low under other names of the tasks, the same for all oracles of a family"
SKILL = "mean rank correlation with the oracles, once the effects of sources and of targets are taken out"
STANDING = (
    "beside the complete row of the lowest relative rank, over the oracles that both have: a paired test, corrected"
)
SPREAD = "the standard deviation of the relative ranks of the families"
COVERED = "with a result, of those that count"
TARGETS = "target tasks that the figures over all stand on; a task of several oracles counts once"
Detail = Literal["aligned", "brief", "apart", "full"]


def stacked_columns(board: StackedBoard) -> list[Column[StackedEntry]]:
    """Return the columns over all oracles."""
    n_oracles = sum(column.family is not None for column in board.oracles)
    return [
        Column("estimator", _marked, on_page=lambda e: e.estimator, words=True, identifies=True, group=0),
        Column("standing", lambda e: e.standing, STANDING, words=True, shown="used", spare=9),
        Column("signal", lambda e: ", ".join(e.signals), words=True, identifies=True, shown="used", spare=5),
        Column("backbone", lambda e: e.backbone, "not the oracles' own", words=True, identifies=True, shown="used"),
        _figure("relative rank", lambda e: e.relative_rank, lambda v: f"{v:.3f}", RELATIVE_RANK),
        Column(
            "interval",
            lambda e: e.interval and in_range(e.interval),
            INTERVAL,
            number=lambda e: e.interval and e.interval[0],
            title="95 % interval",
            spare=6,
        ),
        _figure("p", lambda e: e.p, in_digits, P, spare=11),
        _figure("corrected p", lambda e: e.corrected_p, in_digits, "the same, for the number of estimators", spare=8),
        _figure("skill", lambda e: e.skill, in_sign, SKILL, falls=True, spare=12),
        _figure("skill p", lambda e: e.skill_p, in_digits, "how often the skill is as large", spare=10),
        _figure("corrected skill p", lambda e: e.corrected_skill_p, in_digits, "for their number", spare=2),
        _figure("between families", lambda e: e.between_families, lambda v: f"{v:.3f}", SPREAD, spare=3, shown="used"),
        Column("oracles", lambda e: f"{e.n_oracles} of {n_oracles}", COVERED, falls=True, spare=4),
        Column("targets", lambda e: e.n_targets, TARGETS, falls=True, spare=1),
    ]


def oracle_columns(board: StackedBoard, detail: Detail) -> list[Column[StackedEntry]]:
    """Return the columns of each oracle: TRS and skill in one (`aligned` or not), in two, or in four with p-values."""
    columns = list[Column[StackedEntry]]()
    for number, oracle in enumerate(board.oracles, 1):
        name = oracle.name if oracle.family is not None else f"{oracle.name} (control)"
        if detail in ("aligned", "brief"):
            columns.append(Column(str(number), _in_oracle(oracle, _both(5 if detail == "aligned" else 0)), title=name))
            continue
        starred = detail == "apart"
        trs, skill = (_in_oracle(oracle, write) for write in (_trs(starred), _skill(starred)))
        on_oracle = f"on {name}, {oracle.n_targets} targets; chance {oracle.chance:.2f}"
        columns.append(Column(f"{name} TRS", trs, on_oracle, number=_number(oracle, "trs"), file=_file(oracle)))
        columns.append(Column(f"{name} skill", skill, f"on {name}", number=_number(oracle, "skill"), falls=True))
        if detail == "full":
            p_values = [_in_oracle(oracle, lambda s: in_digits(s.p) if s.p is not None else "")]
            p_values.append(_in_oracle(oracle, lambda s: in_digits(s.skill_p) if s.skill_p is not None else ""))
            columns.insert(-1, Column(f"{name} p", p_values[0]))
            columns.append(Column(f"{name} skill p", p_values[1]))
    return columns


def _figure(
    name: str,
    value: Callable[[StackedEntry], float | None],
    write: Callable[[float], str],
    help: str,
    **more: Any,
) -> Column[StackedEntry]:
    def text(entry: StackedEntry) -> str:
        number = value(entry)
        return "" if number is None else write(number)

    def in_table(entry: StackedEntry) -> str:
        return text(entry) or (MISSING if entry.kind == "result" and entry.n_oracles and is_always else "")

    is_always = more.get("shown", "always") == "always"
    return Column(name, in_table, help=help, on_page=text, number=value, **more)


def _marked(entry: StackedEntry) -> str:
    return marked_name(entry) + f" {INCOMPLETE}" * (not entry.complete)


def _in_full(entry: StackedEntry) -> str:
    """Return an estimator's name with what tells it from another row of that name."""
    return ", ".join([_marked(entry), *filter(None, [entry.backbone, *entry.signals])])


def _in_oracle(column: StackedColumn, write: Callable[[OracleScores], str]) -> Callable[[StackedEntry], str]:
    def text(entry: StackedEntry) -> str:
        scores = entry.by_oracle.get(column.name)
        return "" if scores is None else write(scores)

    return text


def _number(column: StackedColumn, score: Literal["trs", "skill"]) -> Callable[[StackedEntry], float | None]:
    def number(entry: StackedEntry) -> float | None:
        scores = entry.by_oracle.get(column.name)
        return None if scores is None else scores.trs if score == "trs" else scores.skill

    return number


def _file(column: StackedColumn) -> Callable[[StackedEntry], str | None]:
    def file(entry: StackedEntry) -> str | None:
        scores = entry.by_oracle.get(column.name)
        return None if scores is None else scores.file

    return file


def _trs(starred: bool) -> Callable[[OracleScores], str]:
    return lambda scores: in_decimals(scores.trs) + (_star(scores.p) if starred else "")


def _skill(starred: bool) -> Callable[[OracleScores], str]:
    return lambda scores: in_sign(scores.skill) + (_star(scores.skill_p) if starred else "")


def _both(width: int) -> Callable[[OracleScores], str]:
    """Return what writes TRS, as wide as that, and skill."""
    return lambda scores: (
        f"{_trs(True)(scores):<{width}} {in_sign(scores.skill, missing=MISSING)}{_star(scores.skill_p)}"
    )


def _star(p: float | None) -> str:
    return "*" if p is not None and p <= LEVEL else ""


def stacked_tables(board: StackedBoard, form: str) -> dict[str, list[dict[str, Any]]]:
    """Return the board as one titled table; csv has all figures, each in a column of its own."""
    columns = [*stacked_columns(board), *oracle_columns(board, "full" if form == "csv" else "brief")]
    rows = [
        {column.title if column.name.isdigit() else column.name: column.value(entry) for column in columns}
        for entry in board.entries
    ]
    return {stacked_title(board): rows}


def stacked_title(board: StackedBoard) -> str:
    """Return what a stacked board is of, in a line."""
    n_oracles, n_families = sum(map(len, board.families)), len(board.families)
    oracles = f"{n_oracles} oracle{'s' * (n_oracles > 1)}"
    families = f" in {n_families} famil{'ies' if n_families > 1 else 'y'}" if n_oracles > 1 else ""
    return f"Over {oracles}{families}, {board.n_targets} target tasks"


def stacked_notes(board: StackedBoard) -> list[str]:
    """Return what a reader of a stacked board must know."""
    entries, n_families = board.entries, len(board.families)
    notes = [f"relative rank: the {RELATIVE_RANK}"]
    notes += [
        f"family {number}: {', '.join(family)}" for number, family in enumerate(board.families, 1) if n_families > 1
    ]
    if sum(map(len, board.families)) > 1:
        notes.append(
            "each family of oracles counts alike, and in it each target task, however many oracles it stands in; on "
            "several oracles the relabelled skill is that by the oracles' ranks, for result files hold no transfers"
        )
    of_others = (
        "between families stands how much an estimator differs on others"
        if n_families >= FEW_FAMILIES
        else "nothing tells how an estimator does on others"
    )
    notes.append(f"intervals and p-values are of these oracles and of tasks like theirs; {of_others}")
    if board.detectable is not None and board.power_for_one_rank is not None:
        notes.append(
            f"a difference of {board.detectable:.3f} to the lowest relative rank is seen with 80 % power, which is "
            f"{board.detectable / ONE_RANK:.1f} ranks of twelve tasks; one of one rank with "
            f"{100 * board.power_for_one_rank:.0f} % (the median over the complete rows)"
        )
    if board.tries:
        notes.append(
            f"p-values over all are corrected for the number of estimators, {board.tries}; targets share sources, so "
            "all tests are approximate"
        )
    if board.tries and not any(entry.standing for entry in entries):
        notes.append("of the estimators with results on all oracles the best is not told from chance, so none is first")
    if any(not entry.complete for entry in entries):
        notes.append(
            f"{INCOMPLETE} has no result on some oracles: its figures are of the others, so its relative rank must not "
            "be compared with other rows'; its standing is over the oracles that both have"
        )
    if any(entry.uses_oracle for entry in entries):
        notes.append(KNOWS_TRANSFERS)
    if any(entry.estimator == "popularity" and entry.skill for entry in entries):
        notes.append(POPULARITY_SKILL)
    if any(column.family is None for column in board.oracles):
        notes.append("control: synthetic tasks, which do not count over all; --synthetic counts them")
    notes.append("a star: p is at most .05 on that oracle alone, not corrected")
    return [*notes, *board.left_out]


def render_stacked(board: StackedBoard, width: int | None = None) -> str:
    """Return a stacked board for the terminal: the figures over all with bars, then each oracle's TRS and skill."""
    bars = _with_bars(stacked_columns(board), 22 if terminal_width(width) > 110 else 12)
    kept = [column for column in bars if any(map(column.value, board.entries))]
    rows = [{column.name: column.value(entry) for column in kept} for entry in board.entries]
    # What tells rows apart stays.
    names = [_marked(entry) for entry in board.entries]
    apart = ("signal", "backbone") if len({*names}) < len(names) else ()
    spare = sorted((c for c in kept if c.spare and c.name not in apart), key=lambda c: c.spare)
    overall, gone = table_within(rows, width, [column.name for column in spare])
    parts: list[Any] = [styled("[bold]{}[/]", stacked_title(board)), overall]
    if gone:
        parts.append(f"left out for want of width: {', '.join(gone)}; --format csv has all")
    parts.append(styled("[bold]TRS and skill on each oracle[/]"))
    named = Column[StackedEntry]("estimator", lambda e: _in_full(e) if apart else _marked(e))
    each = [named, *oracle_columns(board, "aligned")]
    rows = [{column.name: column.value(entry) for column in each} for entry in board.entries]
    for group in columns_within(rows, terminal_width(width)):
        part = [{name: row[name] for name in group} for row in rows]
        parts.append(table_within(part, width, [])[0])
    parts += [_legend(number, column) for number, column in enumerate(board.oracles, 1)]
    scale = [] if SCALE in gone else [f"{SCALE}: ● the relative rank, ━ its 95 % interval, ┆ chance"]
    wide = width is None and not sys.stdout.isatty()
    return printed(*parts, *stacked_notes(board), *scale, width=width, wide=wide)


def _legend(number: int, column: StackedColumn) -> str:
    control = ", control" if column.family is None else ""
    return f"{number} {column.name}: {column.n_targets} targets, chance has TRS {column.chance:.2f}{control}"


def _with_bars(columns: list[Column[StackedEntry]], width: int) -> list[Column[StackedEntry]]:
    def bar(entry: StackedEntry) -> Bar | None:
        if entry.relative_rank is None or entry.interval is None:
            return None
        low, high = entry.interval
        return Bar(entry.relative_rank, low=low, high=high, ends=(0.0, 1.0), mark=0.5, width=width)

    scale = Column(SCALE, bar, spare=7)
    return [each for column in columns for each in ([column, scale] if column.name == "relative rank" else [column])]
