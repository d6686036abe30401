"""Parquet files: their columns, and the names of classes that their metadata state."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..storage.foreign import parse_json
from .content import opened
from .rows import refuse_repeated

LONG = 1_000_000  # numbers in lists: so many stay arrays
MANY = 1000  # columns: those of numbers stay arrays then


def read_parquet(path: Path) -> tuple[dict[str, Sequence[Any]], dict[str, tuple[str, ...]]]:
    """Return the columns of a parquet file, and the names of the classes of those that state them.

    Raises
    ------
    UnusableData
        If two columns have one name.
    """
    from pyarrow import parquet

    with opened(path) as stream:
        file = parquet.ParquetFile(stream)
        schema = file.schema_arrow
        names = [name.strip() for name in schema.names]
        refuse_repeated(names, repr(str(path)))
        many, columns = len(names) > MANY, dict[str, Sequence[Any]]()
        for start in range(0, len(names), MANY):  # a reader of all columns has a buffer for each
            table = file.read(columns=schema.names[start : start + MANY], use_threads=not many)
            for name, column in zip(names[start : start + MANY], table.columns, strict=True):
                columns[name] = _values(column, many)
    return columns, _class_names(schema.metadata or {})


def _values(column: Any, many: bool) -> Sequence[Any]:
    """Return the values of a column: python's own, or arrays of numbers where there are very many."""
    import pyarrow as pa

    kind = column.type
    if many and pa.types.is_floating(kind):
        return column.to_numpy().copy()  # type: ignore[no-any-return]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        if pa.types.is_floating(kind.value_type) and sum(len(chunk.flatten()) for chunk in column.chunks) > LONG:
            return [None if not row.is_valid else row.values.to_numpy(zero_copy_only=False) for row in column]
    return column.to_pylist()  # type: ignore[no-any-return]


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """Return what the metadata call the classes of columns; metadata of another form say nothing."""
    try:
        stated = parse_json(metadata.get(b"huggingface", b"{}").decode())
    except ValueError:
        return {}
    for key in ("info", "features"):
        stated = stated.get(key) if isinstance(stated, dict) else None
    names = {column: _element(feature).get("names") for column, feature in _mapping(stated).items()}
    return {
        column: tuple(classes)
        for column, classes in names.items()
        if isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    }


def _element(feature: Any) -> Mapping[str, Any]:
    """Return what a column, or each element of its lists, is stated to be."""
    while isinstance(inner := _mapping(feature).get("feature"), Mapping):
        feature = inner
    return _mapping(feature)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
