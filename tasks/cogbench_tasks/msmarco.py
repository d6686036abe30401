"""MS MARCO, the paper's passage reranking (Bajaj et al. 2016)."""

from collections.abc import Iterable
from dataclasses import dataclass

from cogbench import Card, Dataset, Files, Task, hookimpl

HUB_ID, REVISION = "microsoft/ms_marco", "a47ee7aae8d7d466ba15f9f0bfac3b3681087b3a"
QUERIES = {"v1.1": 82_326, "v2.1": 808_731}  # of the training splits


@dataclass(frozen=True)
class MsMarco:
    """Rank the ten or so passages that a search engine found for a query.

    Parameters
    ----------
    version : str
        The hub's configuration: `v1.1`, or `v2.1` with ten times the queries. Both have the same columns.
    """

    name: str = "ms-marco"
    version: str = "v1.1"
    kind: str = "reranking"
    metric: str = "ndcg@10"
    further: tuple[str, ...] = ("mrr@10",)
    suite: str = "cogtaskonomy"

    @property
    def card(self) -> Card:
        """What the task is; its versions differ in size."""
        return Card(
            QUERIES.get(self.version, QUERIES["v1.1"]),
            "MS MARCO terms, non-commercial research",
            "Rank some ten passages from the web by whether they answer a query to a search engine; its users marked "
            "those that do.",
            "Bajaj et al. (2016), MS MARCO: a human generated machine reading comprehension dataset, arXiv:1611.09268",
        )

    def load(self, split: str, files: Files) -> Dataset:
        """Read one split: queries that have a passage; UnusableData where relevance is hidden, as in v2.1's test."""
        hub_split = "validation" if split == "evaluation" else "train"
        rows = files.dataset(self.name, HUB_ID, hub_split, config=self.version, revision=REVISION)
        queries, passages = rows.of("query", "passages")
        kept = [i for i, p in enumerate(passages) if len(p["passage_text"])]
        columns = {
            "text": [queries[i] for i in kept],
            "passages": [passages[i]["passage_text"] for i in kept],
            "label": [passages[i]["is_selected"] for i in kept],
        }
        return Dataset(self.kind, columns, (), rows.origin)


@hookimpl
def register_tasks() -> Iterable[Task]:
    """Add the task."""
    return [MsMarco()]
