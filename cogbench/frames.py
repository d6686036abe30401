"""Records that Python users hold: a short `repr`, a DataFrame of pandas, and a table in a notebook."""

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

LONGEST = 60  # rows of a table in a notebook; more are cut in the middle


class Tabular:
    """A record that has a summary and rows. A dataclass that inherits it has to be declared with `repr=False`."""

    @property
    def summary(self) -> str:
        """One line that says what the record holds."""
        raise NotImplementedError

    @property
    def table_rows(self) -> Sequence[Any]:
        """The rows of the table: dataclasses, or dicts by the names of the columns."""
        raise NotImplementedError

    def to_frame(self) -> "DataFrame":
        """Return the record's table as a DataFrame of pandas; a nested value has a column of its own, `outer inner`."""
        from pandas import json_normalize

        rows = [asdict(row) if is_dataclass(row) and not isinstance(row, type) else row for row in self.table_rows]
        return json_normalize(rows, sep=" ")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary}>"

    def _repr_html_(self) -> str:
        """Return the table for a notebook, under the summary."""
        from html import escape

        frame = self.to_frame()
        return f"<p>{escape(repr(self)[1:-1])}</p>{frame.to_html(index=False, max_rows=LONGEST, na_rep='')}"
