"""Records as plain JSON values and back, checked field by field."""

import json
import re
from functools import cache
from typing import Any


@cache  # made once: making it takes longer than reading a result
def adapter(kind: type) -> Any:
    """Return pydantic's adapter of a kind of record."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def plain(record: Any) -> Any:
    """Return any record as JSON values: null for what is undefined."""
    kind: Any = type(record)
    return json.loads(adapter(kind).dump_json(record))


def record_of_plain(kind: type, values: Any) -> Any:
    """Return the record of these JSON values; ValueError says in words what does not fit.

    As JSON, so that a text is no number: "nan" would pass for one.
    """
    from pydantic import ValidationError

    try:
        return adapter(kind).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise ValueError(_in_words(error.errors()[0])) from None


def _in_words(fault: Any) -> str:
    """Return pydantic's fault without Python's names of things."""
    place = " / ".join(map(str, fault["loc"]))
    if fault["type"] == "missing":
        return f"it has no {place}"
    message = (
        re.sub(r" or an instance of \w+|, unable to .*", "", fault["msg"])
        .replace("dictionary", "JSON object")
        .replace("an object", "a JSON object")
    )
    return f"{place} {message.removeprefix('Input ')}"
