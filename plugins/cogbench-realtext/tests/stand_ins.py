"""Small wheels with invented rows of the same form as the real ones."""

import hashlib
import json
import zipfile
from dataclasses import replace

from cogbench_realtext.sources import SOURCES
from cogbench_realtext.wheels import Wheel

from cogbench import Files

N = 9  # rows a file


def wheel_of(folder, wheel, members):
    """Write a wheel of these files into a folder; return it with its own hash."""
    name = f"{wheel.distribution.replace('-', '_')}-{wheel.version}"
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
        archive.writestr(f"{name}.dist-info/METADATA", f"Name: {wheel.distribution}\nVersion: {wheel.version}\n")
    return wheel._replace(sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def archive_of(folder, text, member="rows.jsonl"):
    """Return the opened archive of a wheel with one file."""
    return wheel_of(folder, Wheel("invented", "1.0", ""), {member: text}).open(Files(folder))


def lines(rows):
    """Return rows as lines of JSON."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def invented(name, folder, change=lambda text: text):
    """Return the source of a task over a wheel of invented rows, each file of which `change` may alter."""
    source = SOURCES[name]
    members = {member: change(_text(name, source, member)) for member in source.members}
    return replace(source, wheel=wheel_of(folder, source.wheel, members), members=dict.fromkeys(members, N))


def _text(name, source, member):
    if source.kind == "tagging":
        return "".join(_sentence(i, source.classes) for i in range(N))
    if source.kind == "reranking":
        return lines(_choice(i) for i in range(N))
    if source.kind == "extractive-qa":
        return lines(
            {"passage": f"A tale of {i} bears.", "question": f"How many, {i}?", "answer": f"{i}"} for i in range(N)
        )
    if name == "aclsum-aspect":
        return lines(_paper(f"{member} {i}") for i in range(N // 3))
    pair = {"question": "Q", "context": "C"}
    return lines({k: f"{v} {member} {i}" for k, v in pair.items()} | {"answer": str(i % 2 == 0)} for i in range(N))


def _sentence(i, classes):
    words = [(f"word{i}", classes[1 + i % 3].removeprefix("B-")), (".", "PUNCT")]
    rows = (f"{n}\t{form}\t_\t{tag}\t_\t_\t0\troot\t_\t_\n" for n, (form, tag) in enumerate(words, start=1))
    return f"# sent_id = doc{i}:{i}_{i}-{i}\n{''.join(rows)}\n"


def _choice(i):
    options = [f"option {i}", f"other {i}", f"third {i}"]
    lettered = [f"{letter}. {option}" for letter, option in zip("ABC", options, strict=True)]
    return {
        "question": f"question {i}",
        "options": "\n".join(lettered),
        "answer": lettered[i % 3],
    }


def _paper(name):
    sentences = {"abstract": [f"{name} is hard.", f"{name} is done so.", f"{name} works.", f"{name} is long."]}
    marks = {"challenge": [1, 0, 0, 0], "approach": [0, 1, 0, 0], "outcome": [0, 0, 1, 0]}
    return {"id": name, "sentences": sentences, "highlights": {k: {"abstract": v} for k, v in marks.items()}}
