"""Where something came from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Where something came from: `id` (a hub id or a file) at `revision` (a commit, or None for local files).

    The revision of a model's folder is the hash of its weights and configuration, and `contents` the hash of all its
    files; of what a commit names there is no such hash.
    """

    id: str
    revision: str | None = None
    contents: str | None = None
