"""What each task reads: the folder, the form of its rows, and the card that says where they come from."""

from collections.abc import Callable
from dataclasses import dataclass

from cogbench import Card, Files

from . import readers

SUITE = "biomedical"
NAMED = "name the folder that holds it with --data-dir, or that of one task with --task-data NAME=FOLDER."
MTL = (
    "the files are in github.com/cambridgeltl/MTL-Bioinformatics-2016 (read at df0df02; CC BY 4.0): clone it, and "
    f"{NAMED}"
)
PUBMEDQA = (
    "the files are data/ori_pqal.json and data/test_ground_truth.json of github.com/pubmedqa/pubmedqa (read at "
    f"1cbae8e; MIT): clone it, and {NAMED}"
)
BIOASQ = (
    "the files are 12B1_golden.json to 12B4_golden.json of BioASQ 12b, which participants-area.bioasq.org gives to "
    f"those who register: unpack them into a folder Task12BGoldenEnriched, and {NAMED}"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What a task reads.

    `places` are the folders below the data folder that may hold it, the first that is there; `bring` says what to fetch
    where there is none. `read` gives the columns of a split. `scored` are the splits that the task is scored on.
    """

    origin: str
    places: tuple[str, ...]
    bring: str
    read: Callable[[readers.Place, Files], readers.Columns]
    kind: str
    metric: str
    card: Card
    classes: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    scored: tuple[str, ...] = ("validation",)


def _entities(folder: str, types: tuple[str, ...], card: Card, *, own: str) -> Source:
    return Source(
        origin=f"cambridgeltl/MTL-Bioinformatics-2016: {folder}",
        places=(f"bioner/{own}", f"MTL-Bioinformatics-2016/data/{folder}"),
        bring=MTL,
        read=readers.entities,
        kind="tagging",
        metric="entity-f1",
        further=("word-accuracy",),
        classes=("O", *(f"{mark}-{name}" for name in types for mark in "BI")),
        card=card,
    )


CRICHTON = "in the form of Crichton et al. (2017), A neural network multi-task learning approach, BMC Bioinformatics"
BC5CDR = f"Li et al. (2016), BioCreative V CDR task corpus, Database; {CRICHTON}"
ASKED = (
    "Krithara et al. (2023), BioASQ-QA: a manually curated corpus for biomedical question answering, Scientific Data"
)
REGISTERED = "to registered users of BioASQ; not to be passed on"

SOURCES = {
    "bc2gm": _entities(
        "BC2GM-IOB",
        ("GENE",),
        Card(
            12_574,
            "CC BY 4.0",
            "Find the names of genes and proteins in sentences of biomedical abstracts, word by word.",
            f"Smith et al. (2008), Overview of BioCreative II gene mention recognition, Genome Biology; {CRICHTON}",
        ),
        own="bc2gm",
    ),
    "bc5cdr-chem": _entities(
        "BC5CDR-chem-IOB",
        ("Chemical",),
        Card(
            4_560,
            "CC BY 4.0",
            "Find the names of chemicals and drugs in biomedical abstracts, word by word. The sentences are those of "
            "bc5cdr-disease.",
            BC5CDR,
        ),
        own="bc5cdr_chem",
    ),
    "bc5cdr-disease": _entities(
        "BC5CDR-disease-IOB",
        ("Disease",),
        Card(
            4_560,
            "CC BY 4.0",
            "Find the names of diseases in biomedical abstracts, word by word. The sentences are those of bc5cdr-chem.",
            BC5CDR,
        ),
        own="bc5cdr_disease",
    ),
    "ncbi-disease": _entities(
        "NCBI-disease-IOB",
        ("Disease",),
        Card(
            5_424,
            "CC BY 4.0",
            "Find the names of diseases in abstracts of PubMed, word by word.",
            f"Doğan, Leaman & Lu (2014), NCBI disease corpus, Journal of Biomedical Informatics; {CRICHTON}",
        ),
        own="ncbi_disease",
    ),
    "linnaeus": _entities(
        "linnaeus-IOB",
        ("Species",),
        Card(
            11_935,
            "CC BY 4.0",
            "Find the names of species in articles of PubMed Central, word by word; six of seven sentences have none.",
            f"Gerner, Nenadic & Bergman (2010), LINNAEUS, BMC Bioinformatics; {CRICHTON}",
        ),
        own="linnaeus",
    ),
    "anatem": _entities(
        "AnatEM-IOB",
        ("Anatomy",),
        Card(
            5_861,
            "CC BY 4.0; the corpus itself CC BY-SA 3.0",
            "Find the names of parts of the body, from organs to parts of cells, in biomedical text, word by word.",
            f"Pyysalo & Ananiadou (2014), Anatomical entity mention recognition at literature scale, Bioinformatics; "
            f"{CRICHTON}",
        ),
        own="anatem",
    ),
    "jnlpba": _entities(
        "JNLPBA",
        ("DNA", "RNA", "cell_line", "cell_type", "protein"),
        Card(
            16_660,
            "GENIA Project License (annotations CC BY 3.0; corpus annotations (c) GENIA Project)",
            "Find the names of proteins, DNA, RNA, cell lines and cell types in abstracts of MEDLINE, word by word.",
            f"Kim et al. (2004), Introduction to the bio-entity recognition task at JNLPBA; {CRICHTON}",
        ),
        own="jnlpba",
    ),
    "bioasq-factoid": Source(
        origin="BioASQ 12b, factoid questions",
        places=("bioasq12b_factoid", "Task12BGoldenEnriched"),
        bring=BIOASQ,
        read=readers.factoids,
        kind="extractive-qa",
        metric="mrr@5",
        further=("strict-accuracy", "lenient-accuracy", "token-f1"),
        scored=("validation", "test"),
        card=Card(
            546,
            REGISTERED,
            "Find the name, number or phrase that answers a biomedical question in snippets of abstracts; a question "
            "has several snippets, of which some hold the answer.",
            ASKED,
        ),
    ),
    "bioasq-yesno": Source(
        origin="BioASQ 12b, yes/no questions",
        places=("bioasq12b_yesno", "Task12BGoldenEnriched"),
        bring=BIOASQ,
        read=readers.verdicts,
        kind="classification",
        metric="group-accuracy",
        further=("accuracy",),
        classes=("yes", "no"),
        scored=("validation", "test"),
        card=Card(
            1_233,
            REGISTERED,
            "Say whether the answer to a biomedical question is yes, by each of the snippets of abstracts that bear on "
            "it. The answer is the question's: a snippet alone may say nothing.",
            ASKED,
        ),
    ),
    "pubmedqa": Source(
        origin="pubmedqa/pubmedqa: PQA-L",
        places=("pubmedqa/data", "pubmedqa"),
        bring=PUBMEDQA,
        read=readers.abstracts,
        kind="classification",
        metric="accuracy",
        classes=("yes", "no", "maybe"),
        scored=("test",),
        card=Card(
            500,
            "MIT; the abstracts are PubMed's",
            "Answer the question that is the title of a biomedical article by yes, no or maybe, from its abstract "
            "without the conclusion. The evaluation is the official test set.",
            "Jin et al. (2019), PubMedQA: a dataset for biomedical research question answering, EMNLP",
        ),
    ),
}
