"""Features of examples: what a model makes of a task's examples, computed once for all estimators that ask for it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..data.dataset import Array, draw_rows
from ..data.features import AnswerKind, FeatureOptions, Features, WeightChange, sketch
from ..data.files import Files
from ..errors import UnusableData
from ..parts.interfaces import Backbone, Estimator
from ..parts.recipe import Checkpoint, Task
from ..storage.foreign import read_arrays
from ..text import slug
from .adaptation import adaptations, ready
from .cells import GivenTraining, Training, key_of_sample
from .workspace import Cell, Workspace

if TYPE_CHECKING:
    from torch import Tensor

CHOOSING = frozenset({"classification", "relation", "tagging"})  # kinds whose head chooses one class an example
AT_TOKENS = frozenset({"tagging", "extractive-qa"})  # kinds whose answers stand at tokens
ANSWERS = frozenset({"labels", "start_positions", "end_positions"})  # what batches hold beside the model's inputs
NO_ANSWER = -100  # the label of a token that is not asked for, as torch has it


@dataclass(frozen=True)
class FeatureExtraction:
    """A task's training examples as the model of a training sees them, or the bare backbone where there is none."""

    of_estimator: ClassVar[bool] = True
    backbone: Backbone
    training: Training | GivenTraining | None
    task: Task
    options: FeatureOptions
    max_train: int | None = None  # the training examples that the task's own training saw

    @property
    def place(self) -> str:
        model = self.training.place if self.training else f"{slug(self.backbone.name)}/bare"
        return f"{model}/features-{slug(self.task.name)}"

    def inputs(self, workspace: Workspace) -> tuple[Cell, ...]:
        return (*((self.training,) if self.training else ()), *adaptations(self.backbone))

    def ingredients(self, workspace: Workspace) -> dict[str, Any]:
        train = workspace.dataset(self.task, "train")
        options = self.pooled_options(workspace.files)
        examples, seed = options.examples, options.seed
        topped_up = train.is_topped_up(self.max_train) or train.sample(self.max_train).is_topped_up(examples, seed)
        given = isinstance(self.training, GivenTraining)  # then its key says which model it is
        parts = () if given else (self.backbone, self.backbone.origin(workspace.files))
        return {
            "backbone": [workspace.identity(part) for part in parts],
            "options": workspace.identity(options),
            "data": train.sha256,
            "max_train": self.max_train,
            **key_of_sample(topped_up),
            **({"rows": "drawn"} if self.has_many_rows and options.pooling != "auto" else {}),
        }

    @property
    def has_many_rows(self) -> bool:
        """Whether an example can have several rows."""
        return self.task.kind == "reranking" or self.task.kind in AT_TOKENS

    def compute(self, workspace: Workspace, out: Path) -> None:
        chooses = self.training is not None and self.training.task.kind in CHOOSING
        # A checkpoint that somebody has is opened as a pre-trained model, unless its head chooses classes.
        given = self.training if chooses or not isinstance(self.training, GivenTraining) else None
        backbone = ready(self.backbone, workspace)
        model = opened(backbone, given.checkpoint(workspace) if given else None, workspace)
        if not chooses:
            model = encoder_of(model)
        dataset = workspace.dataset(self.task, "train").sample(self.max_train)
        options = self.pooled_options(workspace.files)
        dataset = dataset.sample(options.examples, options.seed)
        features = extract_features(model, backbone.batches(dataset, workspace.files), options)
        arrays: dict[str, Any] = vars(features)
        np.savez(out / "features.npz", **arrays)

    def pooled_options(self, files: Files) -> FeatureOptions:
        """Return the options with the backbone's own pooling in place of "auto", unless answers stand at tokens.

        Raises
        ------
        UnusableData
            If the pooling says nothing of the backbone's texts.
        """
        at_tokens = self.task.kind in AT_TOKENS and self.options.pooling == "auto"
        return self.options if at_tokens else with_pooling(self.options, self.backbone, files)

    def features(self, workspace: Workspace) -> Features:
        """Return the features, computing them if need be."""
        arrays = read_arrays(workspace.folder(self) / "features.npz")
        return Features(**{**arrays, "answer_kind": str(arrays["answer_kind"])})


def feature_options(estimator: Estimator) -> list[FeatureOptions]:
    """Return the options of features among an estimator's fields."""
    values: list[Any] = [getattr(estimator, f.name) for f in fields(estimator)] if is_dataclass(estimator) else []
    return [value for value in values if isinstance(value, FeatureOptions)]


def with_pooling(options: FeatureOptions, backbone: Backbone, files: Files) -> FeatureOptions:
    """Return the options with the backbone's own pooling in place of "auto"; a backbone without a say has "cls"."""
    pooling_of = getattr(backbone, "pooling_of", None)
    pooling = pooling_of(options.pooling, files) if pooling_of else options.pooling
    return replace(options, pooling="cls" if pooling == "auto" else pooling)


def extract_features(model: Any, batches: Iterable[Mapping[str, "Tensor"]], options: FeatureOptions) -> Features:
    """Run batches through a model and return what it makes of them; `options` says which hidden states.

    Parameters
    ----------
    model : torch module
        `model(**inputs, output_hidden_states=True)` gives `hidden_states` and, if it has a head, `logits`.
    batches : iterable of mappings
        Encoded examples with their answers.
    options : FeatureOptions
    """
    import torch

    batches = list(batches)
    examples = _examples(batches, options)
    pooling = "cls" if options.pooling == "auto" else options.pooling
    values, probabilities, layer_sizes = np.empty((0, 0), np.float32), np.empty((0, 0)), np.empty(0, int)
    inputs = [{name: value for name, value in batch.items() if name not in ANSWERS} for batch in batches]
    for rows, batch in batches_of_like_lengths(inputs, np.unique(examples.rows)):
        mask = batch.get("attention_mask")
        with torch.inference_mode():
            out = model(**batch, output_hidden_states=True)
        states = states_of(out, mask)
        states = states[1:] if options.layers == "all" else states[-1:]
        here = np.flatnonzero(np.isin(examples.rows, rows))  # which examples are in this batch, (n,)
        order = np.argsort(rows)
        at = order[np.searchsorted(rows, examples.rows[here], sorter=order)]  # and in which of its rows
        if examples.tokens is None:
            layers = [pooled(s, mask, pooling)[at] for s in states]
        else:
            layers = [s[at, examples.tokens[here]].float().cpu().numpy() for s in states]
        chances = _probabilities(out, at, None if examples.tokens is None else examples.tokens[here])
        if not len(values):
            layer_sizes = np.array([layer.shape[1] for layer in layers])
            values = np.empty((len(examples.rows), layer_sizes.sum()), np.float32)
            probabilities = np.empty((len(examples.rows), chances.shape[1]))
        values[here], probabilities[here] = np.concatenate(layers, axis=1), chances
    return Features(
        values=values,
        layer_sizes=layer_sizes,
        answers=examples.answers,
        answer_kind=examples.answer_kind,
        probabilities=probabilities,
    )


def batches_of_like_lengths(
    batches: "Sequence[Mapping[str, Tensor]]", rows: Array | None = None, size: int | None = None
) -> "Iterator[tuple[Array, dict[str, Tensor]]]":
    """Yield the rows of batches in batches of like lengths, which have less padding, with the rows' numbers.

    Where padding does not stand behind the text, the rows keep their order and their padding.

    Parameters
    ----------
    batches : sequence of mappings
        Encoded rows, with or without their answers.
    rows : array of shape (n_rows,), optional
        The numbers of the wanted rows, counted through all batches; by default all.
    size : int, optional
        How many rows a batch has; by default as many as the largest of `batches`.
    """
    import torch

    counts = [len(next(iter(batch.values()))) for batch in batches]
    starts = np.cumsum([0, *counts])
    size = size or max(counts, default=1)
    wanted = np.arange(starts[-1]) if rows is None else rows
    masks = [batch.get("attention_mask") for batch in batches]
    if any(mask is None or mask.ndim != 2 or (mask.diff(dim=1) > 0).any() for mask in masks):
        for start, count, batch in zip(starts, counts, batches, strict=False):
            inside = np.sort(wanted[(wanted >= start) & (wanted < start + count)])
            for first in range(0, len(inside), size):
                some = inside[first : first + size]
                yield some, {name: value[some - start] for name, value in batch.items()}
        return
    lengths = np.concatenate([np.empty(0, int), *(mask.sum(dim=1).cpu().numpy() for mask in masks if mask is not None)])
    ordered = wanted[np.argsort(lengths[wanted], kind="stable")]
    at_tokens = [k for k, v in batches[0].items() if v.ndim > 1] if batches else []
    filler: dict[str, Any] = {"labels": NO_ANSWER}
    for batch in batches:
        padding = batch["attention_mask"] == 0
        at_tokens = [name for name in at_tokens if batch[name].shape[:2] == padding.shape]
        # The number of the padding token stands where the mask is 0.
        filler |= {k: v[padding][0].item() for k, v in batch.items() if v.shape == padding.shape and padding.any()}
    for first in range(0, len(ordered), size):
        some = ordered[first : first + size]
        places = [(b := int(np.searchsorted(starts, row, side="right")) - 1, int(row - starts[b])) for row in some]
        batch = {}
        for name in batches[0]:
            each = [batches[b][name][i] for b, i in places]
            if name in at_tokens:
                each = [one[: max(1, lengths[row])] for one, row in zip(each, some, strict=True)]
                batch[name] = torch.nn.utils.rnn.pad_sequence(each, True, filler.get(name, 0))
            else:
                batch[name] = torch.stack(each)
        yield some, batch


def encoder_of(model: Any) -> Any:
    """Return the part of a torch module that represents texts: without its head, and of two parts the encoder."""
    body = getattr(model, "base_model", model)
    in_two = hasattr(body, "encoder") and hasattr(body, "decoder")
    return body.get_encoder() if in_two else body


def opened(backbone: Backbone, checkpoint: Checkpoint | None, workspace: Workspace) -> Any:
    """Return the torch module of a checkpoint, or the bare encoder for None; the workspace counts what goes through it.

    An example counts when it goes forward, and again when it goes backward for gradients.
    """
    model: Any = backbone.model(checkpoint, workspace.files)
    encoder = encoder_of(model)

    def count(module: Any, given: Any, out: Any) -> None:
        tensors = [value for value in _parts(out) if getattr(value, "ndim", 0) > 0]
        states = next((value for value in tensors if value.ndim > 1), next(iter(tensors), None))
        if states is None:
            return
        n_examples = len(states)
        workspace.passes(forward=n_examples)
        if states.requires_grad:
            states.register_hook(lambda _: workspace.passes(backward=n_examples))

    if former := vars(encoder).get("_count"):  # a backbone may return the same module twice
        former.remove()
    encoder._count = encoder.register_forward_hook(count)
    return model


def _parts(out: Any) -> Iterable[Any]:
    """Return what stands in the output of a model: of transformers, of any record, or a tensor by itself."""
    if hasattr(out, "ndim"):
        return (out,)
    if isinstance(out, Mapping):
        return out.values()
    if isinstance(out, tuple | list):
        return out
    return [getattr(out, f.name) for f in fields(out)] if is_dataclass(out) else vars(out).values()


def states_of(out: Any, mask: "Tensor | None") -> "list[Tensor]":
    """Return the hidden states of a model's output that belong to the tokens of its texts, the embeddings' first.

    They are those of the encoder where there is a decoder too; (batch, tokens, dims) each. Behind the tokens of the
    mask stand those that the model has added to fill a block (BigBird). Layers that join tokens are left out (CANINE).
    """
    states = getattr(out, "encoder_hidden_states", None) or out.hidden_states
    width = states[0].shape[1] if mask is None else mask.shape[1]
    return [s for s in states if s.ndim == 3 and s.shape[1] >= width]


def weight_change(before: Mapping[str, Array], after: Mapping[str, Array]) -> WeightChange:
    """Return how the weights that both mappings have changed.

    Raises
    ------
    UnusableData
        If there are none.
    """
    names = tuple(name for name, weight in after.items() if name in before and weight.shape == before[name].shape)
    if not names:
        raise UnusableData("a trained model and the bare encoder share no weights.")
    changes = [after[name] - before[name] for name in names]
    return WeightChange(
        names=names,
        initial_norms=np.array([np.linalg.norm(before[name]) for name in names]),
        change_norms=np.array([np.linalg.norm(change) for change in changes]),
        sketches=np.stack([sketch(change) for change in changes]),
    )


def pooled(states: "Tensor", mask: "Tensor | None", pooling: str) -> Array:
    """Return one vector for each text of a batch, wherever its tokens are padded.

    Parameters
    ----------
    states : tensor of shape (batch, tokens, dims)
        Hidden states. A model may have padded them further than the mask says.
    mask : tensor of shape (batch, tokens), optional
        1 where a token is one of the text; by default everywhere.
    pooling : {"cls", "mean", "last"}
        The first token of each text, the mean over its tokens, or the last token.

    Returns
    -------
    array of shape (batch, dims), float32
        NaN where a text has no token and the mean is asked for.
    """
    import torch

    states = states.float()
    mask = states.new_ones(states.shape[:2]) if mask is None else mask.to(states.dtype)
    states = states[:, : mask.shape[1]]
    if pooling == "mean":
        return ((states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)).cpu().numpy()
    place = mask.argmax(1) if pooling == "cls" else mask.shape[1] - 1 - mask.flip(1).argmax(1)
    return states[torch.arange(len(states), device=states.device), place].cpu().numpy()


@dataclass(frozen=True)
class _Examples:
    """The examples among the rows of batches: `rows` (n_examples,) counts through all batches.

    `tokens` (n_examples,) are the places in the rows; None where each example is a whole row. `answers` (n_examples,)
    are of one `answer_kind`.
    """

    rows: Array
    tokens: Array | None
    answers: Array
    answer_kind: AnswerKind


def _examples(batches: Sequence[Mapping[str, "Tensor"]], options: FeatureOptions) -> _Examples:
    """Return the examples of batches: the rows, or drawn tokens where answers stand at tokens and are not pooled."""
    rng, n = np.random.default_rng(options.seed), options.examples
    starts = np.cumsum([0, *(len(next(iter(batch.values()))) for batch in batches)])
    at_tokens = [_answers_at_tokens(batch) for batch in batches] if options.pooling == "auto" else []
    if not at_tokens or at_tokens[0] is None:
        kinds = {_row_answers(batch)[1] for batch in batches}
        kind = kinds.pop() if len(kinds) == 1 else "neither"
        answers = np.concatenate([_row_answers(batch)[0] for batch in batches])
        rows = np.arange(len(answers))
        if len(rows) > n:  # lists of passages and long texts have several rows an example
            rows = draw_rows(answers, n, rng, by_class=kind == "classes")
        return _Examples(rows, None, answers[rows], kind)
    places = [(np.argwhere(labels >= 0), labels) for labels in at_tokens if labels is not None]
    classes = np.concatenate([labels[labels >= 0] for _, labels in places])
    if "start_positions" in batches[0]:
        inside = np.flatnonzero(classes == 1)
        drawn = [
            rng.permutation(places)[: max(1, min(n // 2, len(inside)))]
            for places in (inside, np.flatnonzero(classes == 0))
        ]
        chosen = np.sort(np.concatenate(drawn))
    else:
        chosen = draw_rows(classes, min(n, len(classes)), rng, by_class=True)
    every = np.concatenate([one + [start, 0] for (one, _), start in zip(places, starts, strict=False)])[chosen]
    return _Examples(every[:, 0], every[:, 1], classes[chosen], "classes")


def _answers_at_tokens(batch: Mapping[str, "Tensor"]) -> Array | None:
    """Return the answer at each token of a batch (batch, tokens), -1 where there is none; None if rows have answers."""
    labels = batch.get("labels")
    if labels is not None:
        at_tokens = labels.ndim == 2 and labels.shape[1] > 1 and not labels.is_floating_point()
        return np.where((classes := labels.cpu().numpy()) >= 0, classes, -1) if at_tokens else None
    if not {"start_positions", "end_positions", "input_ids"} <= {*batch}:
        return None
    starts, ends, ids = (batch[k].cpu().numpy() for k in ("start_positions", "end_positions", "input_ids"))
    places = np.arange(ids.shape[1])
    # A row without an answer has the first token as its answer: that is none of its text.
    inside = (places >= starts[:, None]) & (places <= ends[:, None]) & (places > 0)
    mask = batch.get("attention_mask")
    return np.where(np.ones_like(ids, bool) if mask is None else mask.cpu().numpy() == 1, inside.astype(int), -1)


def _row_answers(batch: Mapping[str, "Tensor"]) -> tuple[Array, AnswerKind]:
    """Return each row's answer (batch,), and of which kind the answers are."""
    labels = batch.get("labels")
    if labels is None or (labels.ndim == 2 and labels.shape[1] > 1) or labels.ndim > 2:
        return np.zeros(len(next(iter(batch.values()))), int), "neither"
    answers = labels.cpu().numpy()
    if answers.ndim == 2:  # whether a passage is relevant
        return answers[:, 0].astype(int), "classes"
    return answers, "classes" if answers.dtype.kind == "i" else "numbers"


def _probabilities(out: Any, rows: Array, tokens: Array | None) -> Array:
    """Return the head's probabilities (n_examples, n_classes); without columns if it does not choose one class each."""
    logits, n_axes = getattr(out, "logits", None), 2 if tokens is None else 3
    if logits is None or logits.ndim != n_axes or logits.shape[-1] < 2:
        return np.empty((len(rows), 0))
    logits = logits[rows] if tokens is None else logits[rows, tokens]
    return logits.double().softmax(dim=1).cpu().numpy()
