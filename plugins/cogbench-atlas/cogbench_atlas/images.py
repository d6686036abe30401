"""Tables of transfers between tasks and models of images."""

from .records import NO_LICENCE, Family, Table

FAMILIES = (
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
            Table(
                "taskonomy2018-wins-vs-pixels",
                "an encoder of each task",
                what="wins against no source",
                metric="win rate",
            ),
            Table(
                "taskonomy2018-wins-vs-task",
                "an encoder of each task",
                what="wins against the target's own",
                metric="win rate",
            ),
        ),
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
)
