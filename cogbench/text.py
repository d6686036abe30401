"""Small helpers of words: texts, numbers and names as people read them."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its kind."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def in_words(n_bytes: int) -> str:
    """Return a number of bytes as people write it: `3.4 MiB`."""
    power = min((max(n_bytes, 1).bit_length() - 1) // 10, 4)
    return f"{n_bytes / 1024**power:.1f} {'KMGT'[power - 1]}iB" if power else f"{n_bytes} B"


def in_digits(p: float) -> str:
    """Return a probability as people write it: a small one is not 0."""
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def slug(name: str) -> str:
    """Return a name that can stand in a path: `google-bert/bert-base` becomes `google-bert--bert-base`."""
    return "".join(c if c.isalnum() or c in "-_.+=[]," else "--" for c in name).strip("-.") or "-"
