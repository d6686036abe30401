"""How far a computation is, for people: a bar on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from ..compute.workspace import Progress, Report, Step
from ..text import in_time, visible

BETWEEN = 10.0  # seconds: two lines are no closer
LONG = 60.0  # seconds after which a line is due, whatever was done
SHARE = 0.1  # of the work, after which a line is due
LOADING = "loading data"
P = ParamSpec("P")
R = TypeVar("R")


def with_progress(command: Callable[P, R]) -> Callable[P, R]:
    """Show how far a function is if its argument `progress` is True; it is given a callable, or None, in its place."""

    @wraps(command)
    def shown(*args: P.args, **kwargs: P.kwargs) -> R:
        with shown_progress(kwargs.pop("progress", False)) as report:  # type: ignore[arg-type]
            kwargs["progress"] = report
            return command(*args, **kwargs)

    return shown


@contextmanager
def shown_progress(progress: Progress) -> Iterator[Report | None]:
    """Yield what is called with each `Step`: what is given, or for True what shows it on stderr; None for nothing."""
    if callable(progress):
        yield progress
    elif not progress:
        yield None
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield Lines()


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    counts = TextColumn("{task.description}", table_column=Column(no_wrap=True))
    last = TextColumn("{task.fields[place]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))
    columns = (counts, BarColumn(12), TimeRemainingColumn(), last)
    patient: dict[str, Any] = {"speed_estimate_period": 7 * 86_400}  # a cell may take hours
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True, **patient) as shown:
        bar = shown.add_task(LOADING, total=None, place="")

        def report(step: Step) -> None:
            words = f"{step.total} units of work: {step.phase}" if step.phase else in_counts(step)
            total = None if step.phase else 1.0
            shown.update(bar, description=words, completed=step.share, total=total, place=escape(visible(step.place)))

        yield report


class Lines:
    """Lines that say how far a computation is: at its start, at its end, and between at most one in ten seconds.

    Parameters
    ----------
    write : callable
        Takes a line.
    clock : callable
        Gives seconds.
    """

    def __init__(self, write: Callable[[str], None] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write or _to_stderr, clock
        self._start: float | None = None
        self._line = (0.0, 0.0)  # when the last line was written, and how much was done

    def __call__(self, step: Step) -> None:
        """Write a line where one is due."""
        now = self._clock()
        if self._start is None:
            self._start, self._line = now, (now, step.share)
            self._write(f"{step.total} units of work to compute{f': {step.phase}' if step.phase else ''}")
        if step.done == step.total:
            self._write(f"{in_counts(step)}, after {in_time(now - self._start)}")
            self._start = None  # what comes then is another computation
        elif self._is_due(now, step.share):
            left = (now - self._start) / step.share * (1 - step.share)
            self._write(f"{in_counts(step)}, about {in_time(left)} left; {visible(step.place)}")
            self._line = (now, step.share)

    def _is_due(self, now: float, share: float) -> bool:
        before, done = self._line
        return share > 0 and now - before >= BETWEEN and (share - done >= SHARE or now - before >= LONG)


def in_counts(step: Step) -> str:
    """Return how many cells are done, failed and running."""
    failed = f", {step.failed} failed" if step.failed else ""
    running = f", {step.running} running" if step.done < step.total else ""
    return f"{step.done} of {step.total} done{failed}{running}"


def _to_stderr(line: str) -> None:
    print(f"cogbench: {line}", file=sys.stderr, flush=True)
