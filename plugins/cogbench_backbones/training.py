"""One training of a model on rows, by transformers' Trainer: what plain training and distillation have in common."""

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cogbench import Dataset, Settings, UnusableData

from .dropout import quick_dropout
from .heads import IGNORED, Rows, batch, each_row
from .model_folder import class_named, quantised, refuse_unlike, unreadable

if TYPE_CHECKING:
    from torch import Tensor

# How weights are opened: in single precision, without code of the folder, with a report of what does not fit.
WHOLE = {"dtype": "float32", "ignore_mismatched_sizes": True, "output_loading_info": True, "trust_remote_code": False}
Batch = dict[str, "Tensor"]
Loss = Callable[[Any, Batch, Batch], "Tensor"]


def fit(
    model: Any,
    tokenizer: Any,
    rows: Rows,
    settings: Settings,
    *,
    seed: int,
    out: Path,
    loss: Loss | None = None,
) -> int:
    """Train the weights that are not frozen, with AdamW, batches of like lengths and a linear schedule.

    It returns the number of steps.

    Parameters
    ----------
    model, tokenizer
        Of transformers; the model is trained in place.
    rows : Rows
        What it is trained on.
    settings : Settings
        How.
    seed : int
        Of the order of the rows and of dropout.
    out : Path
        An empty folder.
    loss : callable, optional
        `loss(model, batch, whole)` instead of the loss of the model's own head. While it is trained, the model numbers
        its tokens by itself; `whole` is the same batch as any other model of this vocabulary takes it.
    """
    hf = transformers()
    rows, whole = only_words_of(rows, model)
    steps = settings.steps(len(rows["input_ids"]))
    if settings.gradient_checkpointing:
        checkpoint_gradients(model)
    trainer = _trainer(loss, whole[1] if whole else None, settings.accumulation)(
        model=model,
        args=arguments(settings, steps, seed, out),
        train_dataset=each_row(rows),
        data_collator=partial(batch, tokenizer),
    )
    trainer.remove_callback(hf.PrinterCallback)  # it prints on stdout, which is for results
    with quick_dropout(model):
        trainer.train()
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # or bf16 goes on after the training
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_disable()
    if whole:
        all_words(model, whole)
    give_back_memory(trainer)
    return steps


def give_back_memory(trainer: Any = None) -> None:
    """Let the C library give back what is free to the system, where it can: it keeps what a training had.

    A Trainer that has done its work forgets the optimiser's moments: it lives on in circles, and would keep them.
    """
    if trainer is not None:
        trainer.optimizer.state.clear()
    with suppress(AttributeError, OSError, TypeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)


def checkpoint_gradients(model: Any) -> None:
    """Let a model compute its layers again on the way back, in place."""
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise UnusableData(
            f"{type(model).__name__} cannot compute its layers again; take gradient_checkpointing=false."
        )
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def freeze(model: Any, settings: Settings) -> None:
    """Keep the matrices that are not trained in the precision in which they are multiplied, in place.

    In bf16 autocast makes the same rounded copy of them for each step; so they take half of the memory, and the
    products are the same. A model of which all weights are trained keeps them in single precision, for small updates
    would be lost.
    """
    import torch

    if settings.precision == "bf16":
        for weight in model.parameters():
            # Not the scales of norms, which autocast does not round: copied, or they would hold the whole file's pages.
            rounded = not weight.requires_grad and weight.ndim > 1
            weight.data = weight.data.to(torch.bfloat16) if rounded else weight.data.clone()


def seconds_a_step(model: Any, batches: Sequence[Batch], settings: Settings, seconds: float) -> float:
    """Return what a step takes here, measured for so many seconds, on one thread as workers have it."""
    import torch

    threads, start, done = torch.get_num_threads(), 0.0, -1
    model.train().to(device())
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-6)
    size = settings.batch_size // settings.accumulation
    torch.set_num_threads(1)
    try:
        with quick_dropout(model):
            while done < 1 or perf_counter() - start < seconds:
                for piece in pieces(batches[(done + 1) % len(batches)], size):
                    with arithmetic(settings):
                        loss = model(**{name: values.to(model.device) for name, values in piece.items()}).loss
                    loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                done += 1
                if done == 0:  # the first one warms up
                    start = perf_counter()
        return (perf_counter() - start) / done
    finally:
        torch.set_num_threads(threads)


def _trainer(loss: Loss | None, tokens: "Tensor | None", accumulation: int) -> Any:
    """Return a Trainer with this loss, or with that of the model's head.

    `tokens` are the numbers of the model's tokens in the whole vocabulary, None if it has them all.
    """
    from transformers import Trainer

    class WithLoss(Trainer):
        def compute_loss(
            self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            assert loss is not None
            ids = inputs["input_ids"]
            whole = ids if tokens is None else tokens.to(ids.device)[ids]
            return loss(model, inputs, {**inputs, "input_ids": whole})

    usual: Any = WithLoss if loss else Trainer

    class InPieces(usual):
        """The Trainer's own accumulation weighs all pieces alike, also those with fewer answers."""

        share = 1.0

        def training_step(self, model: Any, inputs: Batch, num_items_in_batch: Any = None) -> "Tensor":
            n_answers, losses = _n_answers(inputs), []
            for piece in pieces(inputs, self.args.train_batch_size // accumulation):
                if n_of_piece := _n_answers(piece):
                    self.share = n_of_piece / n_answers
                    losses.append(super().training_step(model, piece))  # without a number of items: a mean over these
            return sum(losses)  # type: ignore[return-value]

        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            return self.share * super().compute_loss(*args, **kwargs)

    return usual if accumulation == 1 else InPieces


def pieces(rows: Batch, size: int) -> Iterator[Batch]:
    """Yield a batch in pieces of so many rows."""
    for start in range(0, len(rows["input_ids"]), size):
        yield {name: values[start : start + size] for name, values in rows.items()}


def _n_answers(rows: Batch) -> int:
    """Return how many answers the mean loss of a batch is over: tags, or rows."""
    labels = rows.get("labels")
    if labels is None or labels.is_floating_point() or labels.ndim < 2:
        return len(rows["input_ids"])
    return int((labels != IGNORED).sum())


def arguments(settings: Settings, steps: int, seed: int, out: Path, **other: Any) -> Any:
    """Return the Trainer's arguments for so many steps in these settings; `other` replace some."""
    usual = dict[str, Any](
        output_dir=str(out),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=math.ceil(settings.warmup * steps),
        lr_scheduler_type="linear",
        seed=seed,
        data_seed=seed,
        bf16=settings.precision == "bf16",
        use_cpu=device() == "cpu",  # or bf16 is refused there
        train_sampling_strategy="group_by_length",  # twice as fast as batches of mixed lengths
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    return transformers().TrainingArguments(**{**usual, **other})


def start_at_mean(model: Any, train: Dataset) -> None:
    """Let a head of one number start at the mean answer: from 0 the distance to it goes through the encoder first."""
    import torch

    labels = train.columns["label"]
    if train.kind == "regression":
        mean = float(np.mean(labels))
    elif train.kind == "reranking":
        share = float(np.clip(np.mean(np.concatenate([np.asarray(v) > 0 for v in labels])), 1e-3, 1 - 1e-3))
        mean = math.log(share / (1 - share))
    else:
        return
    last = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 1][-1]
    if last.bias is not None:  # the heads of causal models have none
        torch.nn.init.constant_(last.bias, mean)


def only_words_of(rows: Rows, model: Any) -> tuple[Rows, tuple[Any, "Tensor"] | None]:
    """Leave only the embeddings of the tokens that occur; return rows whose tokens are numbered to match.

    A row that no example uses has no gradient, so AdamW without weight decay leaves it as it is: training without these
    rows gives the same weights, and need not carry 30,000 rows and their moments through each step.

    The tokens that the configuration names keep their numbers, for the model may compare numbers with them. The
    embeddings stay whole, and None is returned in their place, where they do more than look up a row (Gemma scales
    them), where less than half of them could be left out, and where they are not trained.
    """
    import torch

    used = words_that_occur(rows, model)
    if used is None:
        return rows, None
    words = model.get_input_embeddings()
    number = {token: i for i, token in enumerate(used)}
    rows = {**rows, "input_ids": [[number[i] for i in ids] for ids in rows["input_ids"]]}
    kept = torch.tensor(used)
    few = torch.nn.Embedding.from_pretrained(words.weight.detach()[kept], freeze=False, padding_idx=words.padding_idx)
    model.set_input_embeddings(few)
    return rows, (words, kept)


def words_that_occur(rows: Rows, model: Any) -> list[int] | None:
    """Return the numbers of the tokens that occur or that the configuration names; None where the table stays whole."""
    import torch

    try:
        words = model.get_input_embeddings()
    except NotImplementedError:  # a model without a table of tokens
        return None
    named = _named_tokens(model.config)
    used = sorted({*range(max(named, default=0) + 1), *(i for ids in rows["input_ids"] for i in ids)})
    if type(words) is not torch.nn.Embedding or len(used) > words.num_embeddings / 2:
        return None
    return used if words.weight.requires_grad else None  # a frozen table has neither gradient nor moments


def _named_tokens(config: Any) -> list[int]:
    """Return the numbers of the tokens that a configuration names, such as the one that pads."""
    values = [value for name, value in config.to_dict().items() if name.endswith("_token_id")]
    return [i for value in values for i in (value if isinstance(value, list) else [value]) if isinstance(i, int)]


def all_words(model: Any, whole: tuple[Any, "Tensor"]) -> None:
    """Put the trained embeddings back into the whole table, in place."""
    import torch

    words, kept = whole
    with torch.no_grad():
        words.weight[kept] = model.get_input_embeddings().weight.to(words.weight)
    model.set_input_embeddings(words.to(model.device))


def trained(folder: Path) -> Any:
    """Return the model that a checkpoint's folder holds, with the head that its config names, in single precision.

    Raises
    ------
    UnusableData
        If weights are missing, which transformers would draw at random, are quantised or damaged; or if the config
        names something else than a model of its architecture.
    """
    if reason := quantised(folder):
        raise UnusableData(f"model folder {str(folder)!r}: {reason}.")
    try:
        config = transformers().AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # transformers raises errors of any kind of what is damaged
        raise unreadable(folder, "architecture", error) from error
    model = class_named(folder, config)
    try:
        opened, report = model.from_pretrained(folder, **WHOLE)
    except Exception as error:  # safetensors and torch have those of their own
        raise unreadable(folder, "weights", error) from error
    refuse_unlike(folder, report["mismatched_keys"])
    if lacking := sorted(report["missing_keys"]):
        raise UnusableData(
            f"model folder {str(folder)!r}: its weights lack {len(lacking)} tensors of {model.__name__}, such as "
            f"{lacking[0]!r}; save the whole model there."
        )
    return opened


def prefix_of_body(model: Any) -> str:
    """Return what stands before the names of the body's weights in a model with a head; some heads stand beside it."""
    return "" if model.base_model is model else f"{model.base_model_prefix}."


def transformers() -> Any:
    """Import transformers, silenced: its reports on loading weights say nothing that a user here can act on."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def fast_precision() -> Literal["fp32", "bf16"]:
    """Return bf16 where the processor itself computes with it, else fp32; emulated, bf16 is slower than fp32."""
    import torch

    if device() == "cuda":
        has = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        has = any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))
    return "bf16" if has else "fp32"


def arithmetic(settings: Settings) -> Any:
    """Return a context in which a model computes in these settings' precision."""
    import torch

    return torch.autocast(device(), torch.bfloat16, enabled=settings.precision == "bf16")


def device() -> str:
    """Return where models are put."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
