"""What targets score with sets of others: tables as people write them, two published shapes, and bad input."""

import json
from dataclasses import replace

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from hypothesis import given
from hypothesis import strategies as st

from cogbench import SetScore, TaskSets, UnknownName, UnusableData, read_sets
from cogbench.oracles.set_tables import read_groups
from cogbench.oracles.task_sets import plain_sets, sets_folder, write_sets

LONG = "target,sources,score\nt,,5\nt,a,6\nt,a+b,8\nt,c,4\n"
RUNS = (
    "setting,source_task,source_domain,target_task,target_domain,f1_1,f1_2,f1_3\n"
    "single_task,,,POS,x,1,2,3\n"
    "domain_adapt,POS,y,POS,x,2,3,4\n"
    'multi_source,POS,"n2,y,z",POS,x,4,5,6\n'
    'multi_source,POS,"n3,n2,y,z",POS,x,4,5,6\n'
    "zero_shot,POS,y,POS,x,0,0,0\n"
    'multi_source,POS,"y,z",NER,x,7,8,9\n'
)
TOGETHER = "trained_together,a,b,c\na+b+c,9,9,9\na,1,,\nb,,2,\nc,,,3\na+b,4,5,\na+c,6,,7\na+b+c,8,8.5,8.75\n"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(text, name="x.csv"):
    with open(name, "w") as file:
        file.write(text)
    return name


def scores(sets):
    return {(one.target, one.members): one.score for one in sets.sets}


def test_a_long_table_is_read_however_its_sets_and_scores_are_written():
    expected = {("t", ()): 5, ("t", ("a",)): 6, ("t", ("a", "b")): 8, ("t", ("c",)): 4}
    sets = read_sets(write(LONG))
    assert scores(sets) == expected
    assert (sets.targets, sets.members, sets.better) == (("t",), ("a", "b", "c"), {})
    assert sets.alone("t").score == 5 and sets.of("t")[0].members == ()
    others = {
        "x.tsv": "target\tsources\tscore\nt\tno-transfer\t5\nt\ta\t6\nt\tb, a\t8\nt\tc\t4\n",
        "x.csv": "Target,set,Value\nt,alone,5\nt,a,6\nt, b + a ,8.0\nt,c,4\n",
        "x.json": json.dumps(
            [{"target": "t", "sources": s, "score": v} for s, v in (([], 5), (["a"], 6), (["b", "a"], 8), ("c", 4))]
        ),
    }
    for name, text in others.items():
        assert scores(read_sets(write(text, name))) == expected, name


def test_columns_or_rows_of_seeds_give_the_mean_and_its_standard_error():
    wide = read_sets(write("target,sources,f1_1,f1_2,f1_3\nt,a,1,2,6\n"))
    long = read_sets(write("target,sources,seed,score\nt,a,0,1\nt,a,1,2\nt,a,2,6\n"))
    for sets in (wide, long):
        assert sets.sets[0].score == 3
        np.testing.assert_allclose(sets.sets[0].standard_error, np.std([1, 2, 6], ddof=1) / np.sqrt(3))
    assert read_sets(write("target,sources,score,error\nt,a,1,.5\n")).sets[0].standard_error == 0.5


def test_which_scores_are_better_a_column_an_option_or_the_published_shape_says():
    assert read_sets(write("target,sources,score,better\nt,a,1,lower\nu,a,1,\n")).better == {"t": "lower"}
    assert read_sets(write(LONG), better="lower").better == {"t": "lower"}
    losses = read_sets(write(TOGETHER))
    assert losses.better == dict.fromkeys("abc", "lower") and "lower is better" in losses.note
    assert read_sets(write(TOGETHER), better="higher").better == dict.fromkeys("abc", "higher")


def test_a_table_of_sets_that_are_trained_together_has_a_score_for_each_member():
    assert scores(read_sets(write(TOGETHER))) == {
        ("a", ()): 1,
        ("b", ()): 2,
        ("c", ()): 3,
        ("a", ("b",)): 4,
        ("b", ("a",)): 5,
        ("a", ("c",)): 6,
        ("c", ("a",)): 7,
        ("a", ("b", "c")): 8,
        ("b", ("a", "c")): 8.5,
        ("c", ("a", "b")): 8.75,
    }


def test_a_table_of_runs_names_tasks_by_task_and_domain_and_leaves_out_zero_shot():
    sets = read_sets(write(RUNS))
    assert scores(sets) == {
        ("pos:x", ()): 2,
        ("pos:x", ("pos:y",)): 3,
        ("pos:x", ("pos:y", "pos:z")): 5,
        ("ner:x", ("pos:y", "pos:z")): 8,
    }
    assert "1 runs stand twice" in sets.note
    within = sets.within("pos")
    assert scores(within) == {("x", ()): 2, ("x", ("y",)): 3, ("x", ("y", "z")): 5}
    assert scores(sets.within("ner")) == {("x", ("pos:y", "pos:z")): 8}
    with pytest.raises(UnknownName, match="unknown group of targets 'poss'; did you mean 'pos'"):
        sets.within("poss")


BAD = {
    "": "it has no rows",
    "target,sources,score\n": "it has no sets; expected a line for each target and set",
    "target,sources,score\nt,a+t,1\n": "line 2: the set a+t holds its own target 't'",
    "target,sources,score\nt,a+b,1\nt,b+a,2\n": "the set a+b twice: line 2 and line 3; leave one of them",
    "target,sources,score\nt,a+b,1\nt,b+a,1\n": "target 't' has the set a+b twice",
    "target,sources,score\nt,a+a,1\n": "line 2: the set a+a of target 't' holds 'a' twice",
    "target,sources,score\nt,a,1\nt,b,nan\n": "line 3 has no score: 'nan'",
    "target,sources,score\nt,a,1\nt,b,\n": "line 3 has no score: ''",
    "target,sources,score\nt,a,1\nt,b,inf\n": "line 3 holds 'inf', which is no number",
    "target,sources,score\nt,a,1\n,b,1\n": "line 3 names no target",
    "target,sources,score\nt,a+,1\n": "'a+' names a task without a name",
    "target,sources\nt,a1\n": "it has no column of scores",
    "source,score\nt,1\n": "expected target, sources and score, or trained_together",
    "target,sources,score,better\nt,a,1,up\n": "line 2 has better 'up'; expected higher or lower",
    "target,sources,score,better\nt,a,1,lower\nt,b,1,higher\n": "others do not",
    "target,sources,score,error\nt,a,1,-1\n": "target 't' has the standard error -1.0",
    "trained_together,a,b\na+c,1,2\n": "line 2 trains 'c', which has no column; there are a, b",
    "trained_together,a,b\na,1,2\n": "line 2 has a score of 'b', which the set a does not hold",
    "trained_together,a,b\na+b,1,\n": "line 2 has no score",
}


@pytest.mark.parametrize("text", BAD, ids=BAD.values())
def test_a_table_that_cannot_be_used_is_refused_in_one_line(text):
    with pytest.raises(UnusableData) as error:
        read_sets(write(text))
    assert BAD[text] in str(error.value) and "\n" not in str(error.value) and "x.csv" in str(error.value)
    if text:
        assert "x.csv" in line(ask("sets", "show", "x.csv"), 3)


def test_names_that_nothing_bears_are_refused():
    assert "unknown file or name of task sets 'nothing'" in line(ask("sets", "show", "nothing"), 2)
    assert "no file" in line(ask("sets", "show", "nothing.csv"), 3)
    assert "no file" in line(ask("sets", "show", "sets.xlsx"), 3)


def test_the_record_refuses_what_no_sets_are():
    one = SetScore("t", ("b", "a"), 1.0)
    assert one.members == ("a", "b") and one == SetScore("t", ("a", "b"), 1.0)
    for sets, more, message in (
        ((), {}, "there is no set"),
        ((one, replace(one, score=2.0)), {}, "has the set a\\+b twice"),
        ((one,), {"better": {"u": "lower"}}, "'u', which is no target"),
        ((one,), {"better": {"t": "up"}}, "not 'up'"),
        ((replace(one, by_seed=(1.0,)),), {}, "1 scores by seed"),
    ):
        with pytest.raises(UnusableData, match=message):
            TaskSets(name="n", sets=sets, **more)
    with pytest.raises(UnusableData, match="no finite score"):
        SetScore("t", (), float("nan"))


names = st.text("abcdef", min_size=1, max_size=3)
tables = st.dictionaries(
    st.tuples(names, st.frozensets(names, max_size=4)).filter(lambda pair: pair[0] not in pair[1]),
    st.tuples(st.floats(-1e6, 1e6), st.none() | st.floats(0, 1e3)),
    min_size=1,
    max_size=12,
)


@given(tables, st.randoms())
def test_what_is_written_is_read_again_and_the_order_means_nothing(tmp_path_factory, table, random):
    rows = [SetScore(t, tuple(members), score, error) for (t, members), (score, error) in table.items()]
    sets = TaskSets(name="n", sets=tuple(rows), better={rows[0].target: "lower"}, seeds=(1,), provenance={"x": [1]})
    path = tmp_path_factory.mktemp("sets") / "n.json"
    write_sets(sets, path)
    assert plain_sets(read_sets(path)) == plain_sets(sets)
    random.shuffle(rows)
    shuffled = replace(sets, sets=tuple(rows))
    assert plain_sets(shuffled) == plain_sets(sets)
    assert all(shuffled.of(target) == sets.of(target) for target in sets.targets)


def test_json_of_something_else_is_refused_in_one_line():
    write('{"record": "task sets"}', "x.json")
    assert "it has no 'schema_version'" in line(ask("sets", "show", "x.json"), 3)
    write('{"name": "x"}', "x.json")
    assert "it is no record of task sets" in line(ask("sets", "show", "x.json"), 3)
    write_sets(TaskSets(name="n", sets=(SetScore("t", ("a",), 1.0),)), sets_folder() / "n.json")
    text = (sets_folder() / "n.json").read_text()
    write(text.replace('"score": 1.0', '"score": true'), "x.json")
    assert "its score is not what it should be" in line(ask("sets", "show", "x.json"), 3)
    write(text.replace('"schema_version": 1', '"schema_version": 2'), "x.json")
    assert "schema version 2: upgrade cogbench" in line(ask("sets", "show", "x.json"), 3)


def test_measured_sets_are_shown_by_name_and_are_no_oracle():
    sets = TaskSets(name="mine", sets=(SetScore("t", ("a",), 1.5), SetScore("t", (), 1.25)), basis="measured")
    write_sets(sets, sets_folder() / "mine.json")
    table = ask("sets", "show", "mine")
    assert table.exit_code == 0 and "1.25" in table.stdout and "measured, backbone ?" in table.stdout
    assert json.loads(ask("sets", "show", "mine", "--json").stdout) == plain_sets(sets)
    assert json.loads(ask("sets", "list", "--json").stdout)[-1]["name"] == "mine"
    assert "mine" not in ask("oracle", "list").stdout
    assert "unknown oracle 'mine'" in line(ask("oracle", "show", "mine"), 2)
    assert "is no oracle" in line(ask("oracle", "show", sets_folder() / "mine.json"), 3)


def test_groups_are_read_a_set_a_line(tmp_path):
    write("# pairs\na+b\n\n a , c , d \n", "groups.txt")
    assert read_groups(tmp_path / "groups.txt") == [("a", "b"), ("a", "c", "d")]
    with pytest.raises(UnusableData, match="holds no set of tasks"):
        read_groups(tmp_path / write("# nothing\n", "groups.txt"))


def test_the_published_tables_have_their_known_numbers_of_sets(atlas):
    lange = read_sets(atlas / "lange2021-runs.csv")
    several = [one for one in lange.sets if len(one.members) > 1]
    assert len(several) == 629 - 3 and "3 runs stand twice" in lange.note  # three runs stand in the file twice
    assert len(lange.targets) == 8 + 12 + 14 + 10
    assert sum(len(one.members) == 0 for one in lange.sets) == 44
    assert all(one.standard_error is not None for one in lange.sets)
    tables = sorted(atlas.glob("standley2020-*-subsets.csv"))
    assert len(tables) == 8
    for path in tables:
        sets = read_sets(path)
        assert len({frozenset((one.target, *one.members)) for one in sets.sets}) == 31
        assert len(sets.sets) == 5 * 16 and {*sets.better.values()} == {"lower"}
