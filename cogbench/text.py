"""Small helpers of words: texts, numbers and names as people read them."""

from hashlib import sha256

LONGEST = 255  # bytes that the name of a file may have
MISSING = "–"  # in a table, for a number that is undefined


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def in_words(n_bytes: int) -> str:
    """Return a number of bytes as people write it: `3.4 MiB`."""
    power = min((max(n_bytes, 1).bit_length() - 1) // 10, 4)
    return f"{n_bytes / 1024**power:.1f} {'KMGT'[power - 1]}iB" if power else f"{n_bytes} B"


def in_decimals(value: float | None, digits: int = 2, missing: str = "") -> str:
    """Return a number with so many decimals, and `missing` where there is none."""
    return missing if value is None else f"{value:.{digits}f}"


def in_range(ends: tuple[float, float]) -> str:
    """Return an interval: `1.75 to 3.83`."""
    return f"{ends[0]:.2f} to {ends[1]:.2f}"


def in_digits(p: float) -> str:
    """Return a probability as people write it: a small one is not 0."""
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def in_sign(value: float | None, digits: int = 2, missing: str = "") -> str:
    """Return a difference with its sign: `+0.44`; `missing` where there is none."""
    return missing if value is None else f"{value:+.{digits}f}"


def or_blank(value: object) -> str:
    """Return a value's text, nothing for None: the text of a cell in a table."""
    return "" if value is None else str(value)


def slug(name: str) -> str:
    """Return a name that can stand in a path: `google-bert/bert-base` becomes `google-bert--bert-base`."""
    return "".join(c if c.isalnum() or c in "-_.+=[]," else "--" for c in name).strip("-.") or "-"


def cut(name: str, most: int = LONGEST) -> str:
    """Return the beginning of a name that is at most so many bytes in UTF-8, as file systems count them."""
    return name.encode(errors="surrogateescape")[:most].decode(errors="ignore")


def file_stem(name: str, most: int) -> str:
    """Return a name for a file that has at most so many bytes; a longer one is cut, and 8 digits tell it apart."""
    if len(name.encode()) <= most:
        return name
    return f"{cut(name, most - 9)}-{sha256(name.encode()).hexdigest()[:8]}"
