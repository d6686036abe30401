"""Tasks with a part of the rows of another, in a module of their own, because worker processes import it."""

from dataclasses import dataclass

import numpy as np

from cogbench import Dataset, Files, Task
from cogbench.combining.selected import MadeOfTask


@dataclass(frozen=True)
class ShortTask(MadeOfTask):
    """A task of which at most some training rows are there: a stratified sample."""

    task: Task
    rows: int
    seed: int = 0

    def load(self, split: str, files: Files) -> Dataset:
        """Read one split; the training split is sampled."""
        dataset = self.task.load(split, files)
        return dataset.sample(self.rows, self.seed) if split == "train" else dataset


@dataclass(frozen=True)
class AnswerableQuestions(MadeOfTask):
    """A task of question answering without the questions that have no answer."""

    task: Task
    further: tuple[str, ...] = ("exact-match",)

    def load(self, split: str, files: Files) -> Dataset:
        """Read one split; only the questions with an answer."""
        dataset = self.task.load(split, files)
        answers = dataset.columns["label"]
        return dataset.take(np.array([i for i, answer in enumerate(answers) if len(answer["text"])]))
