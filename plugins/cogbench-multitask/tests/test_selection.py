"""What selectors keep: by hand, on planted rows, and at their limits."""

import importlib.util
from dataclasses import dataclass, replace

import numpy as np
import pytest
from cogbench_multitask.selection.features import diversities, jensen_shannon, standardised
from cogbench_multitask.selection.selectors import DiverseRows, Gradients, Random, RuderPlank, SimilarRows
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cogbench import Dataset, Files, Origin, RowChoice, UnusableData, load_parts
from cogbench.compute.selection import RowWeights, StoredSelectionEvidence
from cogbench.compute.workspace import Workspace
from cogbench.storage.store import Store
from cogbench.testing import TASKS, ToyBackbone, check_selector

FILES = Files(offline=True)
SELECTORS = (Random(), SimilarRows(topics=3), DiverseRows(), Gradients(steps=5, dims=64))
needs_optuna = pytest.mark.skipif(not importlib.util.find_spec("optuna"), reason="optuna is not installed")


@dataclass(eq=False)
class Texts:
    """Evidence of texts alone; a vector counts the letters a to e."""

    source_texts: list
    target_texts: list
    seed: int = 0

    @property
    def source(self):
        return _dataset(self.source_texts)

    @property
    def target(self):
        return _dataset(self.target_texts)

    def vectors(self, texts):
        return np.array([[text.count(letter) for letter in "abcde"] for text in texts], np.float32)


def _dataset(texts):
    columns = {"text": list(texts), "label": [i % 2 for i in range(len(texts))]}
    return Dataset("classification", columns, ("no", "yes"), Origin("texts"))


@pytest.fixture
def evidence(tmp_path):
    """What a selector may ask for of two toys, or of any tasks with a backbone."""
    workspace = Workspace(FILES, Store(tmp_path))

    def of(selector, source=TASKS[1], target=TASKS[0], backbone=None, **how):
        backbone = backbone or ToyBackbone()
        return StoredSelectionEvidence(RowWeights(backbone, source, target, selector, **how), backbone, workspace)

    return of


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda s: s.name)
def test_selectors_keep_their_promises(selector):
    check_selector(selector)


def test_divergence_by_hand_and_as_scipy_has_it():
    rows = np.array([[0.5, 0.5, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
    found = jensen_shannon(rows, np.array([0.5, 0.5, 0]))
    one_sided = (1 * np.log2(1 / 0.75) + 0.5 * np.log2(0.5 / 0.75) + 0.5 * np.log2(0.5 / 0.25)) / 2
    assert_allclose(found, [0, one_sided, 1, 1])
    from scipy.spatial.distance import jensenshannon

    drawn = np.random.default_rng(0).dirichlet(np.ones(6), 5)
    assert_allclose(jensen_shannon(drawn[:4], drawn[4]), [jensenshannon(p, drawn[4], base=2) ** 2 for p in drawn[:4]])


@given(st.integers(1, 8), st.integers(0, 99))
def test_divergence_is_symmetric_and_from_0_to_1(n_outcomes, seed):
    p, q = np.random.default_rng(seed).dirichlet(np.ones(n_outcomes), 2)
    one, other = jensen_shannon(p[None], q)[0], jensen_shannon(q[None], p)[0]
    assert one == pytest.approx(other, abs=1e-12)
    assert -1e-12 <= one <= 1


def test_diversity_by_hand():
    evidence = Texts(["a b", "a a", "b c"], ["a"])
    share = {"a": 3 / 6, "b": 2 / 6, "c": 1 / 6}
    types = (("a", "b"), ("a",), ("b", "c"))
    expected = np.array(
        [
            [
                len(names),
                len(names) / 2,
                -sum(share[n] * np.log(share[n]) for n in names),
                -sum(share[n] ** 2 for n in names),
                np.log(sum(share[n] ** 0.99 for n in names)) / 0.01,
                # The vectors of the three words are at right angles.
                1 - sum((share[n] / sum(share[m] for m in names)) ** 2 for n in names),
            ]
            for names in types
        ]
    )
    assert_allclose(diversities(evidence), expected, rtol=1e-6)


def test_a_constant_feature_weighs_nothing():
    values = standardised(np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert_allclose(values, [[-1, 0], [1, 0]])


@pytest.mark.parametrize("feature", ["terms", "topics", "embeddings"])
def test_rows_of_a_foreign_vocabulary_are_dropped(feature):
    rng = np.random.default_rng(0)
    native, foreign = ("bad cab dab ace bed".split(), "yoyo zoom tutu will jury".split())
    draw = lambda words, n: [" ".join(rng.choice(words, 8)) for _ in range(n)]  # noqa: E731
    evidence = Texts([*draw(native, 30), *draw(foreign, 30)], draw(native, 40))
    selector = SimilarRows(features=(feature,), topics=2)
    kept = RowChoice(selector, TASKS[0], 0.5).choose(selector.weights(evidence), seed=0)
    assert (kept < 30).mean() >= 0.95


def test_texts_without_words_are_refused_in_one_line():
    with pytest.raises(UnusableData, match=r"^the texts have no words, so no rows can be chosen by them\.$"):
        SimilarRows().weights(Texts(["", " "], [""]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SimilarRows(features=()), "similarity: features=; name at least one, each once."),
        (lambda: SimilarRows(topics=0), "similarity: topics=0; expected 1 or more."),
        (lambda: DiverseRows(features=("types", "types")), "diversity: features=types:types; name"),
        (lambda: RuderPlank(trials=0), "ruder-plank: trials=0; expected 1 or more."),
        (lambda: RuderPlank(folds=1), "ruder-plank: cheap transfers: examples=100 in folds=1; expected two folds or"),
        (lambda: RuderPlank(steps=0), "ruder-plank: cheap transfers: steps=0; expected at least 1."),
        (lambda: Gradients(dims=0), "gradient: dims=0; expected 1 or more."),
    ],
)
def test_options_that_make_no_sense_are_refused(make, words):
    with pytest.raises(UnusableData) as refused:
        make()
    assert str(refused.value).startswith(words)


@needs_optuna
def test_a_sum_with_weights_of_0_keeps_the_rows_of_random(evidence):
    alone = RuderPlank(trials=1, topics=2, steps=5, examples=20)  # whose only trial has weights of 0
    weights = alone.weights(evidence(alone, share=0.5))
    for seed in range(3):
        choice = RowChoice(alone, TASKS[0], 0.5)
        assert_array_equal(choice.choose(weights, seed), choice.choose(Random().weights(evidence(Random())), seed))


@needs_optuna
@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_the_best_of_the_trials_is_kept(evidence, sampler):
    """The worth of a trial is how many of the rows of even number it trains on; two features say which these are."""
    selector = RuderPlank(trials=25, topics=2, sampler=sampler)
    even = ["ab ab ab ab", "cd cd cd cd"] * 10
    texts = Texts(even, ["ab ab"] * 6)
    goal, worths = np.arange(20) % 2 == 0, []

    def trial(weights, options):
        kept = RowChoice(selector, TASKS[0], 0.5).choose(weights, 0)
        worths.append(float(goal[kept].mean()))
        return worths[-1]

    texts.trial = trial
    weights = selector.weights(texts)
    kept = RowChoice(selector, TASKS[0], 0.5).choose(weights, 0)
    assert goal[kept].mean() == max(worths) == 1
    assert worths[0] < 1
    assert_array_equal(weights, selector.weights(texts))


def test_a_gradient_along_the_goal_weighs_most():
    class Given:
        def gradients(self, examples, steps, dims):
            source = np.array([[2, 0], [0, 1], [-3, 0], [0, 0]], np.float32)
            return source, np.array([[1, 1], [1, -1]], np.float32)

    assert_allclose(Gradients().weights(Given()), [1, 0, -1, 0])


@dataclass(frozen=True)
class HalfShuffled:
    """A task half of whose training labels are shuffled."""

    task: object

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.task, name)

    def load(self, split, files):
        rows = self.task.load(split, files)
        labels, rng = np.array(rows.columns["label"]), np.random.default_rng(5)
        if split == "train":
            half = rng.permutation(len(labels))[: len(labels) // 2]
            labels[half] = rng.permutation(labels[half])
        return replace(rows, columns={**rows.columns, "label": labels.tolist()})


@pytest.mark.torture
@pytest.mark.timeout(3600)  # a busy machine is slow
def test_gradients_give_shuffled_labels_lower_weights(evidence):
    parts, selector = load_parts(), Gradients()
    source, target = HalfShuffled(parts.tasks["mini-rte"]), parts.tasks["mini-mnli"]
    of_rows = evidence(selector, source, target, parts.backbones["minilm-2l"], max_target=200)
    true = source.task.load("train", FILES).columns["label"]
    good = np.array(true) == np.array(of_rows.source.columns["label"])
    assert 20 <= (~good).sum() <= 40  # of 120; the other half of the shuffled labels are as they were
    weights = selector.weights(of_rows)
    right, wrong = weights[good], weights[~good]
    assert (right[:, None] > wrong).mean() > 0.7
