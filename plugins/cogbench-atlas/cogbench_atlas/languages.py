"""Tables of transfers between languages."""

from .records import NO_LICENCE, UPPER, XLMR, Family, Table

MBERT = "multilingual BERT"
BUDGETS = {
    "00630": "630 training sentences",
    "01250": "1,250 training sentences",
    "02500": "2,500 training sentences",
    "05000": "5,000 training sentences",
    "10000": "10,000 training sentences",
    "20000": "20,000 training sentences",
    "40000": "40,000 training sentences",
    "1epoch": "one epoch",
    "3epoch": "three epochs",
}
LANGRANK = "github.com/Swithord/langrank at 34914df"

FAMILIES = (
    Family(
        name="adelani2022",
        description="zero-shot transfer of named-entity recognition between languages, as ranks of the sources",
        citation="Adelani et al. (2022), MasakhaNER 2.0, EMNLP",
        place="github.com/masakhane-io/masakhane-ner at ba5843c",
        licence="Academic Free License 3.0 and Creative Commons (LICENSE of the repository)",
        metric="rank",
        unit="ranks from 1, the best source",
        seeds="",
        sharing="zero-shot",
        better="lower",
        caveats=(
            "the F1 scores behind the ranks are not published as a file",
            "that columns are targets was inferred from the script that ranks them",
            "source spa of target por has the rank 0, as in the file",
        ),
        tables=(Table("adelani2022-masakhaner2-ranks", "mDeBERTa-v3 base"),),
    ),
    Family(
        name="devries2022",
        description="zero-shot transfer of part-of-speech tagging between languages",
        citation="de Vries, Wieling & Nissim (2022), Make the best of cross-lingual transfer, ACL",
        place="github.com/wietsedv/xpos at 4edb3a9",
        licence=NO_LICENCE,
        licensed=False,
        metric="accuracy",
        sharing="zero-shot",
        caveats=("the nine tables are near copies of each other: count them as one",),
        tables=tuple(Table(f"devries2022-udpos-{key}", XLMR, words) for key, words in BUDGETS.items()),
    ),
    Family(
        name="ebrahimi2025",
        description="zero-shot transfer between languages",
        citation="Ebrahimi, Wiemerslage & von der Wense (2025), NN-Rank, arXiv 2510.03202",
        place="github.com/abteen/nn-rank at 63a4294",
        licence="CC BY-SA 4.0",
        metric="f1",
        sharing="zero-shot",
        caveats=("development and test split of one model are near copies of each other",),
        tables=tuple(
            Table(f"ebrahimi2025-{task}-{key}-{split}", model, what=f"{words}, {split} split", metric=metric, note=note)
            for task, words, metric, note in (
                ("ner", "named-entity recognition on WikiANN", "f1", ""),
                (
                    "pos",
                    "part-of-speech tagging on Universal Dependencies",
                    "accuracy",
                    "tasks are treebanks, and those of one language are near copies of each other",
                ),
            )
            for key, model in (("mbert", MBERT), ("xlmr", XLMR))
            for split in ("dev", "test")
        ),
    ),
    Family(
        name="lin2019",
        description="transfer between languages",
        citation="Lin et al. (2019), Choosing transfer languages for cross-lingual learning, ACL",
        place=f"a copy: {LANGRANK}",
        licence="none stated in the copy that was read; BSD-3-Clause of github.com/neulab/langrank",
        metric="accuracy",
        unit="as published",
        sharing="not stated",
        caveats=("the copy does not say whether a model was trained on the source alone, or on source and target",),
        tables=(
            Table("lin2019-langrank-dep", "a BiLSTM parser", what="dependency parsing, in percent", metric="las"),
            Table("lin2019-langrank-el", "a BiLSTM", "entity linking"),
            Table("lin2019-langrank-mt", "a neural translator", what="translation into English", metric="bleu"),
            Table("lin2019-langrank-pos", "a BiLSTM", "part-of-speech tagging"),
        ),
    ),
    Family(
        name="martinez-garcia2021",
        description="zero-shot transfer between languages",
        citation="Martínez-García, Badia & Barnes (2021), Evaluating morphological typology, ACL",
        place="github.com/jerbarnes/typology_of_crosslingual at f18142f",
        licence=NO_LICENCE,
        licensed=False,
        metric="accuracy",
        sharing="zero-shot",
        caveats=(UPPER,),
        tables=tuple(
            Table(f"martinez-garcia2021-{task}-{key}", model, what=words, metric=metric)
            for task, words, metric in (
                ("pos", "part-of-speech tagging", "accuracy"),
                ("sentiment", "sentiment", "f1"),
            )
            for key, model in (("mbert", MBERT), ("xlmr", XLMR))
        ),
    ),
    Family(
        name="urielplus2025",
        description="zero-shot transfer between languages",
        citation="URIEL+ (2025), data of its evaluation",
        place=LANGRANK,
        licence=NO_LICENCE,
        licensed=False,
        metric="accuracy",
        unit="shares",
        sharing="zero-shot",
        tables=(
            Table("urielplus2025-taxi1500", "not stated", what="classification of verses, Taxi1500", metric="f1"),
            Table(
                "urielplus2025-xnli",
                "not stated",
                "inference, XNLI",
                note="nearly the same for every target: a warning, and no test of estimators",
            ),
        ),
    ),
)
