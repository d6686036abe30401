"""What all contract checks share: an expectation, and what every part is."""

import pickle
from dataclasses import fields, replace
from typing import Any

from ..errors import UnusableData
from ..parts.codec import decode, encode
from ..parts.fingerprint import identity
from ..parts.registry import checked


def check_part(kind: str, part: Any) -> None:
    """Raise UnusableData unless a part is what the harness takes: frozen, picklable, with a name and its verbs."""
    name = checked(kind, part).name
    expect(pickle.loads(pickle.dumps(part)) == part, f"{name}: it does not survive pickling")
    expect(decode(encode(part)) == part, f"{name}: it does not survive the way through JSON that cells take")
    expect(replace(part) == part, f"{name}: it cannot be replaced")
    identity(part)
    expect(all(f.init for f in fields(part)), f"{name}: each field of a part is an option that can be given")
    text = str(part.name)
    expect(
        text == text.lower() and "," not in text and " " not in text,
        f"{name}: names are lower case, without comma or space",
    )


def expect(truth: bool, message: str) -> None:
    """Raise UnusableData with a message unless something is true."""
    if not truth:
        raise UnusableData(message + ".")
