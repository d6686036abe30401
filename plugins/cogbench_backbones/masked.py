"""The training of a model as a masked language model, by transformers' Trainer, and the folder that it leaves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogbench import Checkpoint, Files, Masker, Settings

from .dropout import quick_dropout
from .heads import IGNORED, Rows, each_row, encode
from .model_folder import refuse_unlike, unreadable
from .pretrained import Pretrained
from .training import WHOLE, Batch, arguments, give_back_memory, transformers

if TYPE_CHECKING:
    from torch import Tensor


class MaskedTraining:
    """How a backbone of transformers becomes a masked language model before any task: `cogbench.TrainsMasked`."""

    pretrained: Callable[[Files], Pretrained]
    tokenizer: Callable[[Files], Any]
    limit: Callable[[int, Files], int]
    pooling_of: Callable[[str, Files], str]

    def unmaskable(self, files: Files) -> str | None:
        """Return why the model cannot be trained as a masked language model, or None if it can."""
        return unmaskable(self.pretrained(files))

    def train_masked(
        self,
        texts: Sequence[str],
        settings: Settings,
        steps: int,
        *,
        seed: int,
        files: Files,
        out: Path,
        masker: Callable[[Any], Masker],
    ) -> Checkpoint:
        """Train the model to tell the masked tokens of texts; its folder holds the body alone."""
        pretrained, tokenizer, notes = self.pretrained(files), self.tokenizer(files), list[str]()
        model, drawn = masked_model(pretrained, seed)
        if steps:
            rows = rows_of_texts(tokenizer, texts, self.limit(settings.max_length, files))
            losses = fit_masked(model, tokenizer, rows, settings, steps, seed=seed, out=out, masker=masker(tokenizer))
            notes = notes_of_training(rows, losses, fresh_head=bool(drawn))
        keep_body(model, pretrained, out)
        return Checkpoint(out, steps=steps, notes=tuple(notes))

    def starting_from(self, folder: Path, files: Files) -> Any:
        """Return this backbone with the model that `train_masked` has saved in place of its own."""
        pooling = self.pooling_of("auto", files)  # files of sentence-transformers stay behind
        own = {"address": str(folder), "revision": None, "package": None, "layers": None, "pooling": pooling}
        return replace(self, **own)  # type: ignore[type-var]


def masked_model(pretrained: Pretrained, seed: int) -> tuple[Any, set[str]]:
    """Return a body as a masked language model, and the names of what a seed drew.

    Its head is that of the folder, if the folder has one; else a fresh one, whose output layer is the table of tokens.

    Raises
    ------
    UnusableData
        If the weights cannot be read.
    """
    import torch

    head, config = masked_heads()[type(pretrained.config)], pretrained.configured()
    if pretrained.architecture.endswith(("ForMaskedLM", "ForPreTraining")):
        torch.manual_seed(seed)
        try:
            model, report = head.from_pretrained(pretrained.folder, config=config, **WHOLE)
        except Exception as error:  # transformers and safetensors raise errors of any kind of what is damaged
            raise unreadable(pretrained.folder, "weights", error) from error
        refuse_unlike(pretrained.folder, report["mismatched_keys"])
        if not report["missing_keys"]:
            return model, set()
    return pretrained.under(head, config, seed)


def masked_heads() -> Any:
    """Return transformers' masked language models by the class of the configuration."""
    return transformers().AutoModelForMaskedLM._model_mapping


def rows_of_texts(tokenizer: Any, texts: Sequence[str], limit: int) -> Rows:
    """Return texts as rows of at most so many pieces, with what a masker reads; a longer text has several rows."""
    pieces = encode(tokenizer, texts, limit=limit, return_overflowing_tokens=True, return_offsets_mapping=True)
    special = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
    rows = {name: pieces[name] for name in (*tokenizer.model_input_names, "offset_mapping") if name in pieces}
    return {**rows, "special_tokens_mask": [[int(i in special) for i in ids] for ids in pieces["input_ids"]]}


def fit_masked(
    model: Any,
    tokenizer: Any,
    rows: Rows,
    settings: Settings,
    steps: int,
    *,
    seed: int,
    out: Path,
    masker: Masker,
) -> list[float]:
    """Train all weights of a masked language model, in place; return the loss of each step.

    The loss of a step is the mean over its masked places. The logits are computed at these places alone: they are all
    that the loss reads, and over a whole vocabulary they are most of the work.

    Parameters
    ----------
    model, tokenizer
        Of transformers.
    rows : Rows
        As `rows_of_texts` gives them.
    settings : Settings
        How.
    steps : int
        How many steps of the optimiser, at least one.
    seed : int
        Of the order of the rows and of dropout.
    out : Path
        An empty folder.
    masker : Masker
        Makes a batch of rows, and hears of each step. The next batch may be made before it has heard of this one.
    """
    import torch

    hf, losses = transformers(), list[float]()

    class Masked(hf.Trainer):  # type: ignore[misc, name-defined]
        def compute_loss(
            self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> "Tensor":
            labels = inputs["labels"]
            masked = labels != IGNORED
            read = {name: values for name, values in inputs.items() if name != "labels"}
            with _rows_of_output(model, masked):
                logits = model(**read).logits[0].float()  # (n_masked, n_tokens)
            right = labels[masked]
            # A batch of few short texts may have no masked place, and a mean over none is not a number.
            loss: Tensor = torch.nn.functional.cross_entropy(logits, right) if len(right) else logits.sum() * 0
            losses.append(float(loss.detach()))
            masker.learn(right, logits.detach(), losses[-1])
            return loss

    # What the masker reads is not what the model reads, and the Trainer would drop it.
    how = arguments(settings, steps, seed=seed, out=out, remove_unused_columns=False)
    trainer = Masked(model=model, args=how, train_dataset=each_row(rows), data_collator=masker)
    trainer.remove_callback(hf.PrinterCallback)  # it prints on stdout, which is for results
    with quick_dropout(model):
        trainer.train()
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # or bf16 goes on after the training
    give_back_memory(trainer)
    return losses


class _rows_of_output:
    """A context in which the last layer of a masked language model reads the states at some places alone."""

    def __init__(self, model: Any, places: "Tensor") -> None:
        self.layer, self.choose = model.get_output_embeddings(), partial(_chosen, places)

    def __enter__(self) -> None:
        self.handle = self.layer.register_forward_pre_hook(self.choose)

    def __exit__(self, *error: object) -> None:
        self.handle.remove()


def _chosen(places: "Tensor", layer: Any, inputs: "tuple[Tensor, ...]") -> "tuple[Tensor]":
    return (inputs[0][:, : places.shape[1]][places][None],)


def unmaskable(pretrained: Pretrained) -> str | None:
    """Return why a model cannot be trained as a masked language model, or None if it can."""
    if pretrained.causal:
        return "it is a causal model, which predicts the next token and knows no masks"
    if pretrained.adapter:
        return "it is an adapter; take the model that it belongs to, merged with it (`merge_and_unload()`)"
    config = pretrained.config
    if config.is_encoder_decoder or type(config) not in masked_heads():
        return f"transformers has no masked language model of the architecture {config.model_type!r}"
    if pretrained.tokenizer.mask_token is None:
        return "its tokenizer has no mask token"
    if not pretrained.tokenizer.is_fast:
        return "masks need to know where pieces stand in a text, which its slow tokenizer does not tell"
    return None


def keep_body(model: Any, pretrained: Pretrained, out: Path) -> None:
    """Save a model without its head into a folder, as the model's own folder has it, and the tokenizer.

    What the head does not read, such as a pooler, is that of the model's own folder; what that lacks is not saved, so
    that it is drawn afresh for each task as ever.
    """
    body: Any
    body, lacking = pretrained.loaded()
    pretrained.take_body(body, model)
    weights = {name: values for name, values in body.state_dict().items() if name not in lacking}
    body.save_pretrained(out, state_dict=weights)
    pretrained.tokenizer.save_pretrained(out)


def notes_of_training(rows: Rows, losses: Sequence[float], *, fresh_head: bool) -> list[str]:
    """Return what a reader should know of a training: how much was read, how it was learned, and of which head."""
    n_rows, n_steps = len(rows["input_ids"]), len(losses)
    few = max(1, n_steps // 10)
    first, last = (sum(some) / few for some in (losses[:few], losses[-few:]))
    notes = [
        f"{n_steps} steps on {n_rows} rows of text: the masked loss was {first:.2f} in the first tenth of them and "
        f"{last:.2f} in the last"
    ]
    if fresh_head:
        notes.append(
            "the model's files have no head of a masked language model: a fresh one was drawn, whose output layer is "
            "the table of tokens"
        )
    return notes
