"""Published reading measurements under a name, over the code of tables: found in `DIR/cognitive/<folder>/`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from cogbench import Card, Files, MissingData, Recording, hookimpl

from .table import SPLITS, read_recording, sidecar

ENDINGS = (".parquet", ".csv", ".tsv", ".jsonl", ".npz")
ZUCO_1 = "Hollenstein et al. (2018), ZuCo, Scientific Data 5:180291"
ZUCO_2 = "Hollenstein et al. (2020), ZuCo 2.0, LREC"
UCL_2013 = "Frank, Fernandez Monsalve, Thompson & Vigliocco (2013), Behavior Research Methods 45:1182-1190"
UCL_2015 = "Frank, Otten, Galli & Vigliocco (2015), Brain & Language 140:1-11"
NATURAL = "Futrell et al. (2021), The Natural Stories corpus, Language Resources and Evaluation 55:63-77"
PEREIRA = "Pereira et al. (2018), Nature Communications 9:963"
DURATIONS = ("first_fix_dur", "first_pass_dur", "total_fix_dur", "mean_fix_dur")
FIXATED = ("n_fix", "n_refix")
SHARES = ("fix_prob", "reread_prob")
FEW = 20  # channels


class Reading(NamedTuple):
    """One published measurement: where it is, what is used of it, in which unit, from whom."""

    folder: str
    columns: tuple[str, ...]
    unit: str | Mapping[str, str]
    readers: str
    origin: str
    card: Card


READINGS = {
    "zuco-gaze": Reading(
        "zuco_gaze",
        ("n_fix", *DURATIONS, "fix_prob", "n_refix", "reread_prob"),
        dict.fromkeys(DURATIONS, "ms")
        | dict.fromkeys(FIXATED, "fixations")
        | dict.fromkeys(SHARES, "share of readers"),
        "mean over 12 (ZuCo 1.0) or 18 (ZuCo 2.0) readers; sentences that both read are averaged",
        "https://osf.io/q3zws and https://osf.io/2urht",
        Card(1121, "CC BY 4.0", "eye-tracking while reading: 8 measures", f"{ZUCO_1}; {ZUCO_2}"),
    ),
    "zuco-eeg": Reading(
        "zuco_ner_gaze_eeg",
        ("eeg",),
        "bins from 0 to 7",
        "mean over 12 readers, binned by those who prepared the table",
        "https://osf.io/q3zws",
        Card(689, "CC BY 4.0", "EEG during the first fixation of a word: 8 frequency bands, binned", ZUCO_1),
    ),
    "ucl-erp": Reading(
        "ucl_frank_erp_eye_spr",
        ("erp",),
        "µV",
        "mean over 24 readers, from the second word on",
        "the supplement of the article",
        Card(205, "none stated with the data", "event-related potentials while reading: 6 components", UCL_2015),
    ),
    "ucl-eye": Reading(
        "ucl_frank_erp_eye_spr",
        ("eye",),
        "ms",
        "mean over 43 readers, from the second word on",
        "the supplement of the article",
        Card(205, "none stated with the data", "eye-tracking while reading: 4 durations", UCL_2013),
    ),
    "natural-stories": Reading(
        "natural_stories_reading_times",
        ("mean_rt_ms", "sd_rt_ms", "gmean_rt_ms"),
        "ms",
        "mean, spread and geometric mean over 62 to 97 readers of a word",
        "https://github.com/languageMIT/naturalstories",
        Card(495, "CC BY-NC-SA 4.0", "self-paced reading times of ten stories: 3 measures", NATURAL),
    ),
    "pereira-language-network": Reading(
        "pereira2018_language_network",
        ("language_network_response",),
        "response, as in the file",
        "mean over voxels of five regions of the left hemisphere, then over participants",
        "https://osf.io/crwz7",
        Card(627, "none stated with the data", "fMRI of the language network as a whole: 1 number a sentence", PEREIRA),
    ),
}


@dataclass(frozen=True)
class ReadingSignal:
    """A published reading measurement, averaged over readers.

    Parameters
    ----------
    name : str
        One of `READINGS`.
    columns : tuple of str
        Columns or channels to use instead of its usual ones.
    duplicates : {"average", "refuse"}
        What becomes of sentences that stand in the table more than once.
    """

    name: str
    columns: tuple[str, ...] = ()
    duplicates: Literal["average", "refuse"] = "average"

    @property
    def card(self) -> Card:
        """What is known of it: sentences, licence, what was measured on how many readers, citation."""
        reading = READINGS[self.name]
        return replace(reading.card, description=f"{reading.card.description}; {reading.readers}")

    def read(self, files: Files) -> Recording:
        """Return the recording; MissingData says where the measurements are looked for and who publishes them."""
        reading = READINGS[self.name]
        paths = self._tables(reading, files)
        side = sidecar(paths[0])
        side = side._replace(columns=reading.columns, unit=reading.unit)
        recording = read_recording(paths, side, self.columns, self.duplicates)
        n_channels = max(len(r.channels) for r in recording.subjects.values())
        cannot = [f"{n_channels} channel(s): a check of the pipeline, not of a theory"] if n_channels < FEW else []
        cannot += ["cnm needs 3 channels, so only estimators that take the sentences alone"] if n_channels < 3 else []
        about = f"{self.card.description}. {self.card.citation}; licence: {self.card.licence}."
        return replace(recording, notes=(about, *(f"{text}." for text in cannot), *recording.notes))

    def _tables(self, reading: Reading, files: Files) -> list[Path]:
        place = f"cognitive/{reading.folder}"
        folder = files.data_dir / place if files.data_dir else None
        there = sorted(p for p in folder.glob("*") if p.suffix in ENDINGS) if folder else []
        known = [p for split in SPLITS for p in there if p.stem.partition("-")[0] == split]
        if not known:
            expected = f"expected a table train*.parquet (or csv, tsv, jsonl) in DIR/{place}, with --data-dir DIR"
            raise MissingData(
                f"signal {self.name!r}: no data{f' in {folder}' if folder else ''}; {expected}. The measurements are "
                f"those of {reading.card.citation}, from {reading.origin}."
            )
        return [files.path(*place.split("/"), p.name) for p in known]


@hookimpl
def register_signals() -> list[ReadingSignal]:
    """Return the reading signals."""
    return [ReadingSignal(name) for name in READINGS]
