"""What the stand-in for the hub holds: small repositories of our own under the ids and in the layout of the real ones.

Every sentence and every weight is made here; ids, folders, column names and the order of the classes are the real ones.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub import Hub

Files = dict[str, bytes | str]
Columns = dict[str, list]

GLUE, GLUE_COMMIT = "nyu-mll/glue", "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"
SQUAD, SQUAD_COMMIT = "rajpurkar/squad_v2", "3ffb306f725f7d2ce8394bc1873b24868140c412"
CONLL, CONLL_COMMIT = "lhoestq/conll2003", "19edcb426bfd625c275c17b9a99b2239243f4377"
SEMEVAL, SEMEVAL_COMMIT = "SemEvalWorkshop/sem_eval_2010_task_8", "5" * 40  # nobody pins it: its main is looked up
MARCO, MARCO_COMMIT = "microsoft/ms_marco", "a47ee7aae8d7d466ba15f9f0bfac3b3681087b3a"
BERT, BERT_COMMIT = "google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"
TINYBERT, TINYBERT_COMMIT = "huawei-noah/TinyBERT_General_6L_768D", "8b6152f3be8ab89055dea2d040cebb9591d97ef6"
TINYBERT_4L, TINYBERT_4L_COMMIT = "huawei-noah/TinyBERT_General_4L_312D", "34707a33cd59a94ecde241ac209bf35103691b43"

N_TRAIN, N_EVALUATION = 24, 12


def build(root: Path) -> Path:
    """Write all that the paper's runs ask for into a folder, and return it: start a `Hub` on it."""
    for kind, name, commit, files in paper():
        Hub.write(root, kind, name, commit, files)
    return root


def paper() -> list[tuple[str, str, str, Files]]:
    """Return kind, name, commit and files of each repository that the paper's runs ask for."""
    return [
        ("datasets", GLUE, GLUE_COMMIT, glue_files()),
        ("datasets", SQUAD, SQUAD_COMMIT, squad_files()),
        ("datasets", CONLL, CONLL_COMMIT, conll_files()),
        ("datasets", SEMEVAL, SEMEVAL_COMMIT, semeval_files()),
        ("datasets", MARCO, MARCO_COMMIT, marco_files()),
        ("models", BERT, BERT_COMMIT, {**bert_files(old=True), "README.md": "---\nlicense: apache-2.0\n---\n"}),
        ("models", TINYBERT, TINYBERT_COMMIT, bert_files(hidden=24, weights="bin", seed=1)),
        ("models", TINYBERT_4L, TINYBERT_4L_COMMIT, bert_files(hidden=24, weights="bin", tokenizer=False, seed=2)),
    ]


# Data sets: a README that states the features of each configuration, and a folder of parquet files for each.


def dataset_files(configs: Mapping[str, tuple[list[dict], dict[str, Columns]]], *, folder: str = "") -> Files:
    """Return the files of a data set.

    Parameters
    ----------
    configs : mapping of str to (features, splits)
        For each configuration the features as the README's YAML has them, and the columns of each split.
    folder : str
        Where the files lie; by default in a folder with the configuration's name.
    """
    import pyarrow as pa

    files: Files = {}
    infos, places = [], []
    for config, (features, splits) in configs.items():
        where = folder or config
        for split, columns in splits.items():
            files[f"{where}/{split}-00000-of-00001.parquet"] = parquet_bytes(pa.table(columns))
        sizes = [{"name": s, "num_bytes": 1000, "num_examples": len(next(iter(c.values())))} for s, c in splits.items()]
        infos.append({"config_name": config, "features": features, "splits": sizes})
        places.append({"config_name": config, "data_files": [{"split": s, "path": f"{where}/{s}-*"} for s in splits]})
    head = {"license": "other", "dataset_info": infos, "configs": places}  # JSON is YAML
    return {"README.md": f"---\n{json.dumps(head, indent=1)}\n---\n# A stand-in\n", **files}


def parquet_bytes(table: object) -> bytes:
    """Return a pyarrow table as the bytes of a parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def _plain(**dtypes: str) -> list[dict]:
    return [{"name": name, "dtype": dtype} for name, dtype in dtypes.items()]


def _classes(name: str, classes: list[str], *, each: bool = False) -> dict:
    names = {"class_label": {"names": {str(i): c for i, c in enumerate(classes)}}}
    return {"name": name, "sequence": names} if each else {"name": name, "dtype": names}


# GLUE

ENTAILMENT, PAIR = ["entailment", "not_entailment"], ("sentence1", "sentence2")
GLUE_LABELS = {
    "cola": ["unacceptable", "acceptable"],
    "sst2": ["negative", "positive"],
    "mrpc": ["not_equivalent", "equivalent"],
    "qqp": ["not_duplicate", "duplicate"],
    "mnli": ["entailment", "neutral", "contradiction"],
    "qnli": ENTAILMENT,
    "rte": ENTAILMENT,
    "stsb": None,
}
GLUE_TEXTS = {
    **dict.fromkeys(("mrpc", "rte", "stsb"), PAIR),
    **dict.fromkeys(("cola", "sst2"), ("sentence",)),
    "qqp": ("question1", "question2"),
    "mnli": ("premise", "hypothesis"),
    "qnli": ("question", "sentence"),
}


def glue_splits(config: str) -> dict[str, int]:
    """Return the splits of a configuration and their rows; the labels of `test` are hidden."""
    held_out = ["validation", "test"]
    if config == "mnli":
        held_out = [f"{split}_{which}" for split in held_out for which in ("matched", "mismatched")]
    return {"train": N_TRAIN, **dict.fromkeys(held_out, N_EVALUATION)}


def glue_columns(config: str, split: str) -> Columns:
    """Return the rows of a split: real column names, sentences of our own."""
    n, classes = glue_splits(config)[split], GLUE_LABELS[config]
    texts = {c: [f"{split} {c} number {i} of {config} is here" for i in range(n)] for c in GLUE_TEXTS[config]}
    labels = [i % len(classes) for i in range(n)] if classes else [i % 6 - 0.5 * (i % 2) for i in range(n)]
    return {**texts, "label": [-1] * n if split.startswith("test") else labels, "idx": list(range(n))}


def glue_files() -> Files:
    """Return the files of `nyu-mll/glue`."""
    configs = {}
    for config, classes in GLUE_LABELS.items():
        label = _classes("label", classes) if classes else {"name": "label", "dtype": "float64"}
        features = [*_plain(**dict.fromkeys(GLUE_TEXTS[config], "string")), label, *_plain(idx="int64")]
        configs[config] = (features, {s: glue_columns(config, s) for s in glue_splits(config)})
    return dataset_files(configs)


# SQuAD 2.0

COLOURS, THINGS, TOWNS = "red blue green".split(), "boat house lamp clock".split(), "Orlen Vasta Kirrin".split()


def squad_columns(split: str, n: int) -> Columns:
    """Return questions: every third has no answer, and in the validation split each answer stands twice."""
    contexts = [
        f"The {split} {THINGS[i % 4]} number {i} is {COLOURS[i % 3]}. It was built in {TOWNS[i % 3]} long ago."
        for i in range(n)
    ]
    answers = []
    for i, context in enumerate(contexts):
        right = [] if i % 3 == 2 else [TOWNS[i % 3]] * (1 if split == "train" else 2)
        answers.append({"text": right, "answer_start": [context.index(town) for town in right]})
    return {
        "id": [f"{split}-{i}" for i in range(n)],
        "title": ["Things"] * n,
        "context": contexts,
        "question": [f"Where was {'the boat' if i % 3 < 2 else 'the garden'} number {i} built?" for i in range(n)],
        "answers": answers,
    }


def squad_files() -> Files:
    """Return the files of `rajpurkar/squad_v2`."""
    answers = {"name": "answers", "sequence": _plain(text="string", answer_start="int32")}
    features = [*_plain(id="string", title="string", context="string", question="string"), answers]
    splits = {"train": squad_columns("train", N_TRAIN), "validation": squad_columns("validation", N_EVALUATION)}
    return dataset_files({"squad_v2": (features, splits)})


# CoNLL-2003

TAGS = "O B-PER I-PER B-ORG I-ORG B-LOC I-LOC B-MISC I-MISC".split()
CHUNKS = [
    "O",
    *(f"{place}-{kind}" for kind in "ADJP ADVP CONJP INTJ LST NP PP PRT SBAR UCP VP".split() for place in "BI"),
]
NEWS = (
    "Mira/B-PER Tolland/I-PER of/O Brackwell/B-ORG Mills/I-ORG saw/O the/O Orlenish/B-MISC cup/I-MISC in/O Vasta/B-LOC"
)


def conll_columns(split: str, n: int, tags: list[str] = TAGS) -> Columns:
    """Return sentences, each with a number of its own, cut at different lengths."""
    found: Columns = {"id": [], "tokens": [], "pos_tags": [], "chunk_tags": [], "ner_tags": []}
    for i in range(n):
        pairs = [word.rpartition("/")[::2] for word in NEWS.split()[: 4 + i % 8]]
        tokens = [*(word for word, _ in pairs), split, str(i)]
        found["id"].append(str(i))
        found["tokens"].append(tokens)
        found["pos_tags"].append([22] * len(tokens))
        found["chunk_tags"].append([0] * len(tokens))
        found["ner_tags"].append([*(tags.index(tag) for _, tag in pairs), 0, 0])
    return found


def conll_files(tags: list[str] = TAGS) -> Files:
    """Return the files of `lhoestq/conll2003`, or the same with another order of the tags."""
    features = [
        *_plain(id="string"),
        {"name": "tokens", "sequence": "string"},
        {"name": "pos_tags", "sequence": "int64"},
        _classes("chunk_tags", CHUNKS, each=True),
        _classes("ner_tags", tags, each=True),
    ]
    sizes = {"train": N_TRAIN, "validation": N_EVALUATION, "test": N_EVALUATION}
    return dataset_files(
        {"conll2003": (features, {s: conll_columns(s, n, tags) for s, n in sizes.items()})}, folder="data"
    )


# SemEval-2010 Task 8

RELATIONS = [
    *(
        f"{name}({order})"
        for name in (
            "Cause-Effect Component-Whole Content-Container Entity-Destination Entity-Origin Instrument-Agency "
            "Member-Collection Message-Topic Product-Producer"
        ).split()
        for order in ("e1,e2", "e2,e1")
    ),
    "Other",
]


def semeval_columns(split: str, n: int, more: str = "") -> Columns:
    """Return sentences with two marked nouns."""
    things = [(THINGS[i % 4], THINGS[(i + 1) % 4]) for i in range(n)]
    texts = [
        f"The <e1>{a}</e1> came from the <e2>{b}</e2> of {split} number {i}{more}." for i, (a, b) in enumerate(things)
    ]
    return {"sentence": texts, "relation": [i % len(RELATIONS) for i in range(n)]}


def semeval_files(more: str = "", n: int = N_TRAIN) -> Files:
    """Return the files of `SemEvalWorkshop/sem_eval_2010_task_8`, with `n` training rows and no validation split."""
    features = [*_plain(sentence="string"), _classes("relation", RELATIONS)]
    splits = {"train": semeval_columns("train", n, more), "test": semeval_columns("test", N_EVALUATION, more)}
    return dataset_files({"default": (features, splits)}, folder="data")


# MS MARCO


def marco_columns(split: str, n: int, *, hidden: bool = False) -> Columns:
    """Return queries with three to ten passages; the last of `train` has none, and some have no relevant one."""
    found: Columns = {c: [] for c in ("answers", "passages", "query", "query_id", "query_type", "wellFormedAnswers")}
    for i in range(n):
        size = 0 if split == "train" and i == n - 1 else 3 + i % 8
        relevant = [int(j == i % 4 and i % 5 < 4) for j in range(size)]
        found["answers"].append([f"in {TOWNS[i % 3]}"])
        found["passages"].append(
            {
                "is_selected": [-1] * size if hidden else relevant,
                "passage_text": [f"The {COLOURS[j % 3]} {THINGS[i % 4]} number {j} is here" for j in range(size)],
                "url": [f"page {j}" for j in range(size)],
            }
        )
        found["query"].append(f"where is the {split} {THINGS[i % 4]} number {i}")
        found["query_id"].append(i)
        found["query_type"].append("location")
        found["wellFormedAnswers"].append([])
    return found


def marco_files() -> Files:
    """Return the files of `microsoft/ms_marco`: v1.1, and v2.1, in whose test split relevance is hidden."""
    features = [
        {"name": "answers", "sequence": "string"},
        {"name": "passages", "sequence": _plain(is_selected="int32", passage_text="string", url="string")},
        *_plain(query="string", query_id="int32", query_type="string"),
        {"name": "wellFormedAnswers", "sequence": "string"},
    ]
    configs = {}
    for version in ("v1.1", "v2.1"):
        sizes = {"validation": N_EVALUATION, "train": N_TRAIN, "test": N_EVALUATION}
        hidden = {s: version == "v2.1" and s == "test" for s in sizes}
        configs[version] = (features, {s: marco_columns(s, n, hidden=hidden[s]) for s, n in sizes.items()})
    return dataset_files(configs)


# Models

WORDS = """
    train validation test sentence sentence1 sentence2 question question1 question2 premise hypothesis number of is here
    cola sst2 mrpc qqp mnli qnli rte stsb the a in it was built long ago where came from saw red blue green boat house
    lamp clock garden orlen vasta kirrin mira tolland brackwell mills orlenish cup dog cat old new warm cold river like
"""


def bert_files(
    *, hidden: int = 32, weights: str = "safetensors", tokenizer: bool = True, old: bool = False, seed: int = 0
) -> Files:
    """Return the files of a random BERT of 2 layers with a head for masked words and a vocabulary of its own.

    Parameters
    ----------
    hidden : int
        Its dimensions, in 4 heads.
    weights : {"safetensors", "bin"}
        Their file: `model.safetensors`, or `pytorch_model.bin` alone.
    tokenizer : bool
        Without it there is no more than the vocabulary, as in old repositories.
    old : bool
        Name the scales as BERT's own checkpoint does: `LayerNorm.gamma`.
    seed : int
        Of the weights.
    """
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [*letters, *(f"##{c}" for c in letters), *"@#.,?-", *(w for w in WORDS.split() if len(w) > 1)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]
    config = {
        "architectures": ["BertForMaskedLM"],
        "model_type": "bert",
        "vocab_size": len(vocabulary),
        "hidden_size": hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 2 * hidden,
        "max_position_embeddings": 64,
    }
    tensors = bert_tensors(len(vocabulary), hidden, seed)
    if old:
        names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        tensors = {next((n.replace(k, v) for k, v in names.items() if k in n), n): t for n, t in tensors.items()}
    files: Files = {"config.json": json.dumps(config), "vocab.txt": "\n".join(vocabulary) + "\n"}
    if weights == "bin":
        files["pytorch_model.bin"] = _pickled(tensors)
    else:
        from safetensors.numpy import save

        files["model.safetensors"] = save(tensors, {"format": "pt"})
    if tokenizer:
        head = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 64}
        files |= {"tokenizer_config.json": json.dumps(head), "tokenizer.json": _fast_tokenizer(vocabulary)}
    return files


def bert_tensors(n_words: int, hidden: int, seed: int = 0) -> dict[str, Any]:
    """Return random weights by the names of `BertForMaskedLM`, whose decoder is the embeddings' table."""
    import numpy as np

    wide = 2 * hidden
    linear = {
        f"attention.{part}": (hidden, hidden) for part in ("self.query", "self.key", "self.value", "output.dense")
    }
    linear |= {"intermediate.dense": (wide, hidden), "output.dense": (hidden, wide)}
    tables = (("word", n_words), ("position", 64), ("token_type", 2))
    shapes = {f"bert.embeddings.{name}_embeddings.weight": (rows, hidden) for name, rows in tables}
    norms = ["bert.embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
    for layer in (f"bert.encoder.layer.{i}" for i in range(2)):
        shapes |= {f"{layer}.{name}.weight": shape for name, shape in linear.items()}
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    shapes |= dict.fromkeys(("bert.pooler.dense.weight", "cls.predictions.transform.dense.weight"), (hidden, hidden))
    rng = np.random.default_rng(seed)
    tensors = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    biases = {n.replace("weight", "bias"): len(t) for n, t in tensors.items() if "embeddings" not in n}
    biases |= {f"{norm}.bias": hidden for norm in norms} | {"cls.predictions.bias": n_words}
    tensors |= {name: np.zeros(size, np.float32) for name, size in biases.items()}
    return tensors | {f"{norm}.weight": np.full(hidden, 0.9, np.float32) for norm in norms}


def _pickled(tensors: Mapping[str, Any]) -> bytes:
    import torch

    out = io.BytesIO()
    torch.save({name: torch.from_numpy(t) for name, t in tensors.items()}, out)
    return out.getvalue()


def _fast_tokenizer(vocabulary: list[str]) -> str:
    from tokenizers.implementations import BertWordPieceTokenizer

    return BertWordPieceTokenizer({word: i for i, word in enumerate(vocabulary)}, lowercase=True).to_str()
