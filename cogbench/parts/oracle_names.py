"""Oracles and sets of sources by their names, families and files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..data.files import Files
from ..data.grids import names_table, refuse_other_files
from ..data.oracle import Direction, Oracle
from ..data.oracle_files import read_oracle, refuse_reading
from ..data.score_tables import TableReading
from ..errors import UnknownName, WrongOption, blaming, expected
from ..oracles.set_tables import read_sets
from ..oracles.task_sets import TaskSets, measured_sets
from ..storage.store import home
from ..text import listed
from .fingerprint import unknown_part
from .interfaces import OraclePart
from .registry import Parts

PUBLISHED = "published"  # the basis of oracles that are quoted, and a name for all of them


def oracle_folder() -> Path:
    """Return where measured oracles are kept, wherever the store is."""
    return home() / "oracles"


def measured_oracles() -> dict[str, Path]:
    """Return the files of the oracles that were measured here, by their names."""
    return {path.stem: path for path in sorted(oracle_folder().glob("*.json"))}


def find_oracle(
    parts: Parts, oracle: str | OraclePart, files: Files | None = None, *, reading: TableReading | None = None
) -> Oracle:
    """Return an oracle by its name, installed or measured here, or by its file; a part that is given is read.

    Parameters
    ----------
    parts : Parts
        The installed parts.
    oracle : str or OraclePart
        The name of an oracle, a file, or a part.
    files : Files, optional
        The door to the data that a part reads.
    reading : TableReading, optional
        What a file that is a table leaves open.

    Raises
    ------
    UnknownName
        If there is no oracle of that name.
    MissingData, UnusableData
        If a file is not there, is no oracle or can be read in more than one way; or if there is a reading for an oracle
        that is no table.
    """
    files = files or Files(offline=True)
    if isinstance(oracle, str) and oracle not in parts.oracles and names_table(oracle):
        return read_oracle(oracle, reading=reading)
    refuse_reading(reading, oracle if isinstance(oracle, str) else oracle.name)
    if not isinstance(oracle, str):
        return read_part(oracle, files)
    if oracle in parts.oracles:
        return read_part(parts.oracles[oracle], files)
    own = measured_oracles()
    if oracle not in own:
        refuse_other_files(oracle)
        if names := _families(parts).get(oracle):
            raise WrongOption(f"{oracle!r} is the name of a group of oracles: name one of {listed(names)}.")
        _refuse_sets(parts, oracle)
        raise unknown_part("oracle", oracle, [*parts.oracles, *own], parts.faults)
    return read_oracle(own[oracle])


def read_part(part: OraclePart, files: Files) -> Oracle:
    """Return the table of an oracle; raise UnusableData if its code fails, or returns anything else."""
    with blaming(verb := f"oracle {part.name!r}: read()"):
        return expected(part.read(files), Oracle, verb)


def oracle_names(parts: Parts, requested: str | Sequence[str]) -> list[str]:
    """Return the oracles that texts name, each once: by their names or files, by their family, or as "published".

    A family is the suite on the cards of its oracles; "published" stands for all oracles of publications.

    Raises
    ------
    UnknownName
        If there is no oracle and no family of that name.
    UnusableData
        If the name is that of sets of sources, which are no oracle, or there is no name.
    """
    families, own, names = _families(parts), measured_oracles(), list[str]()
    for text in [requested] if isinstance(requested, str) else requested:
        for word in [text] if text in parts.oracles or names_table(text) else map(str.strip, text.split(",")):
            if word in parts.oracles or word in own or names_table(word):
                names.append(word)
            elif word in families:
                names += families[word]
            elif word:
                refuse_other_files(word)
                _refuse_sets(parts, word)
                raise unknown_part("oracle", word, [*parts.oracles, *own, *families], parts.faults)
    if not names:
        raise WrongOption("no oracle is named: `cogbench list oracles` lists them.")
    return list(dict.fromkeys(names))


def completions(parts: Parts, kind: str) -> list[str]:
    """Return the names that a user may type for parts of a kind, also those of families and of what stands here."""
    names = [*parts.of(kind)]
    if kind == "oracle":
        names += [*measured_oracles(), *_families(parts)]
    return list(dict.fromkeys(names + [*measured_sets()] if kind == "set" else names))


def _families(parts: Parts) -> dict[str, list[str]]:
    """Return the names of the oracles of each family, and of those of publications."""
    families = dict[str, list[str]]()
    for name, part in parts.oracles.items():
        families.setdefault(part.card.suite, []).append(name)
        families.setdefault(PUBLISHED, []).extend([name] if part.card.basis == PUBLISHED else [])
    return families


def find_sets(
    parts: Parts, requested: str | Path, files: Files | None = None, *, better: Direction | None = None
) -> TaskSets:
    """Return task sets by the name of installed or measured ones, or by their file, as `read_sets` takes it.

    Raises
    ------
    UnknownName, MissingData
        If there is no such name or file.
    UnusableData
        If the file is no such table.
    """
    name = str(requested)
    if name in parts.sets:
        sets = parts.sets[name].read(files or Files(offline=True))
        return sets if better is None else replace(sets, better=dict.fromkeys(sets.targets, better))
    if not names_table(name) and name not in measured_sets():
        refuse_other_files(name)
        if own := [one for one, part in parts.sets.items() if part.card.suite == name]:
            raise WrongOption(f"{name!r} is the name of a group of tables of sets: name one of {listed(own)}.")
        if name in parts.oracles or name in measured_oracles() or name in _families(parts):
            raise WrongOption(f"{name!r} holds transfers from single sources: see `cogbench oracle show {name}`.")
        raise UnknownName.of("file or name of task sets", name, [*parts.sets, *measured_sets()], label="Sets")
    return read_sets(requested, better=better)


def _refuse_sets(parts: Parts, name: str) -> None:
    """Raise UnusableData if a name is that of sets of sources, or of a family that has nothing else."""
    if tables := [one for one, part in parts.sets.items() if name in (one, part.card.suite)]:
        raise WrongOption(
            f"{name!r} holds scores with sets of sources, not with pairs: see `cogbench sets show {tables[0]}`."
        )
