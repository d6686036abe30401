"""Task-specific distillation: a small model learns a task from a large one that has learned it, as TinyBERT does."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cogbench import Array, Backbone, Checkpoint, Dataset, Files, Origin, Recipe, Settings, UnusableData, hookimpl

from . import huggingface
from .augment import augmented, refuse
from .heads import encoded
from .huggingface import HuggingFace
from .losses import imitating, predicting, queries_and_keys
from .training import fit

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# Table 5 of the paper: epochs of learning the teacher's layers, and then its predictions.
EPOCHS = {"tagging": (5, 3), "extractive-qa": (5, 3), "relation": (25, 25)}


@dataclass(frozen=True)
class Distilled:
    """A student that learns each task from a teacher trained on it; everything but its training is the student's.

    First it learns the teacher's embeddings, hidden states and attention, then the teacher's predictions; the true
    answers are shown to the teacher only. (The one thing taken of them: a head of one number starts at their mean, as
    in plain training.) Learning rate, batches, schedule, order of the rows and fresh head are those of the student's
    plain training, in both phases.

    Parameters
    ----------
    name : str
        What it is called here.
    student, teacher : HuggingFace
        Of one vocabulary; the teacher has as many heads of attention, and a multiple of the student's layers.
    temperature : float
        By which logits are divided in the second phase.
    intermediate_epochs, prediction_epochs : int, optional
        Of the two phases. None: those of the paper's Table 5 for its kinds of task (tagging and extractive-qa 5 and 3,
        relation 25 and 25), for others the settings' epochs in each. The settings' `min_steps` holds for each phase;
        no intermediate epochs leave the first phase out.
    augment : int
        How many copies of each training example are added in which the teacher's pre-trained model has replaced words.
    augment_kinds : tuple of str
        The kinds of task that are given copies: the paper augments CoNLL-2003 only.

    References
    ----------
    Jiao et al. (2020), TinyBERT: distilling BERT for natural language understanding, Findings of EMNLP.
    """

    # Raise it whenever distillations give other numbers: it stands in keys in place of this code.
    answers: ClassVar[int] = 2

    name: str
    student: HuggingFace
    teacher: HuggingFace
    temperature: float = 1.0
    intermediate_epochs: int | None = None
    prediction_epochs: int | None = None
    augment: int = 0
    augment_kinds: tuple[str, ...] = ("tagging",)

    def __post_init__(self) -> None:
        least = {"intermediate_epochs": 0, "prediction_epochs": 1, "augment": 0}
        wrong = [n for n, low in least.items() if (value := getattr(self, n)) is not None and value < low]
        if wrong or not self.temperature > 0:
            raise UnusableData(f"{self.name}: {wrong[0] if wrong else 'temperature'} is too small.")
        for kind in self.augment_kinds:
            refuse(kind)
        if self.student.tuning != "full":
            raise UnusableData(
                f"{self.name}: a student learns with all its weights; take student.tuning=full, or "
                f"tuning={self.student.tuning} of {self.student.name!r} without a teacher."
            )

    def origin(self, files: Files) -> Origin:
        """Return the student's id and commit; MissingData if the teacher is not there either."""
        self.teacher.origin(files)
        return self.student.origin(files)

    def settings(self, kind: str, n_examples: int) -> Settings:
        """Return how the student is trained; the number of epochs is each phase's own."""
        return self.student.settings(kind, n_examples)

    def phases(self, kind: str, settings: Settings) -> tuple[Settings, Settings]:
        """Return the settings of learning layers, and of learning predictions."""
        usual = EPOCHS.get(kind, (settings.epochs, settings.epochs))
        first = usual[0] if self.intermediate_epochs is None else self.intermediate_epochs
        second = usual[1] if self.prediction_epochs is None else self.prediction_epochs
        return replace(settings, epochs=first), replace(settings, epochs=second)

    def train(
        self,
        recipe: Recipe,
        files: Files,
        out: Path,
        start: Checkpoint | None = None,
        *,
        teacher: Checkpoint | None = None,
    ) -> Checkpoint:
        """Teach the student the teacher's layers, then its predictions; keep student and head.

        Raises
        ------
        UnusableData
            If there is no teacher for this task, or the two do not fit each other.
        """
        kind, settings, student = recipe.task.kind, recipe.settings, self.student
        assert settings is not None
        if teacher is None:
            raise UnusableData(f"{self.name}: `train` needs the checkpoint of a teacher of {recipe.task.name!r}.")
        train = recipe.task.load("train", files).sample(recipe.max_train)
        model = student.fresh(train, recipe.seed, files, start)
        master = self.teacher.model(teacher, files)
        first, second = self.phases(kind, settings)
        self._check(model, master, recipe, files, layers=first.epochs > 0)
        limit = min(b.limit(settings.max_length, files) for b in (student, self.teacher))
        tokenizer = student.tokenizer(files, kind)
        rows = encoded(tokenizer, self._more(train, recipe.seed, files, limit), limit).rows
        names, steps = tokenizer.model_input_names, 0
        how: dict[str, Any] = {"seed": recipe.seed, "out": out}
        if first.epochs:
            with imitating(model, master, names) as loss:
                steps += fit(model, tokenizer, rows=rows, settings=first, loss=loss, **how)
        loss = predicting(master, kind, temperature=self.temperature, names=names)
        steps += fit(model, tokenizer, rows=rows, settings=second, loss=loss, **how)
        model.config.task = recipe.task.name  # a teacher says what it has learned, and a student may teach
        return student.finished(model, steps, recipe, files, out)

    def represent(self, checkpoint: Checkpoint | None, sentences: tuple[str, ...], files: Files) -> Array:
        """Return (n_sentences, n_dims) float32, as the student does."""
        return self.student.represent(checkpoint, sentences, files)

    def pooling_of(self, wanted: str, files: Files) -> str:
        """Return which vector stands for a text, as the student has it."""
        return self.student.pooling_of(wanted, files)

    def unsuitable(self, kind: str, files: Files) -> str | None:
        """Return why student or teacher cannot be trained on a kind of task, or None if both can."""
        return self.student.unsuitable(kind, files) or self.teacher.unsuitable(kind, files)

    def model(self, checkpoint: Checkpoint | None, files: Files) -> "Module":
        """Return the trained student with its head, or the bare student's encoder."""
        return self.student.model(checkpoint, files)

    def batches(self, dataset: Dataset, files: Files) -> "Iterator[Mapping[str, Tensor]]":
        """Yield batches with the true answers, as the student takes them."""
        return self.student.batches(dataset, files)

    def cost(self, recipe: Recipe, files: Files, *, seconds: float = 0.1) -> tuple[float, int]:
        """Return the seconds of both phases, and the student's bytes; the teacher's training is a cell of its own."""
        settings = recipe.settings or self.settings(recipe.task.kind, 0)
        planned = replace(recipe, settings=settings)
        own, size = self.student.cost(planned, files, seconds=seconds / 2)
        masters, _ = self.teacher.cost(planned, files, seconds=seconds / 2)
        n = len(recipe.task.load("train", files).sample(recipe.max_train))
        copies = self.augment if recipe.task.kind in self.augment_kinds else 0
        steps = sum(s.steps(n * (1 + copies)) for s in self.phases(recipe.task.kind, settings) if s.epochs)
        # The teacher looks at each batch, but learns nothing: a third of a step.
        return (own + masters / 3) * steps / settings.steps(n), size

    def memory(self, recipe: Recipe, files: Files) -> dict[str, int]:
        """Return about how many bytes each part of the student's training would hold, the teacher's weights beside."""
        planned = replace(recipe, settings=recipe.settings or self.settings(recipe.task.kind, 0))
        return {**self.student.memory(planned, files), "teacher": self.teacher.pretrained(files).size}

    def _more(self, train: Dataset, seed: int, files: Files, limit: int) -> Dataset:
        if not self.augment or train.kind not in self.augment_kinds:
            return train
        folder, tokenizer = self.teacher.folder(files)[0], self.teacher.tokenizer(files)
        return augmented(train, self.augment, seed=seed, folder=folder, tokenizer=tokenizer, limit=limit)

    def _check(self, model: Any, master: Any, recipe: Recipe, files: Files, *, layers: bool) -> None:
        """Raise UnusableData if this teacher cannot teach this student this task."""
        wanted, given = _head(model), _head(master)
        if wanted != given:
            raise UnusableData(
                f"teacher {self.teacher.name!r} of {self.name!r} gives {given}, "
                f"but task {recipe.task.name!r} needs {wanted}: it was trained on another task."
            )
        learned = getattr(master.config, "task", recipe.task.name)
        if learned != recipe.task.name:
            raise UnusableData(
                f"teacher {self.teacher.name!r} of {self.name!r} was trained on another task, {learned!r}, "
                f"not on {recipe.task.name!r}."
            )
        if self.student.tokenizer(files).get_vocab() != self.teacher.tokenizer(files).get_vocab():
            raise UnusableData(
                f"{self.name}: {self.student.name!r} and its teacher {self.teacher.name!r} have other vocabularies."
            )
        if not layers:
            return
        ours, theirs = ((m.config.num_hidden_layers, m.config.num_attention_heads) for m in (model, master))
        if theirs[0] % ours[0] or theirs[1] != ours[1]:
            raise UnusableData(
                f"{self.name}: {self.student.name!r} has {ours[0]} layers with {ours[1]} heads of attention, and its "
                f"teacher {self.teacher.name!r} {theirs[0]} with {theirs[1]}; expected a multiple of the layers and as "
                "many heads, or intermediate_epochs=0, which distils predictions only."
            )
        for one in (model, master):
            queries_and_keys(one)


def _head(model: Any) -> str:
    """Return what a model's head gives, in words."""
    what, kind = type(model).__name__.partition("For")[2], model.config.problem_type
    return f"{model.config.num_labels} outputs of {what}" + (f" ({kind.replace('_', ' ')})" if kind else "")


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """Add the paper's TinyBERT, its smaller one, and a pair that an installed package carries."""
    backbones: dict[str, Any] = {b.name: b for b in huggingface.register_backbones()}
    return [
        Distilled("tinybert", backbones["tinybert-plain"], backbones["bert"]),
        Distilled("tinybert-4l", backbones["tinybert-4l-plain"], backbones["bert"]),
        Distilled("minilm-2l-distilled", backbones["minilm-2l"], backbones["minilm"]),
    ]
