"""What the columns of a table mean: which is the sentence, the subject, the word; and what is no measurement."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cogbench import UnknownName, UnusableData

KEYS = ("sentence", "subject", "word", "order", "repetition")
USUAL = {  # without case, blanks and marks
    "sentence": (
        *("sentence", "sentences", "sentencetext", "fullsentence", "senttext", "stimulus", "stimulustext", "stimuli"),
        *("text",),
    ),
    "subject": (
        *("subject", "subjects", "participantid", "participant", "participants", "subjectid", "subj", "subjid", "sub"),
        *("subid", "ppt", "pp", "reader", "readerid", "workerid"),
    ),
    "word": ("word", "token", "wordtext", "tokentext"),
    "order": (
        *("wordid", "wordidx", "wordindex", "wordnum", "wordnumber", "wordnr", "wordposition", "wordinsentence"),
        *("wordwithinsentence", "wordinsentencenumber", "tokenid", "tokenidx", "position", "zone", "iaid"),
    ),
    "repetition": ("repetition", "repetitions", "rep", "presentation"),
}
NUMBERS_OF_SENTENCES = (
    *("sentenceid", "sentid", "sentencenum", "sentencenumber", "sentencenr", "sentencenumb", "sentencepos", "sentnum"),
    *("sentnr", "sentenceindex", "sentenceidx", "itemid", "item", "trialid", "trial", "trialnumber", "trialindex"),
)
LISTS = ("words", "tokens")
NO_MEASURES = {  # words of names of columns that tell of the stimulus or the experiment, and not of a response
    *("onset", "offset", "trial", "block", "session", "timestamp", "list", "condition", "age", "freq", "frequency"),
    *("logfreq", "surp", "surprisal", "entropy", "perplexity", "ngram", "bigram", "trigram", "unigram", "unigramsurp"),
    *("length", "len", "nletters", "nchars", "concreteness", "predictability", "cloze"),
}
NO_MEASURES_ALONE = {
    "duration",
    "time",
    "run",
    "order",
    "number",
    "index",
    "item",
    "zone",
    "repetition",
    "presentation",
}
ROW_NUMBER = re.compile(r"(?:^|[\W\d_]|(?<=[a-z])(?=[A-Z]))(?i:id|idx|positions?|row)$")  # source_row, wordId; not grid


def plain(name: str) -> str:
    """Return a name of a column without case, blanks and marks."""
    return re.sub(r"[\W_]+", "", name.casefold())


def is_measure(name: str) -> bool:
    """Whether a column may be a channel though nobody named it, by its name."""
    words = [word.casefold() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
    known = NO_MEASURES & {*words, plain(name)}
    return not known and plain(name) not in NO_MEASURES_ALONE and not ROW_NUMBER.search(name)


def find_roles(
    columns: Mapping[str, Sequence[Any]], said: Mapping[str, str], where: str
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the columns of each role, and notes on those that were recognised by another name than the role's own.

    Parameters
    ----------
    columns : mapping of str to sequence
        The table.
    said : mapping of str to str
        What the user says of `KEYS`: `{"sentence": "Text_ID:Sentence_Number"}` means both together.
    where : str
        The table, for messages.

    Raises
    ------
    UnknownName
        If there is no such column.
    UnusableData
        If one column has two roles, or two columns may have one.
    """
    roles = dict[str, tuple[str, ...]]()
    for role, text in said.items():
        names = (text,) if text in columns else tuple(text.split(":"))
        for name in names:
            if name not in columns:
                raise UnknownName.of("column", name, columns, label=f"Columns of {where}")
        roles[role] = names
    names_of = dict[str, str]()
    for role, names in roles.items():
        for name in names:
            if (other := names_of.setdefault(name, role)) != role:
                raise UnusableData(f"{where}: column {name!r} is named as {other} and as {role}; name another one.")
    free = {name: plain(name) for name in columns if name and name not in names_of}
    for role in KEYS:
        known = USUAL[role]
        if role == "order" and "word" not in roles:
            known = tuple(name for name in known if name.startswith(("word", "token", "ia")))
        if role not in roles and (usual := _usual(role, known, free, where, columns)):
            roles[role] = (usual,)
            free.pop(usual)
    has_lists = any(name in columns and any(isinstance(cell, list) for cell in columns[name]) for name in LISTS)
    if "sentence" not in roles and not has_lists and "word" in roles:
        if usual := _usual("sentence", NUMBERS_OF_SENTENCES, free, where, columns, first=True):
            roles["sentence"] = (usual,)
    others = [f"{role} {_quoted(names)}" for role, names in roles.items() if role not in said and names != (role,)]
    return roles, [f"recognised: {', '.join(others)}."] if others else []


def _usual(
    role: str,
    usual: Sequence[str],
    free: Mapping[str, str],
    where: str,
    columns: Mapping[str, Sequence[Any]],
    *,
    first: bool = False,
) -> str | None:
    """Return the column that is called as the role is usually called."""
    named = [(usual.index(short), name) for name, short in free.items() if short in usual]
    named.sort(key=lambda pair: pair[0])
    exact = [name for _, name in named if name == role]
    if exact or first or len(named) < 2:
        return exact[0] if exact else named[0][1] if named else None
    one, other = named[0][1], named[1][1]
    if (
        named[0][0] == named[1][0]
        or role == "sentence"
        or (role in ("subject", "word") and not _tell_alike(columns[one], columns[other]))
    ):
        raise UnusableData(
            f"{where}: columns {one!r} and {other!r} may both be the {role}; say {role}={one} or {role}={other} in the "
            "address."
        )
    return named[0][1]


def _tell_alike(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two columns tell the same rows apart."""
    pairs = {(repr(a), repr(b)) for a, b in zip(one, other, strict=True)}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(repr(name) for name in names)
