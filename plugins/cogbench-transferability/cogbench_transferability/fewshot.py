"""Few-shot transfer: how well is a target learned after each source, in short trainings on few of its examples?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from cogbench import TaskMatrix, TransferOptions, hookimpl

from .pairs import of_pairs

if TYPE_CHECKING:
    from cogbench import CheapTransfer, Estimator, Evidence


@dataclass(frozen=True)
class FewShot:
    """A target's metric after a source, in transfers that are cheaper than the oracle's: few examples, few steps.

    The few examples come from the target's training split. They are split into folds, and each fold is scored by a
    training on the others, so that no evaluation example is looked at and no further example is needed. What that costs
    stands in a note, and in the details as `cost`.

    Parameters
    ----------
    transfer : TransferOptions
        How many examples, steps and folds.
    measure : {"metric", "likelihood"}
        The target's own metric, or the mean score of an example, which is the log-likelihood of its true answer (of
        extractive question answering its F1): finer than a metric that counts answers of a hundred examples.

    References
    ----------
    After Poth, Pfeiffer, Rücklé & Gurevych (2021), What to pre-train on? Efficient intermediate task selection, EMNLP:
    there on 1,000 target examples for 5 to 50 steps.
    """

    transfer: TransferOptions = field(default_factory=TransferOptions)
    measure: Literal["metric", "likelihood"] = "metric"
    name: str = "few-shot"
    needs: frozenset[str] = frozenset({"cheap-transfers"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return (n_sources, n_targets) scores of the targets, in the unit of each target's metric or in nats."""
        trials: list[CheapTransfer] = []

        def score(source: str, target: str) -> float:
            trials.append(trial := evidence.cheap_transfer(source, target, self.transfer))
            return trial.score.value if self.measure == "metric" else float(np.mean(trial.score.per_example))

        matrix = of_pairs(evidence, self.name, score)
        trainings, steps = (sum(getattr(trial, what) for trial in trials) for what in ("trainings", "steps"))
        seconds = round(sum(trial.seconds for trial in trials), 1)
        most = max((trial.examples for trial in trials), default=0)
        evidence.note(
            f"{self.name}: it took {trainings} short trainings of {steps} steps in all, {seconds:.0f} seconds; of each "
            f"target it used at most {most} training examples."
        )
        cost = {"trainings": trainings, "steps": steps, "seconds": seconds, "examples of a target": most}
        evidence.detail("cost", cost)
        return matrix


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [FewShot()]
