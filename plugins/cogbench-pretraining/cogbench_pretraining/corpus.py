"""The texts that a model is adapted to: a text file, or the training examples of tasks."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from cogbench import Files, MissingData, Task, UnusableData


def texts_of_file(file: str) -> tuple[str, ...]:
    """Return the texts of a file in UTF-8 with one text a line; empty lines are passed over.

    Raises
    ------
    MissingData
        If there is no such file.
    UnusableData
        If it cannot be read, is not UTF-8, or holds no text.
    """
    path = Path(file)
    if not path.is_file():
        raise MissingData(f"no corpus {file!r}; expected a text file with one text a line.")
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableData(f"corpus {file!r} is not UTF-8 at byte {error.start}: save it in that encoding.") from None
    except OSError as error:
        raise UnusableData(f"corpus {file!r} cannot be read: {error.strerror}.") from error
    texts = tuple(text for line in content.splitlines() if (text := line.strip()))
    if not texts:
        raise UnusableData(f"corpus {file!r} holds no text; expected a text file with one text a line.")
    return texts


def texts_of_tasks(tasks: Sequence[Task], files: Files) -> tuple[str, ...]:
    """Return what is read of the training examples of tasks, each text once, in their order.

    The evaluation examples stay unseen.

    Raises
    ------
    MissingData, UnusableData
        If the examples of a task cannot be read, or hold no text.
    """
    texts = dict.fromkeys(
        text for task in tasks for each in task.load("train", files).texts if (text := " ".join(each.split()))
    )
    if not texts:
        raise UnusableData(f"the training examples of {', '.join(task.name for task in tasks)} hold no text.")
    return tuple(texts)


def texts_sha256(texts: Sequence[str]) -> str:
    """Return the hash of texts in their order."""
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()
