"""TaskWeb's pairwise transfers as oracles (Kim, Asai, Ilharco & Hajishirzi, EMNLP 2023): nine settings, eight seeds."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cogbench import Oracle, TaskMatrix, hookimpl

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


@hookimpl
def register_oracles() -> Iterable[Oracle]:
    """Add a table for each setting: 22 sources, 21 targets, in percent."""
    head, *rows = (line.split(",") for line in FIGURES.read_text(encoding="utf-8").splitlines())
    targets = tuple(head[3:])
    by_setting: dict[str, dict[str, list[list[float]]]] = {setting: {} for setting in SETTINGS}
    for setting, source, _, *cells in rows:
        by_setting[setting].setdefault(source, []).append([float(cell or "nan") for cell in cells])
    return [
        _oracle(setting, tuple(of_source), targets, np.array(list(of_source.values())).swapaxes(0, 1))
        for setting, of_source in by_setting.items()
    ]


def _oracle(setting: str, sources: tuple[str, ...], targets: tuple[str, ...], printed: np.ndarray) -> Oracle:
    """Return the oracle of one setting from its printed scores (n_seeds, n_sources, n_targets)."""
    same = np.array([[s == t for t in targets] for s in sources])
    # A training without a score failed, or answers alike everywhere: a correlation of 0, as cogbench's metrics have it.
    failed = np.isnan(printed) & ~same
    by_seed = np.where(failed, 0.0, printed)
    # An eighth of a sum of four decimals has seven: rounded there, equal means are equal numbers, and tie.
    mean = by_seed.mean(axis=0).round(7)
    return Oracle(
        name=f"taskweb-{setting}",
        backbone=SETTINGS[setting],
        suite="taskweb",
        transfers=TaskMatrix(sources, targets, mean),
        standard_error=by_seed.std(axis=0, ddof=1) / np.sqrt(len(by_seed)),
        by_seed=by_seed,
        metrics={t: "pearson" if t == "sts-b" else "accuracy" for t in targets},
        origin="Kim, Asai, Ilharco & Hajishirzi (2023), TaskWeb, EMNLP; "
        f"github.com/danieljkim0118/TaskWeb at {COMMIT[:7]}",
        licence="figures from a publication",
        note="in percent, a mean of eight training seeds" + _failures(int(failed.sum())) + "; scores without a "
        "source are not published, and cannot be inferred for mrpc, qqp and sts-b, where the authors' relative changes "
        "are of another metric (the mean of accuracy and F1, of Pearson and Spearman)",
    )


def _failures(n: int) -> str:
    return f", {n} of them without a score on sts-b: taken as 0" if n else ""
