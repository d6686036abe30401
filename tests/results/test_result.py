"""Result files: what is none, or broken where each field alone is well, is one line that names the file."""

import json

import pytest
from command import cogbench as ask
from command import line
from made_results import made

from cogbench import Result


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves a result after its JSON was changed."""

    def save(change):
        file = made().save(tmp_path)
        held = json.loads(file.read_text())
        change(held)
        file.write_text(json.dumps(held))
        return file

    return save


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda r: r["similarity"].pop(), "similarity is no table of 4 sources by 4 targets"),
        (lambda r: r["similarity"][1].pop(), "similarity is no table of 4 sources by 4 targets"),
        (lambda r: r["by_seed"][0].pop(), "by_seed is no table of 4 sources by 4 targets"),
        (lambda r: r["sources"].__setitem__(0, "q"), "a task stands twice in a matrix"),
        (lambda r: r.update(sources=[], similarity=[]), "it has no sources or no targets"),
        (lambda r: r["ranking"].pop("q"), "ranking has no sources for q"),
        (lambda r: r["ranking"]["q"].append("z"), "ranking has no sources for q, or others than its own"),
        (lambda r: r["oracle_ranks"].pop("r"), "oracle_ranks has no ranks for r"),
        (lambda r: r["oracle_ranks"]["r"].update(p=0), "oracle_ranks has no ranks for r, or such as there are not"),
        (lambda r: r["scores"]["top_k"].update(share={}), "scores lack shares of top_k"),
        (lambda r: r["scores"]["ranking"]["ndcg"].pop("all"), "scores lack ndcg of all sources"),
        (lambda r: r.update(oracle_ranks=None), "it has scores and no oracle that they are from"),
        (lambda r: r.update(scores=None), "it has an oracle's ranks and no scores"),
        (lambda r: r["scores"]["per_target"].pop("q"), "scores lack per_target of q"),
        (lambda r: r.update(schema_version="1"), "its schema_version is no whole number"),
        (lambda r: r.update(schema_version=True), "its schema_version is no whole number"),
        (lambda r: r["scores"].pop("trs"), "it has no scores / trs"),
        (lambda r: r["scores"]["trs"].update(value="low"), "scores / trs / value should be a valid number"),
        (lambda r: r["scores"]["trs"].update(value="2.5"), "scores / trs / value should be a valid number"),
        (lambda r: r["baselines"].update(size="nan"), "baselines / size should be a valid number"),
        (lambda r: r["scores"]["trs"].update(value=float("nan")), "it holds NaN, which is no number"),
        (lambda r: r.update(oracle=7), "oracle should be a JSON object"),
        (lambda r: r["details"].append({"matrix": [float("inf")]}), "it holds Infinity, which is no number"),
        (lambda r: r["provenance"]["model"].update(size=2**64), "it holds a number out of range"),
        (lambda r: r["provenance"].update(max_train=2**64), "it holds a number out of range"),
        (lambda r: r["notes"].append("\ud800"), "it holds half a letter, a surrogate without its other half"),
        (lambda r: r["options"].update(deep=json.loads("[" * 120 + "]" * 120)), "its lists are nested too deep"),
    ],
)
def test_a_broken_result_is_one_line(saved, change, says):
    file = saved(change)
    for command in ("report", "compare", "tree"):
        assert f"{str(file)!r} is no result of cogbench: {says}" in line(ask(command, file), 3)
    made(estimator="sound").save(file.parent)
    others = ask("leaderboard", file.parent)
    assert others.exit_code == 0 and says in others.stderr and "sound" in others.stdout


@pytest.mark.parametrize(
    "content, says",
    [
        (b"[]", "it holds no JSON object"),
        (b"\xff\xfe", "it is no text in UTF-8"),
        (b'{"a":\n}', "it is no JSON from line 2, column 1 on"),
        (b"[" * 100_000, "its lists are nested too deep"),
    ],
)
def test_what_is_no_result_is_said_in_words(tmp_path, content, says):
    (tmp_path / "x.json").write_bytes(content)
    told = line(ask("report", tmp_path / "x.json"), 3)
    assert told == f"cogbench: '{tmp_path}/x.json' is no result of cogbench: {says}."


def test_a_folder_is_no_file(tmp_path):
    folder = tmp_path / "results.json"
    folder.mkdir()
    for words in (("report", folder), ("tree", folder), ("tree", tmp_path), ("compare", tmp_path)):
        assert "is a folder; name a file in it" in line(ask(*words), 3)


def test_an_oracle_that_lacks_a_transfer_is_no_fault(saved):
    file = saved(lambda r: r["oracle_ranks"]["q"].pop(r["ranking"]["q"][0]))
    assert Result.load(file).sources and ask("report", file).exit_code == 0


def test_what_an_estimator_tells_in_its_own_way_breaks_no_page(saved, tmp_path):
    words = ("--out", tmp_path / "r.html")
    odd = saved(lambda r: r.update(details=[{"by_subject": {"S1": 1, "S2": [[2], [3, 4]]}}]))
    assert "its by_subject holds no matrix for each subject" in line(ask("report", odd, *words), 3)
    assert ask("report", odd).exit_code == 0
    half = saved(lambda r: r.update(details=[{"prediction": {"S1": {"p": {"share_above_shuffled": 0.1}}}}]))
    assert ask("report", half, *words).exit_code == 0
    for name, told in (("prediction", {"S1": 5}), ("fingerprints", dict.fromkeys("pqrs", [[1], "x"])), ("subjects", 5)):
        file = saved(lambda r: r.update(details=[{"by_subject" if name == "subjects" else name: told}]))  # noqa: B023
        assert f"its details of {name} have another form than its page shows" in line(ask("report", file, *words), 3)


def test_a_number_too_large_for_a_float_is_refused_wherever_it_stands(saved):
    for part in ("details", "similarity"):
        file = saved(
            lambda r, part=part: r[part].__setitem__(slice(0, 1), [{"a": 7e88}] if part == "details" else [[7e88]])
        )
        file.write_text(file.read_text().replace("7e+88", "7e888"))
        assert "it holds a number out of range" in line(ask("report", file), 3)


def test_a_result_that_was_read_is_the_one_that_was_written(tmp_path):
    result = made()
    assert Result.load(result.save(tmp_path)) == result
