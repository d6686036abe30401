"""A result that somebody hands in is checked figure by figure, and boards say who computed it."""

import json
from pathlib import Path

import pytest
from command import cogbench, line

from cogbench.results.result import Result
from cogbench.results.submission import results_folder

RESULTS = Path(__file__).parents[2] / "docs" / "results"
KNN = next(RESULTS.glob("knn--minilm-2l--no-signal--cogtaskonomy-minilm-2l-max-1000-*.json"))


@pytest.fixture
def damaged(tmp_path):
    """A function that writes a shipped result with a change, and returns the file."""

    def write(change):
        content = json.loads(KNN.read_text())
        change(content)
        path = tmp_path / "result.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_a_result_whose_figures_follow_is_written_with_the_name_of_who_hands_it_in(tmp_path):
    outcome = cogbench("submit", KNN, "--by", "Ada Lovelace", "--to", tmp_path / "results")
    assert outcome.exit_code == 0, outcome.output
    (path,) = (tmp_path / "results").iterdir()
    assert path.name == KNN.name and Result.load(path).submitted_by == "Ada Lovelace"
    board = cogbench("leaderboard", path)
    assert "submitted by Ada Lovelace" in board.output
    assert "submitted by" not in cogbench("leaderboard", KNN).output


def scores(content):
    content["scores"]["trs"]["value"] -= 1


def baselines(content):
    content["baselines"]["size"] = 1.0


def similarities(content):
    content["similarity"][0][1] = 9.0


def similarities_of_the_seeds_too(content):
    similarities(content)
    content["by_seed"][0][0][1] = 9.0


def ranking(content):
    target = content["targets"][0]
    content["ranking"][target] = content["ranking"][target][::-1]


def true_ranks(content):
    target, source = content["targets"][0], content["sources"][2]
    content["oracle_ranks"][target][source] += 0.5


def another_oracle(content):
    content["oracle"]["name"] = "cogtaskonomy-minilm-max-1000"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (scores, "scores / trs / value is"),
        (baselines, "baselines / size is 1.0 in the file"),
        (similarities, "`similarity` is not the mean of `by_seed`"),
        (similarities_of_the_seeds_too, "does not recompute"),
        (ranking, "`ranking` of target 'cola'"),
        (true_ranks, "oracle_ranks / cola / mrpc is"),
        (another_oracle, "oracle / backbone is 'minilm-2l' in the file, and 'minilm' by its matrix"),
    ],
)
def test_a_figure_that_does_not_follow_is_named_and_nothing_is_written(change, words, damaged, tmp_path):
    outcome = cogbench("submit", KNN, damaged(change), "--by", "Ada", "--to", tmp_path / "results")
    assert words in line(outcome, 3)
    assert not [*(tmp_path / "results").glob("*")]


@pytest.mark.parametrize(
    ("change", "words", "code"),
    [
        (lambda content: content["oracle"].update(name="nosuch"), "unknown oracle 'nosuch'", 2),
        (lambda content: content.update(schema_version=9), "has schema version 9", 3),
        (lambda content: content.update(oracle=None, oracle_ranks=None, scores=None), "has no scores", 3),
        (lambda content: content.pop("targets"), "it has no targets", 3),
    ],
)
def test_a_result_that_no_board_can_show_is_refused_in_a_line(change, words, code, damaged, tmp_path):
    assert words in line(cogbench("submit", damaged(change), "--by", "Ada", "--to", tmp_path / "results"), code)


def test_shipped_results_recompute():
    of_each_kind = [next(RESULTS.glob(f"{name}--*.json")) for name in ("AHP", "popularity", "cra", "other-plm")]
    of_tasks_that_are_not_installed = next(RESULTS.glob("knn--*--wide-*.json"))
    outcome = cogbench("submit", "--check", "--by", "us", *of_each_kind, of_tasks_that_are_not_installed)
    assert outcome.exit_code == 0, outcome.output


def test_the_folder_of_results_is_that_of_the_checkout(tmp_path, monkeypatch):
    assert results_folder(Path(__file__).parent) == RESULTS
    monkeypatch.chdir(tmp_path)
    assert "lies in no checkout of cogbench" in line(cogbench("submit", KNN, "--by", "Ada"), 3)
