"""The CogTaskonomy suite, its two published oracles (Luo, Xu & Xiong, ACL 2022, Tables 6 and 7), and ours."""

from collections.abc import Iterable
from pathlib import Path

from cogbench import OracleCard, OracleFile, Suite, hookimpl

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
IN_PRINT = (  # in the order of the paper's tables
    *("cola", "qnli", "rte", "mnli", "sst-2", "mrpc", "sts-b", "qqp", "conll-2003", "semeval-2010-8", "squad-v2"),
    "ms-marco",
)
# Made by benchmarks/shipped_oracle.py and benchmarks/wide_oracle.py: docs/oracle.md.
OWN_METRICS = {**METRICS, "squad-v2": "token-f1", "conll-2003": "entity-f1", "semeval-2010-8": "relation-f1"}
WIDE = {
    **{task: OWN_METRICS.get(task, "accuracy") for task in TASKS if task not in ("cola", "sst-2")},
    **dict.fromkeys(("bc2gm", "bc5cdr-chem", "ncbi-disease", "linnaeus"), "entity-f1"),
    **dict.fromkeys(("pubmedqa", "amazon-books", "amazon-dvd", "amazon-electronics", "amazon-kitchen"), "accuracy"),
    **{"wikiqa": "ndcg@10", "turkish-wiki-ner": "entity-f1"},
}
OWN = {backbone: f"cogtaskonomy-{backbone}-max-1000" for backbone in ("minilm", "minilm-2l")}


@hookimpl
def register_oracles() -> Iterable[OracleFile]:
    """Add the published tables, in percent as printed, GLUE's metrics but CoLA's and STS-B's accuracies; and ours."""
    return [_published("bert", 6), _published("tinybert", 7), *(_own(backbone) for backbone in OWN), _wide()]


@hookimpl
def register_suites() -> Iterable[Suite]:
    """Add the paper's twelve tasks."""
    oracles = (("bert", "cogtaskonomy-bert"), ("tinybert", "cogtaskonomy-tinybert"), *OWN.items())
    return [Suite("cogtaskonomy", TASKS, "pereira", oracles, "the twelve tasks of CogTaskonomy (Luo, Xu & Xiong 2022)")]


def _published(backbone: str, table: int) -> OracleFile:
    card = OracleCard(
        description="transfers between the twelve tasks of CogTaskonomy",
        origin=f"Luo, Xu & Xiong (2022), CogTaskonomy, ACL, Table {table}",
        licence="figures from a publication",
        backbone=backbone,
        suite="cogtaskonomy",
        sources=IN_PRINT,
        targets=IN_PRINT,
        metrics=tuple((task, METRICS.get(task, "accuracy")) for task in IN_PRINT),
        note="in percent, as printed; the diagonal is the target without a source",
    )
    return OracleFile(f"cogtaskonomy-{backbone}", str(ORACLES / f"cogtaskonomy-{backbone}.csv"), card)


def _own(backbone: str) -> OracleFile:
    card = OracleCard(
        description="transfers between the twelve tasks of CogTaskonomy, from 1,000 rows of each",
        origin="measured by cogbench: docs/oracle.md",
        licence="MIT",
        backbone=backbone,
        suite="cogtaskonomy",
        sources=TASKS,
        targets=TASKS,
        metrics=tuple((task, OWN_METRICS.get(task, "accuracy")) for task in TASKS),
        basis="measured",
        note="ms-marco is not the release, but real queries with their passage among nine of other queries",
    )
    return OracleFile(OWN[backbone], str(ORACLES / f"{OWN[backbone]}.json"), card)


def _wide() -> OracleFile:
    card = OracleCard(
        description="transfers between ten of the twelve tasks and eleven others, from 400 rows of each",
        origin="measured by cogbench: docs/oracle.md",
        licence="MIT",
        backbone="minilm-2l",
        suite="wide",
        sources=tuple(WIDE),
        targets=tuple(WIDE),
        metrics=tuple(WIDE.items()),
        basis="measured",
        note="scored on at most 400 examples; not all of these tasks are installed",
    )
    return OracleFile("wide-minilm-2l-max-400", str(ORACLES / "wide-minilm-2l-max-400.json"), card)
