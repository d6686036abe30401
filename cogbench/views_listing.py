""""""

from collections.abc import Iterable

from .runs.fetch import Row
from .text import in_words


def fetch_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the same rows for a terminal: sizes in words, the first digits of a revision."""
    return [
        {
            "what": row["what"],
            "id": row["id"],
            "revision": _short_revision(row["revision"]),
            "size": in_words(row["bytes"]) if row["bytes"] else "",
            "licence": row["licence"],
            "state": row["state"],
        }
        for row in rows
    ]


def _short_revision(revision: str | None) -> str:
    kind, colon, digits = (revision or "").rpartition(":")
    return f"{kind}{colon}{digits[:8]}"
