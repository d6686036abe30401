"""One training of several models at once, by transformers' Trainer: each task has batches and dropout of its own.

What moves a task's model is what would move it alone, to the bit, as long as the others add nothing to its gradients:
each task draws its random numbers from a stream of its own, the words that it uses stand in a table of their own, and
gradients are clipped model by model.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cogbench import Settings

from .dropout import quick_dropout
from .heads import Rows, batch, each_row
from .training import Batch, arguments, arithmetic, device, give_back_memory, transformers, words_that_occur

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

Combine = Callable[[Sequence["Tensor"]], "Tensor"]
RowsAStep = Callable[[float], Sequence[int]]
CLIP = 1.0  # the Trainer's own bound on the length of a gradient


def fit_together(
    models: "Sequence[Module]",
    tokenizers: Sequence[Any],
    rows: Sequence[Rows],
    settings: Sequence[Settings],
    steps: int,
    *,
    seed: int,
    out: Path,
    combine: Combine,
    rows_a_step: RowsAStep | None = None,
    further: "Module | None" = None,
) -> None:
    """Train models at once, in place: each step reads some rows of each task and follows one combined loss.

    Parameters
    ----------
    models : sequence of (n_tasks,) modules of transformers
        Each with its head; they may have parameters in common.
    tokenizers, rows, settings : sequences of (n_tasks,)
        Of each task. The settings of the first say how the optimiser works; the others give the size of a batch.
    steps : int
        How many steps of the optimiser.
    seed : int
        Of each task's order of rows and dropout.
    out : Path
        An empty folder.
    combine : callable
        From the tasks' losses to the loss that is followed.
    rows_a_step : callable, optional
        From the share of the training that is done, 0 to 1, to the number of rows of each task in a step. None: a batch
        of each.
    further : module, optional
        Parameters beside the models, which are trained too.
    """
    import torch

    hf = transformers()
    tables = _with_own_words(models, rows)
    whole = torch.nn.ModuleDict({"models": torch.nn.ModuleList(models)})
    if further is not None:
        whole["further"] = further
    whole.to(device())
    tasks = [_Stream(*each, seed, out) for each in zip(models, tokenizers, rows, settings, strict=True)]
    sizes = [one.batch_size for one in settings]

    class Together(hf.Trainer):  # type: ignore[misc, name-defined]
        def compute_loss(
            self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            n_rows = rows_a_step(self.state.global_step / steps) if rows_a_step else sizes
            with arithmetic(settings[0]):
                return combine([task.loss(n) for task, n in zip(tasks, n_rows, strict=True)])

    class Clip(hf.TrainerCallback):  # type: ignore[misc, name-defined]
        """In place of the Trainer's own clipping, which would let each task's gradients shorten those of the others."""

        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            for group in groups:
                torch.nn.utils.clip_grad_norm_(group, CLIP)

    groups = _groups(models, tables, whole)
    one_a_step: dict[str, Any] = {"per_device_train_batch_size": 1, "train_sampling_strategy": "sequential"}
    how = arguments(settings[0], steps, seed=seed, out=out, max_grad_norm=0.0, **one_a_step)
    trainer = Together(
        model=whole,
        args=how,
        train_dataset=range(steps),
        data_collator=lambda numbers: {"steps": torch.tensor(numbers)},
        callbacks=[Clip()],
    )
    trainer.remove_callback(hf.PrinterCallback)
    with quick_dropout(whole):
        trainer.train()
    for table in tables:
        table.put_back()
    give_back_memory(trainer)


class _Stream:
    """A task's rows in the order in which the Trainer would read them alone, and its random numbers."""

    def __init__(self, model: "Module", tokenizer: Any, rows: Rows, settings: Settings, seed: int, out: Path) -> None:
        import torch

        self.model, self.tokenizer = model, tokenizer
        self.trainer = transformers().Trainer(
            model=model,
            args=arguments(settings, 1, seed=seed, out=out),
            train_dataset=each_row(rows),
            data_collator=list,
        )
        self.loader = self.trainer.get_train_dataloader()
        self.epoch: Iterator[list[dict[str, Any]]] = iter(())
        self.unread: list[dict[str, Any]] = []  # rows of a batch that no step has taken yet
        before = _random_state()
        torch.manual_seed(seed)
        self.state = _random_state()
        _set_random_state(before)

    def loss(self, n_rows: int) -> "Tensor":
        """Return the loss of the model on the next rows."""
        with self._own_random_numbers():
            batches = iter([batch(self.tokenizer, self._next(n_rows))])
            (inputs,), n_items = self.trainer.get_batch_samples(batches, 1, self.trainer.args.device)
            inputs = {name: values.to(device()) for name, values in inputs.items()}
            loss: Tensor = self.trainer.compute_loss(self.model, inputs, num_items_in_batch=n_items)
            return loss

    def _next(self, n_rows: int) -> list[dict[str, Any]]:
        """Return the next rows: as many as are asked for, or fewer at the end of an epoch."""
        while len(self.unread) < n_rows:
            next_batch = next(self.epoch, None)
            if next_batch is None:
                if self.unread:
                    break
                self.epoch = iter(self.loader)
                next_batch = next(self.epoch)
            self.unread += next_batch
        rows, self.unread = self.unread[:n_rows], self.unread[n_rows:]
        return rows

    @contextmanager
    def _own_random_numbers(self) -> Iterator[None]:
        before = _random_state()
        _set_random_state(self.state)
        try:
            yield
        finally:
            self.state = _random_state()
            _set_random_state(before)


def _random_state() -> "tuple[Tensor, Tensor | None]":
    import torch

    return torch.get_rng_state(), torch.cuda.get_rng_state() if device() == "cuda" else None


def _set_random_state(state: "tuple[Tensor, Tensor | None]") -> None:
    import torch

    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1])


def _with_own_words(models: Sequence[Any], rows: Sequence[Rows]) -> list[Any]:
    """Give models tables of the words that occur in any task, in place; return the tables, each once.

    Models that have their embeddings in common have the table in common: its own words are those of the first of them.
    """
    import torch

    class Table(torch.nn.Module):
        """Embeddings in two parts: the words of the model's own task, as it trains them alone, and further words."""

        def __init__(self, words: Any, own: list[int], others: list[int]) -> None:
            super().__init__()
            self.words, self.numbers = [words], torch.tensor([*own, *others])  # not a part of what is trained
            row_of = torch.zeros(words.num_embeddings, dtype=torch.long)
            row_of[self.numbers] = torch.arange(len(self.numbers))
            self.row_of: Tensor
            self.register_buffer("row_of", row_of, persistent=False)
            self.own, self.others = (torch.nn.Parameter(words.weight.detach()[some].clone()) for some in (own, others))
            self.padding_idx, self.models = words.padding_idx, list[Any]()

        @property
        def weight(self) -> "Tensor":
            """The words that occur in any task (n_words, n_dims), in the order of their numbers for all tables."""
            return torch.cat([self.own, self.others])[self.numbers.argsort()]

        def forward(self, ids: "Tensor") -> "Tensor":
            words = torch.cat([self.own, self.others])
            return torch.nn.functional.embedding(self.row_of[ids], words, self.padding_idx)

        def put_back(self) -> None:
            (words,) = self.words
            with torch.no_grad():
                words.weight[self.numbers] = torch.cat([self.own, self.others]).to(words.weight)
            for model in self.models:
                model.set_input_embeddings(words.to(model.device))

    used = [words_that_occur(of, model) for of, model in zip(rows, models, strict=True)]
    everywhere = {i for of, model in zip(rows, models, strict=True) for ids in of["input_ids"] for i in ids}
    tables = dict[int, Any]()
    for model, own in zip(models, used, strict=True):
        if own is None:
            continue
        words = model.get_input_embeddings()
        key = id(words.weight)
        if key not in tables:
            tables[key] = Table(words, own, sorted(everywhere - {*own}))
        tables[key].models.append(model)
        model.set_input_embeddings(tables[key])
    return [*tables.values()]


def _groups(models: Sequence[Any], tables: Sequence[Any], whole: Any) -> "list[list[Tensor]]":
    """Return the parameters in groups: those of each model, common ones with the first, then all that no task owns."""
    shared = {id(table.others) for table in tables}
    grouped, groups = set[int](shared), list[list[Any]]()
    for model in models:
        group = [p for p in model.parameters() if id(p) not in grouped]
        grouped |= {*map(id, group)}
        groups.append(group)
    return [*groups, [p for p in whole.parameters() if id(p) in shared or id(p) not in grouped]]
