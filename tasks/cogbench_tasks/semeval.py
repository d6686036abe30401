"""SemEval-2010 Task 8, the paper's relation extraction (Hendrickx et al. 2010)."""

from collections.abc import Iterable
from dataclasses import dataclass

from cogbench import Card, Dataset, Files, Task, hookimpl

# Nobody has published a commit of this repository to pin: the one that is found goes into the result.
HUB_ID, REVISION = "SemEvalWorkshop/sem_eval_2010_task_8", "main"
NAMES = (
    "Cause-Effect",
    "Component-Whole",
    "Content-Container",
    "Entity-Destination",
    "Entity-Origin",
    "Instrument-Agency",
    "Member-Collection",
    "Message-Topic",
    "Product-Producer",
)
RELATIONS = (*(f"{name}({order})" for name in NAMES for order in ("e1,e2", "e2,e1")), "Other")


@dataclass(frozen=True)
class SemEval:
    """Say how two marked nouns of a sentence relate, and which way round; the test split is the only other one."""

    name: str = "semeval-2010-8"
    kind: str = "relation"
    metric: str = "relation-f1"
    further: tuple[str, ...] = ("accuracy",)
    suite: str = "cogtaskonomy"
    card: Card = Card(
        8_000,
        "CC BY 3.0",
        "Say which of nine relations, such as cause and effect, holds between two marked nouns of a sentence from the "
        "web, and in which direction, or that none does.",
        "Hendrickx et al. (2010), SemEval-2010 Task 8: multi-way classification of semantic relations, SemEval",
    )

    def load(self, split: str, files: Files) -> Dataset:
        """Read one split; UnusableData if the relations stand in another order."""
        hub_split = "test" if split == "evaluation" else "train"
        rows = files.dataset(self.name, HUB_ID, hub_split, revision=REVISION)
        texts, relations = rows.of("sentence", "relation", classes={"relation": RELATIONS})
        return Dataset(self.kind, {"text": texts, "label": relations}, RELATIONS, rows.origin)


@hookimpl
def register_tasks() -> Iterable[Task]:
    """Add the task."""
    return [SemEval()]
