"""Numbers, paragraphs and tables as the page writes them."""

import textwrap
from collections.abc import Iterable, Sequence

from cogbench.scoring.chance import PValue
from cogbench.scoring.scores import Scores

WIDTH = 120
TWO_P = ("p", "p, independent")  # the columns that `chances` fills
TIE = 1e-9  # so that a half is rounded up whatever the last bit of a sum says


def num(value: float, digits: int = 2) -> str:
    """Write a number with so many decimals."""
    text = f"{value + TIE:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def share(value: float, digits: int = 3) -> str:
    """Write a share of 1, or a correlation, without the leading zero."""
    return num(value, digits).replace("0.", ".", 1) if abs(value) < 1 - 0.1**digits else num(value, digits)


def chance(p: float, *, sign: bool = False) -> str:
    """Write a probability; with its sign, such as "= .043", for the inside of a sentence."""
    if p < 0.0005:
        return "< .001"
    return f"= {share(p)}" if sign else share(p)


def relabelled(scores: Scores) -> PValue:
    """Return the p of relabelling, which all scores of today's schema have."""
    assert scores.trs.p is not None
    return scores.trs.p


def chances(scores: Scores) -> list[str]:
    """Write the p of relabelling and that of independent choices."""
    return [chance(relabelled(scores).p), chance(scores.trs.p_independent)]


def interval(scores: Scores) -> str:
    """Write the interval of a TRS."""
    return " to ".join(num(end) for end in scores.trs.interval)


def rank_number(value: float) -> str:
    """Write a rank: a whole number, or a half."""
    return f"{value:g}"


def listed(items: Iterable[str]) -> str:
    """Join words as a sentence does."""
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def paragraph(text: str) -> str:
    """Wrap a text at the page's width."""
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


def bullets(items: Iterable[str]) -> str:
    """Return a list, each item wrapped."""
    return "\n".join(
        textwrap.fill(
            f"- {' '.join(item.split())}", WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
        for item in items
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first column is words, the others are as they come."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(*blocks: str) -> str:
    """Join blocks by empty lines."""
    return "\n\n".join(blocks)
