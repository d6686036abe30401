"""The result of one run: what was ranked, how good it was, and everything it came from; one JSON file each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..data.dataset import Array
from ..data.oracle import Oracle, TaskMatrix
from ..errors import UnusableData
from ..frames import Tabular
from ..parts.recipe import ALL_ROWS, SEQUENTIAL
from ..scoring.baselines import baselines
from ..scoring.evaluation import score_guess
from ..scoring.means import none_if_nan
from ..scoring.noise_ceiling import Reliability
from ..scoring.ranking import true_ranking
from ..scoring.scores import Scores
from ..storage.atomic import write_whole
from ..storage.foreign import parse_json, read_utf8
from ..storage.hashes import digest
from ..text import LONGEST, cut, slug
from .plain import adapter, plain, record_of_plain, sound_record, upgraded_result

SCHEMA_VERSION = 4
AS_PUBLISHED = "as published"


@dataclass(frozen=True)
class OracleUsed:
    """Which oracle a ranking was scored against."""

    name: str
    backbone: str
    basis: str
    origin: str


@dataclass(frozen=True)
class TaskReport:
    """How well a task was learned before its representations were used: the mean over seeds.

    `trivial` is the metric of the best constant answer; a task is `learned` if `value` lies more than two standard
    errors of the evaluation above it. `further` are other metrics of the same answers; `left_out` counts the examples
    that the metric is not defined for.
    """

    metric: str
    value: float
    standard_error: float
    trivial: float
    learned: bool
    further: dict[str, float] = field(default_factory=dict)
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class SignalReport:
    """What the signal was: how many sentences, subjects and channels, and what its reading left out.

    `channels` names those of each subject, unless they are too many to be named; `n_channels` counts them.
    `reliability` is None where it cannot be known: one subject, or an average, without repetitions.
    """

    sentences: int
    subjects: int
    channels: dict[str, list[str]]
    unit: str
    origin: str
    sha256: str
    notes: list[str]
    n_channels: dict[str, int] = field(default_factory=dict)
    reliability: Reliability | None = None


@dataclass(frozen=True)
class DataUsed:
    """One task's data: where they came from, how many training and evaluation examples, and their hash."""

    id: str
    revision: str | None
    rows: int
    evaluation_rows: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Background:
    """What several results on the same trainings share; an evidence pack carries it.

    `tasks` tells how well each task was learned, `data` which data it has, `model` the backbone's origin and options,
    `settings` how each task was trained; `notes` are what the trainings left for the reader; `synthetic` names what a
    generator made: "tasks", "signal", both or nothing.
    """

    tasks: dict[str, TaskReport]
    data: dict[str, DataUsed]
    model: dict[str, Any]
    settings: dict[str, Any]
    signal_quality: SignalReport | None
    notes: list[str]
    synthetic: list[str]


@dataclass(frozen=True)
class CellCounts:
    """How many units of work were computed for this result (`shared`: for others too), and how many were stored."""

    computed: int
    cached: int
    shared: int = 0


@dataclass(frozen=True)
class PackUsed:
    """The evidence pack that an estimator read: its name, its hash, and how many examples it has features of."""

    name: str
    sha256: str
    examples: int


@dataclass(frozen=True)
class CheckpointUsed:
    """A trained model that was given: its folder or hub id, and the hash of its files or its commit."""

    id: str
    contents: str


@dataclass(frozen=True)
class Provenance:
    """Everything that the figures came from.

    `pack` is None where the estimator read data and models themselves, `max_train_target` where a target had as many
    examples as a source. `checkpoints` has the sources that were given as trained models, by their names.
    `seconds` are those of the whole run; `estimator_seconds` are the processor's for the estimator alone, of whatever
    process: for what it computed and read, without the trainings of the tasks. `estimator_forward` and
    `estimator_backward` count examples that it sent through models. None where nobody knows.
    """

    cogbench: str
    plugins: dict[str, str]
    data: dict[str, DataUsed]
    model: dict[str, Any]
    settings: dict[str, Any]
    seeds: list[int]
    max_train: int | None
    torch: str
    device: str
    started: str
    seconds: float
    cells: CellCounts
    pack: PackUsed | None = None
    max_train_target: int | None = None
    checkpoints: dict[str, CheckpointUsed] = field(default_factory=dict)
    estimator_seconds: float | None = None
    estimator_forward: int | None = None
    estimator_backward: int | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Result(Tabular):
    """One (estimator, backbone, signal, oracle): the ranking of source tasks and its scores.

    `sharing` and `row_choice` are those of the oracle: how it combines tasks, and which training examples of the
    sources it was measured with.
    `basis` tells whether cogbench computed the ranking, or a publication states it.
    `similarity` and `by_seed` have sources as rows and targets as columns, None for a task with itself or no
    estimate; `ranking` lists each target's sources, best first; `scores` is None where there was no oracle.
    `details` has for each seed what the estimator tells beside its matrix, by its own names: of `cnm`, the matrix of
    each subject, and how well each task's representations predict that subject.
    `baselines` are the TRS of random choice, popularity and size; `uses_oracle` tells that the estimator looked at
    transfers, so that it belongs beside popularity. `synthetic` names what a generator made: "tasks", "signal", both
    or nothing.
    `submitted_by` names who handed the result in (`cogbench submit`): its matrix was computed elsewhere, and its scores
    were computed anew from that matrix. It is None for a result of one's own.
    `seed_floor` is the mean correlation of a task's stimulus RDM between training seeds (None with one seed):
    similarities closer than that are noise.
    """

    schema_version: int
    estimator: str
    options: dict[str, Any]
    backbone: str
    signal: str | None
    suite: str
    tuning: str = "full"
    sharing: str = "sequential"
    row_choice: str = "all"
    basis: Literal["computed", "published"] = "computed"
    sources: list[str]
    targets: list[str]
    oracle: OracleUsed | None
    similarity: list[list[float | None]]
    by_seed: list[list[list[float | None]]]
    ranking: dict[str, list[str]]
    oracle_ranks: dict[str, dict[str, float]] | None
    scores: Scores | None
    baselines: dict[str, float]
    uses_oracle: bool
    tasks: dict[str, TaskReport]
    seed_floor: float | None
    signal_quality: SignalReport | None
    notes: list[str]
    details: list[dict[str, Any]]
    synthetic: list[str]
    submitted_by: str | None = None
    provenance: Provenance = field(repr=False)

    @property
    def summary(self) -> str:
        """What the result is of, and its TRS."""
        where = f"{self.estimator} on {self.backbone}, suite {self.suite}, {len(self.targets)} targets"
        if self.scores is None or self.oracle is None:
            return f"{where}; no oracle"
        return f"{where}; TRS {self.scores.trs.value:.2f} by {self.oracle.name}, chance {self.scores.trs.chance:.2f}"

    @property
    def table_rows(self) -> list[dict[str, Any]]:
        """A row for each target and source: the similarity, and the source's rank in the oracle."""
        places, ranks = {name: i for i, name in enumerate(self.sources)}, self.oracle_ranks or {}
        return [
            {
                "target": target,
                "source": source,
                "similarity": self.similarity[places[source]][j],
                "true rank": ranks.get(target, {}).get(source),
            }
            for j, target in enumerate(self.targets)
            for source in self.ranking[target]
        ]

    @cached_property  # a record does not change
    def matrix(self) -> TaskMatrix:
        """The mean similarity over seeds."""
        return TaskMatrix(tuple(self.sources), tuple(self.targets), np.array(self.similarity, np.float64))

    @property
    def second_hand(self) -> str:
        """In words, from whom the matrix is; empty where it was computed by whoever shows it."""
        if self.basis == "published":
            return AS_PUBLISHED
        return f"submitted by {self.submitted_by}" if self.submitted_by else ""

    @property
    def is_outdated(self) -> bool:
        """Whether an older schema scored it, which has no relabelled p; `cogbench score` computes the scores anew."""
        return self.scores is not None and self.scores.trs.p is None

    @cached_property
    def file_name(self) -> str:
        """The name of the result's file: what it is of, and 8 digits of all that sets it apart."""
        given, oracle = self.provenance.checkpoints, self.oracle.name if self.oracle else "no-oracle"
        parts = (self.estimator, self.backbone, self.signal or "no-signal", oracle)
        apart = [
            *parts,
            self.suite,
            self.sources,
            self.targets,
            self.options,
            self.provenance.seeds,
            self.provenance.max_train,
            self.provenance.settings,
            {t: d.sha256 for t, d in self.provenance.data.items()},
            self.provenance.model,
            self.signal_quality.sha256 if self.signal_quality else None,
            self.oracle_ranks,
            *([self.provenance.pack.sha256] if self.provenance.pack else []),
            *([{"max_train_target": self.provenance.max_train_target}] if self.provenance.max_train_target else []),
            *([{name: used.contents for name, used in given.items()}] if given else []),
        ]
        ending = f"{self._size}-{digest(apart)[:8]}.json"
        return cut("--".join(map(slug, parts)), LONGEST - len(ending)) + ending

    @property
    def _size(self) -> str:
        """The words of a file name on the numbers of examples, where a target has another than a source."""
        of_source, of_target = self.provenance.max_train, self.provenance.max_train_target
        return f"--{f'max-{of_source}-' if of_source else ''}target-{of_target}" if of_target else ""

    def save(self, folder: Path) -> Path:
        """Write the result into a folder, whole or not at all, and return the file."""
        path = Path(folder) / self.file_name
        if self.is_outdated:
            raise UnusableData(f"an older schema scored {self.file_name}: `cogbench score` computes its scores anew.")
        try:
            write_whole(path, adapter(Result).dump_json(self, indent=1).decode() + "\n")
        except OSError as error:
            raise UnusableData(f"cannot write to the results folder {str(folder)!r}: {error.strerror}.") from error
        return path

    @classmethod
    def load(cls, path: Path) -> "Result":
        """Read a result; UnusableData if the file is none, or of a newer schema version."""
        try:
            text = read_utf8(path := Path(path))
            sound = sound_record(cls, text)
            is_of_today = sound is not None and sound.schema_version == SCHEMA_VERSION
            result: Result = sound if is_of_today else _result_of_any_schema(text, path)
            fault = next(_faults(result), None)
        except ValueError as error:
            fault = str(error)
        if fault:
            raise UnusableData(f"{str(path)!r} is no result of cogbench: {fault}.") from None
        return result

    def plain(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return plain(self)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a result file; `docs/result.schema.json` holds a copy that a test keeps true."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **adapter(Result).json_schema()}


def against(guess: TaskMatrix, oracle: Oracle | None, counts: Mapping[str, int]) -> dict[str, Any]:
    """Return what of a result hangs on the oracle, by the names of its fields.

    `counts` has the official number of training examples of each source, as far as known.
    """
    if oracle is None:
        alone = {"sharing": SEQUENTIAL, "row_choice": ALL_ROWS}
        return {**alone, "oracle": None, "oracle_ranks": None, "scores": None, "baselines": {}}
    true = true_ranking(oracle)
    columns = zip(true.targets, true.ranks.T, strict=True)
    return {
        "sharing": oracle.sharing,
        "row_choice": oracle.row_choice,
        "oracle": OracleUsed(oracle.name, oracle.backbone, oracle.basis, oracle.origin),
        "oracle_ranks": {
            t: {s: float(r) for s, r in zip(true.sources, ranks, strict=True) if np.isfinite(r)} for t, ranks in columns
        },
        "scores": score_guess(guess, oracle),
        "baselines": baselines(oracle, counts),
    }


def rows(values: Array) -> list[list[float | None]]:
    """Return a matrix as JSON writes it: None for NaN."""
    return [[none_if_nan(v) for v in row] for row in values]


def _result_of_any_schema(text: str, path: Path) -> Result:
    """Return the result that a file's text holds; ValueError says in words why that can be none."""
    content = parse_json(text)
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")
    if type(version := content.get("schema_version", SCHEMA_VERSION)) is not int:
        raise ValueError("its schema_version is no whole number")
    if version > SCHEMA_VERSION:
        raise UnusableData(
            f"{str(path)!r} has schema version {version}; this cogbench reads up to {SCHEMA_VERSION}: upgrade it."
        )
    if version < SCHEMA_VERSION:
        content = upgraded_result(content, SCHEMA_VERSION)
    result: Result = record_of_plain(Result, content)
    return result


def _faults(result: Result) -> Iterator[str]:
    """Yield what its readers cannot do with a record of which each field alone is well."""
    sources, targets, s = result.sources, result.targets, result.scores
    if not sources or not targets:
        yield "it has no sources or no targets"
    for name, matrix in [("similarity", result.similarity), *(("by_seed", of_seed) for of_seed in result.by_seed)]:
        if [len(row) for row in matrix] != [len(targets)] * len(sources):
            yield f"{name} is no table of {len(sources)} sources by {len(targets)} targets"
    try:
        _ = result.matrix
    except UnusableData as error:
        yield str(error).removesuffix(".")
    for target in targets:
        ranked, true = result.ranking.get(target), (result.oracle_ranks or {}).get(target)
        if ranked is None or not {*ranked} <= {*sources}:
            yield f"ranking has no sources for {target}, or others than its own"
        if result.oracle_ranks is not None and not (true and all(1 <= rank <= len(sources) for rank in true.values())):
            yield f"oracle_ranks has no ranks for {target}, or such as there are not"
    if s and not (result.oracle and result.oracle_ranks):
        yield "it has scores and no oracle that they are from"
    if result.oracle_ranks and not s:
        yield "it has an oracle's ranks and no scores"
    if s and (lost := [t for t in targets if t not in s.per_target]):
        yield f"scores lack per_target of {', '.join(lost)}"
    if s and not (s.top_k.share and s.top_k.share.keys() <= s.top_k.chance.keys() and "1" in s.regret):
        yield "scores lack shares of top_k, chance for each of them, or regret of 1"
    if s and s.ranking and "all" not in s.ranking.ndcg:
        yield "scores lack ndcg of all sources"
