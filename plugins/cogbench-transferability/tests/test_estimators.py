"""All estimators: their contract with every option, tasks of all kinds, and what each one asks of a run."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cogbench_transferability.cka import CKA
from cogbench_transferability.ensemble import Ensemble
from cogbench_transferability.esm import ESMLogME, least_squares
from cogbench_transferability.fewshot import FewShot
from cogbench_transferability.fuse import Fuse
from cogbench_transferability.fusion import fused
from cogbench_transferability.gbc import GBC
from cogbench_transferability.gradient import Gradient
from cogbench_transferability.hscore import HScore
from cogbench_transferability.knn import KNN
from cogbench_transferability.leep import LEEP, NCE
from cogbench_transferability.logme import LogME
from cogbench_transferability.mips import MIPS
from cogbench_transferability.nleep import NLEEP
from cogbench_transferability.pairs import Undefined, cosine, of_pairs
from cogbench_transferability.parc import PARC
from cogbench_transferability.probe import LinearProbe
from cogbench_transferability.prompts import Prompt
from cogbench_transferability.taskemb import TaskEmb
from cogbench_transferability.taskvector import TaskVector
from cogbench_transferability.textemb import Description, TextEmb
from cogbench_transferability.transrate import TransRate
from cogbench_transferability.tsns import TSNS
from cogbench_transferability.vocabulary import Vocabulary
from cogbench_transferability.zeroshot import ZeroShot
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression
from small import Small, square

from cogbench import FeatureOptions, TransferOptions, UnusableData, load_parts
from cogbench.testing import check_estimator

MEAN = FeatureOptions(pooling="mean", examples=20)
QUICK = TSNS(draws=2, trees=5)
OWN = [e for e in load_parts().estimators.values() if type(e).__module__.startswith("cogbench_transferability.")]


def test_they_are_all_installed():
    assert sorted(e.name for e in OWN) == sorted(
        "taskemb textemb description tsns vocabulary mips logme hscore leep nce knn esm-logme few-shot fuse "
        "linear-probe parc cka task-vector transrate gbc nleep zero-shot gradient ensemble".split()
    )


VARIED = [
    *(e for e in OWN if e.name != "tsns"),
    QUICK,
    TaskEmb(components=("cls", "parameters"), examples=20),
    TaskEmb(convention="batch_squared"),
    TaskEmb(labels="sampled", samples=2, examples=20),
    TaskEmb(labels="expected"),
    Description(by="words"),
    Vocabulary(gram=2, measure="jaccard"),
    MIPS(variant="feature_mean", direction="symmetric", normalise=False),
    LogME(MEAN, null_space="released"),
    HScore(MEAN, regularised=False),
    KNN(neighbours=1),
    ESMLogME(fit="least-squares"),
    FewShot(TransferOptions(examples=20, steps=5, folds=5), measure="likelihood"),
    replace(QUICK, similarity_="spearman", method="mutual-information"),
    replace(QUICK, similarity_="zero-shot", pairs=2),
    Fuse((Vocabulary(), LogME(), Fuse())),
    Gradient("means", dims=100, examples=10),
    Ensemble((Vocabulary(), LogME()), steps=2),
    LEEP(correct="shuffled"),
    NCE(correct="held-out"),
    LinearProbe(MEAN, measure="likelihood", folds=3),
    PARC(dims=2),
    CKA(debiased=True),
    TaskVector(by="whole", weights="sketched"),
    TransRate(unit_trace=False, weights="equal"),
    GBC(covariance="diagonal"),
    NLEEP(ratio=2, covariance="diag"),
    ZeroShot(measure="likelihood"),
]


@pytest.mark.parametrize("estimator", VARIED, ids=[f"{i}-{e.name}" for i, e in enumerate(VARIED)])
def test_the_contract(estimator):
    check_estimator(estimator)


NUMBERS = "the answers are numbers, not classes"
HEAD = "the source's head does not choose one of several classes"


@pytest.mark.parametrize(
    ("estimator", "sources", "targets", "reasons"),
    [
        (LogME(), 6, 6, {}),
        (KNN(), 6, 6, {}),
        (ESMLogME(epochs=1), 6, 6, {}),
        (HScore(), 6, 5, {NUMBERS: 5}),
        (LEEP(), 3, 4, {HEAD: 23, NUMBERS: 2}),
        (NCE(), 3, 4, {HEAD: 23, NUMBERS: 2}),
    ],
    ids=lambda v: getattr(v, "name", ""),
)
def test_kinds_that_a_score_is_not_defined_for_are_nan_and_counted(kinds, estimator, sources, targets, reasons):
    evidence = kinds.fresh()
    found = estimator.similarity(evidence)
    known = np.isfinite(found.values)
    assert known.any(axis=1).sum() == sources and known.any(axis=0).sum() == targets
    assert known.sum() == 30 - sum(reasons.values())
    notes = [f"{estimator.name}: no score for {n} of 30 pairs: {why}." for why, n in reasons.items()]
    if HEAD in reasons:
        notes.append(
            f"{estimator.name}: sources have 2 to 3 classes, and the score favours those with many; "
            f"{estimator.name}.correct=shuffled takes out what they would have by chance."
        )
    assert sorted(evidence.notes) == sorted(notes)


def test_one_pass_serves_all_estimators_of_the_same_features(kinds):
    evidence = kinds.fresh()
    LogME().similarity(evidence)
    n = len(evidence.kept)
    for estimator in (HScore(), KNN(), LEEP(), NCE()):
        estimator.similarity(evidence)
    assert len(evidence.kept) == n == 30
    LogME(MEAN).similarity(evidence)
    assert len(evidence.kept) == 60


def test_a_target_whose_sample_is_of_one_class_is_counted(kinds):
    same = [{**b, "labels": b["labels"] * 0} for b in kinds.of["classes"]]
    evidence = Small(kinds.models, {**kinds.of, "classes": same}, kinds.labels)
    assert np.isnan(LogME().similarity(evidence).values[:, 0]).all()
    assert "logme: no score for 5 of 30 pairs: all examples are of one class." in evidence.notes


def test_tasks_without_an_answer_or_with_one_that_is_no_number_have_no_score_and_a_reason(kinds):
    none = [{**b, "labels": torch.full_like(b["labels"], -100)} for b in kinds.of["tagging"]]
    numbers = [{**b, "labels": b["labels"] * np.nan} for b in kinds.of["numbers"]]
    evidence = Small(kinds.models, {**kinds.of, "tagging": none, "numbers": numbers}, kinds.labels)
    for part in (LogME(), KNN(), QUICK, replace(QUICK, method="mutual-information")):
        evidence.notes.clear()
        values = part.similarity(evidence).values
        assert np.isnan(values[:, [2, 3]]).all() and np.isfinite(values[0, 1])
        reasons = " ".join(evidence.notes)
        assert "the numbers are all equal or not finite" in reasons
        assert ("fewer than two examples" if part.name == "tsns" else "no example has an answer") in reasons


SCORES = (LogME(), HScore(), KNN(), LEEP(), NCE())


@pytest.mark.parametrize("estimator", SCORES, ids=lambda e: e.name)
def test_classes_with_a_single_example_are_counted_in_a_note(kinds, estimator):
    labels = [batch["labels"] for batch in kinds.of["classes"]]
    labels = [torch.zeros_like(labels[0]), torch.zeros_like(labels[1]), torch.tensor([1, 1, 1, 2])]
    rare = [{**batch, "labels": new} for batch, new in zip(kinds.of["classes"], labels, strict=True)]
    models, of = {**kinds.models, "rare": kinds.models["classes-3"]}, {**kinds.of, "rare": rare}
    evidence = Small(models, of, {**kinds.labels, "rare": tuple("abc")})
    found = estimator.similarity(evidence).values[:, -1]
    assert np.isfinite(found[:2]).all()
    assert f"{estimator.name}: 1 of 3 classes of rare have a single example." in evidence.notes
    evidence = Small(models, of, {**kinds.labels, "rare": tuple("abcdefghijklm")})
    assert np.isnan(estimator.similarity(evidence).values[:, -1]).all()
    (told,) = [note for note in evidence.notes if "fewer examples than classes" in note]
    assert told.startswith(f"{estimator.name}: no score for ")


def test_the_map_in_closed_form_is_linear_regression():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    weights, bias = least_squares(x, y)
    other = LinearRegression().fit(x, y)
    assert_allclose(weights, other.coef_.T, atol=1e-10)
    assert_allclose(bias, other.intercept_, atol=1e-10)


def test_the_stepped_map_comes_near_and_a_seed_makes_it_again():
    rng = np.random.default_rng(0)
    x, turn = rng.normal(size=(400, 4)), 0.5 * rng.normal(size=(4, 4))
    part = ESMLogME(epochs=60)
    weights, bias = part.map(x, x @ turn + 1)
    assert_allclose(weights, turn, atol=0.05)
    assert_allclose(bias, 1, atol=0.05)
    first, again, other = (replace(part, epochs=2, seed=seed).map(x, x @ turn + 1)[0] for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_esm_logme_of_an_exact_map_is_logme(kinds):
    """Where source text spans all that the target's does, the mapped features are the source's own."""

    names = ("classes", "classes-3", "numbers")
    part, options = ESMLogME(fit="least-squares"), FeatureOptions()
    evidence = Small(kinds.models, {t: kinds.of[t] for t in names}, kinds.labels)
    for source in names:
        weights = np.random.default_rng(len(source)).normal(size=(16, 16))
        for target in names:
            bare = evidence.features(None, target, options)
            evidence.kept["features", options, source, target] = replace(bare, values=bare.values @ weights)
    direct = LogME().similarity(evidence).values
    # Twelve examples do not determine 16 dimensions, so each source maps the text of all three.
    many = np.concatenate([evidence.features(None, t, options).values for t in names]).astype(float)
    for source in names:
        after = np.concatenate([evidence.features(source, t, options).values for t in names]).astype(float)
        weights, bias = part.map(many, after)
        evidence.joined[part, source] = {"weights": weights, "bias": bias}
    assert_allclose(part.similarity(evidence).values, direct, atol=1e-4)


class Named:
    def __init__(self, name, values):
        self.name, self.needs, self.matrix = name, frozenset({name}), square(values)

    def similarity(self, evidence):
        return self.matrix


def test_fuse_of_estimators():
    rng = np.random.default_rng(0)
    members = tuple(Named(name, rng.normal(size=(3, 3))) for name in ("x", "y"))
    members[1].matrix = square([[0, 1, 2], [np.nan, 0, 1], [1, 2, 0]])
    evidence = Small(matrices={m.name: m.matrix for m in members})
    part = Fuse(members)
    assert part.needs == {"x", "y"}
    assert_allclose(part.similarity(evidence).values, fused([m.matrix for m in members]))
    assert evidence.notes == ["fuse: y gives no estimate for 1 pairs; the others decide there."]


def test_fuse_of_names_needs_a_run():
    with pytest.raises(UnusableData, match="cra, logme are names; outside a run, give the estimators"):
        Fuse(("cra", "logme")).similarity(Small())
    with pytest.raises(UnusableData, match="members is empty"):
        Fuse(())
    assert Fuse(("cra",)).needs == frozenset()


def test_a_reason_is_told_once_with_its_count():
    evidence = Small(matrices={"x": square(np.zeros((3, 3)))})

    def score(source, target):
        if target == "c":
            raise Undefined("it is the last")
        return np.inf if source == "c" else 1.0

    found = of_pairs(evidence, "mine", score)
    assert np.isnan(found.values[:, 2]).all() and np.isnan(found.values[2]).all() and found.values[0, 1] == 1
    assert evidence.notes == [
        "mine: no score for 2 of 6 pairs: it is the last.",
        "mine: no score for 2 of 6 pairs: the score is no finite number.",
    ]


def test_the_cosine_of_tiny_numbers_is_no_0():
    assert cosine(np.array([1e-200, 0]), np.array([1e-200, 1e-200])) == pytest.approx(2**-0.5)
    with pytest.raises(Undefined):
        cosine(np.zeros(2), np.ones(2))


def test_what_asks_for_a_training_and_what_does_not():
    trained = {e.name for e in OWN if {"models", "features"} & e.needs}
    names = "taskemb mips logme hscore leep nce knn esm-logme fuse linear-probe parc task-vector transrate gbc nleep"
    assert trained == {*names.split(), "zero-shot", "ensemble"}
    assert TextEmb().needs == QUICK.needs == {"backbone-features"}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: KNN(neighbours=0), "neighbours=0"),
        (lambda: ESMLogME(epochs=0), "epochs=0"),
        (lambda: ESMLogME(learning_rate=-1), "learning_rate=-1"),
        (lambda: TaskEmb(samples=0), "samples=0"),
        (lambda: TaskEmb(k=-1), "taskemb: k=-1; expected a number above -1"),
        (lambda: Fuse(k=-1), "k=-1"),
        (lambda: Fuse(k=np.nan), "k=nan"),
        (lambda: FeatureOptions(examples=0), "features: examples=0"),
        (lambda: TaskEmb(examples=-1), "examples=-1"),
        (lambda: Vocabulary(examples=0), "vocabulary: examples=0"),
        (lambda: Prompt(examples=0), "prompt: .*examples=0"),
        (lambda: Prompt(learning_rate=np.nan), "prompt: learning_rate=nan"),
    ],
)
def test_bad_options_are_one_clear_line(make, why):
    with pytest.raises(UnusableData, match=why):
        make()
