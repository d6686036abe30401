"""x"""

from pathlib import Path
from typing import TYPE_CHECKING

from .data.oracle import Oracle
from .errors import UnknownName
from .storage.store import home

if TYPE_CHECKING:
    from .loading import Parts

from .data.oracle_files import FILES, read_oracle


def oracle_folder() -> Path:
    """Return where measured oracles are kept, wherever the store is."""
    return home() / "oracles"


def measured_oracles() -> dict[str, Path]:
    """Return the files of the oracles that were measured here, by their names."""
    return {path.stem: path for path in sorted(oracle_folder().glob("*.json"))}


def find_oracle(parts: "Parts", asked: str | Oracle) -> Oracle:
    """Return an oracle by its name, installed or measured here, or by its file; one that is given stays as it is."""
    if isinstance(asked, Oracle):
        return asked
    if asked in parts.oracles:
        return parts.oracles[asked]
    if Path(asked).suffix in FILES:
        return read_oracle(Path(asked))
    own = measured_oracles()
    if asked not in own:
        raise UnknownName.of("oracle", asked, [*parts.oracles, *own])
    return read_oracle(own[asked])
