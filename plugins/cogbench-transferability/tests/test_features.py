"""Linear probe, PARC, TransRate, GBC, N-LEEP and CKA: golden values, references, and what is undefined."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cogbench_transferability.cka import CKA, cka
from cogbench_transferability.gbc import GBC, gbc
from cogbench_transferability.linear import dealt, linear_model
from cogbench_transferability.neurons import importances
from cogbench_transferability.nleep import NLEEP, nleep
from cogbench_transferability.pairs import Undefined
from cogbench_transferability.parc import PARC, parc
from cogbench_transferability.probe import LinearProbe, linear_probe
from cogbench_transferability.transrate import TransRate, transrate
from cogbench_transferability.zeroshot import ZeroShot, zero_shot_score
from hypothesis import given
from hypothesis import strategies as st
from references import (
    DATA,
    cka_reference,
    gbc_reference,
    nleep_reference,
    parc_reference,
    probe_reference,
    transrate_reference,
    unbiased_hsic,
)
from small import DEGENERATE, F, Small, Y, batches_of, drawn_often, model_of

from cogbench import UnusableData

ON_DATA = pytest.mark.parametrize(("x", "y"), DATA.values(), ids=DATA)


def near(value):
    return pytest.approx(value, abs=1e-5, rel=1e-5)


@ON_DATA
def test_the_linear_probe_is_its_reference(x, y):
    parts = dealt(y, True, 5, np.random.default_rng(0))
    accuracy, likelihood = probe_reference(x, y, parts, classes=True)
    assert linear_probe(x, y) == near(accuracy)
    assert linear_probe(x, y, measure="likelihood") == near(likelihood)
    number = x[:, 0] + 0.3 * y
    parts = dealt(number, False, 5, np.random.default_rng(0))
    assert linear_probe(x, number, False) == near(probe_reference(x, number, parts, classes=False))


def test_folds_share_examples_and_classes_evenly():
    labels = np.array([0] * 11 + [1] * 4 + [2])
    parts = dealt(labels, True, 4, np.random.default_rng(3))
    assert sorted(np.concatenate(parts)) == list(range(16)) and {len(part) for part in parts} == {4}
    assert all(2 <= (labels[part] == 0).sum() <= 3 and (labels[part] == 1).sum() == 1 for part in parts)


@ON_DATA
def test_parc_is_its_reference(x, y):
    some = np.random.default_rng(0).permutation(len(y))[:80]
    assert parc(x[some], y[some]) == near(parc_reference(x[some], y[some]))


def test_parc_golden_value():
    """By hand: features stand on a line after they are brought to spread 1, so rows are up or down: r is 1 or -1."""
    x = np.array([[0.0, 1.0], [1.0, 2.0], [4.0, 1.5], [5.0, 0.0]])
    unlike = np.array([0, 2, 2, 2, 2, 0])  # pairs 01 02 03 12 13 23
    assert parc(x, [0, 0, 1, 1]) == pytest.approx(1)
    assert parc(x, [0, 1, 0, 1]) == pytest.approx(np.corrcoef(unlike, [1, 0, 1, 1, 0, 1])[0, 1])
    assert parc(x, [0.0, 0.1, 5.0, 5.1], classes=False) > 0.8


@ON_DATA
def test_transrate_is_its_reference(x, y):
    for unit_trace in (True, False):
        for weights in ("share", "equal"):
            found = transrate(x, y, unit_trace=unit_trace, weights=weights)
            assert found == near(transrate_reference(x, y, unit_trace=unit_trace, equal=weights == "equal"))


@ON_DATA
@pytest.mark.parametrize("kind", ["spherical", "diagonal"])
def test_gbc_is_its_reference(x, y, kind):
    assert gbc(x, y, kind, dims=8) == near(gbc_reference(x, y, kind, dims=8))
    assert gbc(1e4 * x + 3, y, kind, dims=8) == near(gbc_reference(x, y, kind, dims=8))


def test_gbc_golden_values():
    """Of one dimension: variance 1 and means 0 and 4 give exp(-16 / 8) = exp(-2), both ways."""
    x = np.array([[-1.0], [1.0], [3.0], [5.0]])
    for kind in ("spherical", "diagonal", "released"):
        assert gbc(x, [0, 0, 1, 1], kind) == pytest.approx(-2 * np.exp(-2))
    same = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    assert gbc(same, [0, 0, 1, 1]) == pytest.approx(-2)


@ON_DATA
def test_nleep_is_its_reference(x, y):
    ratio = 5 if len(y) > 100 else 2
    assert nleep(x, y, ratio=ratio) == near(nleep_reference(x, y, ratio))


@ON_DATA
def test_cka_is_its_reference(x, y):
    some = np.random.default_rng(0).permutation(len(y))[:60]
    other = np.tanh(x[some] @ np.random.default_rng(1).normal(size=(x.shape[1], 7)) / 9)
    assert cka(x[some], other) == near(cka_reference(x[some], other))
    a, b = x[some[:9]], other[:9]
    k, l = a @ a.T, b @ b.T  # noqa: E741
    expected = unbiased_hsic(k, l) / np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(l, l))
    assert cka(a, b, debiased=True) == near(expected)


@drawn_often
@given(st.integers(0, 10_000))
def test_they_do_not_change_under_rotation_order_and_unit(seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(30) % 3)
    x = rng.normal(size=(30, 4)) + y[:, None]
    turn, order = np.linalg.qr(rng.normal(size=(4, 4)))[0], rng.permutation(30)
    for score in (transrate, gbc):
        assert score((100 * x @ turn)[order], y[order] * 7 + 1) == pytest.approx(score(x, y), abs=1e-8)
    assert parc((100 * x + 5)[order], y[order]) == pytest.approx(parc(x, y), abs=1e-8)
    assert cka(x @ turn, 3 * x + 1) == pytest.approx(1)
    assert cka(x, y[:, None]) == pytest.approx(cka(y[:, None], 100 * x @ turn))


@drawn_often
@given(st.integers(0, 10_000))
def test_parc_of_principal_components_does_not_change_with_the_order(seed):
    """A component has no sign of its own, and a correlation over dimensions changes with it."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(30) % 3)
    x, order = rng.normal(size=(30, 6)) + y[:, None], rng.permutation(30)
    assert parc(x[order], y[order], dims=4) == pytest.approx(parc(x, y, dims=4), abs=1e-8)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_they_are_those_of_any_multiple_of_the_features_and_of_the_numbers(unit):
    x, y = DATA["iris"]
    for score in (linear_probe, parc, transrate, gbc, nleep, lambda x, y: linear_probe(x, y, measure="likelihood")):
        assert score(unit * x, y) == near(score(x, y))
    number = x[:, 0] + 0.3 * y
    assert linear_probe(unit * x, unit * number, False) == near(linear_probe(x, number, False))


def test_a_far_example_of_two_classes_has_a_finite_likelihood():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    x[:, 0] += 3 * y
    plain = linear_probe(x, y, measure="likelihood")
    fitted = linear_model(x, y, True)
    expected = fitted.model.predict_log_proba((x - fitted.centre) / fitted.scale)
    assert np.allclose(fitted.log_probabilities(x), expected)
    x[0, 0] = 1e6  # as a probability it would be 0
    assert -np.inf < linear_probe(x, y, measure="likelihood") < plain


SCORES = {
    "linear-probe": linear_probe,
    "likelihood": lambda x, y: linear_probe(x, y, measure="likelihood"),
    "parc": parc,
    "transrate": transrate,
    "gbc": gbc,
    "nleep": lambda x, y: nleep(x, y, ratio=2),
}


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
@pytest.mark.parametrize(("x", "y", "why"), DEGENERATE)
def test_what_is_undefined_is_refused_in_one_line_and_never_a_number(score, x, y, why):
    with pytest.raises(Undefined, match=why):
        score(x, y)


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
def test_a_constant_feature_large_numbers_and_duplicates_change_nothing_but_rounding(score):
    x, y = DATA["iris"]
    if score is not parc:  # there a constant feature counts as one at its mean, as scikit-learn scales it
        constant = np.column_stack([x, np.full(len(x), 0.1)]).astype(np.float32)
        assert score(constant, y) == pytest.approx(score(x, y), abs=0.05)
    large = (x + 1e4).astype(np.float32)  # a spacing of .001
    assert score(large, y) == pytest.approx(score(x, y), abs=0.05)
    twice = score(np.repeat(x, 2, axis=0), np.repeat(y, 2))
    assert np.isfinite(twice)


def test_duplicates_leave_the_overlap_of_classes_as_it_is():
    x, y = DATA["iris"]
    assert gbc(np.repeat(x, 2, axis=0), np.repeat(y, 2)) == pytest.approx(gbc(x, y))


def test_a_class_with_a_single_example():
    y = np.array([0, 0, 0, 1, 1, 2])
    assert np.isfinite([linear_probe(F, y), parc(F @ np.array([[1, 0, 1], [0, 1, 2]]), y), transrate(F, y)]).all()
    with pytest.raises(Undefined, match="single example"):
        linear_probe(F, y, measure="likelihood")
    with pytest.raises(Undefined, match="single example"):
        gbc(F, y)
    with pytest.raises(Undefined, match="only one class has two examples"):
        linear_probe(F, [0, 0, 0, 0, 0, 1])


def test_many_classes_of_few_examples_are_no_warning(recwarn):
    x, y = np.random.default_rng(0).normal(size=(60, 6)), np.arange(60) % 35
    assert 0 <= linear_probe(x, y, folds=2) <= 1
    for method in ("extra-trees", "mutual-information"):
        importances(x, y, True, method, draws=1, trees=3, subsample=1.0)
    assert not recwarn.list


def test_what_else_is_undefined():
    with pytest.raises(Undefined, match="fewer different examples than Gaussians"):
        nleep(F, Y)
    with pytest.raises(Undefined, match="fewer different examples than Gaussians"):
        nleep(np.repeat(F[[0, 3]], 10, axis=0), np.repeat([0, 1], 10), ratio=2)
    with pytest.raises(Undefined, match="equal in a dimension"):
        gbc(np.repeat(F[[0, 3]], 3, axis=0), Y)
    with pytest.raises(Undefined, match="same number in all its features"):
        parc(F[:, :1], Y)
    with pytest.raises(Undefined, match="numbers are all equal"):
        linear_probe(F, np.ones(6), False)
    with pytest.raises(Undefined, match="fewer than three examples"):
        linear_probe(F[:2], [0.0, 1.0], False)


@pytest.mark.parametrize("debiased", [True, False])
def test_what_cka_does_not_say(debiased):
    with pytest.raises(Undefined, match="same representation"):
        cka(F, np.ones((6, 3)), debiased)
    with pytest.raises(Undefined, match="NaN or infinity"):
        cka(F, np.full((6, 2), np.inf), debiased)
    with pytest.raises(Undefined, match="too few stimuli"):
        cka(F[:2], F[:2], debiased)
    with pytest.raises(UnusableData, match="6 and 5 stimuli"):
        cka(F, F[:5], debiased)


NUMBERS = "the answers are numbers, not classes"


@pytest.mark.parametrize(
    ("estimator", "scored", "reasons"),
    [
        (LinearProbe(), 30, {}),
        (PARC(), 30, {}),
        (TransRate(), 25, {NUMBERS: 5}),
        (GBC(), 25, {NUMBERS: 5}),
        (NLEEP(ratio=1), 25, {NUMBERS: 5}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_tasks_of_all_kinds(kinds, estimator, scored, reasons):
    evidence = kinds.fresh()
    found = estimator.similarity(evidence)
    assert np.isfinite(found.values).sum() == scored
    assert evidence.notes == [f"{estimator.name}: no score for {n} of 30 pairs: {why}." for why, n in reasons.items()]


@pytest.mark.parametrize("part", [LinearProbe(), PARC(), TransRate(), GBC(), NLEEP()], ids=lambda e: e.name)
def test_fewer_examples_than_classes(kinds, part):
    evidence = Small(kinds.models, kinds.of, {**kinds.labels, "classes": tuple("abcdefghijklm")})
    assert np.isnan(part.similarity(evidence).values[:, 0]).all()
    assert any("fewer examples than classes" in note for note in evidence.notes)


def of_same_classes(names):
    """Two tasks of two classes, whose names stand in another order, and one of three."""
    tasks = {"one": names[0], "two": names[1], "three": ("a", "b", "c")}
    models = {task: model_of("classes", len(labels), seed=i) for i, (task, labels) in enumerate(tasks.items())}
    of = {task: batches_of("classes", n_labels=len(labels), seed=i) for i, (task, labels) in enumerate(tasks.items())}
    return Small({None: model_of("bare"), **models}, of, tasks)


def test_zero_shot_is_the_head_of_the_source_with_classes_by_their_names():
    evidence = of_same_classes([("no", "yes"), ("yes", "no")])
    found = ZeroShot().similarity(evidence)
    right = []
    for batch in evidence.of["two"]:
        with torch.no_grad():
            logits = evidence.models["one"](**{k: v for k, v in batch.items() if k != "labels"}).logits
        right.extend((1 - logits.argmax(dim=1) == batch["labels"]).tolist())
    assert found.part(["one"], ["two"]).values[0, 0] == pytest.approx(np.mean(right))
    assert np.isnan(found.values[2]).all()
    assert evidence.notes == ["zero-shot: no score for 4 of 6 pairs: source and target have not the same classes."]
    finer = replace(ZeroShot(), measure="likelihood").similarity(evidence)
    assert (finer.values[:2, :2][~np.eye(2, dtype=bool)] < 0).all()


@pytest.mark.parametrize("names", [("0", "1"), ("LABEL_0", "LABEL_1"), ("1e-3", "-2.5")])
def test_classes_that_are_called_by_numbers_are_not_matched(names):
    evidence = of_same_classes([names, names[::-1]])
    assert np.isnan(ZeroShot().similarity(evidence).values).all()
    assert "zero-shot: no score for 2 of 6 pairs: the classes are called by numbers, so that equal names may mean " in (
        evidence.notes[1] + evidence.notes[0]
    )


def test_zero_shot_scores():
    theta = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
    y = np.array([0, 0, 1, 1])
    assert zero_shot_score(theta, y) == 0.5
    assert zero_shot_score(theta, y, "likelihood") == pytest.approx(np.log([0.9, 0.4, 0.3, 0.8]).mean())
    with pytest.raises(Undefined, match="fewer classes"):
        zero_shot_score(theta, y * 2)
    with pytest.raises(Undefined, match="NaN"):
        zero_shot_score(theta * np.nan, y)
    with pytest.raises(Undefined, match="one class"):
        zero_shot_score(theta, y * 0)


def test_cka_of_a_run(kinds):
    evidence = kinds.fresh()
    rng = np.random.default_rng(0)
    evidence.representations = {task: rng.normal(size=(20, 4 + i)) for i, task in enumerate(evidence.tasks)}
    evidence.representations["qa"] = np.ones((20, 4))
    found = CKA().similarity(evidence)
    assert np.allclose(found.values, found.values.T, equal_nan=True) and np.isnan(found.values[4]).all()
    assert evidence.notes == ["cka: no score for 10 of 30 pairs: all stimuli have the same representation."]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: LinearProbe(folds=1), "folds=1"),
        (lambda: LinearProbe(penalty=0), "penalty=0"),
        (lambda: LinearProbe(penalty=np.inf), "penalty=inf"),
        (lambda: PARC(dims=1), "dims=1"),
        (lambda: TransRate(epsilon=0), "epsilon=0"),
        (lambda: GBC(dims=0), "dims=0"),
        (lambda: NLEEP(share=0), "share=0"),
        (lambda: NLEEP(ratio=0), "ratio=0"),
    ],
)
def test_bad_options_are_one_clear_line(make, why):
    with pytest.raises(UnusableData, match=why):
        make()
