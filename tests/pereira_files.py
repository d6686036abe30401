"""Files like those of Pereira et al. (2018), with planted values: sentences of our own, both families, any size.

And files like those of the copy on the hub, by the columns that its card states.
"""

import itertools
import zlib
from functools import cache

import numpy as np
from scipy.io import savemat

PLACES = ("harbour", "valley", "market", "library", "orchard", "station", "chapel", "quarry", "meadow", "workshop")
WHO = ("the miller", "a courier", "the widow", "an usher", "the glazier", "a fiddler", "the warden", "a cooper")
DEEDS = ("paints a door", "mends the clock", "feeds two geese", "counts the barrels", "sweeps the steps", "waits alone")
WHEN = ("at dusk", "before breakfast")
LINES = [f"In the {p} {w} {d} {t}." for p, w, d, t in itertools.product(PLACES, WHO, DEEDS, WHEN)]  # 960 different ones
SENTENCES = {384: LINES[0:768:2], 243: LINES[1:486:2]}
# Passages: 96 of four sentences; 27 of four and 45 of three.
PASSAGES = {384: [4] * 96, 243: [4] * 27 + [3] * 45}
RESPONSES = {"data": "examples_passagesentences", "examples": "examples"}
SHARED = 0.5  # the share of a response's variance that all subjects have in common


def responses(subject, sentence, coordinates):
    """The planted response of a subject to a sentence at each place, whose coordinates are at most 3: (n_voxels,)."""
    at = np.asarray(coordinates) @ [1, 4, 16]
    return 3 + np.sqrt(SHARED) * _drawn("all", sentence)[at] + np.sqrt(1 - SHARED) * _drawn(subject, sentence)[at]


@cache
def _drawn(who, sentence):
    return np.random.default_rng(zlib.crc32(f"{who}|{sentence}".encode())).normal(size=64)


def coordinates(n, seed=0):
    """Different places counted from 1, in an order of their own: (n, 3)."""
    grid = np.array(list(itertools.product(range(1, 4), repeat=3)))
    return grid[np.random.default_rng(seed).permutation(len(grid))[:n]]


def write(folder, subject, number, family="data", *, places=None, order=None, change=None, name=None, **options):
    """Write one file, and return its path, the places of its columns and its sentences in the order of its rows.

    `change(values, held)` may edit the responses (n_sentences, n_voxels) and the variables before they are saved.
    """
    places = coordinates(12) if places is None else places
    rows = list(range(number)) if order is None else list(order)
    sentences = [SENTENCES[number][i] for i in rows]
    values = np.stack([responses(subject, s, places) for s in sentences])
    passage = np.repeat(np.arange(len(PASSAGES[number])), PASSAGES[number])[rows] + 1
    held = {
        RESPONSES[family]: values,
        "keySentences": cell(sentences),
        "labelsSentences": np.arange(1, number + 1, dtype=np.uint16)[:, None],
        "labelsPassageForEachSentence": passage.astype(np.uint8)[:, None],
        "keyPassageCategory": cell([f"topic {i}" for i in range(24)]).T,
        "meta": meta(places, family),
    }
    if family == "data":
        held["examples_passages"] = np.zeros((len(PASSAGES[number]), len(places)))
    if change:
        change(values, held)
    path = folder / (name or f"{family}_{number}sentences.mat")
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, held, do_compression=options.get("compressed", True))
    return path, places, sentences


def meta(places, family):
    """The struct that says where the voxels are, and which regions they belong to; columns are counted from 1."""
    v, dims = len(places), np.asarray(places).max(axis=0) + 1
    grid = np.zeros(dims, np.uint32)
    grid[tuple((np.asarray(places) - 1).T)] = np.arange(1, v + 1)
    held = {
        "dimx": dims[0],
        "dimy": dims[1],
        "dimz": dims[2],
        "dimensions": dims,
        "indicesIn3D": np.arange(1, v + 1)[:, None],
        "colToCoord": np.asarray(places, float),
        "coordToCol": grid,
        "voxelsToNeighbours": np.zeros((v, 26)),
        "numberOfNeighbours": np.zeros((v, 1)),
    }
    third = max(1, v // 3)
    some = [np.arange(1, third + 1), np.arange(third + 1, 2 * third + 1), np.arange(1, 2 * third + 1, 2)]
    some = [columns.astype(float)[:, None] for columns in some]
    masks = [np.zeros((v, 1), np.uint8) for _ in range(2)]
    if family == "examples":
        held |= {"roiMultimaskAAL": masks[0], "roiMultimaskGordon": masks[1]}
        held |= {"roisAAL": cell(["Heschl_L", "Heschl_R"]), "roisGordon": cell(["Default_1"])}
        held |= {"roiColumnsAAL": cell(some[:2]), "roiColumnsGordon": cell(some[2:])}
        return held
    rois = [cell(["Heschl_L", "Heschl_R"]), cell(["LPost"]), cell(["Default_1"])]
    columns = [cell(some[:2]), cell(some[1:2]), cell(some[2:])]
    held |= {"roiMultimask": cell(masks).T, "rois": cell(rois).T, "roiColumns": cell(columns).T}
    return held | {"atlases": cell(["aal_1ofN", "languageLH", "gordon"]).T}


def cell(values):
    """A MATLAB cell array of one column."""
    held = np.empty((len(values), 1), object)
    for i, value in enumerate(values):
        held[i, 0] = value
    return held


def subject(folder, name, family="data", *, seed=0, n=12, below="", **options):
    """Write both files of a subject, its voxels and sentences in an order of its own."""
    rng = np.random.default_rng(seed)
    places = coordinates(n, seed)
    for number in (384, 243):
        order = rng.permutation(number)
        write(folder / name / below, name, number, family, places=places, order=order, **options)
    return places


# The regions of the copy, by the columns of its files: which voxels of 12 each holds, counted from 0.
COPIED = {
    "language_lh": ("languageLH", [4, 5, 6, 7]),
    "language_rh": ("languageRH", [8, 9]),
    "vision_body": ("visual_body", [0, 1, 2]),
    "vision_face": ("visual_face", [2, 3]),
    "vision_object": ("visual_object", [3]),
    "vision_scene": ("visual_scene", [10]),
    "vision": ("visual", [0, 1, 2, 3, 10]),
    "dmn": ("DMN", [11, 5, 7]),
    "task": ("MD", [6, 9, 0]),
}


def with_copied_regions(values, held):
    """Give a file of the authors the atlases that the copy has, for `change` of `write`."""
    atlases = [name for name, _ in COPIED.values()]
    regions = [np.array(columns, float)[:, None] + 1 for _, columns in COPIED.values()]
    held["meta"]["atlases"] = cell(atlases).T
    held["meta"]["rois"] = cell([cell(["one"]) for _ in atlases]).T
    held["meta"]["roiColumns"] = cell([cell([columns]) for columns in regions]).T


def copied_row(subject, places, order):
    """Return one row of the copy, a subject with 12 voxels and its sentences in some order: lists by column."""
    sentences = [SENTENCES[384][i] for i in order]
    values = np.stack([responses(subject, s, places) for s in sentences])
    regions = {column: values[:, voxels].tolist() for column, (_, voxels) in COPIED.items()}
    return {**regions, "all": values.tolist(), "sentences": sentences}


def copied_rows(n=8, n_voxels=12):
    """Return all rows of the copy: subjects `S0`, `S1` and so on, each with an order of its own."""
    orders = [np.random.default_rng(10 + i).permutation(384) for i in range(n)]
    return [copied_row(f"S{i}", coordinates(n_voxels, i), order) for i, order in enumerate(orders)]


def copied_files(rows, names, schema=None):
    """Return the bytes of the copy's files by their names, which share the rows in their order."""
    import pyarrow as pa
    from pyarrow import parquet

    files = {}
    for i, name in enumerate(names):
        share = rows[i * len(rows) // len(names) : (i + 1) * len(rows) // len(names)]
        sink = pa.BufferOutputStream()
        parquet.write_table(pa.Table.from_pylist(share, schema), sink)
        files[name] = sink.getvalue().to_pybytes()
    return files
