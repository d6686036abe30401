"""Readers of files that somebody else may have written, and a check that damages such files at random."""

import gc
import json
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CogbenchError

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3.5, 1e308, -1e308, 1e-320, 2**63, 2**64, -(2**70), 10**30),
    *("", "x", "nan", "1", "9" * 300, "a/b", "../../x", "é", "\ud800", "\x00", "\x1b[2J", "\u202e", "[/x]", "=1"),
    *([], {}, [[]], [None], {"a": 1}, [1, [2]], [[1.0, None]], ["a", "a"]),
)
WORDS = [
    *(b"", b",", b";", b"\n", b"\r", b'"', b"'", b"\t", b"\\", b" ", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe"),
    *(b"nan", b"inf", b"NaN", b"1e999", b"-", b"1_0", b"0x10", b"True", b"[1.5,2.5]", b"source", b"target", b"seed"),
]
NESTED = "\ue000nested\ue000"  # stands for lists too deep to be built as values
DANGEROUS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class", "socket.connect")
CHANGES = ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod")
TWO_PLACES = ("os.rename", "os.link", "os.symlink")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Reader:
    """A reader of files that somebody else may have written.

    Parameters
    ----------
    name : str
        What it reads.
    make : function of a folder
        Writes a sound file into an empty folder, and returns the file that is to be damaged.
    read : function of a file
        Reads it, and does with it what a command does.
    damage : function of content and random generator, optional
        Returns further damage of the content: such as only who knows the form of the file can do.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    damage: Callable[[bytes, random.Random], bytes] | None = None


def check_reader(reader: Reader, folder: Path, *, rounds: int = 50, seconds: float | None = None, seed: int = 0) -> int:
    """Check that a reader reads its sound file, and any damaged one or says in one line what is wrong.

    Nothing may be written outside the folder, no program started, and no object of a pickle made.

    Parameters
    ----------
    reader : Reader
        What is checked.
    folder : Path
        An empty folder, in which the files are made.
    rounds : int
        How many damaged files are read.
    seconds : float, optional
        Time to go on for, instead of a number of rounds.
    seed : int
        Of the damage.

    Returns
    -------
    int
        How many damaged files were refused.

    Raises
    ------
    AssertionError
        If the reader raises anything else than a CogbenchError, or does what it may not; the damaged file stays.
    """
    rng, refused, turn = random.Random(seed), 0, 0
    file = reader.make(folder)
    sound = file.read_bytes()
    reader.read(file)  # imports what it needs, which writes files of its own
    gc.collect()  # objects of earlier work may remove files as they go, which is no deed of this reader
    begin = time.monotonic()
    while turn < rounds if seconds is None else time.monotonic() - begin < seconds:
        turn += 1
        content = damaged(sound, rng, reader.damage)
        file.write_bytes(content)
        with warnings.catch_warnings(), watched(folder) as deeds:
            warnings.simplefilter("ignore")
            try:
                reader.read(file)
            except CogbenchError as error:
                refused += 1
                assert "\n" not in str(error), f"{reader.name}: more than one line about {file}: {error}"
            except Exception as error:
                raise AssertionError(f"{reader.name}: {file} (damage {turn} of seed {seed}): {error!r}") from error
        assert not deeds, f"{reader.name}: {file} (damage {turn} of seed {seed}): {deeds[:3]}"
    file.write_bytes(sound)
    reader.read(file)
    return refused


def damaged(content: bytes, rng: random.Random, more: Callable[[bytes, random.Random], bytes] | None = None) -> bytes:
    """Return a file's content with some damage: of bits, of length, of words, of JSON values, or as `more` does it."""
    ways: list[Callable[[bytes, random.Random], bytes]] = [_other_bits, _cut, _other_words]
    ways += [] if more is None else [more] * 6
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        pass
    else:
        ways += [other_json] * 6
    return rng.choice(ways)(content, rng)


def other_json(content: bytes, rng: random.Random) -> bytes:
    """Return a JSON text of which some values are replaced, left out, renamed, doubled or nested deep."""
    value = [json.loads(content)]
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        parent, key = rng.choice(list(_places(value)))
        chosen, deed = parent[key], rng.random()
        if deed < 0.6:
            parent[key] = deepcopy(rng.choice(VALUES))
        elif deed < 0.7 and len(parent) > 1:
            del parent[key]
        elif deed < 0.8 and isinstance(parent, dict):
            parent[rng.choice(["x", "[/b]", "1", "all", "", "\x1b"])] = parent.pop(key)
        elif deed < 0.9 and isinstance(parent, list):
            parent.append(deepcopy(chosen))
        else:
            parent[key] = NESTED
    depth = rng.choice([10, 101, 500, 100_000])
    opening, closing = rng.choice([("[", "]"), ('{"a":', "}")])
    text = json.dumps(value[0]).replace("Infinity", "1e999")
    return text.replace(json.dumps(NESTED), opening * depth + "1" + closing * depth).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place of a value: the list or object that it stands in, and its number or name there."""
    for key in list(value) if isinstance(value, dict) else range(min(len(value), 6)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _other_bits(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(rng.choice([1, 1, 2, 5, 50])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.choice([0, 1, rng.randrange(len(content) + 1)])]


def _other_words(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        begin = rng.randrange(len(changed) + 1)
        end = begin + rng.choice([0, 0, 1, 5, 20, 100])
        other = rng.randrange(len(changed) + 1)
        changed[begin:end] = rng.choice([*WORDS, bytes(changed[other : other + 50])])
    return bytes(changed)


_watchers: list[Callable[[str, tuple[Any, ...]], None]] = []
_hooked: list[bool] = []


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Gather in a list what this process does that a reader may not: write outside a folder, or run anything."""
    deeds, inside = list[str](), os.path.realpath(folder)

    def is_outside(place: Any, folder_fd: Any) -> bool:
        if not isinstance(place, str | bytes | os.PathLike):
            return False  # a file that is open already
        path = os.fsdecode(place)
        if isinstance(folder_fd, int) and folder_fd >= 0 and os.path.exists(f"/proc/self/fd/{folder_fd}"):
            path = os.path.join(os.readlink(f"/proc/self/fd/{folder_fd}"), path)
        path = os.path.realpath(path)
        return path != os.devnull and not path.startswith(inside) and "__pycache__" not in path

    def look(event: str, values: tuple[Any, ...]) -> None:
        is_deed = event in DANGEROUS
        if event == "open":
            is_deed = isinstance(values[2], int) and bool(values[2] & WRITES) and is_outside(values[0], None)
        elif event in TWO_PLACES:
            folders = (values[2:] + (None, None))[:2]
            is_deed = any(map(is_outside, values[:2], folders))
        elif event in CHANGES:
            is_deed = is_outside(values[0], values[-1] if len(values) > 1 else None)
        if is_deed:
            deeds.append(f"{event} {values!r:.200}")

    if not _hooked:  # a hook stays for ever: one for all, which asks whoever watches
        sys.addaudithook(lambda event, values: [watch(event, values) for watch in _watchers] and None)
        _hooked.append(True)
    _watchers.append(look)
    try:
        yield deeds
    finally:
        _watchers.remove(look)
