"""How sure an estimate is: the estimator again, on random halves of what it has read of the target."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from ..data.dataset import Array, Split, draw_rows, with_each_class
from ..data.features import USUAL_FEATURES, FeatureOptions, Features
from ..data.oracle import TaskMatrix
from ..data.recording import Responses
from ..parts.interfaces import STIMULI, Estimator, InPieces
from ..parts.recipe import Task
from ..text import first_line
from .estimate import LazyMapping, estimate_from
from .workspace import Workspace

DRAWS, LEAST, SECONDS = 100, 10, 30.0
TRIAL = 3  # draws after which it is clear whether the least number fits into about the time
EXAMPLES = frozenset({"features", "backbone-features", "texts"})  # what is read of the target's examples
WHOLE = frozenset({"models", "batches", "cheap-transfers"})  # what reads them in a way that is not drawn again


class Matrix(Protocol):
    """The cell of an estimator's matrix, whatever its evidence comes from: the store, or a pack."""

    @property
    def estimator(self) -> Estimator: ...
    @property
    def targets(self) -> tuple[Task, ...]: ...
    def member(self, estimator: Estimator) -> "Matrix":
        """Return the cell of an estimator among the fields of this one."""

    def evidence(self, workspace: Workspace) -> Any:
        """Return the evidence that its estimator is given."""


class HalvedEvidence:
    """Evidence in which half of the target's examples stand, and half of the stimuli: drawn without repetition.

    Everything else is as in the whole. Each class has its share of the examples that are drawn, and keeps two.

    Parameters
    ----------
    cell : Matrix
        The matrix that is made again; its only target is the one whose examples are drawn.
    workspace : Workspace
        Where its inputs are kept.
    draw : int
        The number of the draw, which decides what is drawn.
    figures : dict
        What was read for earlier draws, which is not read again.
    """

    def __init__(self, cell: Matrix, workspace: Workspace, draw: int, figures: dict[Any, Any]) -> None:
        self.whole = cell.evidence(workspace)
        self._cell, self._workspace, self._draw, self._figures = cell, workspace, draw, figures

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    @property
    def stimuli(self) -> tuple[str, ...]:
        """Half of the signal's sentences."""
        whole = self.whole.stimuli
        return tuple(whole[row] for row in self._half(len(whole)))

    @cached_property
    def representations(self) -> Mapping[str, Array]:
        """For each task the stimuli drawn, as its trained model represents them."""
        whole = self._once("representations", lambda: dict(self.whole.representations))
        return {task: values[self._half(len(values))] for task, values in whole.items()}

    @property
    def responses(self) -> Mapping[str, Responses]:
        """For each subject the recorded responses to the stimuli drawn."""
        return {name: self._of_half(responses) for name, responses in self.whole.responses.items()}

    def _of_half(self, responses: Responses) -> Responses:
        rows = self._half(len(responses.values))
        halves = None if responses.halves is None else responses.halves[:, rows]
        shown = None if responses.shown is None else responses.shown[:, rows]
        return Responses(
            responses.values[rows], responses.channels, present=responses.present[rows], halves=halves, shown=shown
        )

    def features(self, source: str | None, target: str, options: FeatureOptions = USUAL_FEATURES) -> Features:
        """Return the features of the examples drawn, or those of all examples of another task."""
        key = ("features", source, target, options)
        whole: Features = self._once(key, lambda: self.whole.features(source, target, options))
        if target not in self.targets:
            return whole
        labels = whole.answers if whole.answer_kind == "classes" else None
        rows = self._half(len(whole.values), labels)
        return replace(
            whole, values=whole.values[rows], answers=whole.answers[rows], probabilities=whole.probabilities[rows]
        )

    def texts(self, task: str, split: Split, *, n: int | None = None, seed: int = 0) -> tuple[str, ...]:
        """Return the texts of the examples drawn, or of all examples of another task."""
        whole: tuple[str, ...] = self.whole.texts(task, split, n=n, seed=seed)
        return tuple(whole[row] for row in self._half(len(whole))) if task in self.targets else whole

    def similarity(self, member: Estimator) -> TaskMatrix:
        """Return the matrix that an estimator among the fields of this one gives on the same draw."""
        evidence: Any = HalvedEvidence(self._cell.member(member), self._workspace, self._draw, self._figures)
        return estimate_from(member, evidence, evidence.inquiry).matrix

    def pieces(self, estimator: InPieces) -> Mapping[str, Mapping[str, Array]]:
        """Return pieces of other tasks from the whole, and compute those that read the target."""
        evidence: Any = self
        stored, reads = self.whole.pieces(estimator), estimator.pieces(evidence)

        def of(name: str) -> Mapping[str, Array]:
            read_target = {*self.targets} & {*reads[name]}
            return estimator.piece(evidence, name) if read_target else stored[name]

        return LazyMapping(tuple(reads), of)

    def _once(self, name: Any, read: Callable[[], Any]) -> Any:
        if name not in self._figures:
            self._figures[name] = read()
        return self._figures[name]

    def _half(self, n: int, labels: Array | None = None) -> Array:
        rng = np.random.default_rng((self._draw, n))
        if labels is None:
            return draw_rows(np.zeros(n), max(1, n // 2), rng, by_class=False)
        return with_each_class(draw_rows(labels, max(1, n // 2), rng, by_class=True), labels, rng)


@dataclass(frozen=True, eq=False)
class Draws:
    """An estimator's scores on random halves: `scores` (n_draws, n_sources), and a line that says what was drawn.

    `scores` is None where nothing could be drawn, and the line says why.
    """

    scores: Array | None
    note: str


def draw_scores(
    cell: Matrix, sources: Sequence[str], workspace: Workspace, *, clock: Callable[[], float] = perf_counter
) -> Draws:
    """Return the scores of sources for the only target of a matrix, on random halves of what the estimator has read.

    Parameters
    ----------
    cell : Matrix
        The matrix of one target.
    sources : sequence of str
        Whose scores are wanted, in their order.
    workspace : Workspace
        Where the inputs of the matrix are kept.
    clock : callable
        Gives seconds: after 30 of them no further half is drawn.

    Returns
    -------
    Draws
        Of 100 halves, or as many as fit into the time; of none if that are fewer than 10.

    Notes
    -----
    The standard deviation over halves that are drawn without repetition is the standard error of a smooth statistic
    of all: the jackknife that deletes half. A bootstrap would hold examples twice, and each would be the nearest
    neighbour of its double.

    References
    ----------
    Shao & Wu (1989), A general theory for jackknife variance estimation, Annals of Statistics 17:1176.
    """
    needs, name = cell.estimator.needs, cell.estimator.name
    (target,) = (task.name for task in cell.targets)
    unknown = "nothing tells how sure the order is"
    read = [f"the examples of {target}"] if EXAMPLES & needs else []
    read += ["the stimuli"] if STIMULI & needs else []
    if WHOLE & needs or not read:
        return Draws(None, f"{unknown}: what {name} reads is not drawn again.")
    try:
        scores = np.array([*_until(_each_draw(cell, sources, target, workspace), clock)])
    except Exception as error:  # the estimator's own, whatever it is: it has scored the whole
        reason = first_line(error).removesuffix(".")
        return Draws(None, f"{unknown}: {name} has no score for half of {' and of '.join(read)}: {reason}.")
    if len(scores) < LEAST:
        return Draws(None, f"{unknown}: {name} takes too long to be computed on parts of {' and of '.join(read)}.")
    return Draws(
        scores,
        f"differences are to the source above, ± their standard error over {len(scores)} random halves of "
        f"{' and of '.join(read)}; = sources share a place that two standard errors do not tell from its first.",
    )


def _each_draw(cell: Matrix, sources: Sequence[str], target: str, workspace: Workspace) -> Iterator[Array]:
    figures = dict[Any, Any]()
    for draw in range(DRAWS):
        evidence: Any = HalvedEvidence(cell, workspace, draw, figures)
        matrix = estimate_from(cell.estimator, evidence, evidence.inquiry).matrix
        yield matrix.part(sources, [target]).values[:, 0]


def _until(draws: Iterator[Array], clock: Callable[[], float]) -> Iterator[Array]:
    """Yield draws until the time is over, or the first ones show that too few would fit into it."""
    begin = clock()
    for i, scores in enumerate(draws, 1):
        yield scores
        spent = clock() - begin
        if spent > SECONDS or (i == TRIAL and spent * LEAST > 2 * SECONDS * TRIAL):
            return
