"""How alike results are: known figures, scipy's, and what is refused."""

import csv
import io
import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from made_results import TASKS, TRUE, made
from scipy.stats import friedmanchisquare, pearsonr, spearmanr

from cogbench import TaskMatrix, UnusableData, compare, load_parts
from cogbench.parts.registry import find_oracle
from cogbench.results.comparison import short_labels
from cogbench.scoring.agreement import agreement, kendalls_w, mean_spearman
from cogbench.views.rows import comparison_tables

RANDOM = np.random.default_rng(0).normal(size=(3, 4, 4))
OFF = ~np.eye(4, dtype=bool)


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
    assert "is given twice" in line(ask("compare", one, one), 3)
    assert "no file 'nowhere.json'" in line(ask("compare", one, "nowhere.json"), 3)
    (tmp_path / "x.json").write_text('{"schema_version": 99}')
    assert "upgrade it" in line(ask("compare", one, tmp_path / "x.json"), 3)
    assert "Missing argument" in line(ask("compare"), 2)


def test_the_subjects_of_a_signal_are_correlated_as_in_figure_7():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(4, 4))
    matrices = [one, one + rng.normal(0, 0.1, (4, 4)), rng.normal(size=(4, 4))]
    held = [{"by_subject": {f"S{i}": m.tolist() for i, m in enumerate(matrices)}}]
    (found,) = compare([replace(made(), details=held)]).steadiness
    off = ~np.eye(4, dtype=bool)
    each = [np.corrcoef(matrices[i][off], matrices[j][off])[0, 1] for i, j in ((0, 1), (0, 2), (1, 2))]
    assert (found.over, found.count) == ("subjects", 3) and found.pearson == pytest.approx(np.mean(each))
