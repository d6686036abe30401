"""A task with few training rows, in a module of its own, because worker processes import it."""

from dataclasses import dataclass

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
