"""A pre-trained model in its folder: its tokenizer, its body, a fresh head for each kind of task, what it cannot do.

All that differs between architectures stands here: how texts are padded, how many pieces the model can read, how its
weights come into a model with a head, and which vector stands for a text.
"""

import hashlib
from collections.abc import Collection, Sequence
from copy import copy
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogbench import UnusableData, encoder_of

from . import model_folder
from .adapters import head_of_adapter, open_adapter, tuning_of
from .heads import AT_PIECES, HEADS
from .model_folder import Pooling, quantised, sentence_pooling
from .shared_tokenizers import Words, largest_token, tokenizer_of, vocabulary_of
from .training import WHOLE, prefix_of_body, trained, transformers

if TYPE_CHECKING:
    from torch.nn import Module

KIND_OF_HEAD = {  # by how the names of transformers' classes end
    "ForSequenceClassification": "classification",
    "ForTokenClassification": "tagging",
    "ForQuestionAnswering": "extractive-qa",
}
OF_HEAD = {"relation": "classification", "regression": "classification", "reranking": "classification"}


def opened(folder: Path, layers: int | None = None, adapter: Path | None = None) -> "Pretrained":
    """Return the model of a folder; many are remembered, without weights, and the last few tokenizers."""
    paths = [path for one in (folder, adapter) if one for path in sorted(one.rglob("*")) if path.is_file()]
    state = tuple((str(path), of.st_size, of.st_ctime_ns) for path in paths for of in (path.stat(),))
    return _remembered(folder, layers, adapter, state)


@lru_cache(maxsize=256)  # a hundred checkpoints are gone through again and again
def _remembered(folder: Path, layers: int | None, adapter: Path | None, state: tuple[Any, ...]) -> "Pretrained":
    return Pretrained(folder, layers, adapter)


class Pretrained:
    """A pre-trained model of transformers in a folder.

    No code of the folder is run: an architecture that transformers does not have itself is refused.

    Parameters
    ----------
    folder : Path
        The folder with its configuration, its tokenizer and its weights.
    layers : int, optional
        Only the first so many layers.
    adapter : Path, optional
        The folder of an adapter of this model: its updates are added to the weights of the body.

    Raises
    ------
    UnusableData
        By any member, if transformers cannot open what it needs: the message says what is wrong.
    """

    def __init__(self, folder: Path, layers: int | None = None, adapter: Path | None = None) -> None:
        self.folder, self.layers, self.adapter = folder, layers, adapter

    @cached_property
    def config(self) -> Any:
        """The configuration, with the padding token of the tokenizer."""
        return self.configured()

    def configured(self, **options: Any) -> Any:
        """Return the configuration with these options, and with the padding token of the tokenizer."""
        depth = {"num_hidden_layers": self.layers} if self.layers else {}
        try:
            config = transformers().AutoConfig.from_pretrained(self.folder, trust_remote_code=False, **depth, **options)
        except Exception as error:  # transformers raises errors of any kind of what is damaged
            raise self._unreadable("architecture", error) from error
        model_folder.refuse_impossible(self.folder, config)
        self._pad(config)
        return config

    def _pad(self, config: Any) -> None:
        for part in {id(c): c for c in (config, config.get_text_config())}.values():
            part.pad_token_id = self.tokenizer.pad_token_id

    @cached_property
    def _words(self) -> Words:
        return Words(self.folder)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer. It pads on the right, where pieces can be counted, and reads special tokens in a text as text.

        A tokenizer without a padding token pads with its end of text: padding is masked, so any token would do.
        """
        try:
            tokenizer = tokenizer_of(self._words)
            tokenizer("a \u2603")  # a damaged one fails at the first sign that it does not know
            if len(tokenizer) <= len({*tokenizer.all_special_ids}):  # transformers makes one of nothing
                raise ValueError(model_folder.NO_WORDS)
        except Exception as error:  # tokenizers raise plain ones
            raise self._unreadable("tokenizer", error) from error
        longest, least = tokenizer.model_max_length, tokenizer.num_special_tokens_to_add(pair=True) + 2
        if not isinstance(longest, int | float) or not longest >= least:
            fault = ValueError(f"model_max_length is {longest!r:.40}; a pair of texts takes {least} or more.")
            raise self._unreadable("tokenizer", fault)
        tokenizer.padding_side, tokenizer.split_special_tokens = "right", True
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        if tokenizer.pad_token_id is None:
            raise UnusableData(
                f"model folder {str(self.folder)!r}: its tokenizer has neither a padding token nor an end of text; "
                "name one as pad_token in tokenizer_config.json."
            )
        return tokenizer

    def tokenizer_for(self, kind: str) -> Any:
        """Return the tokenizer for a kind of task: it pads on the left where the head reads the last piece (XLNet)."""
        if getattr(self.config, "summary_type", None) != "last" or kind in AT_PIECES:
            return self.tokenizer
        tokenizer = copy(self.tokenizer)
        tokenizer.padding_side = "left"
        return tokenizer

    @cached_property
    def causal(self) -> bool:
        """Whether a piece sees only the pieces before it, so that its first state is the same for all texts."""
        from transformers.models.auto import modeling_auto as mappings

        config = type(self.config)
        decoder = config in mappings.MODEL_FOR_CAUSAL_LM_MAPPING and config not in mappings.MODEL_FOR_MASKED_LM_MAPPING
        return (decoder or getattr(self.config, "is_decoder", False)) and not self.config.is_encoder_decoder

    @cached_property
    def pooling(self) -> Pooling:
        """What stands for a text by the model's own account.

        It is what sentence-transformers' modules.json names; else the last piece of a causal model, and the first piece
        of another.
        """
        return sentence_pooling(self.folder) or ("last" if self.causal else "cls")

    @cached_property
    def positions(self) -> int | None:
        """How many pieces the model can read at once; None if its architecture sets no limit."""
        return model_folder.positions_of(self._outline, self.config)

    def unsuitable(self, kind: str) -> str | None:
        """Return why the model cannot be trained on a kind of task, or None if it can."""
        if reason := self.unreadable:
            return reason
        if self.adapter and tuning_of(self.adapter) == "prompt":
            return "it is a prompt in front of a model; trainings go on from a prompt within a run with tuning=prompt"
        config, tokenizer = self.config, self.tokenizer
        if type(config) not in self._heads(kind):
            return f"transformers has no head for {kind} on the architecture {config.model_type!r}"
        head = self._heads(kind)[type(config)]
        if kind in AT_PIECES and not tokenizer.is_fast:
            return f"{kind} needs to know where pieces stand in a text, which its slow tokenizer does not tell"
        in_two = type(config)().is_encoder_decoder and head.__name__.endswith("ForSequenceClassification")
        if in_two and config.eos_token_id not in tokenizer("a")["input_ids"]:
            return f"its head for {kind} reads at the end of text, which its tokenizer does not add"
        if in_two and self._encoder_alone:
            return f"its head for {kind} reads a decoder, and the folder holds the encoder alone"
        if config.model_type == "longformer" and kind == "extractive-qa":
            if tokenizer("a", "b")["input_ids"].count(config.sep_token_id) != 3:
                return "its head for extractive-qa wants three separators a pair, which its tokenizer does not write"
        return None

    @cached_property
    def unreadable(self) -> str | None:
        """Why the model cannot be read with its tokenizer, or None."""
        if reason := quantised(self.folder):
            return reason
        rows, largest = self._embedded, largest_token(self._words)
        if rows is None or largest < rows:
            return None
        return (
            f"its tokenizer numbers tokens up to {largest}, and the model embeds {rows}; resize its embeddings "
            "(`resize_token_embeddings(len(tokenizer))`) and save it again"
        )

    def body(self) -> tuple["Module", set[str]]:
        """Return the model without a head, in single precision, and the names of weights that the folder lacks.

        A pooler is not among them, for many checkpoints have none: it is a part of the head, and drawn afresh.
        """
        model, missing = self.loaded()
        return model, {name for name in missing if not _is_pooler(name)}

    def encoder(self) -> "Module":
        """Return the model that represents texts: the body, or the encoder of an encoder-decoder."""
        model, missing = self.body()
        encoder = encoder_of(model)
        lacking = missing & ({f"encoder.{name}" for name in encoder.state_dict()} if encoder is not model else missing)
        model_folder.refuse_lacking(self.folder, lacking, encoder)
        return encoder

    def with_head(self, kind: str, classes: Sequence[str], seed: int) -> Any:
        """Return the folder's body and a fresh head of a kind of task, drawn by a seed, in single precision.

        The head is fresh although the folder may hold one: that one answers another task, or other classes.
        """
        if reason := self.unsuitable(kind):
            raise UnusableData(f"model folder {str(self.folder)!r}: {reason}.")
        names = list(classes) or (["start", "end"] if kind == "extractive-qa" else [kind])
        config = self.configured(id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)})
        config.problem_type = HEADS[kind].problem
        return self.under(self._heads(kind)[type(config)], config, seed)[0]

    def under(self, head: Any, config: Any, seed: int = 0) -> tuple[Any, set[str]]:
        """Return the folder's body under a fresh head, a class of transformers, and the names of what a seed drew."""
        import torch

        body, missing = self.loaded()
        with torch.device("meta"):
            prefix = prefix_of_body(head(config))
        weights = {prefix + name: values for name, values in body.state_dict().items() if name not in missing}
        torch.manual_seed(seed)
        model, report = head.from_pretrained(
            None, config=config, state_dict=weights, dtype="float32", output_loading_info=True
        )
        drawn = {*report["missing_keys"]}
        lacking = drawn & {prefix + name for name in body.state_dict()}
        model_folder.refuse_lacking(self.folder, {name for name in lacking if not _is_pooler(name)}, body)
        return model, drawn

    def head_weights(self, model: Any) -> list[str]:
        """Return the names of the weights of a model, with weights or without, that are not of the body."""
        body = {prefix_of_body(model) + name for name in (*self._outline.state_dict(), "prompt")}
        return [name for name, _ in model.named_parameters() if name not in body]

    @cached_property
    def head_kind(self) -> str | None:
        """The kind of task that the folder's head answers; None for a body alone, or a head of another kind.

        A sequence classifier with one output is taken for one of regression: its configuration knows no reranking.
        """
        architecture, config = self._answering
        kind = next((kind for end, kind in KIND_OF_HEAD.items() if architecture.endswith(end)), None)
        if kind == "classification" and (config.num_labels == 1 or config.problem_type == "regression"):
            return "regression"
        return kind

    @cached_property
    def base(self) -> str:
        """What models share whose weights can be compared one by one: architecture, sizes of weights, vocabulary."""
        sizes = sorted((name, tuple(weight.shape)) for name, weight in self._outline.state_dict().items())
        return hashlib.sha256(repr((self.config.model_type, sizes, vocabulary_of(self._words))).encode()).hexdigest()

    def columns_of(self, kind: str, classes: Sequence[str]) -> list[int] | None:
        """Return which output of the folder's head stands for each class; None where outputs stand for no classes.

        Raises
        ------
        UnusableData
            If the head answers another kind of task, or has other classes.
        """
        (architecture, config), folder = self._answering, self.adapter or self.folder
        if not architecture.endswith(tuple(e for e, k in KIND_OF_HEAD.items() if k == OF_HEAD.get(kind, kind))):
            raise UnusableData(f"model folder {str(folder)!r} has no head for {kind}.")
        n_outputs = config.num_labels
        if not classes:
            if kind in ("regression", "reranking") and n_outputs != 1:
                raise UnusableData(f"model folder {str(folder)!r}: its head has {n_outputs} outputs, not one.")
            return None
        return model_folder.columns_of_classes(folder, config.id2label, classes)

    def whole(self) -> Any:
        """Return the folder's model with its own head, in single precision, and with the tokenizer's padding token.

        A folder that does not say which head it has is a body alone.

        Raises
        ------
        UnusableData
            If weights of it are missing.
        """
        if self.adapter:
            return open_adapter(self.adapter, self.base_of_adapter)
        model = trained(self.folder) if self.architecture else self.encoder()
        self._pad(model.config)
        return model

    def is_of(self, folder: Path) -> bool:
        """Whether the files of the model itself are in this folder, and not those of a training of it."""
        return folder == (self.adapter or self.folder)

    @property
    def architecture(self) -> str:
        """The class that the folder was saved of; empty where it is not said."""
        return next(iter(self.config.architectures or ()), "")

    @property
    def base_of_adapter(self) -> "Pretrained":
        """The model of the folder without the adapter."""
        return Pretrained(self.folder, self.layers)

    @cached_property
    def _answering(self) -> tuple[str, Any]:
        """The class that answers, empty where there is none, and its configuration: the adapter's, or the folder's."""
        if self.adapter is None:
            return self.architecture, self.config
        head = head_of_adapter(self.adapter, self.base_of_adapter)
        return (head[0].__name__, head[1]) if head else ("", self.config)

    def take_body(self, model: Any, source: Any) -> None:
        """Give a model the weights of another one's body; weights that the other lacks stay as they are."""
        names = {*self._outline.state_dict()}
        weights = body_weights(source, names)
        own = {prefix_of_body(model) + name: values for name, values in weights.items()}
        model.load_state_dict(own, strict=False)

    def head_modules(self, model: Any) -> list[str]:
        """Return the names of the modules of a model that are its head: what is not of the body, and poolers."""
        beside = {name.partition(".")[0] for name in self.head_weights(model)}
        poolers = {name for name, module in model.named_modules() if _is_pooler(name) and [*module.parameters()]}
        return sorted(beside | {name for name in poolers if not _is_pooler(name.rpartition(".")[0])})

    def outline_with_head(self, kind: str) -> Any:
        """Return the model for a kind of task without weights, to be asked for the names of its layers."""
        import torch

        with torch.device("meta"):
            return self._heads(kind)[type(self.config)](self.config)

    def loaded(self) -> tuple["Module", set[str]]:
        """Return the model without a head, in single precision, and the names of all weights that the folder lacks."""
        if self.adapter is not None:
            missing = self.base_of_adapter.loaded()[1]
            return open_adapter(self.adapter, self.base_of_adapter, whole=False).base_model, missing
        if reason := quantised(self.folder):
            raise UnusableData(f"model folder {str(self.folder)!r}: {reason}.")
        body, encoders, config = transformers().AutoModel, transformers().AutoModelForTextEncoding, self.config
        if self._encoder_alone and type(config) in encoders._model_mapping:
            body = encoders
        try:
            model, report = body.from_pretrained(self.folder, config=config, **WHOLE)
        except Exception as error:  # and safetensors those of its own
            raise self._unreadable("weights", error) from error
        model_folder.refuse_unlike(self.folder, report["mismatched_keys"])
        return model, {*report["missing_keys"]}

    @property
    def _encoder_alone(self) -> bool:
        """Whether the folder holds the encoder of an encoder-decoder, as T5EncoderModel is saved."""
        return any(name.endswith("EncoderModel") for name in self.config.architectures or ())

    @property
    def size(self) -> int:
        """The bytes of the body's weights, in single precision."""
        return 4 * sum(weight.numel() for weight in self._outline.parameters())

    @cached_property
    def _outline(self) -> "Module":
        """The body without its weights."""
        import torch

        config = self.config
        try:
            with torch.device("meta"):
                return transformers().AutoModel.from_config(config, trust_remote_code=False)  # type: ignore[no-any-return]
        except Exception as error:  # sizes that fit no model
            raise self._unreadable("architecture", error) from error

    @property
    def _embedded(self) -> int | None:
        """How many tokens the model embeds; None where it has no table of tokens, as CANINE."""
        try:
            table: Any = self._outline.get_input_embeddings()  # type: ignore[operator]
            return int(table.weight.shape[0])
        except (NotImplementedError, AttributeError):
            return None

    def _heads(self, kind: str) -> Any:
        """Return transformers' classes for a kind of task by the class of the configuration."""
        return getattr(transformers(), HEADS[kind].model)._model_mapping

    def _unreadable(self, part: str, error: Exception) -> UnusableData:
        return model_folder.unreadable(self.folder, part, error)


def body_weights(model: Any, names: Collection[str]) -> dict[str, Any]:
    """Return the weights of a model's body by their names in the body, of these names."""
    prefix = prefix_of_body(model)
    weights = {name.removeprefix(prefix): v for name, v in model.state_dict().items() if name.startswith(prefix)}
    return {name: values for name, values in weights.items() if name in names}


def _is_pooler(name: str) -> bool:
    return "pooler" in name.split(".")
