"""The mathematics of cognitive-neural mapping: scores by hand and by scikit-learn, training as of a plain network."""

import numpy as np
import pytest
import torch
from cogbench_estimators.mapping import (
    Training,
    above_null,
    channel_scores,
    combined,
    compressed,
    fit_together,
    generator,
    moments,
    z_scored,
)
from cogbench_estimators.prediction import cosines
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import r2_score

Y = [[1, 0, 2], [2, 1, 2], [3, 1, 2], [4, 2, 2]]  # the third channel is constant
A = [[1, 1, 2], [2, 1, 2], [3, 1, 2], [4, 1, 2]]
B = [[2, 0, 1], [2, 1, 2], [3, 2, 3], [3, 1, 2]]
C = [[4, 0, 2], [3, 1, 2], [2, 1, 2], [1, 2, 3]]
OFF = ([0, 0, 1], [1, 2, 2])


def scores(y, predicted, score="r2"):
    y, predicted = torch.tensor(np.array(y, float)), torch.tensor(np.array(predicted, float))
    return channel_scores(moments(y, predicted).numpy(), len(y), score)


def fit(x, y, hidden, key, epochs, batch_size, learning_rate, shrink=1.0, bf16=False):
    """Train one network for each task on all rows of x and y."""
    training = Training(np.arange(len(y)), y, key, shrink)
    return fit_together(x, [training], hidden, epochs, batch_size, learning_rate, bf16)[0]


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


# Predictions against those for shuffled stimuli.


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


# Training.


def test_targets_are_z_scored():
    y = z_scored(np.random.default_rng(0).normal(5, 3, size=(50, 4)))
    assert y.dtype == np.float32
    assert_allclose([y.mean(axis=0), y.std(axis=0)], [[0] * 4, [1] * 4], atol=1e-6)


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


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("n_channels", [3, 40])
def test_trainings_together_are_those_one_by_one(n_channels, bf16):
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(2, 30, 6)), dtype=torch.float32)
    y = torch.tensor(rng.normal(size=(30, n_channels)), dtype=torch.float32)
    rows = [rng.permutation(30)[:21] for _ in range(3)]
    trainings = [Training(r, y[r], (3, k), shrink) for k, (r, shrink) in enumerate(zip(rows, (1, 0.5, 2), strict=True))]
    stacked = fit_together(x, trainings, 8, 4, 8, 0.01, bf16)
    assert len(stacked) == 3
    for weights, one in zip(stacked, trainings, strict=True):
        alone = fit(x[:, one.rows], one.targets, 8, one.key, 4, 8, 0.01, one.shrink, bf16)
        for together, expected in zip(weights, alone, strict=True):
            assert_allclose(together, expected, rtol=1e-5, atol=1e-6)


def test_targets_of_other_stimuli_need_no_channels():
    rng = np.random.default_rng(0)
    y = torch.tensor(rng.normal(size=(20, 50)))
    learned, other = y[:12], y[12:]
    targets, basis, _ = compressed(learned, 8, (1,))
    same, mixture, spread = combined(learned @ learned.T, 8, (1,))
    assert_allclose(same, targets, atol=1e-9)
    assert_allclose(learned @ learned.T @ mixture / spread, targets, atol=1e-9)
    goal = other @ learned.T @ mixture / spread
    errors, within = [], []
    for predicted in torch.tensor(rng.normal(size=(3, 8, 12))):
        errors.append(float((predicted @ basis - other).square().sum()))
        within.append(float(spread**2 * (predicted - goal).square().sum()))
    left = np.subtract(errors, within)  # what no combination of the channels reaches
    assert_allclose(left, left[0])
    assert left[0] > 1


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
