"""Tables of transfers between tasks, domains and models of text."""

from .records import FIGURES, NO_LICENCE, UPPER, XLMR, Family, Table

HUB = ("roberta-base", "bert-base-uncased", "bert-base-cased", "t5-base", "google-t5-v1-1-base")
FIVE = "five runs a figure, published one by one but sorted, so that they belong to no seed; their standard error"
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
            Table(
                "lange2021-domain-pos", "BERT base", what="between domains of part-of-speech tagging", metric="accuracy"
            ),
            Table("lange2021-domain-time", "BERT base", "between domains of time expressions"),
            *(
                Table(
                    f"lange2021-zeroshot-{key}",
                    "BERT base",
                    what=f"between {what}",
                    metric=metric,
                    note=UPPER,
                    sharing="zero-shot",
                )
                for key, what, metric in (
                    ("gum", "the domains of GUM", ""),
                    ("pos", "domains of part-of-speech tagging", "accuracy"),
                    ("time", "domains of time expressions", ""),
                )
            ),
        ),
        sets=(Table("lange2021-sets", "BERT base", "after one source, or after several together"),),
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
