"""The eight GLUE tasks of the paper (Wang et al. 2019), from the hub at a pinned revision or from local files."""

from collections.abc import Iterable
from dataclasses import dataclass

from cogbench import Card, Dataset, Files, Task, hookimpl

HUB_ID, REVISION = "nyu-mll/glue", "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
CITE = "Wang et al. (2019), GLUE, ICLR; "


@dataclass(frozen=True)
class Glue:
    """One GLUE task; `columns` are the hub's names of the text, the second text if any, and the label."""

    name: str
    config: str
    kind: str
    metric: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    evaluation: str
    card: Card
    further: tuple[str, ...] = ()
    suite: str = "cogtaskonomy"

    def load(self, split: str, files: Files) -> Dataset:
        """Read one split; UnusableData if a column is missing or the classes stand in another order."""
        hub_split = self.evaluation if split == "evaluation" else "train"
        rows = files.dataset(self.name, HUB_ID, hub_split, config=self.config, revision=REVISION)
        *texts, label = rows.of(*self.columns, classes={"label": self.labels} if self.labels else None)
        columns = dict(zip(("text", "text_pair"), texts, strict=False))
        return Dataset(self.kind, {**columns, "label": label}, self.labels, rows.origin)


PAIR = ("sentence1", "sentence2", "label")
ENTAILMENT = ("entailment", "not_entailment")

TASKS = (
    Glue(
        "cola",
        "cola",
        "classification",
        "mcc",
        ("sentence", "label"),
        ("unacceptable", "acceptable"),
        "validation",
        Card(
            8551,
            "published examples, fair use for research",
            "Judge whether an English sentence from the linguistics literature is grammatically acceptable.",
            CITE + "Warstadt, Singh & Bowman (2019), TACL 7",
        ),
        ("accuracy",),
    ),
    Glue(
        "mnli",
        "mnli",
        "classification",
        "accuracy",
        ("premise", "hypothesis", "label"),
        ("entailment", "neutral", "contradiction"),
        "validation_matched",
        Card(
            392702,
            "OANC and others",
            "Decide whether a premise entails a hypothesis, contradicts it, or neither, over ten genres of English.",
            CITE + "Williams, Nangia & Bowman (2018), NAACL",
        ),
    ),
    Glue(
        "mrpc",
        "mrpc",
        "classification",
        "accuracy",
        PAIR,
        ("not_equivalent", "equivalent"),
        "validation",
        Card(
            3668,
            "MSR-LA",
            "Decide whether two sentences from online news say the same.",
            CITE + "Dolan & Brockett (2005), IWP",
        ),
        ("f1",),
    ),
    Glue(
        "qnli",
        "qnli",
        "classification",
        "accuracy",
        ("question", "sentence", "label"),
        ENTAILMENT,
        "validation",
        Card(
            104743,
            "CC BY-SA 4.0",
            "Decide whether a Wikipedia sentence contains the answer to a question.",
            CITE + "Rajpurkar et al. (2016), EMNLP",
        ),
    ),
    Glue(
        "qqp",
        "qqp",
        "classification",
        "accuracy",
        ("question1", "question2", "label"),
        ("not_duplicate", "duplicate"),
        "validation",
        Card(
            363846,
            "Quora terms, non-commercial",
            "Decide whether two questions asked on Quora have the same meaning.",
            CITE + "Iyer, Dandekar & Csernai (2017)",
        ),
        ("f1",),
    ),
    Glue(
        "rte",
        "rte",
        "classification",
        "accuracy",
        PAIR,
        ENTAILMENT,
        "validation",
        Card(
            2490,
            "unspecified",
            "Decide whether a text entails a hypothesis; news and Wikipedia, from the RTE challenges.",
            CITE + "Dagan et al. (2006) and later challenges",
        ),
    ),
    Glue(
        "sst-2",
        "sst2",
        "classification",
        "accuracy",
        ("sentence", "label"),
        ("negative", "positive"),
        "validation",
        Card(
            67349,
            "unspecified",
            "Decide whether a phrase or sentence from a film review is positive or negative.",
            CITE + "Socher et al. (2013), EMNLP",
        ),
    ),
    Glue(
        "sts-b",
        "stsb",
        "regression",
        "spearman",
        PAIR,
        (),
        "validation",
        Card(
            5749,
            "CC BY-SA 4.0 and others",
            "Grade from 0 to 5 how similar in meaning two sentences are; news, captions and forums.",
            CITE + "Cer et al. (2017), SemEval",
        ),
        ("pearson",),
    ),
)


@hookimpl
def register_tasks() -> Iterable[Task]:
    """Add the eight tasks."""
    return TASKS
