"""How results differ and how alike they are: known figures, scipy's, loops over all cases, and what is refused."""

import csv
import io
import json
from dataclasses import replace
from itertools import combinations, permutations, product

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from made_results import TASKS, TRUE, made
from scipy.stats import friedmanchisquare, pearsonr, spearmanr

from cogbench import TaskMatrix, UnusableData, compare, load_parts
from cogbench.parts.oracle_names import find_oracle
from cogbench.results.comparison import short_labels
from cogbench.scoring.correlation import agreement, kendalls_w, mean_spearman
from cogbench.views.comparison import comparison_tables

RANDOM = np.random.default_rng(0).normal(size=(3, 4, 4))
OFF = ~np.eye(4, dtype=bool)
SEVEN = tuple("abcdefg")
OF_SEVEN = np.random.default_rng(2).normal(0.5, 0.1, size=(7, 7))


def of_seven(values, estimator, **more):
    return made(values, estimator=estimator, tasks=SEVEN, true=OF_SEVEN, data=False, **more)


def chosen(values, target, rename=None):
    """Return a guess's best source of a target, when task i of the guess is called rename[i]."""
    n = len(values)
    new = rename or range(n)
    renamed = {(new[s], new[t]): values[s, t] for s in range(n) for t in range(n) if s != t}
    return max((s for s in range(n) if s != target), key=lambda s: renamed[s, target])


def true_rank(true, source, target):
    return 1 + sum(true[s, target] > true[source, target] for s in range(len(true)) if s != target)


def test_golden_concordance():
    ranks = np.array([[1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 3, 4]], float)
    assert kendalls_w(ranks) == pytest.approx(0.777778, abs=1e-6)
    assert mean_spearman(ranks) == pytest.approx(0.666667, abs=1e-6)


def test_concordance_with_ties_is_friedmans():
    ranks = np.array([[1, 2.5, 2.5, 4, 5], [1.5, 3, 1.5, 4, 5], [2, 1, 4, 4, 4]])
    chi2, _ = friedmanchisquare(*ranks.T)
    assert kendalls_w(ranks) == pytest.approx(chi2 / (3 * 4))
    assert np.isnan(kendalls_w(np.full((3, 4), 2.5)))


def test_matrices_correlate_off_the_diagonal_as_in_scipy():
    a, b = (TaskMatrix.square(TASKS, m) for m in RANDOM[:2])
    cells, pearson, spearman, by_target = agreement(a, b)
    assert cells == 12
    assert pearson == pytest.approx(pearsonr(RANDOM[0][OFF], RANDOM[1][OFF]).statistic)
    assert spearman == pytest.approx(spearmanr(RANDOM[0][OFF], RANDOM[1][OFF]).statistic)
    columns = [(RANDOM[0][OFF[:, t], t], RANDOM[1][OFF[:, t], t]) for t in range(4)]
    assert by_target == pytest.approx(np.mean([spearmanr(x, y).statistic for x, y in columns]))


def test_each_pair_of_symmetric_matrices_counts_once():
    a, b = (m + m.T for m in RANDOM[:2])
    upper = np.triu_indices(4, 1)
    cells, pearson, spearman, _ = agreement(TaskMatrix.square(TASKS, a), TaskMatrix.square(TASKS, b))
    assert cells == 6 and pearson == pytest.approx(pearsonr(a[upper], b[upper]).statistic)
    assert pearson == pytest.approx(pearsonr(a[OFF], b[OFF]).statistic)
    assert spearman == pytest.approx(spearmanr(a[upper], b[upper]).statistic)
    assert agreement(TaskMatrix.square(TASKS, a), TaskMatrix.square(TASKS, RANDOM[1]))[0] == 12


def test_cells_that_one_does_not_know_are_left_out_and_constants_have_no_correlation():
    holes = RANDOM[0].copy()
    holes[0, 1] = np.nan
    assert agreement(TaskMatrix.square(TASKS, holes), TaskMatrix.square(TASKS, RANDOM[1]))[0] == 11
    flat = TaskMatrix.square(TASKS, np.ones((4, 4)))
    assert agreement(flat, TaskMatrix.square(TASKS, RANDOM[1])) == (12, None, None, None)


def test_results_in_another_order_of_tasks_are_matched():
    turned = made(TRUE[::-1, ::-1], tasks=TASKS[::-1], true=TRUE[::-1, ::-1], backbone="tinybert")
    found = compare([made(), turned])
    assert found.agreements[0].pearson == pytest.approx(1) and found.agreements[0].by_target == pytest.approx(1)
    assert [(a.own, a.trs) for a in found.against] == [(True, 1), (True, 1)]  # one oracle: of the same ranks


def test_seeds_of_one_result():
    found = compare([made(RANDOM.mean(axis=0), by_seed=[*RANDOM])])
    (seeds,) = found.steadiness
    rhos = [
        spearmanr(RANDOM[i][OFF[:, t], t], RANDOM[j][OFF[:, t], t]).statistic
        for t in range(4)
        for i, j in combinations(range(3), 2)
    ]
    assert seeds.count == 3 and seeds.spearman == pytest.approx(np.mean(rhos))
    assert seeds.kendall_w == pytest.approx((2 * np.mean(rhos) + 1) / 3)
    best = np.where(OFF, RANDOM, -np.inf).argmax(axis=1)  # (seed, target)
    assert seeds.same_best == np.mean([(best[i] == best[j]).mean() for i, j in combinations(range(3), 2)])
    assert not compare([made()]).steadiness


# Which of two results is better.


def test_a_contest_is_counted_over_all_signs_and_all_names_of_the_tasks():
    values = np.random.default_rng(3).normal(size=(2, 5, 5))
    true, tasks = np.random.default_rng(4).normal(size=(5, 5)), tuple("abcde")
    one, other = (made(v, tasks=tasks, true=true, estimator=e) for v, e in zip(values, ("one", "other"), strict=True))
    (contest,) = compare([one, other]).contests

    def gaps(rename=None):
        ranks = [[true_rank(true, chosen(v, t, rename), t) for t in range(5)] for v in values]
        return [a - b for a, b in zip(*ranks, strict=True)]

    own = gaps()
    signed = [abs(sum(s * g for s, g in zip(signs, own, strict=True))) for signs in product((-1, 1), repeat=5)]
    renamed = [abs(sum(gaps(rename))) for rename in permutations(range(5))]
    assert (
        contest.trs.difference
        == pytest.approx(sum(own) / 5)
        == pytest.approx(one.scores.trs.value - other.scores.trs.value)
    )
    assert contest.trs.sign_flips.p == pytest.approx(sum(s >= abs(sum(own)) for s in signed) / 32)
    assert contest.trs.relabelled.p == pytest.approx(sum(r >= abs(sum(own)) for r in renamed) / 120)
    assert contest.p == max(contest.trs.sign_flips.p, contest.trs.relabelled.p), "one contest wants no correction"


def test_a_contest_has_each_targets_choices_and_what_they_are_worth():
    alone = np.array([0.5, 0.6, np.nan, 0.5])
    guess = np.array([[0, 1, 1, 1], [1, 0, 1, 0], [1, 2, 0, 0], [0, 0, 0, 0]])
    one = made(TRUE, estimator="one", no_transfer=alone)
    other = made(guess, estimator="other", no_transfer=alone)
    (contest,) = compare([one, other]).contests
    assert (contest.first, contest.second, contest.oracle) == ("one on bert", "other on bert", "true")
    of_p, of_q, of_r, of_s = contest.choices.values()
    assert list(contest.choices) == list(TASKS)
    assert (of_p[0].sources, of_p[0].rank, of_p[0].metric) == (("q",), 1, 0.8)
    assert (of_p[1].sources, of_p[1].rank) == (("q", "r"), 1.5), "both share the first place"
    assert of_p[1].metric == pytest.approx(0.75) and of_p[1].gain == pytest.approx(0.25)
    assert (of_q[0].sources, of_q[1].sources, of_q[1].gain) == (("r",), ("r",), pytest.approx(0.3))
    assert of_r[1].sources == ("p", "q") and of_r[1].rank == 2.5 and of_r[1].gain is None
    assert (of_s[0].gain, of_s[1].gain) == (pytest.approx(0.4), pytest.approx(0.4))
    assert contest.trs.difference == pytest.approx((1 - 1.5 + 1 - 2.5) / 4)
    assert contest.regret == pytest.approx(-100 * (0.05 / 0.8 + (0.9 - 0.6) / 0.9) / 4)
    assert (contest.regret_p.p, contest.regret_p.exact) == (2 / 4, True), "of two targets that differ"


def test_the_order_of_the_results_turns_the_sign_alone():
    one, other = made(RANDOM[0], estimator="one"), made(RANDOM[1], estimator="other")
    (here,), (there,) = compare([one, other]).contests, compare([other, one]).contests
    assert here.trs.difference == -there.trs.difference != 0 and here.regret == pytest.approx(-there.regret)
    assert (here.p, here.regret_p) == (there.p, there.regret_p)
    assert {t: pair[::-1] for t, pair in here.choices.items()} == there.choices


def test_equal_guesses_are_not_told_apart():
    (contest,) = compare([made(RANDOM[0], estimator="one"), made(2 * RANDOM[0] + 1, estimator="other")]).contests
    assert (contest.p, contest.trs.difference, contest.told_apart) == (1, 0, False)
    assert (contest.regret, contest.regret_p.p) == (0, 1) and contest.trs.detectable == 0
    shown = comparison_tables(compare([made(RANDOM[0], estimator="one"), made(RANDOM[0], estimator="other")]))
    (row,) = shown["Differences over the same targets; negative: the first is better"]
    assert (row["told apart"], row["difference of TRS"], row["p, the larger, corrected"]) == (
        "not told apart",
        "+0.00",
        "1.000",
    )


def test_a_perfect_guess_and_a_worst_one_are_told_apart():
    found = compare([of_seven(OF_SEVEN, "perfect"), of_seven(-OF_SEVEN, "worst")])
    (contest,) = found.contests
    assert contest.trs.difference == -5 and contest.p == pytest.approx(2 / 128) and contest.told_apart
    (row,) = comparison_tables(found)["Differences over the same targets; negative: the first is better"]
    assert (row["told apart"], row["difference of TRS"]) == ("yes", "-5.00")


def test_the_ps_of_several_contests_are_corrected_by_holms_method():
    noise = np.random.default_rng(5).normal(0, 0.1, size=(7, 7))
    results = [of_seven(OF_SEVEN, "perfect"), of_seven(OF_SEVEN + noise, "fair"), of_seven(-OF_SEVEN, "worst")]
    contests = compare(results).contests
    assert [(c.first, c.second) for c in contests] == [
        ("perfect on bert", "fair on bert"),
        ("perfect on bert", "worst on bert"),
        ("fair on bert", "worst on bert"),
    ]
    plain = [c.trs.p for c in contests]
    steps = sorted(range(3), key=lambda i: plain[i])
    largest = 0.0
    for tested, i in enumerate(steps):
        largest = max(largest, min(1, (3 - tested) * plain[i]))
        assert contests[i].p == pytest.approx(largest) and contests[i].told_apart == (largest <= 0.05)
    assert max(c.p for c in contests) > min(plain), "the example should correct something"


def test_results_on_other_transfers_have_no_contest():
    other = made(RANDOM[1], estimator="other", true=TRUE.T)
    assert compare([made(RANDOM[0]), other, made(oracle=None, estimator="bare")]).contests == ()


def test_one_target_has_no_difference_that_would_be_seen_and_no_nan():
    def of_one(result):
        column = [row[:1] for row in result.similarity]
        scores = replace(result.scores, per_target={"p": result.scores.per_target["p"]})
        ranks, order = {"p": result.oracle_ranks["p"]}, {"p": result.ranking["p"]}
        fields = {"similarity": column, "by_seed": [column], "oracle_ranks": ranks, "ranking": order}
        return replace(result, targets=["p"], scores=scores, **fields)

    found = compare([of_one(made()), of_one(made(-TRUE, estimator="worst"))])
    assert found.contests[0].trs.detectable is None
    (row,) = comparison_tables(found)["Differences over the same targets; negative: the first is better"]
    assert row["seen with 80 % power"] == "–" and "nan" not in json.dumps(row)


def test_two_results_are_shown_target_by_target(tmp_path):
    alone = np.full(4, 0.5)
    files = [made(TRUE, estimator="one", no_transfer=alone).save(tmp_path)]
    files += [made(RANDOM[1], estimator="other", no_transfer=alone).save(tmp_path)]
    shown = ask("compare", *files).stdout
    assert "one on bert (1) against other on bert (2) on true" in shown
    lines = [" ".join(text.split()) for text in shown.splitlines()]
    assert (
        "target source 1 true rank 1 metric 1 gain 1 source 2 true rank 2 metric 2 gain 2 difference of ranks" in lines
    )
    choices = {t: chosen(RANDOM[1], j) for j, t in enumerate(TASKS)}
    for j, target in enumerate(TASKS):
        best, source = int(np.where(OFF[:, j], TRUE[:, j], 0).argmax()), choices[target]
        place, value = true_rank(TRUE, source, j), TRUE[source, j]
        assert (
            f"{target} {TASKS[best]} 1 {TRUE[best, j]:.3f} {TRUE[best, j] - 0.5:+.3f} "
            f"{TASKS[source]} {place} {value:.3f} {value - 0.5:+.3f} {1 - place:+g}"
        ) in lines
    mean = np.mean([true_rank(TRUE, choices[t], j) for j, t in enumerate(TASKS)])
    assert f"mean 1.00 {mean:.2f} {1 - mean:+.2f}" in lines
    more = [*files, made(RANDOM[2], estimator="third").save(tmp_path)]
    assert "source 1" not in ask("compare", *more).stdout, "of three pairs the table of differences alone is shown"


def test_a_contest_in_json(tmp_path):
    files = [made(v, estimator=e).save(tmp_path) for v, e in ((RANDOM[0], "one"), (RANDOM[1], "other"))]
    (contest,) = json.loads(ask("compare", *files, "--format", "json").stdout)["contests"]
    (found,) = compare([made(RANDOM[0], estimator="one"), made(RANDOM[1], estimator="other")]).contests
    assert (contest["first"], contest["second"], contest["oracle"]) == ("one on bert", "other on bert", "true")
    assert contest["trs"]["difference"] == found.trs.difference and contest["p"] == found.p
    assert contest["trs"]["sign_flips"] == {"p": found.trs.sign_flips.p, "draws": 16, "exact": True}
    assert contest["told_apart"] is False and contest["regret_p"]["exact"] is True
    first, second = contest["choices"]["p"]
    assert first["sources"] == [TASKS[chosen(RANDOM[0], 0)]] and second["sources"] == [TASKS[chosen(RANDOM[1], 0)]]
    assert first["gain"] is None and first["metric"] == TRUE[chosen(RANDOM[0], 0), 0]


# How alike results are.


def test_the_papers_table_3_way_of_looking():
    """The other PLM's oracle as the guess: figures that stand in no paper, but follow from its Tables 6 and 7."""
    parts, results = load_parts(), []
    for plm in ("bert", "tinybert"):
        tasks = find_oracle(parts, "cogtaskonomy-bert").transfers.sources
        true = find_oracle(parts, f"cogtaskonomy-{plm}").transfers.part(tasks, tasks).values
        results.append(made(true, tasks=tasks, true=true, backbone=plm, oracle=plm))
    own_b, cross_b, own_t, cross_t = compare(results).against
    assert (own_b.own, cross_b.own, own_t.own, cross_t.own) == (True, False, True, False)
    assert own_t.trs == 1 and own_b.trs == pytest.approx(1 + 0.5 / 12)  # two sources are the best for QQP
    # The expected figures take one of the two that tie; here both count half, and their mean rank is two places better.
    assert (cross_t.ranking, cross_t.oracle) == ("cra on tinybert", "bert")
    assert cross_t.trs == pytest.approx(5.25) and cross_b.trs == pytest.approx(5.33 - 2 / 12, abs=0.01)
    assert cross_t.top_k["3"] == pytest.approx(0.583, abs=1e-3)
    assert [cross_b.top_k[k] for k in "345"] == pytest.approx([0.778, 0.667, 0.633], abs=0.015)
    assert cross_t.top_k_chance == pytest.approx(0.538, abs=1e-3)


def test_names_are_as_short_as_sets_results_apart():
    assert short_labels([made(), made(backbone="minilm")]) == ["cra on bert", "cra on minilm"]
    assert short_labels([made(), made(signal=None)]) == ["cra on bert, words", "cra on bert, no signal"]
    assert short_labels([made(), made(oracle=None)]) == ["cra on bert, true", "cra on bert, no oracle"]
    assert "--" in short_labels([made(), made(by_seed=[TRUE, TRUE])])[0]
    with pytest.raises(UnusableData, match="is given twice"):
        short_labels([made(), made()])


def test_results_of_other_tasks_are_refused():
    small = made(TRUE[:3, :3], tasks=("p", "q", "z"), true=TRUE[:3, :3], backbone="minilm")
    message = "different sources: only cra on bert has r, s; only cra on minilm has z"
    with pytest.raises(UnusableData, match=message):
        compare([made(), small])


def test_the_command(tmp_path):
    files = [made(RANDOM[0], by_seed=[*RANDOM[:2]], synthetic=["signal"], uses_oracle=True).save(tmp_path)]
    files += [made(RANDOM[1], backbone="minilm", oracle="other", true=TRUE.T).save(tmp_path)]
    files += [made(RANDOM[2], backbone="tinybert", oracle=None).save(tmp_path)]
    found = ask("compare", *files)
    assert found.exit_code == 0, found.output
    shown = found.stdout
    for text in ("Similarity matrices off the diagonal", "Within each result", "Kendall's W", "other (own)"):
        assert text in shown
    assert "cra on tinybert was not scored: it brings no oracle" in shown
    assert "cra on bert used the data of its own oracle" in shown and "synthetic signal" in shown
    plain = json.loads(ask("compare", *files, "--format", "json", "-k", "1,2", "--top-m", "1").stdout)
    assert (
        len(plain["agreements"]) == 3 and len(plain["against"]) == 6 and set(plain["against"][0]["top_k"]) == {"1", "2"}
    )
    rows = list(csv.DictReader(io.StringIO(ask("compare", *files, "--format", "csv").stdout)))
    assert len(rows) == 3 + 1 + 6 and len({row["table"] for row in rows}) == 3
    for form in ("markdown", "latex"):
        assert "cra on tinybert" in ask("compare", *files, "--format", form).stdout
    assert list(comparison_tables(compare([made(oracle=None)]))) == []


def test_bad_input_gets_one_line(tmp_path):
    one = made().save(tmp_path)
    assert "is given twice" in line(ask("compare", one, one), 2)
    assert "no file 'nowhere.json'" in line(ask("compare", one, "nowhere.json"), 3)
    (tmp_path / "x.json").write_text('{"schema_version": 99}')
    assert "upgrade it" in line(ask("compare", one, tmp_path / "x.json"), 3)
    assert "is needed" in line(ask("compare"), 2)


def test_the_subjects_of_a_signal_are_correlated_as_in_figure_7():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(4, 4))
    matrices = [one, one + rng.normal(0, 0.1, (4, 4)), rng.normal(size=(4, 4))]
    held = [{"by_subject": {f"S{i}": m.tolist() for i, m in enumerate(matrices)}}]
    (found,) = compare([replace(made(), details=held)]).steadiness
    off = ~np.eye(4, dtype=bool)
    each = [np.corrcoef(matrices[i][off], matrices[j][off])[0, 1] for i, j in ((0, 1), (0, 2), (1, 2))]
    assert (found.over, found.count) == ("subjects", 3) and found.pearson == pytest.approx(np.mean(each))


def test_results_are_given_one_by_one_in_lists_or_by_their_files(tmp_path):
    one, other = made(TRUE, estimator="one"), made(TRUE.T.copy(), estimator="other")
    files = [result.save(tmp_path) for result in (one, other)]
    expected = compare([one, other])
    assert (
        compare(one, other)
        == compare([one], other)
        == compare(*files)
        == compare([str(file) for file in files])
        == expected
    )
