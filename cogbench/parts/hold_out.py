"""Which rows of a single table are held out to score on: chosen by hashes of their texts, so always the same."""

import hashlib
import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence

SHARE = 5  # one row of so many is held out
Group = list[int]  # the numbers of rows that have a text in common


def held_out(texts: Sequence[Sequence[str]], classes: Sequence[Hashable], n: int, *, seed: int = 0) -> list[int]:
    """Return the numbers of the rows to score on, in rising order; the other rows are for training.

    Parameters
    ----------
    texts : sequence of (n_texts,) sequences of str
        Those of each row. Rows that share one stay together, and so do rows that are together with the same row. Texts
        are the same if they differ in blanks alone; an empty text is nothing to share.
    classes : sequence
        The class of each row; one and the same for all where there are no classes.
    n : int
        How many rows to hold out, at least 1.
    seed : int
        Another one chooses other rows.

    Returns
    -------
    list of int
        About `n` rows, each class in its share, and at least one of each class if there are not more classes than
        `n`. Every class keeps a row for training; so nothing is held out of a class whose rows all stay together. The
        list is empty if that holds for each class.

    Notes
    -----
    Groups of rows come in the order of the hashes of their texts, so the order of the rows changes nothing.
    """
    groups = _groups(texts, seed)
    counts = [Counter(classes[row] for row in group) for group in groups]  # of each class in a group
    sizes, pieces = Counter(classes), Counter(name for count in counts for name in count)
    taken, chosen = Counter[Hashable](), dict[int, None]()

    def choose(order: Iterator[int], most: Mapping[Hashable, int], enough: int) -> None:
        """Hold out groups until there are enough rows, and of no class more than the most, or all."""
        for i in order:
            if taken.total() >= enough:
                return
            if i not in chosen and all(taken[c] + k <= min(most[c], sizes[c] - 1) for c, k in counts[i].items()):
                chosen[i] = None
                taken.update(counts[i])

    all_rows = len(classes)
    if sum(count > 1 for count in pieces.values()) <= n:
        choose(iter(range(len(groups))), dict.fromkeys(sizes, 1), all_rows)
    choose(iter(range(len(groups))), {c: size * n // all_rows for c, size in sizes.items()}, all_rows)
    choose(iter(range(len(groups))), {c: math.ceil(size * n / all_rows) for c, size in sizes.items()}, n)
    if taken.total() < n / 2:  # groups are large: rather other shares than hardly any row
        smallest_first = sorted(range(len(groups)), key=lambda i: len(groups[i]))
        choose(iter(i for i in smallest_first if taken.total() + len(groups[i]) <= all_rows / 2), sizes, n)
    return sorted(row for i in chosen for row in groups[i])


def _groups(texts: Sequence[Sequence[str]], seed: int) -> list[Group]:
    """Return the rows in groups that have no text in common, in the order of the groups' hashes."""
    leader = dict[Hashable, Hashable]()  # of a row or a text, another one of the same group

    def first(node: Hashable) -> Hashable:
        path = []
        while leader.setdefault(node, node) != node:
            path.append(node)
            node = leader[node]
        leader.update(dict.fromkeys(path, node))
        return node

    plain = [[" ".join(text.split()) for text in row] for row in texts]
    for row, of_row in enumerate(plain):
        for text in filter(None, of_row):
            leader[first(row)] = first(text)
    groups, hashes = dict[Hashable, Group](), dict[Hashable, str]()
    for row, of_row in enumerate(plain):
        name, digest = first(row), hashlib.sha256("\n".join([str(seed), *of_row]).encode()).hexdigest()
        groups.setdefault(name, []).append(row)
        hashes[name] = min(digest, hashes.get(name, digest))
    return [groups[name] for name in sorted(groups, key=lambda name: hashes[name])]
