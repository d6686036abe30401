"""Backbones from the hub, a local folder or an installed package, trained by transformers' Trainer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

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
)

from .adapters import PACKAGES, base_of_adapter, is_adapter, layers_of_base, open_checkpoint, tuning_of
from .costs import TrainingCosts
from .heads import HEADS, batch, encode, encoded, outputs_of_rows, row, vectors_of_rows
from .masked import MaskedTraining
from .model_folder import read_json
from .pretrained import Pretrained, opened
from .settings import Tuning, refuse_senseless, usual_settings
from .together import fit_together
from .training import device, fit, give_back_memory, start_at_mean
from .tunings import TuningMethod

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

SENTENCE = 128  # pieces of a stimulus


@dataclass(frozen=True)
class HuggingFace(MaskedTraining, TrainingCosts):
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
    epochs, batch_size, learning_rate, max_length, min_steps, accumulation, gradient_checkpointing
        Replace the settings for all kinds of task.
    tuning : {"full", "lora", "prompt"}
        Which weights move: all; low-rank updates of some layers (Hu et al., 2022); or vectors in front of each text
        (Lester et al., 2021). The head and a pooler always do. A checkpoint of the latter two is an adapter as PEFT
        writes it, without the model that it belongs to. After a source the target starts from the body with the
        source's updates, or from the source's prompt (Vu et al., 2022), and with a fresh head.
    lora_rank, lora_alpha : int
        Of the updates, which are multiplied by alpha / rank; with an alpha of 0 the head alone is trained.
    lora_targets : tuple of str
        Names of the layers that are updated, or the ends of their names. None named: those of PEFT's table for the
        architecture, or where it has none all linear layers.
    prompt_tokens : int
        How many vectors a prompt has.

    References
    ----------
    Hu et al. (2022), LoRA: low-rank adaptation of large language models, ICLR.
    Lester, Al-Rfou & Constant (2021), The power of scale for parameter-efficient prompt tuning, EMNLP.
    Vu et al. (2022), SPoT: better frozen model adaptation through soft prompt transfer, ACL.
    """

    # Raise it whenever trainings or representations give other numbers: it stands in keys in place of this code.
    answers: ClassVar[int] = 2

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
    tuning: Tuning = "full"
    lora_rank: int = TuningMethod.lora_rank
    lora_alpha: int = TuningMethod.lora_alpha
    lora_targets: tuple[str, ...] = ()
    prompt_tokens: int = TuningMethod.prompt_tokens
    accumulation: int | None = None
    gradient_checkpointing: bool | None = None

    def __post_init__(self) -> None:
        _ = self.method  # it refuses what makes no sense
        refuse_senseless(self)

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
        _, origin = self.folder(files)
        config = read_json(self.pretrained(files).folder / "config.json")
        for option, key in {"layers": "num_hidden_layers", "max_length": "max_position_embeddings"}.items():
            wanted, most = getattr(self, option), config.get(key)
            if wanted is not None and not 0 < wanted <= (most or wanted):
                raise UnusableData(f"backbone {self.name!r}: {option}={wanted}, but the model's {key} are {most}.")
        self.method.refuse_idle(self.name)
        if self.pooling == "cls":  # a first token that says nothing is told before anything is trained
            self.pooling_of("auto", files)
        return origin

    def settings(self, kind: str, n_examples: int) -> Settings:
        """Return the paper's Table 4 for full data, settings that teach for few examples or a small model."""
        usual = usual_settings(kind, n_examples, self.size, paper=self.paper, tuning=self.tuning)
        own = {f.name: getattr(self, f.name, None) for f in fields(Settings)}
        settings = replace(usual, **{name: value for name, value in own.items() if value is not None})
        if settings.accumulation < 1 or settings.batch_size % settings.accumulation:
            raise UnusableData(
                f"backbone {self.name!r}: a batch of {settings.batch_size} rows cannot go through a model in "
                f"{settings.accumulation} equal pieces; accumulation must divide batch_size."
            )
        return settings

    def train(self, recipe: Recipe, files: Files, out: Path, start: Checkpoint | None = None) -> Checkpoint:
        """Fine-tune with AdamW, batches of like lengths and a linear schedule; keep the model, or its adapter."""
        settings, tokenizer = recipe.settings, self.tokenizer(files, recipe.task.kind)
        assert settings is not None
        train = recipe.task.load("train", files).sample(recipe.max_train)
        model = self.fresh(train, recipe.seed, files, start)
        rows = encoded(tokenizer, train, self.limit(settings.max_length, files)).rows
        pretrained, method = self.pretrained(files), self.method
        model = method.prepare(model, pretrained, settings, recipe.seed, start)
        steps = fit(model, tokenizer, rows=rows, settings=settings, seed=recipe.seed, out=out)
        model.config.task = recipe.task.name  # a teacher says what it has learned
        base = (None, None) if Path(self.address).is_dir() else (self.address, self.revision)
        model = method.keep(model, pretrained, out, base, start)
        return self.finished(model, steps, recipe, files, out)

    def train_together(
        self, models: Sequence[Any], datasets: Sequence[Dataset], settings: Sequence[Settings], *rest: Any, **how: Any
    ) -> None:
        """Train several models at once, in place, as `cogbench.TrainsTogether` says."""
        files = how.pop("files")
        tokenizers = [self.tokenizer(files, data.kind) for data in datasets]
        limits = [self.limit(one.max_length, files) for one in settings]
        rows = [encoded(*each).rows for each in zip(tokenizers, datasets, limits, strict=True)]
        fit_together(models, tokenizers, rows, settings, *rest, **how)

    def fresh(self, train: Dataset, seed: int, files: Files, start: Checkpoint | None = None) -> Any:
        """Return the model before a training: the encoder of `start` or the pre-trained one, and a head by the seed."""
        # The fresh head. After a source it is another than the source's first one: the encoder has learned to answer
        # through that, and would begin with the source's answers, right or wrong by the order of the classes.
        pretrained = self.pretrained(files)
        model = pretrained.with_head(train.kind, train.labels, seed if start is None else 2**31 + seed)
        if start is not None:
            if self.tuning != "prompt" and tuning_of(start.folder) == "prompt":
                raise UnusableData(f"backbone {self.name!r}: after a source with a prompt, take tuning=prompt.")
            # What the source's model lacks, such as a pooler or a decoder, stays the pre-trained model's.
            pretrained.take_body(model, open_checkpoint(start.folder, pretrained))
        start_at_mean(model, train)
        return model

    def finished(self, model: Any, steps: int, recipe: Recipe, files: Files, out: Path) -> Checkpoint:
        """Return the checkpoint of a trained model: save it, and have it answer the evaluation split."""
        task, settings, tokenizer = recipe.task, recipe.settings, self.tokenizer(files, recipe.task.kind)
        assert settings is not None
        train, evaluation = task.load("train", files).sample(recipe.max_train), task.load("evaluation", files)
        limit = self.limit(settings.max_length, files)
        encoding = encoded(tokenizer, evaluation, limit)
        outputs = HEADS[task.kind].outputs(
            outputs_of_rows(model, tokenizer, encoding.rows), evaluation, encoding.places
        )
        give_back_memory()
        cut = encoded(tokenizer, train, limit).cut + encoding.cut
        if not is_adapter(out):  # an adapter is saved, and its base has the tokenizer
            model.save_pretrained(out)
            tokenizer.save_pretrained(out)  # so that anybody can open the folder, as a checkpoint too
        notes = (f"of {cut} texts longer than {limit} pieces the rest was not read",) if cut else ()
        return Checkpoint(out, outputs, steps=steps, notes=notes)

    def count_rows(self, dataset: Dataset, settings: Settings, files: Files) -> int:
        """Return how many rows a training reads of a data set."""
        limit = self.limit(settings.max_length, files)
        return len(encoded(self.tokenizer(files, dataset.kind), dataset, limit).rows["input_ids"])

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: Files) -> Array:
        """Return (n_sentences, n_dims) float32 of the last layer; encoded in order of length."""
        return self.vectors(self._encoder(checkpoint, files), sentences, files)

    def vectors(self, encoder: Any, sentences: tuple[str, ...], files: Files) -> Array:
        """Return (n_sentences, n_dims) float32 of an encoder as it is."""
        tokenizer, pooling = self.tokenizer(files), self.pooling_of("auto", files)
        rows = dict(encode(tokenizer, sentences, limit=self.limit(SENTENCE, files)))
        return vectors_of_rows(encoder, tokenizer, rows=rows, pooling=pooling)

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

    def trained_like(self, other: Backbone) -> "HuggingFace":
        """Return this model with the tuning and the settings of another backbone of transformers."""
        if not isinstance(other, HuggingFace):
            return self
        own = ("name", "address", "revision", "package", "layers", "pooling")
        return replace(self, **{f.name: getattr(other, f.name) for f in fields(self) if f.name not in own})

    def unreadable(self, files: Files) -> str | None:
        """Return why nothing can be read with the model, or None."""
        return self.pretrained(files).unreadable

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
        encoding = encoded(tokenizer, dataset, limit)
        outputs = outputs_of_rows(model, tokenizer, encoding.rows)
        if columns is not None:
            outputs = [values[..., columns] for values in outputs]
        return HEADS[dataset.kind].outputs(outputs, dataset, encoding.places)

    def unsuitable(self, kind: str, files: Files) -> str | None:
        """Return why the model cannot be trained on a kind of task, or None if it can."""
        pretrained = self.pretrained(files)
        return pretrained.unsuitable(kind) or self.method.impossible_because(pretrained, kind)

    def model(self, checkpoint: Checkpoint | None, files: Files) -> "Module":
        """Return the trained module with its head, or the bare encoder."""
        return self._encoder(None, files) if checkpoint is None else self._trained(checkpoint, files)

    def batches(self, dataset: Dataset, files: Files) -> Iterator[Mapping[str, "Tensor"]]:
        """Yield batches of 32 rows in the order of the examples; an example has several if it is long or a list."""
        place, tokenizer = device(), self.tokenizer(files, dataset.kind)
        limit = self.limit(self.settings(dataset.kind, len(dataset)).max_length, files)
        rows = encoded(tokenizer, dataset, limit).rows
        n_rows = len(rows["input_ids"])
        for start in range(0, n_rows, 32):
            some = (row(rows, i) for i in range(start, min(start + 32, n_rows)))
            yield {k: v.to(place) for k, v in batch(tokenizer, some).items()}

    def folder(self, files: Files) -> tuple[Path, Origin]:
        """Return where the model's files are, and its origin."""
        if not self.address:
            raise MissingData(f"backbone {self.name!r} stands for any hub id or folder: name one with --backbone.")
        folder, origin = files.model(self.address, self.revision, package=self.package)
        if is_adapter(folder):
            origin = replace(origin, revision=f"{origin.revision} of {base_of_adapter(folder, files)[1].revision}")
        return folder, origin

    def adapted(self, files: Files) -> Origin | None:
        """Return the origin of the model that the adapter in the model's files belongs to; None if it is no adapter."""
        folder, _ = self.folder(files)
        return base_of_adapter(folder, files)[1] if is_adapter(folder) else None

    def limit(self, wanted: int, files: Files) -> int:
        """Return how many pieces a row may have: as wanted, but no more than the model can read."""
        pretrained, prompt = self.pretrained(files), self.prompt_tokens if self.tuning == "prompt" else 0
        return int(min(wanted, (pretrained.positions or 10**9) - prompt, pretrained.tokenizer.model_max_length))

    def pretrained(self, files: Files) -> Pretrained:
        """Return the model that is trained."""
        folder, _ = self.folder(files)
        if not is_adapter(folder):
            return opened(folder, self.layers)
        return opened(base_of_adapter(folder, files)[0], self.layers or layers_of_base(folder), folder)

    def tokenizer(self, files: Files, kind: str | None = None) -> Any:
        """Return the model's own tokenizer, for a kind of task or for sentences."""
        pretrained = self.pretrained(files)
        return pretrained.tokenizer_for(kind) if kind else pretrained.tokenizer

    def _encoder(self, checkpoint: Checkpoint | None, files: Files) -> Any:
        pretrained = self.pretrained(files)
        if checkpoint is None or pretrained.is_of(checkpoint.folder):
            return pretrained.encoder().eval().to(device())
        return encoder_of(self._trained(checkpoint, files))

    def _trained(self, checkpoint: Checkpoint, files: Files) -> Any:
        pretrained = self.pretrained(files)
        own = pretrained.is_of(checkpoint.folder)
        return (pretrained.whole() if own else open_checkpoint(checkpoint.folder, pretrained)).eval().to(device())

    @property
    def method(self) -> TuningMethod:
        return TuningMethod(**{option.name: getattr(self, option.name) for option in fields(TuningMethod)})


MINILM_ID = "sentence-transformers/all-MiniLM-L6-v2"
MINILM = {
    "address": MINILM_ID,
    "revision": "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
    "package": PACKAGES[MINILM_ID],
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
