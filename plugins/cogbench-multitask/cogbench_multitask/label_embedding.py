"""A joint space of labels: the classes of all tasks are vectors, and an answer is the nearest of a task's own."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cogbench import Backbone, Dataset, Files, Origin, UnusableData

from .encoders import share_encoder
from .together import Arrangement, SeveralTasks, Shares

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("classification", "relation", "tagging")  # whose outputs are one for each class


@dataclass(frozen=True)
class LabelEmbedding(SeveralTasks):
    """Hard sharing of the encoder, and of a space in which the classes of all tasks are vectors.

    The logits of a task are v @ (P @ h + c): h is the state that the head reads, P and c are a projection that all
    tasks share, and the rows of v are the vectors of the task's classes. Classes of one name, whatever its case, are
    one vector. A model is saved with the products of v and the projection as the weights of its classifier, so it opens
    as any other.

    Parameters
    ----------
    name, backbone, auxiliary_weight, shares
        As for `joint`.
    start : {"names", "random"}
        The vectors at the start: the encoder's mean embedding of the words of a class's name, or drawn by the seed.

    References
    ----------
    Augenstein, Ruder & Søgaard (2018), Multi-task learning of pairwise sequence classification tasks over disparate
    label spaces, NAACL, section 3.2.
    """

    # Raise it whenever trainings give other numbers: it stands in keys in place of this code.
    answers: ClassVar[int] = 1
    sharing: ClassVar[str] = "label-embedding"

    name: str = "label-embedding"
    backbone: Backbone | None = None
    auxiliary_weight: float | None = None
    shares: Shares = "uniform"
    start: Literal["names", "random"] = "names"

    def unsuitable(self, kind: str, files: Files) -> str | None:
        """Return why a kind of task cannot be learned so, or None if it can."""
        reason = None if kind in KINDS else f"{self.name} puts classes into one space, and {kind} has none"
        return super().unsuitable(kind, files) or reason

    def arrange(self, models: Sequence[Any], datasets: Sequence[Dataset], *, seed: int, files: Files) -> Arrangement:
        """Give all models the encoder of the first, and classifiers made of vectors of one space, in place."""
        for data in datasets:
            if reason := self.unsuitable(data.kind, files):
                raise UnusableData(f"{reason}.")
        names, numbers = common_classes([data.labels for data in datasets])
        for model in models[1:]:
            share_encoder(models[0], model)
        classifiers = [classifier_of(model, len(data.labels)) for model, data in zip(models, datasets, strict=True)]
        vectors = self._vectors(names, seed, files)
        space = label_space(vectors, classifiers[0].in_features, seed)
        for classifier, of_task in zip(classifiers, numbers, strict=True):
            answer_by(classifier, space, of_task)

        def write_products(folder: Path) -> None:
            from torch.nn.utils import parametrize

            for classifier in classifiers:
                for name in [*classifier.parametrizations]:
                    parametrize.remove_parametrizations(classifier, name, leave_parametrized=True)

        return Arrangement(further=space, settle=write_products)

    def _vectors(self, names: Sequence[str], seed: int, files: Files) -> "Tensor":
        """Return the vectors of the classes at the start: (n_classes, n_dims)."""
        import torch

        words = self._alone.model(None, files).get_input_embeddings()
        if self.start == "random":
            generator = torch.Generator().manual_seed(seed)
            return torch.randn(len(names), words.weight.shape[1], generator=generator) * words.weight.std().cpu()
        pieces = self._pieces(["", *(words_of(name) for name in names)], files)
        around = {*next(pieces)}  # the pieces that a tokenizer puts around every text
        vectors = list["Tensor"]()
        with torch.no_grad():
            for ids in pieces:
                own = [i for i in ids if i not in around] or ids
                vectors.append(words(torch.tensor(own, device=words.weight.device)).mean(dim=0).float().cpu())
        return torch.stack(vectors)

    def _pieces(self, texts: Sequence[str], files: Files) -> Iterator[list[int]]:
        """Yield the numbers of the pieces of each text."""
        columns: dict[str, list[Any]] = {"text": list(texts), "label": [0] * len(texts)}
        names = Dataset("classification", columns, labels=("", "-"), origin=Origin("names of classes"))
        for batch in self._alone.batches(names, files):
            for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
                yield ids[mask.bool()].tolist()


def common_classes(labels: Sequence[Sequence[str]]) -> tuple[list[str], list[list[int]]]:
    """Return the names of all classes, each once in whatever case, and for each task the numbers of its own there.

    Raises
    ------
    UnusableData
        If two classes of one task have the same name.
    """
    names = list(dict.fromkeys(name.casefold() for of_task in labels for name in of_task))
    numbers = [[names.index(name.casefold()) for name in of_task] for of_task in labels]
    for of_task, own in zip(labels, numbers, strict=True):
        if len({*own}) < len(own):
            raise UnusableData(
                f"a task has two classes of one name, whatever its case, so one vector would stand for both: "
                f"{', '.join(of_task)}."
            )
    return names, numbers


def words_of(name: str) -> str:
    """Return the words of a class's name: `not_entailment` as `not entailment`."""
    return " ".join(re.findall(r"[^\W_]+", name)) or name


def classifier_of(model: Any, n_classes: int) -> Any:
    """Return the linear layer of a model's head that has an output for each class."""
    import torch

    body = {id(module) for module in model.base_model.modules()} if model.base_model is not model else set[int]()
    linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and id(m) not in body]
    answering = [layer for layer in linear if layer.out_features == n_classes]
    if not answering:
        raise UnusableData(f"the head of {type(model).__name__} has no linear layer with an output for each class.")
    return answering[-1]


def label_space(vectors: "Tensor", n_dims: int, seed: int) -> Any:
    """Return a module with a vector for each class, and a projection of states (n_dims,) into their space."""
    import torch

    class Space(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vectors = torch.nn.Parameter(vectors)
            self.projection = torch.nn.Linear(n_dims, vectors.shape[1])

        def product(self, name: str, numbers: list[int]) -> "Tensor":
            """Return a classifier's weight (n_classes, n_dims) or bias (n_classes,), for classes of these numbers."""
            return self.vectors[numbers] @ getattr(self.projection, name)

    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return Space()


def answer_by(classifier: Any, space: Any, numbers: list[int]) -> None:
    """Let a linear layer answer by the vectors of some classes, in place of weights of its own."""
    import torch
    from torch.nn.utils import parametrize

    spaces = [space]  # in a list, so that it becomes no part of the model

    class Product(torch.nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self, own: "Tensor") -> "Tensor":
            return spaces[0].product(self.name, numbers)

    for name in ("weight", "bias"):
        if getattr(classifier, name) is not None:
            parametrize.register_parametrization(classifier, name, Product(name))
