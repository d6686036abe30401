"""TaskWeb's pairwise transfers as oracles (Kim, Asai, Ilharco & Hajishirzi, EMNLP 2023): nine settings, eight seeds."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cogbench import Files, Oracle, OracleCard, TaskMatrix, hookimpl

FIGURES = Path(__file__).parent / "oracles" / "taskweb.csv"  # made by benchmarks/taskweb.py
COMMIT = "4d5b1d347b899e5d79207b8411cc364c45547d1e"
# A setting is a backbone and what of it is trained.
SETTINGS = {
    "gpt2m": "GPT-2 medium",
    "roberta": "RoBERTa base",
    "t5s": "T5 small",
    "t5b": "T5 base",
    "t5l": "T5 large",
    "t5b-bitfit": "T5 base, BitFit",
    "t5b-lora": "T5 base, LoRA",
    "t5b-pfeiffer": "T5 base, Pfeiffer adapters",
    "t5l-pfeiffer": "T5 large, Pfeiffer adapters",
}


TARGETS = (
    *("anli-r3", "boolq", "cb", "copa", "cosmosqa", "hellaswag", "imdb", "mrpc", "piqa", "qnli", "qqp", "quartz"),
    *("rotten-tomatoes", "rte", "scitail", "snli", "socialiqa", "sts-b", "wic", "winogrande", "wsc"),
)
SOURCES = tuple(sorted([*TARGETS, "squad-v2"]))
METRICS = {t: "pearson" if t == "sts-b" else "accuracy" for t in TARGETS}
NOTE = (
    "in percent, a mean of eight training seeds; scores without a source are not published, and cannot be inferred for "
    "mrpc, qqp and sts-b, where the authors' relative changes are of another metric (the mean of accuracy and F1, of "
    "Pearson and Spearman)"
)


@dataclass(frozen=True)
class TaskWebOracle:
    """TaskWeb's transfers of one setting: 22 sources, 21 targets, in percent.

    Parameters
    ----------
    setting : str
        One of `SETTINGS`.
    """

    setting: str

    @property
    def name(self) -> str:
        """What the oracle is called."""
        return f"taskweb-{self.setting}"

    @property
    def card(self) -> OracleCard:
        """What is published of the setting."""
        return OracleCard(
            description=f"transfers between the tasks of TaskWeb on {SETTINGS[self.setting]}",
            origin="Kim, Asai, Ilharco & Hajishirzi (2023), TaskWeb, EMNLP; "
            f"github.com/danieljkim0118/TaskWeb at {COMMIT[:7]}",
            licence="figures from a publication",
            backbone=SETTINGS[self.setting],
            suite="taskweb",
            sources=SOURCES,
            targets=TARGETS,
            metrics=tuple(METRICS.items()),
            note=NOTE,
        )

    def read(self, files: Files) -> Oracle:
        """Read the table; `files` is not asked for anything, for the figures come with this package."""
        head, *rows = (line.split(",") for line in FIGURES.read_text(encoding="utf-8").splitlines())
        by_source: dict[str, list[list[float]]] = {}
        for setting, source, _, *cells in rows:
            if setting == self.setting:
                by_source.setdefault(source, []).append([float(cell or "nan") for cell in cells])
        return _oracle(self.card, tuple(by_source), tuple(head[3:]), np.array(list(by_source.values())).swapaxes(0, 1))


@hookimpl
def register_oracles() -> Iterable[TaskWebOracle]:
    """Add an oracle for each setting."""
    return [TaskWebOracle(setting) for setting in SETTINGS]


def _oracle(card: OracleCard, sources: tuple[str, ...], targets: tuple[str, ...], printed: np.ndarray) -> Oracle:
    """Return the oracle of one setting from its printed scores (n_seeds, n_sources, n_targets)."""
    same = np.array([[s == t for t in targets] for s in sources])
    # A training without a score failed, or answers alike everywhere: a correlation of 0, as cogbench's metrics have it.
    failed = np.isnan(printed) & ~same
    by_seed = np.where(failed, 0.0, printed)
    # An eighth of a sum of four decimals has seven: rounded there, equal means are equal numbers, and tie.
    mean = by_seed.mean(axis=0).round(7)
    return Oracle(
        name=f"taskweb-{next(s for s, backbone in SETTINGS.items() if backbone == card.backbone)}",
        backbone=card.backbone,
        suite=card.suite,
        transfers=TaskMatrix(sources, targets, mean),
        standard_error=by_seed.std(axis=0, ddof=1) / np.sqrt(len(by_seed)),
        by_seed=by_seed,
        metrics={t: METRICS.get(t, "accuracy") for t in targets},
        origin=card.origin,
        licence=card.licence,
        note=card.note.replace("seeds;", f"seeds{_failures(int(failed.sum()))};", 1),
    )


def _failures(n: int) -> str:
    return f", {n} of them without a score on sts-b: taken as 0" if n else ""
