"""Gains of sources with their errors, and from which number of target examples on transfer stops paying."""

import json
from dataclasses import replace

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from hypothesis import given
from hypothesis import strategies as st
from made_results import made
from scipy.stats import norm

from cogbench import Oracle, TaskMatrix, UnusableData, compare, load_parts
from cogbench.data.oracle_files import write_oracle, write_table
from cogbench.data.oracle_seeds import of_seeds
from cogbench.oracles.gains import budgets, gains, target_gains
from cogbench.parts.oracle_names import find_oracle
from cogbench.views.comparison import oracle_comparison_notes, oracle_comparison_tables

NAMES = ("a", "b", "c", "d")
OFF = ~np.eye(4, dtype=bool)


def oracle(gain=0.0, size=50, error=0.01, *, best=None, name=None, source=1000, seeds=(0,), **more):
    """Return a measured oracle in which each source gains as much, but the first `best` more for target d."""
    values = np.full((4, 4), 0.5) + np.where(OFF, gain, 0)
    if best is not None:
        values[0, 3] += best
    known = {"max_train": source, "data": dict.fromkeys(NAMES, ["x", "y"])} | (
        {} if size == source else {"max_train_target": size}
    )
    start = Oracle(
        name or f"o-{source}-{size}",
        "b",
        "s",
        TaskMatrix.square(NAMES, values),
        basis="measured",
        metrics=dict.fromkeys(NAMES, "accuracy"),
        provenance=known,
        max_train_target=None if size == source else size,
        **more,
    )
    errors = np.full((len(seeds), 4, 4), error)
    return of_seeds(start, seeds, np.array([values] * len(seeds)), errors, errors * OFF)


def test_a_gain_is_the_metric_after_a_source_less_that_without_one_and_the_sign_is_that_of_better():
    values, errors = gains(oracle(0.1))
    assert values[OFF] == pytest.approx(0.1) and errors[OFF] == pytest.approx(0.01)
    assert np.isnan(values[~OFF]).all() and np.isnan(errors[~OFF]).all()
    lower = replace(oracle(0.1), better={"d": "lower"})
    assert gains(lower)[0][0] == pytest.approx([np.nan, 0.1, 0.1, -0.1], nan_ok=True)


def test_without_an_error_of_the_gains_the_two_scores_count_as_independent():
    given_errors = np.arange(1.0, 17).reshape(4, 4) / 100
    plain = replace(oracle(0.1), gain_error=None, evaluation_error=given_errors)
    assert gains(plain)[1][1, 3] == pytest.approx(np.hypot(given_errors[1, 3], given_errors[3, 3]))
    of_a_table = replace(plain, evaluation_error=None, standard_error=np.where(OFF, 0.03, np.nan))
    assert gains(of_a_table)[1][1, 3] == pytest.approx(0.03 * np.sqrt(2))
    unknown = replace(of_a_table, standard_error=None)
    assert np.isnan(gains(unknown)[1]).all() and target_gains(unknown, "d") is None
    assert target_gains(replace(plain, no_transfer=None), "d") is None


def test_training_seeds_add_their_variance_pooled_over_the_sources_of_a_target():
    rng = np.random.default_rng(0)
    by_seed = rng.normal(0.5, 0.1, (3, 4, 4))
    errors = np.full((3, 4, 4), 0.02)
    three = of_seeds(oracle(), (0, 1, 2), by_seed, errors, errors * OFF)
    values, found = gains(three)
    of_target = np.array([by_seed[:, s, 2] - by_seed[:, 2, 2] for s in (0, 1, 3)])
    assert values[[0, 1, 3], 2] == pytest.approx(of_target.mean(axis=1))
    expected = np.sqrt(0.02**2 + np.mean([np.var(row, ddof=1) for row in of_target]) / 3)
    assert found[[0, 1, 3], 2] == pytest.approx(expected)


def test_transfer_pays_where_a_source_gains_after_the_correction_for_their_number():
    # Of three sources one may gain by luck: two errors are not enough, the p is three times that of one.
    for errors_above, pays in ((2.1, False), (2.4, False), (2.45, True)):
        of = target_gains(oracle(best=errors_above * 0.01), "d")
        assert of.best.source == "a" and of.best.gain == pytest.approx(errors_above * 0.01)
        assert of.p == pytest.approx(3 * norm.sf(errors_above)) and of.pays == pays
    of = target_gains(oracle(best=0.03), "d")
    assert (of.mean.gain, of.mean.error) == pytest.approx((0.01, 0.01)) and of.n_sources == 3
    assert target_gains(oracle(-0.1), "d").p == 1 and not target_gains(oracle(-0.1), "d").pays
    assert target_gains(oracle(0.1, error=0.0), "d").pays and not target_gains(oracle(0.0, error=0.0), "d").pays


@given(st.integers(0, 10**6))
def test_where_no_source_gains_transfer_pays_in_no_more_cases_than_two_errors_allow(seed):
    """Not a rate but its reason: whether it pays is what Bonferroni says of the largest gain in errors."""
    rng = np.random.default_rng(seed)
    noise = np.where(OFF, rng.normal(0, 0.01, (4, 4)), 0)
    start = oracle()
    noisy = replace(start, transfers=TaskMatrix.square(NAMES, start.transfers.values + noise))
    largest = noise[[0, 1, 2], 3].max() / 0.01
    assert target_gains(noisy, "d").pays == (3 * norm.sf(largest) <= norm.sf(2))


def test_budgets_are_those_of_source_and_target():
    assert budgets(oracle(size=50)) == (1000, 50) and budgets(oracle(size=1000)) == (1000, 1000)
    assert budgets(replace(oracle(), provenance={}, max_train_target=None)) == (None, None)


SENTENCES = {
    (0.1, 0.1, 0.0): "d: transfer pays at 50 and 200 target examples, and stops paying from 1,000 on.",
    (0.1, 0.0, 0.0): "d: transfer pays at 50 target examples, and stops paying from 200 on.",
    (0.0, 0.1, 0.0): "d: transfer pays at 200 target examples, and stops paying from 1,000 on.",
    (0.0, 0.0, 0.0): "d: transfer pays at none of 50, 200 and 1,000 target examples.",
    (0.1, 0.1, 0.1): "d: transfer pays at 50, 200 and 1,000 target examples, the largest number measured.",
    (0.1, 0.0, 0.1): (
        "d: transfer pays at 50 and 1,000 target examples, the largest number measured, and not at every smaller one."
    ),
}


@pytest.mark.parametrize("of_sizes", SENTENCES)
def test_a_sentence_for_each_target_says_from_which_size_on_transfer_stops_paying(of_sizes):
    oracles = [oracle(best=gain, size=size) for gain, size in zip(of_sizes, (50, 200, 1000), strict=True)]
    for given_order in (oracles, oracles[::-1]):
        found = compare(given_order)
        (of_d,) = [sizes for sizes in found.sizes if sizes.target == "d"]
        assert of_d.sentence == SENTENCES[of_sizes] and of_d.sizes == (50, 200, 1000)
        assert of_d.pays == tuple(gain > 0 for gain in of_sizes)
    paying = [sum(of_sizes[i] > 0 for _ in "d") for i in range(3)]
    words = (
        f"of 4 targets transfer pays for {paying[0]} at 50, {paying[1]} at 200, {paying[2]} at 1,000 target examples"
    )
    assert words in oracle_comparison_notes(found)


def test_a_source_is_also_chosen_by_the_table_of_the_size_beside():
    small, large = oracle(best=0.2, size=50), oracle(size=200)
    values = np.array(large.transfers.values)
    values[1, 3] += 0.3
    large = replace(large, transfers=TaskMatrix.square(NAMES, values))
    of_small, of_large = (of for of in compare([large, small]).gains if of.target == "d")
    assert (of_small.max_train_target, of_small.best.source, of_small.chosen.source) == (50, "a", "b")
    assert (of_large.best.source, of_large.chosen.source, of_large.chosen_by) == ("b", "a", small.name)
    assert of_large.chosen.gain == pytest.approx(0.0) and of_small.chosen.gain == pytest.approx(0.0)


def test_only_oracles_that_differ_in_the_target_alone_are_a_series():
    few = oracle(size=100, source=100)
    found = compare([oracle(size=100), few])  # the source differs: gains side by side, and no sentence
    assert [(of.max_train, of.max_train_target) for of in found.gains[:2]] == [(100, 100), (1000, 100)]
    assert not found.sizes and found.gains[0].chosen is None
    for other in (
        replace(oracle(size=200), backbone="other"),
        replace(oracle(size=200), provenance={**oracle(size=200).provenance, "data": {"a": ["z"]}}),
        replace(oracle(size=200), metrics=dict.fromkeys(NAMES, "f1")),
        replace(oracle(size=200), basis="published"),
    ):
        assert not compare([oracle(size=50), other]).sizes
    assert not compare([oracle(size=50), replace(oracle(size=50), name="second")]).gains


def test_pairs_say_how_far_two_oracles_agree():
    one, other = (find_oracle(load_parts(), f"cogtaskonomy-minilm{layers}-max-1000") for layers in ("", "-2l"))
    found = compare([one, other])
    (pair,) = found.pairs
    # As docs/oracle.md has it by `cogbench score` of the first oracle's figures against the second.
    turned = compare([other, one]).pairs[0]
    assert (round(turned.trs, 2), round(turned.skill, 2), round(turned.skill_p.p, 2)) == (6.88, 0.01, 0.47)
    assert round(turned.by_target, 2) == -0.02 and turned.trs_chance == 6
    assert pair.cells == 132 and pair.spearman == turned.spearman and not found.gains and not found.sizes


def test_tasks_that_not_all_have_are_left_out_with_a_note():
    part = oracle(size=200).part(NAMES[:3])
    found = compare([oracle(size=50), part])
    assert found.sources == NAMES[:3] and "not all oracles have d of o-1000-50: left out" in found.notes
    with pytest.raises(UnusableData, match=r"2 source\(s\) and 2 target\(s\) in common"):
        compare([oracle(size=50), oracle(size=200).part(NAMES[:2])])


def test_what_cannot_be_compared_is_refused_in_one_line(tmp_path):
    with pytest.raises(UnusableData, match="one oracle alone"):
        compare([oracle()])
    with pytest.raises(UnusableData, match="'o-1000-50' is given twice"):
        compare([oracle(), oracle()])
    with pytest.raises(UnusableData, match="results are compared with results"):
        compare([made(), oracle()])
    file = made().save(tmp_path)
    assert "results are compared with results" in line(ask("compare", file, "cogtaskonomy-bert"), 2)
    assert "unknown oracle 'cogtaskonomy-bart'; did you mean" in line(ask("compare", "cogtaskonomy-bart"), 2)
    (tmp_path / "x.json").write_text("{")
    assert "is no result of cogbench" in line(ask("compare", tmp_path / "x.json", "cogtaskonomy-bert"), 3)


def test_the_command_takes_names_and_files_in_every_format(tmp_path):
    files = [tmp_path / f"{size}.json" for size in (50, 200)]
    for file, size, best in zip(files, (50, 200), (0.1, 0.0), strict=True):
        write_oracle(oracle(best=best, size=size), file)
    shown = ask("compare", *files).stdout
    assert "stops paying from 200 on" in shown and "a +0.100 ± 0.010" in shown and "o-1000-200" in shown
    plain = json.loads(ask("compare", *files, "--format", "json").stdout)
    assert [of["max_train_target"] for of in plain["gains"][-2:]] == [50, 200] and len(plain["sizes"]) == 4
    assert plain["gains"][-2]["best"] == {"source": "a", "gain": pytest.approx(0.1), "error": pytest.approx(0.01)}
    for form in ("markdown", "latex", "csv"):
        assert "o-1000-50" in ask("compare", *files, "--format", form).stdout
    write_table(find_oracle(load_parts(), "cogtaskonomy-bert"), tmp_path / "own.csv")
    shown = ask("compare", tmp_path / "own.csv", "cogtaskonomy-tinybert").stdout
    assert "own" in shown and "cogtaskonomy-tinybert" in shown and "Gain" not in shown
    (tmp_path / "rows.json").write_text(
        json.dumps([{"source": s, "a": 1, "b": 2, "c": i} for i, s in enumerate("abc")])
    )
    assert "rows" in ask("compare", tmp_path / "rows.json", tmp_path / "rows.json").stderr  # it is a table, given twice


def test_tables_for_people_leave_out_what_is_empty():
    tables = oracle_comparison_tables(compare([oracle(size=50), replace(oracle(size=50), backbone="x", name="y")]))
    assert [*tables] == ["How far two oracles agree; the first as a guess at the second"]
