"""CNM: its training, its choice of a hidden size, and the options that it and its ridge each have."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from cogbench_estimators.cnm import CNM, WEIGHTS, register_estimators, together
from cogbench_estimators.mapping import Training, fit_together, z_scored
from cogbench_estimators.prediction import SubjectData, cosines, describe_subject, relative_vectors, subject_data
from fake_evidence import OFF, FakeEvidence
from mapping_evidence import BOTH, RIDGE, SMALL, evidence, responses, vectors
from numpy.testing import assert_array_equal

from cogbench import CogbenchError, Files, Store, UnusableData, load_parts, run

# Training.


def test_compressed_and_plain_differ_less_than_two_seeds():
    rng = np.random.default_rng(0)
    hidden_cause = rng.normal(size=(90, 4))
    x = np.stack([hidden_cause @ rng.normal(size=(4, 12)) + rng.normal(size=(90, 12)) for _ in range(5)])
    y = hidden_cause @ rng.normal(size=(4, 400)) * rng.uniform(size=400) + rng.normal(size=(90, 400))
    x, y = x.astype(np.float32), z_scored(y)
    plain = CNM(hidden=(32,), folds=3, epochs=50, batch_size=16, learning_rate=3e-3, solver="plain", precision="fp32")
    short = replace(plain, solver="compressed")
    a, b, again = vectors(plain, x, y, 1), vectors(short, x, y, 1), vectors(plain, x, y, 2)
    off = np.triu_indices(5, 1)

    def apart(one, other):
        return np.abs(cosines(one) - cosines(other))[off].mean(), np.abs(one - other).mean()

    assert all(np.array(apart(a, b)) < apart(a, again))
    assert abs(a.mean() - b.mean()) < 0.02
    assert not np.array_equal(a, b)
    assert_array_equal(vectors(plain, x, y[:, :60], 1), vectors(short, x, y[:, :60], 1))  # no more than training rows
    few, few_short = (replace(solver, epochs=40) for solver in (plain, short))  # of 4 steps: fewer than 200
    assert_array_equal(vectors(few, x, y, 1), vectors(few_short, x, y, 1))


def test_products_of_bf16_differ_less_than_two_seeds():
    rng = np.random.default_rng(1)
    hidden_cause = rng.normal(size=(90, 4))
    x = np.stack([hidden_cause @ rng.normal(size=(4, 12)) + rng.normal(size=(90, 12)) for _ in range(5)])
    y = z_scored(hidden_cause @ rng.normal(size=(4, 40)) + rng.normal(size=(90, 40)))
    full = CNM(hidden=(32,), folds=3, epochs=50, batch_size=16, learning_rate=3e-3, precision="fp32")
    a, b, again = (
        vectors(one, x.astype(np.float32), y, seed)
        for one, seed in ((full, 1), (replace(full, precision="bf16"), 1), (full, 2))
    )
    assert 0 < np.abs(a - b).mean() < np.abs(a - again).mean() / 3
    assert abs(a.mean() - b.mean()) < 0.005


def test_each_task_takes_the_hidden_size_with_the_least_inner_error(monkeypatch):
    given = evidence(n_tasks=2, n=12)
    x = torch.tensor(np.stack(list(given.representations.values())))
    y = torch.zeros(12, 5)
    error = {4: torch.tensor([1.0, 2.0]), 8: torch.tensor([2.0, 1.0])}  # of both tasks
    asked = []

    def fit(self, x, trainings, hidden):
        asked.extend((sorted(training.rows), hidden) for training in trainings)
        nothing = torch.zeros(2, 6, hidden), torch.zeros(2, 1, hidden), torch.zeros(2, hidden, 5)
        return [(*nothing, error[hidden][:, None, None].expand(2, 1, 5)) for _ in trainings]

    monkeypatch.setattr(CNM, "fit", fit)
    choice = replace(SMALL, inner_folds=3).choose(x, y, np.arange(2, 12), (0, 0))
    assert [SMALL.hidden[i] for i in choice] == [4, 8]
    assert sorted(len(train) for train, hidden in asked if hidden == 4) == [6, 7, 7]
    left_out = [set(range(2, 12)) - set(train) for train, hidden in asked if hidden == 4]
    assert sorted(set.union(*left_out)) == list(range(2, 12)) and sum(map(len, left_out)) == 10
    assert not replace(SMALL, hidden=(8,)).choose(x, y, np.arange(12), (0, 0)).any()
    assert len(asked) == 6  # no search over one size


@pytest.mark.parametrize("n_channels", [3, 60])  # the second in combinations
def test_the_choice_without_channels_and_of_folds_together_is_that_of_single_predictions(n_channels):
    rng = np.random.default_rng(2)
    x = torch.tensor(rng.normal(size=(3, 40, 6)), dtype=torch.float32)
    y = x[0] @ torch.tensor(rng.normal(size=(6, n_channels)), dtype=torch.float32)
    y = torch.tensor(z_scored((y + torch.tensor(rng.normal(size=y.shape))).numpy()))
    estimator = replace(SMALL, hidden=(2, 16, 8), epochs=100, batch_size=12, inner_folds=3, precision="fp32")
    train, key = np.arange(1, 39), (0, 0)
    rows = np.array_split(train, 3)  # 13, 13, 12
    errors = np.zeros((3, 3))
    folds = []
    for k, test in enumerate(rows):
        rest = np.setdiff1d(train, test)
        folds.append(estimator.inner_fold(y, rest, test, (*key, k + 1)))
        assert folds[-1].combined == (n_channels > len(rest))
        for i, hidden in enumerate(estimator.hidden):
            predictions = estimator.predict(x, y, rest, test, hidden, (*key, k + 1))
            errors[i] += (predictions - y[test]).square().mean(dim=(1, 2)).numpy()
    less = errors - [estimator.errors(x, folds, hidden) for hidden in estimator.hidden]
    np.testing.assert_allclose(less, less[0, 0], atol=1e-4)
    assert_array_equal(estimator.choose(x, y, train, key), errors.argmin(axis=0))


def test_the_folds_of_three_channels_are_trained_at_once(monkeypatch):
    calls = []

    def watched(x, trainings, hidden, **options):
        calls.append((hidden, len(trainings)))
        return fit_together(x, trainings, hidden, **options)

    monkeypatch.setattr("cogbench_estimators.cnm.fit_together", watched)
    x, y = torch.randn(2, 24, 6), torch.randn(24, 3)
    estimator = replace(SMALL, inner_folds=3)
    estimator.choose(x, y, np.arange(24), (0, 0))
    assert calls == [(8, 3), (4, 3)]
    calls.clear()
    estimator.choose(x, y, np.arange(23), (0, 0))  # folds of 8, 8 and 7
    assert calls == [(8, 2), (8, 1), (4, 2), (4, 1)]
    monkeypatch.setitem(WEIGHTS, "cpu", 0)  # a fit that is too large goes by itself
    assert [*together([Training(np.arange(4), y[:4], (0,))] * 2, x, 4)] == [[0], [1]]


def test_a_processor_without_bf16_multiplies_in_fp32(monkeypatch):
    given = evidence(n_channels=8)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "amx_bf16": False})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    automatic = replace(SMALL, precision="auto")
    fp32, bf16 = (replace(SMALL, precision=precision).similarity(given).values for precision in ("fp32", "bf16"))
    assert_array_equal(automatic.similarity(given).values, fp32)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert_array_equal(automatic.similarity(given).values, bf16)
    assert np.abs(fp32 - bf16)[OFF].max() > 0


def test_the_planted_task_predicts_the_channels_and_its_like_is_found():
    rng = np.random.default_rng(0)
    good, noise = rng.normal(size=(120, 6)), rng.normal(size=(120, 6))
    y = good @ rng.normal(size=(6, 8)) * np.array([1, 1, 1, 1, 0, 0, 0, 0]) + 0.3 * rng.normal(size=(120, 8))
    turned = good @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    x, y = np.stack([good, noise, turned]).astype(np.float32), z_scored(y)
    estimator = CNM(hidden=(16,), seeds=(1,), folds=3, epochs=60, batch_size=16, learning_rate=0.01)
    found = vectors(estimator, x, y, 1)  # (3, 8)
    assert (found[[0, 2], :4] > 0.6).all() and (found[1] < 0.2).all() and (found[:, 4:] < 0.2).all()
    given = FakeEvidence(
        dict(zip("abc", x, strict=True)), {"S": responses(y)}, tuple(f"Sentence {i}." for i in range(120))
    )
    matrix = replace(estimator, score="rho").similarity(given)
    assert matrix.values[0, 2] > 0.9 and np.nanmax(matrix.values[1]) < 0.5


# Options.

LONG = replace(SMALL, epochs=80)  # 200 steps and more: with fewer a solver changes nothing
NETWORK = {"hidden": (5,), "epochs": 3, "batch_size": 30, "learning_rate": 0.1}
MAPPING = {"score": "rho", "channels": 25, "seeds": (3,), "folds": 5, "inner_folds": 7}
AVERAGING = {"zscore": "train", "average": "vectors", "relative": "tasks"}
OTHER_VALUES = {
    SMALL: NETWORK | MAPPING | AVERAGING,
    RIDGE: {"penalties": (5.0, 500.0)} | MAPPING | AVERAGING,
    LONG: {"solver": "plain"},
}
OPTIONS = [(part, option, value) for part, values in OTHER_VALUES.items() for option, value in values.items()]


@pytest.fixture(scope="module")
def usual():
    """Evidence in which every choice matters, and each estimator's answer to it."""
    given = evidence(n_channels=40, n_subjects=2)  # more channels than training stimuli
    rng = np.random.default_rng(4)
    for r in given.responses.values():
        r.values[:] = given.representations["task-0"] @ rng.normal(size=(6, 40)) + rng.standard_t(2, size=(30, 40))
    return given, {part: part.similarity(given).values for part in OTHER_VALUES}


@pytest.mark.parametrize(("estimator", "option", "value"), OPTIONS, ids=lambda v: getattr(v, "name", str(v)))
def test_every_option_changes_the_answer(estimator, option, value, usual):
    given, answers = usual
    varied = replace(estimator, **{option: value}).similarity(given).values
    assert np.abs(varied - answers[estimator])[OFF].max() > 1e-3


@BOTH
def test_vectors_relative_to_the_backbone_are_those_less_the_bare_backbones(estimator):
    given = evidence(n_channels=8)
    bare = np.random.default_rng(8).normal(size=(30, 6)).astype(np.float32)
    given.represent = lambda sentences: bare[[given.stimuli.index(sentence) for sentence in sentences]]
    relative = replace(estimator, relative="backbone")
    assert relative.needs == estimator.needs | {"backbone"}
    data = subject_data(relative, given, *given.responses)
    seed = estimator.seeds[0]
    plain = SubjectData(data.tasks, None, data.responses)
    of_backbone = describe_subject(estimator, SubjectData(data.backbone, None, data.responses), seed)["vectors"]
    expected = describe_subject(estimator, plain, seed)["vectors"] - of_backbone
    np.testing.assert_allclose(relative_vectors(relative, describe_subject(relative, data, seed)), expected, atol=1e-4)
    off_diagonal = ~np.eye(len(given.tasks), dtype=bool)
    answer = replace(relative, seeds=(seed,)).similarity(given).values
    np.testing.assert_allclose(answer[off_diagonal], cosines(expected)[off_diagonal], atol=1e-3)


@BOTH
def test_a_task_that_training_did_not_change_has_no_estimate_relative_to_the_backbone(estimator):
    given = evidence(n_channels=8)
    first = given.tasks[0]
    order = {sentence: i for i, sentence in enumerate(given.stimuli)}
    given.represent = lambda sentences: given.representations[first][[order[s] for s in sentences]]
    answer = replace(estimator, relative="backbone").similarity(given)
    assert np.isnan(answer.values[0]).all() and np.isfinite(answer.values[1, 2])
    assert any(note.startswith(f"{estimator.name}: no estimate for {first}") for note in given.notes)


@BOTH
def test_no_option_is_left_out_of_that(estimator):
    others = {**OTHER_VALUES[estimator], **(OTHER_VALUES[LONG] if estimator == SMALL else {})}
    of_its_own = {"precision"}  # it has a test of its own, for it changes no more than rounding
    assert {*others} == {f.name for f in fields(estimator)} - {"name", "needs"} - of_its_own


@pytest.mark.parametrize("zscore", ["all", "train"])
def test_channels_that_are_all_constant_in_the_training_stimuli_leave_no_nan(zscore):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 24, 6)).astype(np.float32), np.zeros((24, 40))
    y[3] = rng.normal(size=40)  # without this stimulus all is constant
    estimator = replace(SMALL, epochs=220, zscore=zscore)
    short, plain = (replace(estimator, solver=s).cross_validate(x, z_scored(y), 1) for s in ("compressed", "plain"))
    assert np.isfinite(short).all() and np.abs(short).max() < 2 * np.abs(plain).max()


def test_a_solver_that_is_none_of_the_network_is_refused_and_the_ridge_is_named():
    with pytest.raises(UnusableData, match="cnm: solver=ridge; expected compressed or plain; .* cnm-ridge"):
        replace(SMALL, solver="ridge")


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("cnm.solver=ridge", "cnm.solver=ridge: input should be 'compressed' or 'plain'"),
        ("cnm.penalties=1", "unknown option of 'cnm' 'penalties'"),
        ("cnm-ridge.hidden=5", "unknown option of 'cnm-ridge' 'hidden'"),
        ("cnm-ridge.solver=plain", "unknown option of 'cnm-ridge' 'solver'"),
    ],
)
def test_each_takes_its_own_options_only(setting, says, toy_plugin):
    with pytest.raises(CogbenchError) as refusal:
        run(setting.partition(".")[0], "toy", suite="toy", set=[setting], parts=load_parts(toy_plugin), jobs=0)
    assert str(refusal.value).startswith(says)


def test_users_set_the_options_by_the_names_they_have_always_had(toy_plugin, tmp_path):
    sets = ["cnm.hidden=4", "cnm.seeds=5", "cnm.epochs=2", "cnm.solver=plain", "cnm-ridge.penalties=0.1:1"]
    how = {"parts": load_parts(toy_plugin), "jobs": 0, "files": Files(offline=True), "store": Store(tmp_path / "store")}
    labels = [r.estimator for r in run(["cnm", "cnm-ridge"], "toy", suite="toy", set=sets, **how)]
    assert labels == ["cnm[hidden=4,seeds=5,epochs=2,solver=plain]", "cnm-ridge[penalties=0.1:1.0]"]


def test_it_is_registered_under_its_name():
    part, ridge = register_estimators()
    assert (part.name, part.needs) == ("cnm", {"representations", "responses"})
    assert (part.hidden, part.channels, part.seeds) == ((400, 200), 30_000, (5, 10, 20, 30, 123))
    hash(part)
    assert (ridge.name, ridge.needs) == ("cnm-ridge", part.needs)
    assert (ridge.channels, ridge.seeds, ridge.folds) == (part.channels, part.seeds, part.folds)
    hash(ridge)
