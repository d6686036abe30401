"""SQuAD 2.0, the paper's question answering (Rajpurkar, Jia & Liang 2018)."""

from collections.abc import Iterable
from dataclasses import dataclass

from cogbench import Card, Dataset, Files, Task, hookimpl

HUB_ID, REVISION = "rajpurkar/squad_v2", "3ffb306f725f7d2ce8394bc1873b24868140c412"


@dataclass(frozen=True)
class Squad:
    """Find the passage of a Wikipedia paragraph that answers a question, or say that none does."""

    name: str = "squad-v2"
    kind: str = "extractive-qa"
    metric: str = "token-f1"
    further: tuple[str, ...] = ("exact-match",)
    suite: str = "cogtaskonomy"
    card: Card = Card(
        130_319,
        "CC BY-SA 4.0",
        "Find the passage of a Wikipedia paragraph that answers a question, or say that the paragraph has no answer; "
        "the questions without one were written to look as if they had.",
        "Rajpurkar, Jia & Liang (2018), Know what you don't know: unanswerable questions for SQuAD, ACL",
    )

    def load(self, split: str, files: Files) -> Dataset:
        """Read one split; UnusableData if an answer does not stand where it should."""
        hub_split = "validation" if split == "evaluation" else "train"
        rows = files.dataset(self.name, HUB_ID, hub_split, config="squad_v2", revision=REVISION)
        questions, contexts, answers = rows.of("question", "context", "answers")
        return Dataset(self.kind, {"text": questions, "text_pair": contexts, "label": answers}, (), rows.origin)


@hookimpl
def register_tasks() -> Iterable[Task]:
    """Add the task."""
    return [Squad()]
