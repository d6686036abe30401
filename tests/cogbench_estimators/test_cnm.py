"""CNM: its scores against figures worked by hand and scikit-learn, its training against a plain torch network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cogbench_estimators.cnm import CNM, cosines, register_estimators
from cogbench_estimators.mapping import above_null, channel_scores, compressed, fit, generator, moments, z_scored
from fake_evidence import FakeEvidence
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score

from cogbench import Responses, UnusableData

Y = [[1, 0, 2], [2, 1, 2], [3, 1, 2], [4, 2, 2]]  # the third channel is constant
A = [[1, 1, 2], [2, 1, 2], [3, 1, 2], [4, 1, 2]]
B = [[2, 0, 1], [2, 1, 2], [3, 2, 3], [3, 1, 2]]
C = [[4, 0, 2], [3, 1, 2], [2, 1, 2], [1, 2, 3]]
OFF = ([0, 0, 1], [1, 2, 2])
SMALL = CNM(hidden=(8, 4), seeds=(1, 2), folds=3, inner_folds=2, epochs=6, batch_size=8, learning_rate=0.01)


def responses(values):
    return Responses(values, tuple(f"channel {i}" for i in range(values.shape[1])))


def evidence(n_tasks=3, n=30, d=6, n_channels=5, n_subjects=1, seed=0):
    rng = np.random.default_rng(seed)
    subjects = {f"S{s}": responses(rng.normal(size=(n, n_channels))) for s in range(n_subjects)}
    patterns = {f"task-{i}": rng.normal(size=(n, d)).astype(np.float32) for i in range(n_tasks)}
    return FakeEvidence(patterns, subjects, tuple(f"Sentence {i}." for i in rng.permutation(n)))


def scores(y, predicted, score="r2"):
    y, predicted = torch.tensor(np.array(y, float)), torch.tensor(np.array(predicted, float))
    return channel_scores(moments(y, predicted).numpy(), len(y), score)


# Scores.


@pytest.mark.parametrize(
    ("score", "expected", "similarity"),
    [
        ("r2", [[1, 0, 0], [0.6, 0, 0], [-3, 1, 0]], [1, -0.948683, -0.948683]),
        ("rho", [[1, 0, 0], [0.894427, 0.5, 0], [-1, 1, 0]], [0.872872, -0.707107, -0.272181]),
        ("rho2", [[1, 0, 0], [0.8, 0.25, 0], [1, 1, 0]], [0.954480, 0.707107, 0.885832]),
    ],
)
def test_three_tasks_worked_by_hand(score, expected, similarity):
    found = scores(Y, [A, B, C], score)
    assert_allclose(found, expected, atol=1e-6)
    assert_allclose(cosines(found)[OFF], similarity, atol=1e-6)
    assert_allclose(cosines(found[:, :2])[OFF], similarity, atol=1e-6)  # without the constant channel


def test_rows_that_are_not_aligned_would_give_another_score():
    assert_allclose(scores(Y, [np.array(A)[[2, 0, 3, 1]]]), [[-1, 0, 0]], atol=1e-6)


def test_scores_are_scikit_learns_and_sums_of_folds_add_up():
    rng = np.random.default_rng(0)
    y, predicted = rng.normal(size=(20, 4)), rng.normal(size=(3, 20, 4))
    for found, p in zip(scores(y, predicted), predicted, strict=True):
        assert_allclose(found, r2_score(y, p, multioutput="raw_values"), rtol=1e-12)
    for found, p in zip(scores(y, predicted, "rho"), predicted, strict=True):
        assert_allclose(found, [np.corrcoef(y[:, k], p[:, k])[0, 1] for k in range(4)], rtol=1e-12)
    y, predicted = torch.tensor(y), torch.tensor(predicted)
    parts = moments(y[:7], predicted[:, :7]) + moments(y[7:], predicted[:, 7:])
    assert_allclose(parts, moments(y, predicted), rtol=1e-12)


def test_correlation_with_constant_predictions_is_zero():
    y = np.random.default_rng(0).normal(size=(20, 3))
    assert_array_equal(scores(y, np.full((1, 20, 3), 0.1), "rho"), 0)


def test_constant_single_precision_predictions_have_no_correlation():
    y, predicted = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)), torch.full((1, 40, 3), 0.3)
    assert_array_equal(channel_scores(moments(y, predicted).numpy(), 40, "rho"), 0)


def test_a_task_without_any_score_has_no_similarity():
    assert_array_equal(np.isnan(cosines(np.array([[1.0, 2, 3], [0, 0, 0]]))), [[False, True], [True, True]])


# Training.


@pytest.mark.parametrize("n_channels", [3, 40])
def test_training_is_that_of_a_plain_torch_network(n_channels):
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(2, 21, 6)), dtype=torch.float32)
    y = torch.tensor(rng.normal(size=(21, n_channels)), dtype=torch.float32)
    first = fit(x, y, 8, (3,), 0, 8, 0.01)  # no epoch: the first weights
    assert first[0].abs().max() <= (6 / (6 + 8)) ** 0.5 and first[2].abs().max() <= (6 / (8 + n_channels)) ** 0.5
    assert not first[1].any() and not first[3].any()
    fitted = fit(x, y, 8, (3,), 4, 8, 0.01)
    for task in range(2):
        weights = [w[task].clone().requires_grad_() for w in first]
        adam = torch.optim.Adam(weights, lr=0.01, eps=1e-7)
        draw = generator((3,), 8)
        for n_in, n_out in ((6, 8), (8, n_channels)):
            torch.empty(n_in, n_out).uniform_(generator=draw)
        for _ in range(4):
            for rows in torch.randperm(21, generator=draw).split(8):
                w1, b1, w2, b2 = weights
                loss = torch.nn.functional.mse_loss((x[task, rows] @ w1 + b1).relu() @ w2 + b2, y[rows])
                adam.zero_grad()
                loss.backward()
                adam.step()
        for found, expected in zip(fitted, weights, strict=True):
            assert_allclose(found[task], expected.detach(), rtol=1e-3, atol=1e-5)


def test_compressed_targets_are_the_channels_in_another_basis():
    rng = np.random.default_rng(0)
    y = torch.tensor(z_scored(rng.normal(size=(12, 300))))
    y = torch.cat([y, y[:2]])  # 14 rows of rank 11: z-scored columns sum to zero
    targets, basis, shrink = compressed(y, 4000, (1,))
    assert targets.shape == (14, 11) and basis.shape == (11, 300)
    assert_allclose(targets @ basis, y, atol=1e-5)
    assert_allclose(targets.std(correction=0), 1, atol=1e-6)
    gram = (basis @ basis.T).numpy()
    assert_allclose(gram, gram[0, 0] * np.eye(11), atol=1e-4 * gram[0, 0])  # orthogonal: squared errors stay
    # The first weights of 300 outputs, seen in the basis, are as spread as those of the 11 targets.
    wide = fit(torch.zeros(1, 14, 3), y, 4000, (1,), 0, 8, 0.01)[2][0] @ basis.T / gram[0, 0]
    short = fit(torch.zeros(1, 14, 3), targets, 4000, (1,), 0, 8, 0.01, shrink)[2][0]
    assert_allclose(short.std(), wide.std(), rtol=0.02)


def test_compressed_and_plain_differ_less_than_two_seeds():
    rng = np.random.default_rng(0)
    hidden_cause = rng.normal(size=(90, 4))
    x = np.stack([hidden_cause @ rng.normal(size=(4, 12)) + rng.normal(size=(90, 12)) for _ in range(5)])
    y = hidden_cause @ rng.normal(size=(4, 400)) * rng.uniform(size=400) + rng.normal(size=(90, 400))
    x, y = x.astype(np.float32), z_scored(y)
    plain = CNM(hidden=(32,), folds=3, epochs=40, batch_size=16, learning_rate=3e-3, solver="plain")
    short = replace(plain, solver="compressed")
    a, b, again = plain.describe(x, y, 1), short.describe(x, y, 1), plain.describe(x, y, 2)
    off = np.triu_indices(5, 1)

    def apart(one, other):
        return np.abs(cosines(one) - cosines(other))[off].mean(), np.abs(one - other).mean()

    assert all(np.array(apart(a, b)) < apart(a, again))
    assert abs(a.mean() - b.mean()) < 0.02
    assert_array_equal(plain.describe(x, y[:, :60], 1), short.describe(x, y[:, :60], 1))  # no more than training rows


def test_a_task_is_trained_as_if_it_were_alone():
    given = evidence(n_tasks=4)
    together = SMALL.similarity(given)
    pair = replace(given, representations={t: given.representations[t] for t in ("task-3", "task-1")})
    alone = SMALL.similarity(pair)
    assert_allclose(alone.values[0, 1], together.part(["task-3"], ["task-1"]).values[0, 0], atol=1e-4)
    x = np.stack(list(given.representations.values()))
    y = z_scored(given.responses["S0"].values)
    one = np.concatenate([SMALL.describe(x[i : i + 1], y, 1) for i in range(4)])
    assert_allclose(SMALL.describe(x, y, 1), one, atol=1e-4)


def test_the_planted_task_predicts_the_channels_and_its_like_is_found():
    rng = np.random.default_rng(0)
    good, noise = rng.normal(size=(120, 6)), rng.normal(size=(120, 6))
    y = good @ rng.normal(size=(6, 8)) * np.array([1, 1, 1, 1, 0, 0, 0, 0]) + 0.3 * rng.normal(size=(120, 8))
    turned = good @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    x, y = np.stack([good, noise, turned]).astype(np.float32), z_scored(y)
    estimator = CNM(hidden=(16,), seeds=(1,), folds=3, epochs=60, batch_size=16, learning_rate=0.01)
    found = estimator.describe(x, y, 1)  # (3, 8)
    assert (found[[0, 2], :4] > 0.6).all() and (found[1] < 0.2).all() and (found[:, 4:] < 0.2).all()
    given = FakeEvidence(
        dict(zip("abc", x, strict=True)), {"S": responses(y)}, tuple(f"Sentence {i}." for i in range(120))
    )
    matrix = replace(estimator, score="rho").similarity(given)
    assert matrix.values[0, 2] > 0.9 and np.nanmax(matrix.values[1]) < 0.5


def test_each_task_takes_the_hidden_size_with_the_least_inner_error(monkeypatch):
    given = evidence(n_tasks=2, n=12)
    x = torch.tensor(np.stack(list(given.representations.values())))
    y = torch.zeros(12, 5)
    error = {4: torch.tensor([1.0, 2.0]), 8: torch.tensor([2.0, 1.0])}  # of both tasks
    asked = []

    def predict(self, x, y, train, test, hidden, key):
        asked.append((sorted(train), sorted(test), hidden))
        return error[hidden][:, None, None].expand(2, len(test), 5)

    monkeypatch.setattr(CNM, "predict", predict)
    choice = replace(SMALL, inner_folds=3).choose(x, y, np.arange(2, 12), (0, 0))
    assert [SMALL.hidden[i] for i in choice] == [4, 8]
    assert [len(test) for _, test, hidden in asked if hidden == 4] == [4, 3, 3]
    assert all(sorted(train + test) == list(range(2, 12)) for train, test, _ in asked)
    assert not replace(SMALL, hidden=(8,)).choose(x, y, np.arange(12), (0, 0)).any()
    assert len(asked) == 6  # no search over one size


# The order of things.


def test_each_prediction_is_scored_against_the_same_sentence(monkeypatch):
    given = evidence(n=11)
    seen = []

    def predict(self, x, y, train, test, hidden, key):
        assert not {*train} & {*test}
        seen.extend(test)
        return y[test].expand(len(x), -1, -1)

    monkeypatch.setattr(CNM, "predict", predict)
    y = z_scored(given.responses["S0"].values)
    found = SMALL.describe(np.stack(list(given.representations.values())), y, 1)
    assert_allclose(found, 1)  # perfect predictions, so no row was compared with another
    assert {*seen} == {*range(11)}


def test_the_order_of_tasks_and_stimuli_changes_nothing():
    given = evidence(n_subjects=2)
    given.responses["S1"].values[4] = np.nan
    given.responses["S1"].present[4] = False
    matrix = SMALL.similarity(given)
    assert_array_equal(matrix.values, matrix.values.T)
    rows = np.random.default_rng(1).permutation(30)
    assert_array_equal(SMALL.similarity(given.at(rows)).values, matrix.values)
    order = ["task-2", "task-0", "task-1"]
    moved = SMALL.similarity(replace(given, representations={t: given.representations[t] for t in order}))
    assert_allclose(moved.values, matrix.part(order, order).values, atol=1e-4)


def test_stimuli_that_a_subject_has_not_seen_are_left_out():
    given = evidence()
    matrix = SMALL.similarity(given.at(np.arange(24)))
    given.responses["S0"].values[24:] = np.nan
    given.responses["S0"].present[24:] = False
    for patterns in given.representations.values():
        patterns[24:] = 9
    assert_array_equal(SMALL.similarity(given).values, matrix.values)


def test_the_same_evidence_gives_the_same_answer_and_the_global_generators_stay():
    given = evidence()
    before = {task: r.copy() for task, r in given.representations.items()}
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = SMALL.similarity(given), SMALL.similarity(given)
    assert_array_equal(first.values, second.values)
    assert torch.equal(state, torch.get_rng_state())
    assert_array_equal(numpy_state, np.random.get_state()[1])
    for task, r in given.representations.items():
        assert_array_equal(r, before[task])


def test_similarities_are_averaged_over_subjects_and_seeds():
    given = evidence(n_subjects=2)
    parts = [
        replace(SMALL, seeds=(seed,)).similarity(replace(given, responses={s: given.responses[s]})).values
        for s in given.responses
        for seed in SMALL.seeds
    ]
    assert_allclose(SMALL.similarity(given).values, np.mean(parts, axis=0), atol=1e-12)


def test_vectors_are_averaged_when_asked_for():
    given = evidence(n_subjects=2)
    order = sorted(range(30), key=given.stimuli.__getitem__)
    x = np.stack(list(given.representations.values()))[:, order]
    vectors = [
        SMALL.describe(x, z_scored(r.values[order]), seed) for r in given.responses.values() for seed in SMALL.seeds
    ]
    expected = cosines(np.mean(vectors, axis=0))
    assert_allclose(replace(SMALL, average="vectors").similarity(given).values[OFF], expected[OFF], atol=1e-12)


def test_vectors_of_different_channels_cannot_be_averaged():
    given = evidence(n_subjects=2)
    given.responses["S1"] = Responses(given.responses["S1"].values, tuple("abcde"))
    with pytest.raises(UnusableData, match="channels differ: .*use average=matrices"):
        replace(SMALL, average="vectors").similarity(given)


# Channels.


def test_the_same_channels_are_drawn_in_each_run():
    given = evidence(n_channels=50)
    kept = replace(SMALL, channels=7).kept("S0", given.responses["S0"], given.note)
    assert len({*kept}) == 7 and list(kept) == sorted(kept)
    assert_array_equal(kept, replace(SMALL, channels=7, seeds=(9,)).kept("S0", given.responses["S0"], given.note))
    assert given.notes[0] == "cnm: subject S0: 7 of 50 channels drawn at random."
    assert_array_equal(SMALL.kept("S0", given.responses["S0"], given.note), np.arange(50))


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6, np.float32(0.1)])
def test_constant_channels_are_dropped_and_noted(constant):
    given = evidence(n_channels=5)
    given.responses["S0"].values[:, [1, 3]] = constant
    rest = replace(given, responses={"S0": responses(given.responses["S0"].values[:, [0, 2, 4]])}, notes=[])
    assert_array_equal(SMALL.similarity(given).values, SMALL.similarity(rest).values)
    assert given.notes[0] == "cnm: subject S0: 2 constant channels dropped."
    given.responses["S0"].values[:, 0] = constant
    with pytest.raises(UnusableData, match="subject 'S0' has 2 channels that vary, .* needs at least 3"):
        SMALL.similarity(given)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_it_refuses_fewer_than_three_channels(n_channels):
    with pytest.raises(UnusableData, match=f"with {n_channels} channels its similarity would be ±1.*use cra"):
        SMALL.similarity(evidence(n_channels=n_channels))
    with pytest.raises(UnusableData, match=f"channels={n_channels}; cnm needs at least 3"):
        replace(SMALL, channels=n_channels).similarity(evidence())


def test_targets_are_z_scored():
    y = z_scored(np.random.default_rng(0).normal(5, 3, size=(50, 4)))
    assert y.dtype == np.float32
    assert_allclose([y.mean(axis=0), y.std(axis=0)], [[0] * 4, [1] * 4], atol=1e-6)


def test_targets_may_be_z_scored_over_the_training_stimuli_alone(monkeypatch):
    given = evidence(n_channels=4)
    (r,), seen = given.responses.values(), []
    x, y = np.stack(list(given.representations.values())), z_scored(r.values)
    predict = CNM.predict

    def watched(self, x, y, train, *rest):
        seen.append(y[train].double())
        return predict(self, x, y, train, *rest)

    monkeypatch.setattr(CNM, "predict", watched)
    one = replace(SMALL, hidden=(8,), zscore="train")
    found = one.describe(x, y, 1)
    assert len(seen) == SMALL.folds
    for rows in seen:
        assert_allclose(rows.mean(dim=0), np.zeros(4), atol=1e-6)
        assert_allclose(rows.std(dim=0, correction=0), np.ones(4), atol=1e-6)
    assert abs(found - replace(one, zscore="all").describe(x, y, 1)).max() > 1e-6


def test_a_linear_map_gives_the_same_whichever_stimuli_the_scale_is_from():
    given = evidence(n_channels=4)
    (r,) = given.responses.values()
    x, y = np.stack(list(given.representations.values())), z_scored(r.values)
    ridge = replace(SMALL, solver="ridge", penalties=(0.1,))
    assert_allclose(replace(ridge, zscore="train").describe(x, y, 1), ridge.describe(x, y, 1), atol=1e-4)
    y[:, 0] = 0
    y[0, 0] = 1  # constant in the training rows of one fold
    assert np.isfinite(replace(ridge, zscore="train").describe(x, y, 1)).all()


# What it refuses.


def test_it_refuses_too_few_stimuli():
    with pytest.raises(UnusableData, match="subject 'S0' has 4 stimuli, too few for 5 folds:"):
        replace(SMALL, folds=5, hidden=(4,)).similarity(evidence(n=4))
    with pytest.raises(UnusableData, match="has 6 stimuli, too few for 3 folds with 5 inner folds:"):
        replace(SMALL, inner_folds=5).similarity(evidence(n=6))
    with pytest.raises(UnusableData, match="folds=1, inner_folds=2; both must be at least 2"):
        replace(SMALL, folds=1).similarity(evidence(n=6))
    assert np.isfinite(replace(SMALL, inner_folds=4).similarity(evidence(n=6)).values[OFF]).all()
    assert np.isfinite(replace(SMALL, folds=4, hidden=(4,)).similarity(evidence(n=4)).values[OFF]).all()


@pytest.mark.parametrize(
    ("values", "why"), [(np.full((30, 5), np.nan), "has 0 stimuli"), (np.ones((30, 5)), "has 0 channels that vary")]
)
def test_a_subject_that_cannot_be_mapped_is_left_out_and_the_others_go_on(values, why):
    two = evidence(n_subjects=2)
    alone = replace(two, responses={"S0": two.responses["S0"]}, notes=[], details={})
    two.responses["S1"] = Responses(values, two.responses["S1"].channels)
    assert_allclose(SMALL.similarity(two).values[OFF], SMALL.similarity(alone).values[OFF])
    assert [*two.details["by_subject"]] == [*two.details["prediction"]] == ["S0"]
    assert any("left out: subject 'S1'" in note and why in note for note in two.notes)
    two.responses["S0"] = two.responses["S1"]
    with pytest.raises(UnusableData, match=f"subject 'S0' {why}.*; subject 'S1' {why}"):
        SMALL.similarity(two)


@pytest.mark.parametrize("solver", ["compressed", "ridge"])
@pytest.mark.filterwarnings("error")
def test_a_task_whose_representations_are_all_alike_predicts_the_mean(solver):
    given = evidence()
    given.representations["task-1"][:] = 1.5
    found = replace(SMALL, solver=solver).similarity(given)
    assert np.isfinite(found.values[OFF]).all()
    assert given.details["prediction"]["S0"]["task-1"]["share_above_shuffled"] < 0.5


def test_a_task_that_scores_0_in_every_channel_has_no_estimate_and_a_note(monkeypatch):
    monkeypatch.setattr(CNM, "_run", lambda self, x, y, seed: (np.array([[1.0, 2], [0, 0], [2, 1]]), np.ones((3, 3))))
    given = evidence()
    assert np.isnan(SMALL.similarity(given).values[1]).all()
    assert given.notes[-1] == "cnm: no estimate for task-1: its predictions score 0 in every channel."


def test_it_refuses_what_is_not_finite_and_names_the_task():
    given = evidence()
    given.representations["task-2"][4, 1] = np.nan
    with pytest.raises(UnusableData, match="task 'task-2' hold NaN or infinity"):
        SMALL.similarity(given)


def test_it_is_registered_under_its_name():
    part, ridge = register_estimators()
    assert (part.name, part.needs) == ("cnm", {"representations", "responses"})
    assert (part.hidden, part.channels, part.seeds) == ((400, 200), 30_000, (5, 10, 20, 30, 123))
    hash(part)
    assert (ridge.name, ridge.solver) == ("cnm-ridge", "ridge")


# What the mapping predicts.


def test_shuffled_stimuli_are_the_mean_over_all_pairs():
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=(30, 5)), rng.normal(size=(2, 30, 5)) + 0.3
    p[0, :, :2] += 2 * y[:, :2]  # the first task predicts two channels of five
    error, share = above_null(moments(torch.tensor(y), torch.tensor(p)).numpy(), 30)
    pairs = np.square(y[None, :, None] - p[:, None]).mean(axis=(1, 2))  # (n_tasks, n_channels)
    assert_allclose(error, (np.square(y - p).mean(axis=1) / pairs).mean(axis=1))
    draws = np.array([np.square(y[rng.permutation(30)] - p).mean(axis=1) for _ in range(4000)])
    assert_allclose(draws.mean(axis=0), pairs, rtol=0.02)
    assert share[0] >= 0.4 and share[1] <= 0.2


def test_what_is_not_predicted_lies_above_shuffled_stimuli_in_a_twentieth():
    rng = np.random.default_rng(1)
    y, p = rng.normal(size=(60, 4000)), rng.normal(size=(1, 60, 4000))
    _, (share,) = above_null(moments(torch.tensor(y), torch.tensor(p)).numpy(), 60)
    assert 0.035 < share < 0.065


def test_the_result_tells_what_each_task_predicts_of_each_subject():
    given = evidence(n_channels=6)
    matrix = SMALL.similarity(given)
    told = given.details["prediction"]
    assert set(told) == set(given.responses) and set(told["S0"]) == set(given.tasks)
    assert set(told["S0"][given.tasks[0]]) == {"score", "error_to_shuffled", "share_above_shuffled"}
    mean = np.mean([np.array(m, float) for m in given.details["by_subject"].values()], axis=0)
    assert_allclose(mean, matrix.values)


def test_a_mapping_that_predicts_nothing_is_said_to_and_no_other():
    rng, noise, real = np.random.default_rng(2), evidence(n=120, n_channels=30), evidence(n=120, n_channels=30)
    noise.responses["S0"] = responses(rng.normal(size=(120, 30)))
    seen = np.mean([real.representations[t] for t in real.tasks], axis=0)  # (n_stimuli, n_dims): all tasks carry it
    real.responses["S0"] = responses(seen @ rng.normal(size=(seen.shape[1], 30)))
    for given, said in ((noise, True), (real, False)):
        SMALL.similarity(given)
        assert any("predicts next to nothing" in note for note in given.notes) == said
