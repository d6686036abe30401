"""Cheap transfers: how short trainings of a target on few of its examples are asked for, and what they give."""

from dataclasses import dataclass

from ..errors import UnusableData
from ..scoring.metrics import TaskScore


@dataclass(frozen=True)
class TransferOptions:
    """How a cheap transfer is made: trainings on few examples of a target, scored on examples among the same few.

    Estimators with equal options share the trainings. An estimator that has such options in a field has its trainings
    planned with the run's others; options that it makes up on the way are computed where it stands.

    Parameters
    ----------
    examples : int
        At most so many training examples of the target, a stratified sample; of them all are scored, each by a model
        that was trained without it. The evaluation split is not looked at.
    steps : int
        At least so many steps of the optimiser in each training: whole epochs. The other settings are the backbone's
        own for so few examples.
    folds : int
        Into how many parts the examples are split: each part is scored by a training on the others.
    seed : int
        The seed of the sample and of the split; that of the trainings is the run's.

    Raises
    ------
    UnusableData
        If there are fewer than two folds or two examples a fold, or no step.
    """

    examples: int = 100
    steps: int = 30
    folds: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.folds < 2 or self.examples < 2 * self.folds:
            raise UnusableData(
                f"cheap transfers: examples={self.examples} in folds={self.folds}; expected two folds or more, and two "
                "examples or more a fold."
            )
        if self.steps < 1:
            raise UnusableData(f"cheap transfers: steps={self.steps}; expected at least 1.")


USUAL_TRANSFER = TransferOptions()


@dataclass(frozen=True, eq=False, kw_only=True)
class CheapTransfer:
    """What a source brings a target in short trainings, and what these cost.

    `score` is the mean over the folds: its `per_example` (n_examples,) stand in the order of the folds. `trainings` and
    `steps` count the trainings and their optimiser's steps, the source's own training left out; `examples` those of the
    target that were used. `seconds` is how long the trainings took, wherever and whenever they were computed.
    """

    score: TaskScore
    trainings: int
    steps: int
    examples: int
    seconds: float
