"""The tasks of the wide oracle: the paper's twelve, tasks read from a folder of shared data, and those of real text.

They stand in a module of their own, because worker processes import it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cogbench import Card, Dataset, Files, Parts, Task
from cogbench.combining.selected import MadeOfTask


@dataclass(frozen=True)
class CappedTask(MadeOfTask):
    """An installed task of which at most some evaluation examples are scored: a stratified sample."""

    task: Task
    evaluation: int
    suite: str = "wide"

    def load(self, split: str, files: Files) -> Dataset:
        """Read one split; the evaluation split is sampled."""
        dataset = self.task.load(split, files)
        return dataset.sample(self.evaluation) if split == "evaluation" else dataset


@dataclass(frozen=True)
class SharedTask:
    """A task whose splits are parquet files in a folder of the data folder, with the hub's types in their heads.

    Parameters
    ----------
    name, kind, metric : str
    folder, config : str
        The folder of the data folder, and the folder in it.
    columns : tuple of (column of the kind, column of the file) pairs
    card : Card
    evaluation_split : str
        The split that is scored.
    """

    name: str
    kind: str
    metric: str
    folder: str
    config: str | None
    columns: tuple[tuple[str, str], ...]
    card: Card
    evaluation_split: str = "test"
    suite: str = "wide"

    def load(self, split: str, files: Files) -> Dataset:
        """Read one split; of questions with candidate answers, those that have a right one."""
        file_split = "train" if split == "train" else self.evaluation_split
        rows = files.dataset(self.name, self.folder, file_split, config=self.config)
        columns = {own: list(rows.columns[theirs]) for own, theirs in self.columns}
        if self.kind == "reranking":
            answered = [i for i, passages in enumerate(columns["passages"]) if any(passages["is_selected"])]
            columns = {
                "text": [columns["text"][i] for i in answered],
                "passages": [columns["passages"][i]["passage_text"] for i in answered],
                "label": [columns["passages"][i]["is_selected"] for i in answered],
            }
        labels = rows.names.get(dict(self.columns).get("label", ""), ())
        return Dataset(self.kind, columns, labels, rows.origin)


def _biomedical(name: str, folder: str, rows: int, entities: str, citation: str) -> SharedTask:
    description = f"Find the names of {entities} in sentences of biomedical abstracts, word by word."
    return SharedTask(
        name=name,
        kind="tagging",
        metric="entity-f1",
        folder="bioner",
        config=folder,
        columns=(("tokens", "tokens"), ("label", "ner_tags")),
        card=Card(rows, "CC BY 4.0 (MTL-Bioinformatics-2016)", description, citation),
    )


def _reviews(domain: str, rows: int) -> SharedTask:
    return SharedTask(
        name=f"amazon-{domain}",
        kind="classification",
        metric="accuracy",
        folder="amazon_blitzer",
        config=domain,
        columns=(("text", "text"), ("label", "label")),
        card=Card(
            rows,
            "not stated; research use",
            f"Say whether a customer's review of {domain} is positive or negative.",
            "Blitzer, Dredze & Pereira (2007), Biographies, Bollywood, boom-boxes and blenders, ACL",
        ),
    )


SHARED = (
    _biomedical("bc2gm", "bc2gm", 12_574, "genes", "Smith et al. (2008), Overview of BioCreative II gene mention"),
    _biomedical("bc5cdr-chem", "bc5cdr_chem", 4_560, "chemicals", "Li et al. (2016), BioCreative V CDR task corpus"),
    _biomedical("ncbi-disease", "ncbi_disease", 5_424, "diseases", "Doğan, Leaman & Lu (2014), NCBI disease corpus"),
    _biomedical("linnaeus", "linnaeus", 11_935, "species", "Gerner, Nenadic & Bergman (2010), LINNAEUS"),
    SharedTask(
        name="pubmedqa",
        kind="classification",
        metric="accuracy",
        folder="pubmedqa",
        config=None,
        columns=(("text", "question"), ("text_pair", "context"), ("label", "label")),
        card=Card(
            500,
            "MIT",
            "Answer a question with yes, no or maybe from the abstract of a biomedical paper without its conclusion.",
            "Jin et al. (2019), PubMedQA: a dataset for biomedical research question answering, EMNLP",
        ),
    ),
    *(_reviews(domain, 2_000) for domain in ("books", "dvd", "electronics", "kitchen")),
    SharedTask(
        name="wikiqa",
        kind="reranking",
        metric="ndcg@10",
        folder="wiki_qa_in_ms_marco_schema",
        config=None,
        columns=(("text", "query"), ("passages", "passages")),
        card=Card(
            2_118,
            "Microsoft Research Data License",
            "Rank the sentences of a Wikipedia article by whether they answer a question.",
            "Yang, Yih & Meek (2015), WikiQA: a challenge dataset for open-domain question answering, EMNLP",
        ),
    ),
    SharedTask(
        name="turkish-wiki-ner",
        kind="tagging",
        metric="entity-f1",
        folder="turkish",
        config="wiki_ner",
        columns=(("tokens", "tokens"), ("label", "ner_tags")),
        card=Card(
            17_967,
            "CC BY-SA 4.0",
            "Find names, dates, quantities and other things in sentences of the Turkish Wikipedia, word by word.",
            "Altinok (2023), A diverse set of freely available linguistic resources for Turkish, ACL",
            language="tr",
        ),
    ),
)


def wide_tasks(parts: Parts, installed: Sequence[str], evaluation: int) -> tuple[Task, ...]:
    """Return the installed tasks of these names and the shared ones, each with at most so many evaluation examples."""
    found = [parts.tasks[name] for name in installed]
    return tuple(CappedTask(task, evaluation) for task in (*found, *SHARED))
