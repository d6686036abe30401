"""The copy of the fMRI of Pereira et al. (2018) on the hub: a row for each subject, a column for each region.

Its card states the columns, each a list of lists of numbers, sentences by voxels. The copy names neither its subjects
nor its voxels, and holds one experiment.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cogbench import Array, UnusableData

from .voxels import Scan, check_sentences, scan_voxels

HUB_ID = "helena-balabin/pereira_fMRI_sentences"
COMMIT = "38ecb87f301650f2c0bac5ffca47bf6c137398d3"
HUB_FILES = (
    "data/train-00000-of-00003-8b8027473d933295.parquet",
    "data/train-00001-of-00003-b4c2e9bdf9849b45.parquet",
    "data/train-00002-of-00003-009adc31e02df0cf.parquet",
)
SIZE = "6.6 GB"
EXPERIMENT = 384  # the number of its sentences
ROWS = tuple(f"row-{number}" for number in range(1, 9))  # its subjects, in the order of the rows
# The column of each region, by the atlas's name in the authors' files.
REGIONS = {
    "languageLH": "language_lh",
    "languageRH": "language_rh",
    "visual": "vision",
    "visual_body": "vision_body",
    "visual_face": "vision_face",
    "visual_object": "vision_object",
    "visual_scene": "vision_scene",
    "DMN": "dmn",
    "MD": "task",
}
WHOLE_BRAIN = "all"
SENTENCES = "sentences"
CONTENT = (
    f"experiment {EXPERIMENT} alone, the subjects {ROWS[0]} to {ROWS[-1]} without names, the regions "
    f"{', '.join(REGIONS)}, and without regions the whole brain"
)
BUFFER = 1 << 22  # bytes of a column that are read at once: a column of a file has gigabytes


class CopyRow(NamedTuple):
    """One subject of the copy: the file, and the number of the row in it, counted from 0."""

    path: Path
    row: int

    @property
    def where(self) -> str:
        """What messages call it."""
        return f"row {self.row + 1} of {self.path.name}"


def lacks(experiments: Sequence[int], subjects: Sequence[str], regions: Sequence[str]) -> bool:
    """Whether the copy lacks the experiments, one of the subjects, or one of the regions."""
    named = [subject for subject in subjects if subject not in ROWS]
    unknown = {region.lower() for region in regions} - {region.lower() for region in REGIONS}
    return EXPERIMENT not in experiments or bool(named or unknown)


def columns_of(regions: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of regions by the atlases' names in the authors' files; without regions the whole brain's."""
    columns = {region.lower(): column for region, column in REGIONS.items()}
    return tuple(dict.fromkeys(columns[region.lower()] for region in regions)) or (WHOLE_BRAIN,)


def copy_rows(paths: Sequence[Path]) -> dict[str, CopyRow]:
    """Return the rows of all files in their order, by the names of `ROWS`.

    Raises
    ------
    UnusableData
        If a file is no parquet file, or there is another number of rows.
    """
    rows = [CopyRow(path, i) for path in paths for i in range(_open(path).metadata.num_rows)]
    if len(rows) != len(ROWS):
        raise UnusableData(f"the copy {HUB_ID} has {len(rows)} rows; expected {len(ROWS)}, one for each subject.")
    return dict(zip(ROWS, rows, strict=True))


def scan_row(subject: str, place: CopyRow, columns: Sequence[str]) -> Scan:
    """Read some columns of one row, and no others.

    A voxel that stands in several columns is taken once: its responses are the same. Voxels have no places, so they are
    called by subject, column and number, and no two subjects' are taken for the same.

    Raises
    ------
    UnusableData
        If the file lacks a column, or the row does not hold 384 sentences and numbers for each of them.
    """
    cells = _read_row(place, [SENTENCES, *columns])
    sentences = check_sentences(_texts(cells[SENTENCES], place), EXPERIMENT, place.where)
    blocks, voxels = list[Array](), list[str]()
    for column in columns:
        block = _numbers(cells.pop(column), column, place)  # (n_sentences, n_voxels)
        blocks.append(block)
        voxels += [f"{subject}-{column}-{number}" for number in range(1, block.shape[1] + 1)]
    if columns == (WHOLE_BRAIN,):
        return scan_voxels(sentences, blocks[0], np.arange(len(voxels)), np.array(voxels))
    responses = np.concatenate(blocks, axis=1)
    digests = [hashlib.blake2b(responses[:, i].tobytes(), digest_size=16).digest() for i in range(len(voxels))]
    first = np.sort(np.unique(digests, return_index=True)[1])
    return scan_voxels(sentences, responses, first, np.array(voxels)[first])


def _open(path: Path) -> Any:
    """Return a parquet file whose columns are read in pieces."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise UnusableData(f"{path.name} cannot be read as parquet: {_first_line(error)}") from error


def _read_row(place: CopyRow, names: Sequence[str]) -> dict[str, Any]:
    """Return the cells of some columns in one row."""
    import pyarrow as pa

    file, row = _open(place.path), place.row
    if missing := [name for name in names if name not in file.schema_arrow.names]:
        raise UnusableData(
            f"{place.path.name} lacks column {', '.join(missing)}; it has {', '.join(file.schema_arrow.names)}."
        )
    group = 0
    while row >= file.metadata.row_group(group).num_rows:
        row -= file.metadata.row_group(group).num_rows
        group += 1
    try:
        batches = file.iter_batches(batch_size=1, row_groups=[group], columns=list(names))
        batch = next(batch for number, batch in enumerate(batches) if number == row)
    except (pa.ArrowException, OSError) as error:
        raise UnusableData(f"{place.where} cannot be read: {_first_line(error)}") from error
    return {name: batch.column(name)[0] for name in names}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _texts(cell: Any, place: CopyRow) -> list[str]:
    """Return the texts in a cell: a list of them, or one text with a sentence a line."""
    content = cell.as_py()
    texts = content.splitlines() if isinstance(content, str) else content
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UnusableData(f"{place.where} holds as {SENTENCES} {cell.type}; expected a list of texts.")
    return texts


def _numbers(cell: Any, column: str, place: CopyRow) -> Array:
    """Return the numbers in a cell, (n_sentences, n_voxels): a list for each sentence, or one list of all; null is NaN.

    Raises
    ------
    UnusableData
        If they are no numbers, or not as many for each sentence.
    """
    import pyarrow as pa

    def refuse(content: str) -> UnusableData:
        return UnusableData(
            f"{place.where} holds as {column} {content}; expected numbers for each of {EXPERIMENT} sentences."
        )

    values = getattr(cell, "values", None)
    if values is None:
        raise refuse("nothing" if not cell.is_valid else str(cell.type))
    if hasattr(values.type, "value_type"):
        lists = values.cast(pa.large_list(values.type.value_type))
        lengths = sorted({*lists.value_lengths().to_pylist()} - {None})
        if lists.null_count or len(lists) != EXPERIMENT or len(lengths) != 1:
            sizes = " to ".join(str(length) for length in dict.fromkeys([*lengths[:1], *lengths[-1:]]))
            raise refuse(f"{len(lists) - lists.null_count} lists of {sizes or 'no'} numbers")
        values = lists.flatten()
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        raise refuse(f"a list of {values.type}")
    if not len(values) or len(values) % EXPERIMENT:
        raise refuse(f"{len(values)} numbers")
    return values.to_numpy(zero_copy_only=False).reshape(EXPERIMENT, -1)
