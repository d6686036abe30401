"""CoNLL-2003, the paper's named entity recognition (Tjong Kim Sang & De Meulder 2003)."""

from collections.abc import Iterable
from dataclasses import dataclass

from cogbench import Card, Dataset, Files, Task, hookimpl

# The canonical repository holds a loading script, which `datasets` no longer runs; this one holds the same rows.
HUB_ID, REVISION = "lhoestq/conll2003", "19edcb426bfd625c275c17b9a99b2239243f4377"
TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")


@dataclass(frozen=True)
class Conll:
    """Tag persons, organisations, places and other names in English news."""

    name: str = "conll-2003"
    kind: str = "tagging"
    metric: str = "entity-f1"
    suite: str = "cogtaskonomy"
    card: Card = Card(
        14_041,
        "Reuters corpus, research use only",
        "Find the names of persons, organisations, places and other things in English newswire, word by word.",
        "Tjong Kim Sang & De Meulder (2003), Introduction to the CoNLL-2003 shared task, CoNLL",
    )

    def load(self, split: str, files: Files) -> Dataset:
        """Read one split; UnusableData if the tags stand in another order."""
        hub_split = "validation" if split == "evaluation" else "train"
        rows = files.dataset(self.name, HUB_ID, hub_split, revision=REVISION)
        tokens, tags = rows.of("tokens", "ner_tags", classes={"ner_tags": TAGS})
        return Dataset(self.kind, {"tokens": tokens, "label": tags}, TAGS, rows.origin)


@hookimpl
def register_tasks() -> Iterable[Task]:
    """Add the task."""
    return [Conll()]
