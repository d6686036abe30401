"""A backbone whose model is trained on texts of a domain before it learns tasks."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cogbench import (
    Backbone,
    Checkpoint,
    Dataset,
    Files,
    MissingData,
    Origin,
    Settings,
    Task,
    TrainsMasked,
    UnusableData,
    hookimpl,
)

from .corpus import texts_of_file, texts_of_tasks, texts_sha256
from .difficulty import Controller
from .masking import MASKINGS, ByDifficulty, Masking, OfTransformers
from .pace import seconds_a_step

if TYPE_CHECKING:
    from torch import Tensor

OF_ANOTHER_PART = ("name", "backbone", "tasks")  # fields that say nothing of how the model is adapted
TRACE = "masking.json"  # in the folder of the adapted model: the loss and the target of each step


@dataclass(frozen=True)
class Adapted:
    """A backbone whose model first learns to tell masked tokens of a corpus; all else is that backbone's.

    One adaptation serves all tasks, seeds and examples. After 0 steps the model is the backbone's own, to the bit.

    Parameters
    ----------
    name : str
        What it is called here.
    backbone : Backbone, optional
        The one whose model is adapted, with a tokenizer that has a mask token.
    corpus : str
        A text file in UTF-8 with one text a line.
    tasks : tuple of Task
        In place of a file: the training examples of these tasks are the corpus.
    masking : {"random", "whole-word", "adaptive", "curriculum"}
        Which tokens are masked: any; those of whole words; those of a difficulty that keeps the loss in `band`; or
        first easy and then ever harder ones.
    steps, batch_size, learning_rate, warmup, max_length
        Of the training: AdamW and a linear schedule. A longer text goes on in a further row.
    share : float
        Of the tokens that are masked.
    band : (float, float)
        Between which losses, in nats, adaptive masking keeps the masked loss.
    precision : {"fp32", "bf16"}, optional
        Arithmetic of the training; None takes the backbone's own.
    seed : int
        Of the masks, the order of the texts, dropout, and a head that the model's files lack.

    Notes
    -----
    Random and whole-word masking are transformers' `DataCollatorForLanguageModeling`: of the chosen tokens 8 in 10 are
    replaced by the mask and 1 in 10 by a random token, or with whole words all by the mask. How masks follow a
    difficulty is written down in `cogbench_pretraining.difficulty`: difficulty, controller and schedule are ours; that
    masks should adapt to what the model finds hard is Akdemir's plan.

    References
    ----------
    Devlin, Chang, Lee & Toutanova (2019), BERT: pre-training of deep bidirectional transformers, NAACL.
    Gururangan et al. (2020), Don't stop pretraining: adapt language models to domains and tasks, ACL.
    Akdemir (2020), Research on task discovery for transfer learning in deep neural networks, ACL Student Research
    Workshop.
    """

    # Raise it whenever adaptations give other numbers: it stands in keys in place of this code.
    answers: ClassVar[int] = 2

    name: str = "adapted"
    backbone: Backbone | None = None
    corpus: str = ""
    tasks: tuple[Task, ...] = ()
    masking: Masking = "random"
    steps: int = 600
    batch_size: int = 16
    learning_rate: float = 1e-4
    warmup: float = 0.1
    max_length: int = 128
    share: float = 0.15
    band: tuple[float, float] = (4.0, 5.0)
    precision: Literal["fp32", "bf16"] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        low, high = self.band
        faults = {
            f"masking={self.masking!r}; expected one of {', '.join(MASKINGS)}": self.masking not in MASKINGS,
            f"steps={self.steps}; expected 0 or more": self.steps < 0,
            f"batch_size={self.batch_size}; expected 1 or more": self.batch_size < 1,
            f"learning_rate={self.learning_rate}; expected a number above 0": not 0 < self.learning_rate < math.inf,
            f"warmup={self.warmup}; expected a share of the steps, from 0 to 1": not 0 <= self.warmup <= 1,
            f"max_length={self.max_length}; expected at least 4 pieces": self.max_length < 4,
            f"share={self.share}; expected a share of the tokens, between 0 and 1": not 0 < self.share < 1,
            f"band={low}:{high}; expected two losses, the lower one first": not 0 <= low < high,
            f"seed={self.seed}; expected 0 or more": self.seed < 0,
            "both a corpus and tasks are named; name one of the two": bool(self.corpus and self.tasks),
        }
        for fault, is_there in faults.items():
            if is_there:
                raise UnusableData(f"backbone {self.name!r}: {fault}.")

    def origin(self, files: Files) -> Origin:
        """Return the member's id, and a revision that changes with the corpus and all options of the adaptation.

        Raises
        ------
        MissingData, UnusableData
            If no backbone or no corpus is named, the corpus is not there or holds no text, or the model cannot be
            trained as a masked language model.
        """
        member = self._member
        origin = member.origin(files)
        if reason := member.unmaskable(files):
            raise UnusableData(f"backbone {member.name!r} cannot be adapted: {reason}.")
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in (*OF_ANOTHER_PART, "corpus")}
        texts = self._texts(files)
        how = {**own, "precision": self._settings(len(texts)).precision, "corpus": texts_sha256(texts)}
        digest = hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()
        return Origin(origin.id, f"{origin.revision} adapted {digest[:16]}")

    def adapt(self, files: Files, out: Path) -> Checkpoint:
        """Train the member's model as a masked language model; keep it without that head, and the losses beside it."""
        texts = self._texts(files)
        maskers = list[OfTransformers | ByDifficulty]()

        def make(tokenizer: Any) -> OfTransformers | ByDifficulty:
            maskers.append(self.masker(tokenizer))
            return maskers[-1]

        settings = self._settings(len(texts))
        checkpoint: Checkpoint = self._member.train_masked(
            texts, settings, self.steps, seed=self.seed, files=files, out=out, masker=make
        )
        for masker in maskers:
            (out / TRACE).write_text(json.dumps(masker.trace))
        notes = (f"masking: {self.masking}", *checkpoint.notes) if self.steps else checkpoint.notes
        return replace(checkpoint, notes=notes)

    def after_adaptation(self, folder: Path, files: Files) -> Backbone:
        """Return the member with the adapted model."""
        member: Backbone = self._member.starting_from(folder, files)
        return member

    def masker(self, tokenizer: Any) -> OfTransformers | ByDifficulty:
        """Return what masks texts."""
        if self.masking in ("random", "whole-word"):
            return OfTransformers(tokenizer, self.share, self.seed, whole_words=self.masking == "whole-word")
        controller = Controller(self.band) if self.masking == "adaptive" else None
        return ByDifficulty(tokenizer, self.share, self.seed, controller=controller, steps=self.steps)

    def cost_of_adaptation(self, files: Files) -> tuple[float, int]:
        """Return the seconds that the adaptation would take here, from a second of it, and its weights' bytes."""
        texts, member = self._texts(files), self._member
        size = sum(weight.numel() * weight.element_size() for weight in member.model(None, files).parameters())
        settings = self._settings(len(texts))
        pace = seconds_a_step(member, texts, settings, files=files, masker=self.masker) if self.steps else 0.0
        return self.steps * pace, size

    def settings(self, kind: str, n_examples: int) -> Settings:
        """Return how the member is trained on so many examples of a kind of task."""
        settings: Settings = self._member.settings(kind, n_examples)
        return settings

    def batches(self, dataset: Dataset, files: Files) -> "Iterator[Mapping[str, Tensor]]":
        """Yield batches as the member takes them."""
        batches: Iterator[Mapping[str, Tensor]] = self._member.batches(dataset, files)
        return batches

    @property
    def tuning(self) -> str:
        """Which weights of the member move when it learns a task."""
        return getattr(self.backbone, "tuning", "full")

    # What else a backbone may be asked before its model is adapted; the answers do not hang on the adaptation.
    unsuitable = property(lambda self: self._member.unsuitable)
    pooling_of = property(lambda self: self._member.pooling_of)
    base = property(lambda self: self._member.base)
    cost = property(lambda self: self._member.cost)
    memory = property(lambda self: self._member.memory)
    count_rows = property(lambda self: self._member.count_rows)

    def _too_early(self, *values: Any, **options: Any) -> Any:
        raise UnusableData(
            f"backbone {self.name!r} is adapted before it is used: call `adapt`, and the verbs of what "
            "`after_adaptation` returns."
        )

    train = represent = model = _too_early
    # Tasks can be trained together on what comes of the adaptation.
    fresh = train_together = finished = vectors = _too_early

    @property
    def _member(self) -> Any:
        if self.backbone is None:
            raise MissingData(
                f"backbone {self.name!r} adapts the model of another backbone: name that one, such as "
                f"--set {self.name}.backbone=minilm-2l."
            )
        if not isinstance(self.backbone, TrainsMasked):
            raise UnusableData(
                f"backbone {self.backbone.name!r} cannot be adapted: take one of transformers, such as minilm-2l."
            )
        return self.backbone

    def _texts(self, files: Files) -> tuple[str, ...]:
        if self.corpus:
            return texts_of_file(self.corpus)
        if self.tasks:
            return texts_of_tasks(self.tasks, files)
        raise MissingData(
            f"backbone {self.name!r} has no corpus: name a text file, --set {self.name}.corpus=FILE, or tasks or "
            f"suites whose training texts serve as one, --set {self.name}.tasks=NAME:NAME."
        )

    def _settings(self, n_texts: int) -> Settings:
        usual = self.settings("classification", n_texts).precision
        return Settings(
            epochs=1,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            max_length=self.max_length,
            warmup=self.warmup,
            precision=self.precision or usual,
        )


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """Add the backbone that adapts another one's model."""
    return [Adapted()]
