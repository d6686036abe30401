"""The CogTaskonomy suite, its two published oracles (Luo, Xu & Xiong, ACL 2022, Tables 6 and 7), and one of our own."""

from collections.abc import Iterable
from pathlib import Path

from cogbench import Oracle, Suite, hookimpl, read_oracle

TASKS = (
    "cola",
    "mnli",
    "mrpc",
    "qnli",
    "qqp",
    "rte",
    "sst-2",
    "sts-b",
    "squad-v2",
    "conll-2003",
    "semeval-2010-8",
    "ms-marco",
)
METRICS = {
    "cola": "mcc",
    "sts-b": "spearman",
    "squad-v2": "f1",
    "conll-2003": "f1",
    "semeval-2010-8": "f1",
    "ms-marco": "ndcg@10",
}
ORACLES = Path(__file__).parent / "oracles"
OWN = "cogtaskonomy-minilm-max-1000"  # made by benchmarks/shipped_oracle.py: docs/oracle.md


@hookimpl
def register_oracles() -> Iterable[Oracle]:
    """Add the published tables, in percent as printed, GLUE's metrics but CoLA's and STS-B's accuracies; and ours."""
    return [_published("bert", 6), _published("tinybert", 7), read_oracle(ORACLES / f"{OWN}.json")]


@hookimpl
def register_suites() -> Iterable[Suite]:
    """Add the paper's twelve tasks."""
    oracles = (("bert", "cogtaskonomy-bert"), ("tinybert", "cogtaskonomy-tinybert"), ("minilm", OWN))
    return [Suite("cogtaskonomy", TASKS, "pereira", oracles, "the twelve tasks of CogTaskonomy (Luo, Xu & Xiong 2022)")]


def _published(backbone: str, table: int) -> Oracle:
    return read_oracle(
        ORACLES / f"cogtaskonomy-{backbone}.csv",
        backbone=backbone,
        suite="cogtaskonomy",
        metrics={t: METRICS.get(t, "accuracy") for t in TASKS},
        origin=f"Luo, Xu & Xiong (2022), CogTaskonomy, ACL, Table {table}",
        licence="figures from a publication",
        note="in percent, as printed; the diagonal is the target without a source",
    )
