"""Training and evaluation rows of data that come as one set: chosen by hashes of the rows, so always the same."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple


class Row(NamedTuple):
    """An example as a file has it, its label as a word, and what keeps it on one side of the split.

    `together` are texts: rows that share one of them are related, and so are rows that are related to the same row.
    """

    columns: dict[str, Any]
    together: tuple[str, ...]


Group = list[tuple[str, Row]]  # rows with their hashes


def side(rows: Sequence[Row], split: str, *, train_rows: int, evaluation_rows: int) -> list[Row]:
    """Return the rows of one split.

    Parameters
    ----------
    rows : sequence of Row
        All rows. Texts of `together` are the same if they differ in blanks and case alone.
    split : {"train", "evaluation"}
        Which side.
    train_rows, evaluation_rows : int
        At most so many rows a side.

    Returns
    -------
    list of Row
        In the order of their hashes, each content once. No two rows of different sides are related.

    Notes
    -----
    Groups of related rows go to the evaluation, in the order of their first hashes, until it has `evaluation_rows` rows
    or a third of all. The other rows are for training, so `train_rows` does not change the evaluation.
    """
    by_hash = {_hash(row): row for row in rows}
    held_out, kept = Group(), Group()
    enough = min(evaluation_rows, max(1, len(by_hash) // 3))
    for group in sorted(_related(by_hash), key=lambda group: group[0][0]):
        (kept if len(held_out) >= enough else held_out).extend(group)
    chosen, limit = (kept, train_rows) if split == "train" else (held_out, evaluation_rows)
    return [row for _, row in sorted(chosen, key=lambda pair: pair[0])[:limit]]


def _related(by_hash: dict[str, Row]) -> list[Group]:
    """Return the rows in groups of related ones, each in the order of the hashes."""
    leader = dict[str, str]()  # of a row's hash or a text, marked as such, another one of the same group

    def first(node: str) -> str:
        path = []
        while leader.setdefault(node, node) != node:
            path.append(node)
            node = leader[node]
        leader.update(dict.fromkeys(path, node))
        return node

    for digest, row in by_hash.items():
        for text in row.together:
            leader[first(f"row {digest}")] = first(f"text {' '.join(text.lower().split())}")
    groups = dict[str, Group]()
    for digest, row in sorted(by_hash.items(), key=lambda pair: pair[0]):
        groups.setdefault(first(f"row {digest}"), []).append((digest, row))
    return list(groups.values())


def _hash(row: Row) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
