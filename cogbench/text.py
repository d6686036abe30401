"""Small helpers of words: texts, numbers and names as people read them."""

import re
from collections.abc import Iterable
from hashlib import sha256

LONGEST = 255  # bytes that the name of a file may have
# Signs that a terminal, a browser or a reader of XML obeys and does not show: controls (C0 and C1, but for tab and new
# line), marks that turn the direction of writing, separators of lines, and halves of letters, which no file can hold.
COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
# What a spreadsheet takes for a number, with its error, its interval or a word on it, though it begins with a sign.
NUMBER = re.compile(
    r"[+-]?([\d.]+(e[+-]?\d+)?( ± [\d.]+)?( \([+-]?[\d.]+ to [+-]?[\d.]+\))?(, [a-z ]+)?)?", re.IGNORECASE
)
MISSING = "–"  # in a table, for a number that is undefined


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def visible(text: str) -> str:
    """Return a text of somebody else with a sign of replacement for each sign that is obeyed and not shown."""
    return text if text.isprintable() else COMMANDS.sub("\ufffd", text)


def in_one_line(text: str) -> str:
    """Return a visible text without new lines and tabs."""
    return re.sub(r"[\t\n]+", " ", visible(text))


def listed(names: Iterable[object], most: int = 20) -> str:
    """Return names by commas, of many only the first, and the number of the others."""
    named = [*map(str, names)]
    return ", ".join(named[:most]) + (f" and {len(named) - most} more" if len(named) > most else "")


def in_csv(value: object) -> str:
    """Return the text of a cell; before what a spreadsheet would take for a formula stands a quote."""
    text = visible(or_blank(value))
    return f"'{text}" if text[:1] in ("=", "@", "+", "-", "\t", "\n") and not NUMBER.fullmatch(text) else text


def in_words(n_bytes: int) -> str:
    """Return a number of bytes as people write it: `3.4 MiB`."""
    power = min((max(n_bytes, 1).bit_length() - 1) // 10, 4)
    return f"{n_bytes / 1024**power:.1f} {'KMGT'[power - 1]}iB" if power else f"{n_bytes} B"


def in_time(seconds: float) -> str:
    """Return a time as people say it: `42 s`, `3.5 minutes`, `2.1 hours`."""
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} minutes" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} hours"


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
