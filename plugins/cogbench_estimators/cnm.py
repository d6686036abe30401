"""Cognitive-neural mapping: do two tasks' representations predict the same channels of a signal?"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cogbench import Array, Recording, Responses, TaskMatrix, UnusableData, hookimpl

from .device import to_device
from .dse import blocks, representations, unit_rows
from .mapping import Score, above_null, channel_scores, compressed, fit, moments, z_scored
from .ridge import chosen, predicted

if TYPE_CHECKING:
    from torch import Tensor

    from cogbench import Estimator, Evidence

BLOCK = 4096  # channels looked at together: a whole brain is not copied


@dataclass(frozen=True)
class CNM:
    """Similarity of how well two tasks' representations predict each channel of a signal.

    A network with one hidden layer maps a task's representations to a subject's responses. The task's vector (CogR)
    holds, for each channel, the score of the predictions for stimuli that the network has not seen; tasks are
    compared by the cosine of their vectors.

    Parameters
    ----------
    score : {"r2", "rho", "rho2"}
        Of a channel: 1 - SSE/SST, from minus infinity to 1, as the released code has it; Pearson's correlation; or the
        square of that, as the paper's footnote 6 has it.
    hidden : tuple of int
        Sizes of the hidden layer; each task takes one in each outer fold, by inner cross-validation.
    channels : int
        At most so many channels of a subject, the same random ones for all tasks and runs.
    seeds : tuple of int
        One run for each: folds, initial weights and batches are drawn from it.
    folds, inner_folds : int
        Of the outer and inner cross-validation.
    epochs, batch_size, learning_rate : int, int, float
        Of each training.
    zscore : {"all", "train"}
        Each channel is scaled over all stimuli, as in the paper, or over the training stimuli of each outer fold alone.
    average : {"matrices", "vectors"}
        Over subjects and seeds: of the similarities, or of the vectors before they are compared.
    penalties : tuple of float
        Of the solver `ridge`, in units of the mean square of a representation; each task takes one in each outer fold.
    solver : {"compressed", "plain", "ridge"}
        With more channels than training stimuli, map to as many combinations of channels as there are stimuli, or to
        all channels; otherwise the two are the same. The channels' scores of both agree as those of two seeds do, the
        similarities of tasks a little less (docs/speed.md). `ridge`
        maps linearly, in closed form: the seeds then only draw the folds. It is that of `cnm-ridge`.

    References
    ----------
    Luo, Xu & Xiong (2022), CogTaskonomy, section 3.3; the training is that of their released code.
    """

    score: Score = "r2"
    hidden: tuple[int, ...] = (400, 200)
    channels: int = 30_000
    seeds: tuple[int, ...] = (5, 10, 20, 30, 123)
    folds: int = 5
    inner_folds: int = 3
    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 1e-3
    zscore: Literal["all", "train"] = "all"
    average: Literal["matrices", "vectors"] = "matrices"
    penalties: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
    solver: Literal["compressed", "plain", "ridge"] = "compressed"
    name: str = "cnm"
    needs: frozenset[str] = frozenset({"representations", "responses"})

    def similarity(self, evidence: "Evidence") -> TaskMatrix:
        """Return the symmetric (n_tasks, n_tasks) cosine of the tasks' vectors, from -1 to 1.

        NaN for a task whose vector is zero: it predicts nothing, so there is no estimate. Subjects with fewer than 3
        channels or too few stimuli are left out, and a note says so.

        Raises
        ------
        UnusableData
            If no subject is left, or a representation holds NaN or infinity.
        """
        # Folds and batches are drawn from the sorted sentences: the order of the stimuli does not change the answer.
        order = np.array(sorted(range(len(evidence.stimuli)), key=evidence.stimuli.__getitem__))
        x = np.stack(representations(evidence))[:, order].astype(np.float32)  # (n_tasks, n_stimuli, n_dims)
        pairs, names = {}, set()  # of each subject: what it has seen, its responses; its channels
        for subject, kept in self.usable(evidence.responses, evidence.note).items():
            responses = evidence.responses[subject]
            present = responses.present[order]
            pairs[subject] = x[:, present], z_scored(responses.values[np.ix_(order[present], kept)])
            names.add(tuple(responses.channels[k] for k in kept))
        if self.average == "vectors" and len(names) > 1:
            raise UnusableData(
                f"the subjects' channels differ: {self.name} cannot average their vectors; use average=matrices."
            )
        runs = {s: [self._run(seen, y, seed) for seed in self.seeds] for s, (seen, y) in pairs.items()}
        vectors = [[v for v, _ in of] for of in runs.values()]  # (n_tasks, n_channels) each
        matrices = [np.mean([cosines(v) for v in of], axis=0) for of in vectors]  # a subject's (n_tasks, n_tasks)
        evidence.detail("by_subject", dict(zip(runs, map(_rows, matrices), strict=True)))
        evidence.detail("prediction", self._predicted(evidence, runs))
        for i, task in enumerate(evidence.tasks):
            if not all(v[i].any() for of in vectors for v in of):
                evidence.note(f"{self.name}: no estimate for {task}: its predictions score 0 in every channel.")
        if self.average == "vectors":
            return TaskMatrix.square(evidence.tasks, cosines(np.mean([v for of in vectors for v in of], axis=0)))
        return TaskMatrix.square(evidence.tasks, np.mean(matrices, axis=0))

    def _predicted(self, evidence: "Evidence", runs: "dict[str, list[tuple[Array, Prediction]]]") -> dict[str, Any]:
        """Return how well each task predicts each subject, mean over seeds, and note where nothing is predicted."""
        found: dict[str, Any] = {}
        for subject, of in runs.items():
            rows = np.mean([p for _, p in of], axis=0)  # (3, n_tasks)
            names = ("score", "error_to_shuffled", "share_above_shuffled")
            found[subject] = {
                task: dict(zip(names, map(float, column), strict=True))
                for task, column in zip(evidence.tasks, rows.T, strict=True)
            }
        shares = np.array([t["share_above_shuffled"] for of in found.values() for t in of.values()])
        if shares.mean() < NOTHING:
            evidence.note(
                f"{self.name}: the mapping predicts next to nothing: {100 * shares.mean():.0f} % of channels lie above "
                "shuffled stimuli, where 5 % would by chance; its similarities say little."
            )
        return found

    def refuse(self, recording: Recording) -> None:
        """Raise UnusableData for a signal with too few channels or stimuli, before anything is trained on it."""
        self.usable(recording.subjects)

    def usable(
        self, subjects: Mapping[str, Responses], note: Callable[[str], object] = lambda text: None
    ) -> dict[str, Array]:
        """Return for each subject with enough of both the positions of its channels; UnusableData if none has."""
        found, why = {}, []
        for subject, responses in subjects.items():
            try:
                self.refuse_few(subject, int(responses.present.sum()))
                found[subject] = self.kept(subject, responses, note)
            except UnusableData as error:
                why.append(str(error))
        if not found:
            raise UnusableData("; ".join(text.rstrip(".") for text in why) + ".")
        for text in why:
            note(f"{self.name}: left out: {text}")
        return found

    def kept(self, subject: str, responses: Responses, note: Callable[[str], object] = lambda text: None) -> Array:
        """Return the positions of the channels that are mapped: those that vary, and a draw if they are too many."""
        rows, n_channels = np.flatnonzero(responses.present), responses.values.shape[1]
        varies = np.zeros(n_channels, bool)
        for columns in blocks(n_channels, BLOCK):
            varies[columns] = varying(responses.values[rows, columns])
        vary = np.flatnonzero(varies)
        n = min(len(vary), self.channels)
        if n < 3:
            raise UnusableData(
                f"subject {subject!r} has {len(vary)} channels that vary, channels={self.channels}; {self.name} needs "
                f"at least 3: with {n} channels its similarity would be ±1 or nearly so, whatever the tasks: use cra."
            )
        kept = np.sort(np.random.default_rng(0).permutation(vary)[:n])
        if len(vary) < n_channels:
            note(f"{self.name}: subject {subject}: {n_channels - len(vary)} constant channels dropped.")
        if len(vary) < self.channels != CNM.channels:  # the default means: at most so many
            note(f"{self.name}: subject {subject}: {len(vary)} channels vary, fewer than channels={self.channels}.")
        if len(kept) < len(vary):
            note(f"{self.name}: subject {subject}: {len(kept)} of {len(vary)} channels drawn at random.")
        return kept

    def refuse_few(self, subject: str, n_stimuli: int) -> None:
        """Raise UnusableData if the folds would be empty."""
        searched = len(self.penalties if self.solver == "ridge" else self.hidden) > 1
        if self.folds < 2 or (searched and self.inner_folds < 2):
            raise UnusableData(
                f"{self.name}: folds={self.folds}, inner_folds={self.inner_folds}; both must be at least 2."
            )
        smallest = n_stimuli - -(-n_stimuli // self.folds)  # the training rows of the largest test fold
        if n_stimuli < self.folds or (searched and smallest < self.inner_folds):
            raise UnusableData(
                f"subject {subject!r} has {n_stimuli} stimuli, too few for {self.folds} folds"
                + (f" with {self.inner_folds} inner folds" if searched else "")
                + ": choose a signal with more sentences, or fewer folds."
            )

    def describe(self, x: Array, y: Array, seed: int) -> Array:
        """Score each task's cross-validated predictions of one subject: its CogR vector, (n_tasks, n_channels)."""
        return channel_scores(self.mapped(x, y, seed), len(y), self.score)

    def _run(self, x: Array, y: Array, seed: int) -> "tuple[Array, Prediction]":
        sums = self.mapped(x, y, seed)
        vectors = channel_scores(sums, len(y), self.score)
        return vectors, np.stack([vectors.mean(axis=1), *above_null(sums, len(y))])

    def mapped(self, x: Array, y: Array, seed: int) -> Array:
        """Predict one subject's responses from each task by cross-validation, and return sums that scores are made of.

        Parameters
        ----------
        x : array of shape (n_tasks, n_stimuli, n_dims)
        y : array of shape (n_stimuli, n_channels)
            Responses to the same stimuli, z-scored.
        seed : int

        Returns
        -------
        array of shape (6, n_tasks, n_channels)
            Those of `moments`, over all stimuli.
        """
        import torch

        inputs, targets = to_device(x), to_device(y)
        folds = np.array_split(np.random.default_rng(seed).permutation(len(y)), self.folds)
        sums = torch.zeros(6, len(x), y.shape[1], dtype=torch.float64, device=inputs.device)
        products = targets.double() @ targets.double().T if self.solver == "ridge" else None
        scaled = targets
        for k, test in enumerate(folds):
            train = np.concatenate(folds[:k] + folds[k + 1 :])
            if self.zscore == "train":
                mean, spread = targets[train].mean(dim=0), targets[train].std(dim=0, correction=0)  # (n_channels,)
                spread = spread.where(spread > 0, 1.0)
                scaled = (targets - mean) / spread
                products = products if products is None else scaled.double() @ scaled.double().T
            if products is not None:
                choice = chosen(inputs, products, np.array_split(train, self.inner_folds), self.penalties)  # (n_tasks,)
            else:
                choice = self.choose(inputs, scaled, train, (seed, k))
            for i in np.unique(choice):
                tasks = to_device(np.flatnonzero(choice == i))
                if products is not None:
                    made = predicted(inputs[tasks], scaled, train, test, self.penalties[i])
                else:
                    made = self.predict(inputs[tasks], scaled, train, test, self.hidden[i], (seed, k, 0))
                if self.zscore == "train":
                    made = made * spread + mean  # back to the scale that all folds share
                sums[:, tasks] += moments(targets[test], made)
        return sums.cpu().numpy()

    def choose(self, x: "Tensor", y: "Tensor", train: Array, key: tuple[int, ...]) -> Array:
        """Return for each task the number of the hidden size with the least error over the inner folds: (n_tasks,)."""
        errors = np.zeros((len(self.hidden), len(x)))
        if len(self.hidden) == 1:
            return errors.argmin(axis=0)
        folds = np.array_split(train, self.inner_folds)
        for k, test in enumerate(folds):
            rest = np.concatenate(folds[:k] + folds[k + 1 :])
            for i, hidden in enumerate(self.hidden):
                predicted = self.predict(x, y, rest, test, hidden, (*key, k + 1))  # (n_tasks, n_test, n_channels)
                errors[i] += [float((p - y[test]).square().mean()) for p in predicted]
        return errors.argmin(axis=0)

    def predict(
        self, x: "Tensor", y: "Tensor", train: Array, test: Array, hidden: int, key: tuple[int, ...]
    ) -> "Tensor":
        """Fit all tasks on the rows `train` and predict the rows `test`: (n_tasks, n_test, n_channels)."""
        targets, basis, shrink = y[train], None, 1.0  # (n_train, n_targets)
        if self.solver == "compressed" and y.shape[1] > len(train):
            targets, basis, shrink = compressed(targets, hidden, key)  # as many targets as training rows, at most
        w1, b1, w2, b2 = fit(
            x[:, train], targets, hidden, key, self.epochs, self.batch_size, self.learning_rate, shrink
        )
        h = (b1 + x[:, test] @ w1).relu()  # (n_tasks, n_test, n_hidden)
        predicted = b2 + h @ w2  # (n_tasks, n_test, n_targets)
        return predicted if basis is None else predicted @ basis


Prediction = Array  # (3, n_tasks): mean score, error relative to shuffled stimuli, share of channels above those
NOTHING = 0.1  # twice the share of channels that lie above shuffled stimuli by chance


def _rows(matrix: Array) -> list[list[float | None]]:
    """Return a matrix as JSON has it: None for NaN, and for a task with itself."""
    np.fill_diagonal(matrix := matrix.copy(), np.nan)
    return [[None if np.isnan(v) else float(v) for v in row] for row in matrix]


def varying(values: Array) -> Array:
    """Return which channels of (n_stimuli, n_channels) vary, by more than rounding leaves of a constant."""
    values = values.astype(np.float64)
    noise = 1e-13 * np.square(values).sum(axis=0)  # of float32 too
    return np.square(values - values.mean(axis=0)).sum(axis=0) > noise


def cosines(vectors: Array) -> Array:
    """Return the (n_tasks, n_tasks) cosines of the rows of (n_tasks, n_channels); NaN for a zero row."""
    unit = unit_rows(vectors, "cosine")
    unit[~unit.any(axis=1)] = np.nan
    return unit @ unit.T


@hookimpl
def register_estimators() -> "Iterable[Estimator]":
    return [CNM(), CNM(name="cnm-ridge", solver="ridge")]
