"""What is known of the published tables beside their figures: who transferred what, in which metric, how often.

A family holds the tables of one publication. Its name is the suite of its oracles, so that a board averages them.
"""

from dataclasses import dataclass, field
from typing import Literal

FIGURES = "figures from a publication"
NO_LICENCE = "none stated; figures from a publication"


@dataclass(frozen=True)
class Table:
    """One table of a family: what sets it apart from the others.

    Parameters
    ----------
    name : str
        What the oracle is called.
    backbone : str
        The pre-trained model.
    what : str
        What of the description is its own, such as the task or the number of training examples.
    metric : str
        The metric of each target, where it is another than that of the family.
    note : str
        A caveat of its own.
    """

    name: str
    backbone: str
    what: str = ""
    metric: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Family:
    """The tables of one publication.

    Parameters
    ----------
    name : str
        The first author and the year: the suite of its oracles.
    description : str
        What was transferred.
    citation, place : str
        The publication, and where its figures were read.
    licence : str
        That of the figures, as their source states it.
    licensed : bool
        Whether that source states a licence at all.
    metric, other_metrics : str, mapping of str to str
        The metric of the targets, and of those that have another one.
    unit : str
        Of the figures.
    seeds : str
        How many runs a figure stands on, and which error is known.
    tuning, sharing : str
        Which weights moved, and how source and target were combined.
    better : {"higher", "lower"}
        Which figures are better.
    caveats : tuple of str
    tables, sets : tuple of Table
        Its oracles, and its tables of sets of sources.
    """

    name: str
    description: str
    citation: str
    place: str
    licence: str
    licensed: bool = True
    metric: str
    other_metrics: dict[str, str] = field(default_factory=dict)
    unit: str = "in percent"
    seeds: str = "one run a figure; nothing is known of its noise"
    tuning: str = "full"
    sharing: str = "sequential"
    better: Literal["higher", "lower"] = "higher"
    caveats: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    sets: tuple[Table, ...] = ()


XLMR, MBERT = "XLM-R base", "multilingual BERT"
HUB = ("roberta-base", "bert-base-uncased", "bert-base-cased", "t5-base", "google-t5-v1-1-base")
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
FIVE = "five runs a figure, published one by one but sorted, so that they belong to no seed; their standard error"
UPPER = "the score of a model trained on the target itself is an upper bound and no score without transfer: left out"
LANGRANK = "github.com/Swithord/langrank at 34914df"
TASKWEB_NOTE = (
    "scores without a source are not published, and cannot be inferred for mrpc, qqp and sts-b, where the authors' "
    "relative changes are of another metric (the mean of accuracy and F1, of Pearson and Spearman)"
)
TASKWEB = {
    "gpt2m": "GPT-2 medium",
    "roberta": "RoBERTa base",
    "t5s": "T5 small",
    "t5b": "T5 base",
    "t5l": "T5 large",
    "t5b-bitfit": "T5 base, BitFit",
    "t5b-lora": "T5 base, LoRA",
    "t5b-pfeiffer": "T5 base, Pfeiffer adapters",
    "t5l-pfeiffer": "T5 large, Pfeiffer adapters",
}

FAMILIES = (
    Family(
        name="adelani2022",
        description="zero-shot transfer of named-entity recognition between languages, as ranks of the sources",
        citation="Adelani et al. (2022), MasakhaNER 2.0, EMNLP",
        place="github.com/masakhane-io/masakhane-ner at ba5843c",
        licence="Academic Free License 3.0 and Creative Commons (LICENSE of the repository)",
        metric="rank",
        unit="ranks from 1, the best source",
        seeds="nothing is known of its noise",
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
        name="bingel2017",
        description="gains of a main task when it is trained together with an auxiliary task",
        citation="Bingel & Søgaard (2017), Identifying beneficial task relations for multi-task learning, EACL",
        place="a table on a slide of a course",
        licence=FIGURES,
        metric="relative gain",
        unit="gain on single-task learning, in percent of it",
        sharing="joint",
        caveats=("the slide does not say that its rows are the main tasks: that is general knowledge of the paper",),
        tables=(Table("bingel2017-mtl-gains", "BiLSTM"),),
    ),
    Family(
        name="choshen2022",
        description="fully fine-tuning a model of the hub, which somebody fine-tuned before, on each of 36 data sets",
        citation="Choshen, Venezian, Don-Yehia, Slonim & Katz (2022), Where to start?, arXiv 2211.00107",
        place="github.com/IBM/model-recycling at 1c1d422",
        licence="Apache-2.0",
        metric="accuracy",
        other_metrics={"sts-b": "spearman"},
        seeds="one run a figure; the evaluation error is the standard deviation of 16 to 20 runs of the model itself",
        caveats=(
            "figures of the site, which are not those of the paper",
            "of some sources the figures stand under other data sets than their own, or are of other examples: they "
            "are no share of the number of the data set's examples; these sources are left out",
        ),
        tables=(
            *(Table(f"choshen2022-{model}", model) for model in HUB),
            Table("choshen2022-microsoft-deberta-v3-base", "microsoft-deberta-v3-base"),
        ),
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
            Table(f"ebrahimi2025-{task}-{key}-{split}", model, f"{words}, {split} split", metric, note)
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
        name="lange2021",
        description="transfer between domains, and between tasks",
        citation="Lange, Strötgen, Adel & Klakow (2021), To share or not to share, EMNLP",
        place="github.com/boschresearch/predicting_sets_of_sources at da79e2c",
        licence="figures from a publication; the code of the repository is under AGPL-3.0",
        metric="f1",
        seeds=FIVE,
        tables=(
            Table("lange2021-cross-task", "BERT base", "from tagging and time expressions to named entities"),
            Table("lange2021-domain-gum", "BERT base", "between the domains of GUM"),
            Table("lange2021-domain-ner", "BERT base", "between domains of named entities"),
            Table("lange2021-domain-pos", "BERT base", "between domains of part-of-speech tagging", "accuracy"),
            Table("lange2021-domain-time", "BERT base", "between domains of time expressions"),
            Table("lange2021-zeroshot-gum", "BERT base", "zero-shot between the domains of GUM", note=UPPER),
            Table(
                "lange2021-zeroshot-pos", "BERT base", "zero-shot between domains of tagging", "accuracy", note=UPPER
            ),
            Table("lange2021-zeroshot-time", "BERT base", "zero-shot between domains of time expressions", note=UPPER),
        ),
        sets=(Table("lange2021-sets", "BERT base", "after one source, or after several together"),),
    ),
    Family(
        name="lin2019",
        description="transfer between languages",
        citation="Lin et al. (2019), Choosing transfer languages for cross-lingual learning, ACL",
        place=f"a copy: {LANGRANK}",
        licence="none stated in the copy that was read; BSD-3-Clause of github.com/neulab/langrank",
        metric="accuracy",
        unit="as published",
        tables=(
            Table("lin2019-langrank-dep", "a BiLSTM parser", "dependency parsing, in percent", "las"),
            Table("lin2019-langrank-el", "a BiLSTM", "entity linking"),
            Table("lin2019-langrank-mt", "a neural translator", "translation into English", "bleu"),
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
            Table(f"martinez-garcia2021-{task}-{key}", model, words, metric)
            for task, words, metric in (
                ("pos", "part-of-speech tagging", "accuracy"),
                ("sentiment", "sentiment", "f1"),
            )
            for key, model in (("mbert", MBERT), ("xlmr", XLMR))
        ),
    ),
    Family(
        name="padmakumar2022",
        description="pre-finetuning on groups of tasks, then fine-tuning on the target",
        citation="Padmakumar, Lausen, Ballesteros, Zha, He & Karypis (2022), Table 1, NAACL",
        place="copied by hand from a text conversion of the paper",
        licence=FIGURES,
        metric="as printed: F1 or accuracy",
        seeds="a mean of five runs; the standard error is the printed standard deviation over the square root of five",
        caveats=("its printed averages do not recompute in the cells of question answering: look at the paper",),
        tables=(Table("padmakumar2022", XLMR),),
        sets=(Table("padmakumar2022-sets", XLMR, "sets of the groups sl, c and qa"),),
    ),
    Family(
        name="parc2021",
        description="fine-tuning image models, each an architecture trained on a data set, on each of seven data sets",
        citation="Bolya, Mittapalli & Hoffman (2021), Scalable diverse model selection, NeurIPS",
        place="github.com/dbolya/parc at ddfca43",
        licence=NO_LICENCE,
        licensed=False,
        metric="accuracy",
        other_metrics={"voc2007": "map"},
        tables=(
            Table(
                "parc2021-all",
                "several image models",
                "crowd-sourced models among them",
                note="ten trainings that failed stand as -1 in the file: they have no figure here",
            ),
            Table("parc2021-controlled", "several image models", "four architectures on eight data sets"),
        ),
    ),
    Family(
        name="sachdeva2025",
        description="fine-tuning a vision-language model on one perception task, tried on another",
        citation="Sachdeva et al. (2025), Understanding task transfer in vision-language models",
        place="github.com/Bhuvan-21/task-transfer-vlms at 56fff94",
        licence="none stated for the figures; the page of the project is under CC BY-SA 4.0",
        licensed=False,
        metric="perfection gap factor",
        unit="a share of the gap to a perfect score, negative for a loss",
        seeds="a mean of four runs",
        sharing="zero-shot",
        tables=tuple(Table(f"sachdeva2025-vlm-{size}", f"Qwen2.5-VL {size.upper()}") for size in ("3b", "7b", "32b")),
    ),
    Family(
        name="standley2020",
        description="all sets of five vision tasks, trained together",
        citation="Standley et al. (2020), Which tasks should be learned together in multi-task learning?, ICML",
        place="github.com/tstandley/taskgrouping, network_selection",
        licence="MIT",
        metric="loss",
        unit="losses",
        sharing="joint",
        better="lower",
        caveats=(
            "that s, d, n, k and e are semantic segmentation, depth, normals, keypoints and edges is our reading",
        ),
        sets=tuple(
            Table(
                f"standley2020-results{key}{split}-subsets",
                "Xception",
                f"{words}, {'test' if split else 'validation'} split",
            )
            for key, words in (
                ("", "the usual setting"),
                ("-alt", "the setting that its file calls alt"),
                ("-large", "larger networks"),
                ("-small-data", "little data"),
            )
            for split in ("", "-test")
        ),
    ),
    Family(
        name="su2022",
        description="zero-shot transfer of soft prompts between tasks",
        citation="Su et al. (2022), On transferability of prompt tuning for natural language processing, NAACL",
        place="github.com/thunlp/Prompt-Transferability at 2d15de5",
        licence="MIT",
        metric="accuracy",
        tuning="prompt",
        sharing="zero-shot",
        caveats=(
            "no transfer is a random prompt",
            "the scores of tasks of generation are called accuracy in the files too, whatever they are",
        ),
        tables=tuple(
            Table(f"su2022-prompt-{key}", model)
            for key, model in (
                ("roberta-base", "RoBERTa base"),
                ("roberta-large", "RoBERTa large"),
                ("t5-base", "T5 base"),
                ("t5-small", "T5 small"),
            )
        ),
    ),
    Family(
        name="talmor2019",
        description="zero-shot transfer of reading comprehension between data sets",
        citation="Talmor & Berant (2019), MultiQA, ACL",
        place="a table on a slide of a course",
        licence=FIGURES,
        metric="exact match",
        sharing="zero-shot",
        caveats=(
            "the slide does not name its two blocks: that they are DocQA and BERT is general knowledge of the paper",
            "the row of models trained on the target itself is an upper bound and no score without transfer: left out",
            "source multi-75k is a mixture of the data sets that are sources",
        ),
        tables=(
            Table("talmor2019-block1", "DocQA", "first block"),
            Table("talmor2019-block2", "BERT base", "second block"),
        ),
    ),
    Family(
        name="taskonomy2018",
        description="transfer between vision tasks",
        citation="Zamir, Sax, Shen, Guibas, Malik & Savarese (2018), Taskonomy, CVPR",
        place="github.com/StanfordVL/taskonomy",
        licence="MIT",
        metric="affinity",
        unit="shares",
        tables=(
            Table(
                "taskonomy2018-affinities",
                "an encoder of each task",
                "affinities from transfers of first order",
                note="entries of eigenvectors that sum to 1 over orders that are not in this table",
            ),
            Table("taskonomy2018-wins-vs-pixels", "an encoder of each task", "wins against no source", "win rate"),
            Table("taskonomy2018-wins-vs-task", "an encoder of each task", "wins against the target's own", "win rate"),
        ),
    ),
    Family(
        name="taskweb",
        description="transfers between the tasks of TaskWeb",
        citation="Kim, Asai, Ilharco & Hajishirzi (2023), TaskWeb, EMNLP",
        place="github.com/danieljkim0118/TaskWeb at 4d5b1d3",
        licence=NO_LICENCE,
        licensed=False,
        metric="accuracy",
        other_metrics={"sts-b": "pearson"},
        seeds="a mean of eight training seeds",
        caveats=(TASKWEB_NOTE, "trainings on sts-b without a score, or with 0, failed: they have no figure"),
        tables=tuple(Table(f"taskweb-{key}", model) for key, model in TASKWEB.items()),
    ),
    Family(
        name="transfergraph2024",
        description="fine-tuning image models of the hub on each of 13 data sets",
        citation="Li et al. (2024), TransferGraph",
        place="github.com/zLizy/transferability_graph, doc/records.csv",
        licence=NO_LICENCE,
        licensed=False,
        metric="accuracy",
        caveats=("nearly all figures of food101 are .99, a stand-in: they are left out",),
        tables=(Table("transfergraph2024-image", "180 image models of the hub"),),
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
            Table("urielplus2025-taxi1500", "not stated", "classification of verses, Taxi1500", "f1"),
            Table(
                "urielplus2025-xnli",
                "not stated",
                "inference, XNLI",
                note="nearly the same for every target: a warning, and no test of estimators",
            ),
        ),
    ),
    Family(
        name="valipour2019",
        description="zero-shot transfer of a probe between tasks",
        citation="Valipour et al. (2019), Unsupervised transfer learning via BERT neuron selection, Tables 2 and 3",
        place="the paper",
        licence=FIGURES,
        metric="accuracy",
        seeds="a mean of five runs, whose spread is not printed",
        tuning="frozen",
        sharing="zero-shot",
        tables=tuple(
            Table(f"valipour2019-{task}-{key}", "BERT large, frozen", f"{words}, {neurons}", note=note)
            for task, words, note in (
                ("nli", "inference to scitail and qqp", ""),
                ("sentiment", "reviews of four kinds of goods", "a printed average, 77.4, is 77.0 by its column"),
            )
            for key, neurons in (("bert-last-layer", "the last layer"), ("singletsns-500", "500 chosen neurons"))
        ),
    ),
)
