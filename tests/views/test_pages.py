"""The pages as text: what stands in them, their size, their files, and what cannot be read or written."""

import csv
import os
import re
import stat
from dataclasses import replace
from pathlib import Path
from threading import Thread
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from command import cogbench as ask
from command import line
from made_results import TASKS, TRUE, made

import cogbench
from cogbench import Oracle, TaskMatrix, UnusableData
from cogbench.results.leaderboard import leaderboard
from cogbench.results.result import SCHEMA_VERSION, against
from cogbench.scoring.task_tree import task_tree
from cogbench.storage.atomic import save_text
from cogbench.views.canvas import LETTERS, inline_svg, short, standalone_svg
from cogbench.views.figures import against_chance, cost_against_skill, similarity_map, strips
from cogbench.views.leaderboard import board_notes
from cogbench.views.pages import board_page, report_page
from cogbench.views.sections import sections

DOCS = Path(__file__).parents[2] / "docs"
NASTY = "<script>alert('$x$')</script>"
GUESSES = np.random.default_rng(1).random((8, 4, 4))


def texts(page):
    """Return what a reader sees of a page, roughly."""
    return re.sub(r"<[^>]+>", " ", page.split("<main>")[1])


def test_a_board_has_a_row_for_each_result_and_the_baselines():
    page = board_page(leaderboard([made(m, estimator=f"e{i}") for i, m in enumerate(GUESSES)]))
    assert page.count("<tr") == 1 + 8 + 2 and page.count('class="baseline"') == 2
    scores = ("TRS", "95 % interval", "p", "corrected p", "skill", "skill p", "to popularity", "regret@1")
    for word in (*scores, "learned", "trainings", "seconds"):
        assert re.search(rf"<th [^>]*>{word}</th>", page), word
    assert 'aria-sort="ascending"' in page and "Not to be compared" not in page
    assert "examples" not in texts(page), "a column in which all rows agree says nothing"
    assert not re.search("<th [^>]*>standing</th>", page), "no estimator of four tasks is better than chance"
    assert "the estimator of the lowest TRS is not told from chance, so none is first" in texts(page)


def test_a_board_shows_where_each_estimator_stands_and_what_would_be_seen():
    tasks, true = tuple("abcdefg"), np.random.default_rng(0).normal(size=(7, 7))
    noise = np.random.default_rng(1).normal(size=(7, 7))
    guesses = {"perfect": true, "good": true + 0.3 * noise, "worst": -true, "random": np.zeros((7, 7))}
    results = [made(m, estimator=e, tasks=tasks, true=true, data=False) for e, m in guesses.items()]
    (board,) = leaderboard([replace(results[0], basis="published"), *results[1:]])
    page = board_page([board])
    rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in page.split("<tr")[2:]]
    assert rows[0].partition(" first ")[0].endswith("perfect (as published)"), "a mark, and it may be first"
    assert "good not told from the first" in rows[1]
    assert any("worst worse than the first" in row for row in rows)
    (random,) = [row for row in page.split("<tr")[2:] if "random" in row]
    assert 'class="baseline"' in random.partition(">")[0] and "(baseline)" in random
    assert f"A difference of {board.detectable:.2f} to the lowest TRS is seen with 80 % power." in page


def test_a_board_of_an_older_schema_says_how_to_get_todays_scores():
    old, new = (board_page(leaderboard([made(schema_version=version)])) for version in (2, SCHEMA_VERSION))
    assert "An older schema scored these results: <code>cogbench score</code>" in old
    assert "older schema" not in new


def test_tables_that_may_not_be_compared_say_why():
    page = board_page(leaderboard([made(), made(estimator="dse"), made(estimator="odd", suite="words")]))
    assert page.count("<table") == 2 and "suite words instead of letters" in page


def test_a_board_is_a_pure_function_of_the_results():
    results = [made(m, estimator=f"e{i}") for i, m in enumerate(GUESSES)]
    assert board_page(leaderboard(results)) == board_page(leaderboard(results[::-1]))
    assert report_page(results[0]) == report_page(results[0])


@pytest.mark.parametrize("where", ["estimator", "backbone", "signal", "suite", "oracle"])
def test_names_are_text(where):
    for page in (board_page(leaderboard([made(**{where: NASTY})])), report_page(made(**{where: NASTY}))):
        assert "<script>alert" not in page and "alert(&#39;$x$&#39;)" in page


def test_names_of_tasks_are_text_in_figures_too():
    tasks = (NASTY, "a & b", "$\\frac", "日本")
    result = made(tasks=tasks)
    page = report_page(result)
    assert "<script>alert" not in page and "&lt;script&gt;alert('$x$')&lt;/script&gt;" in page
    for figure in (similarity_map(result.matrix, None), strips(result), against_chance(result)):
        ElementTree.fromstring(standalone_svg(figure))


def test_a_page_asks_for_nothing():
    for page in (board_page(leaderboard([made()])), report_page(made())):
        assert "default-src 'none'" in page
        assert not re.search(r"""(?:src|href)=(?!["']?(?:#|data:))|url\((?!#)|@import""", page)


def test_two_thousand_results_stay_under_three_megabytes():
    rng = np.random.default_rng(0)
    (board,) = leaderboard([made(rng.random((4, 4)), estimator=f"e{i}") for i in range(20)])
    some = [entry for entry in board.entries if entry.kind == "result"]
    entries = [
        replace(some[i % 20], estimator=f"cra[similarity=spearman,draw={i}]", backbone=f"backbone-{i % 7}")
        for i in range(2000)
    ]
    page = board_page([replace(board, entries=entries)])
    assert page.count("draw=") >= 2000 and len(page.encode()) < 3e6


def test_a_report_has_a_section_for_what_there_is():
    scored, bare = report_page(made(by_seed=[TRUE, TRUE.T])), report_page(made(oracle=None))
    for title in (
        "Better than chance?",
        "Where the ranking is right",
        "Similarity of tasks",
        "What the figures came from",
    ):
        assert title in scored
    assert scored.count("<figure>") == 3 and bare.count("<figure>") == 1
    assert "the ranking is unscored" in bare and "The signal" not in scored
    assert "Knows transfers" in report_page(made(uses_oracle=True))


def test_subjects_and_predictions_have_sections_where_the_result_has_them():
    told = [
        {
            "by_subject": {s: m.tolist() for s, m in zip(("S1", "S2"), (TRUE, sign * TRUE), strict=True)},
            "prediction": {
                s: {t: {"score": 0.1, "error_to_shuffled": 0.9, "share_above_shuffled": share} for t in TASKS}
                for s in ("S1", "S2")
            },
        }
        for sign, share in ((2, 0.1), (3, 0.3))
    ]
    made_of = {s.key: s for s in sections(made(by_seed=[TRUE, TRUE], details=told))}
    (row,) = made_of["subjects"].figure.rows
    assert (row["one"], row["other"]) == ("S1", "S2") and row["correlation"] == pytest.approx(1)
    assert "same best source for 100 % of targets" in made_of["subjects"].text[0]
    shares = [row["share"] for row in made_of["prediction"].figure.rows]
    assert (
        len(shares) == 8 and shares == pytest.approx([0.2] * 8) and "20 % of channels" in made_of["prediction"].text[0]
    )
    told[0]["prediction"]["S1"]["p"]["share_above_shuffled"] = told[1]["prediction"]["S1"]["p"][
        "share_above_shuffled"
    ] = None
    lost = {s.key: s for s in sections(made(by_seed=[TRUE, TRUE], details=told))}["prediction"].figure
    assert lost.rows[0]["share"] is None and "p 0.20" in lost.alt
    assert not {"subjects", "prediction", "signal"} & {s.key for s in sections(made())}


def test_fingerprints_have_a_section_where_the_result_has_them():
    told = [{"fingerprints": {"p": [0.2, 0.8], "q": [x, 1 - x]}} for x in (0.3, 0.5)]
    result = made(by_seed=[TRUE, TRUE], details=told)
    (section,) = [s for s in sections(result) if s.key == "fingerprints"]
    assert [row["share"] for row in section.figure.rows] == pytest.approx([0.2, 0.8, 0.4, 0.6])
    assert section.figure.rows[3] | {"share": 0} == {"task": "q", "layer": 2, "share": 0}
    assert "The layer with most: p 2, q 2." in section.figure.alt and "None were selected for r, s." in section.text
    assert report_page(result).count("<figure>") == 4
    assert "fingerprints" not in {s.key for s in sections(made(by_seed=[TRUE], details=[{"fingerprints": {}}]))}


def test_similarities_without_a_tree_are_shown_and_it_is_said_why():
    missing = TRUE.copy()
    missing[0, 1] = np.nan
    page = report_page(made(missing))
    assert "No tree: no similarity of p to q" in page and page.count("<figure>") == 3


def test_the_heat_map_has_the_order_of_the_tree_and_its_numbers():
    result = made()
    root = task_tree(result.matrix).root
    figure = similarity_map(result.matrix, root)
    assert list(dict.fromkeys(row["source"] for row in figure.rows)) == list(root.tasks)
    found = {(row["source"], row["target"]): row["similarity"] for row in figure.rows}
    assert len(found) == 12 and found["p", "s"] == 0.9 and "Most similar" in figure.alt


def test_cells_without_a_value_look_like_none():
    missing, same = TRUE.copy(), TaskMatrix.square(TASKS, np.full((4, 4), 0.5))
    missing[0, 1] = np.nan
    known, unknown = (similarity_map(made(m).matrix, None) for m in (TRUE, missing))
    assert "var(--card)" in inline_svg(known) and "<pattern" not in known.svg
    assert "<pattern" in unknown.svg and "Hatched cells have no estimate." in report_page(made(missing))
    constant = similarity_map(same, None)
    assert "similarity, all equal" in constant.svg and "All similarities are 0.5." in constant.alt
    assert len(re.findall(r">0\.[0-9]+<", constant.svg)) == 12 + 1, "of the scale one tick"


def test_a_place_that_no_source_has_is_no_unknown_rank():
    result = made()
    ranking = {**result.ranking, "p": result.ranking["p"][:2]}
    assert "<pattern" not in strips(replace(result, ranking=ranking)).svg
    lost = {**result.oracle_ranks, "p": {}}
    assert "<pattern" in strips(replace(result, oracle_ranks=lost)).svg


def test_long_names_that_differ_at_the_end_stay_apart():
    names = [f"a-rather-long-name-of-a-task-of-the-suite-{i}" for i in range(3)]
    assert len({short(name) for name in names}) == 3 and len(short(names[0])) == LETTERS
    assert short(names[0], 11) == "a-rat…ite-0" and short("short", 5) == "short"


def test_the_chance_distribution_is_drawn_without_seams():
    figure = inline_svg(against_chance(made(GUESSES[0])))
    law = [style for style in re.findall(r'style="([^"]*)"', figure) if style.startswith("fill: var(--")]
    assert sum("accent" in style or "soft" in style for style in law) <= 3, "a path for each colour, and a dot"
    assert "fill: var(--page)" in figure, "no line runs through the figures"


def test_the_columns_are_explained_on_demand():
    page = board_page(leaderboard([made()]))
    told = page.partition("What the columns mean")[2]
    assert "<details open" not in page and "top-k" in told and "oracle&#39;s best 6" in told
    assert "from 1 to the number of sources" in told and "examples" not in told
    heads = re.findall(r"<th [^>]*>([^<]+)</th>", page.partition("<tbody>")[0])
    assert heads[:5] == ["estimator", "TRS", "95 % interval", "skill", "backbone"]


def test_strips_have_the_predicted_order_and_the_true_ranks():
    result = made(GUESSES[0])
    rows = strips(result).rows
    for task in TASKS:
        of = [row for row in rows if row["target"] == task]
        assert [row["source"] for row in of] == result.ranking[task]
        assert [row["true rank"] for row in of] == [result.oracle_ranks[task][s] for s in result.ranking[task]]
        assert [row["place"] for row in of] == [1, 2, 3]


def test_the_chance_distribution_adds_up_and_agrees_with_p():
    result = made(GUESSES[0])
    rows = [row for row in against_chance(result).rows if row["series"] == "chance"]
    assert sum(row["probability"] for row in rows) == pytest.approx(1)
    below = sum(row["probability"] for row in rows if row["trs"] <= result.scores.trs.value + 1e-9)
    assert below == pytest.approx(result.scores.trs.p.p)
    assert sum(row["trs"] * row["probability"] for row in rows) == pytest.approx(result.scores.trs.chance)


@pytest.mark.parametrize("version", [2, SCHEMA_VERSION])
@pytest.mark.parametrize("seed", range(6))
def test_the_coloured_part_of_chance_is_p_where_guesses_tie_too(seed, version):
    rng = np.random.default_rng(seed)
    guess, true = rng.integers(0, 3, size=(2, 5, 5)).astype(float)
    result = made(guess, tasks=tuple("abcde"), true=true, data=False, schema_version=version)
    figure, s = against_chance(result), result.scores
    rows = [row for row in figure.rows if row["series"] == "chance"]
    p = s.trs.p_independent if version == 2 else s.trs.p.p
    assert sum(row["probability"] for row in rows if row["trs"] <= s.trs.value + 1e-9) == pytest.approx(p)
    assert sum(row["probability"] for row in rows) == pytest.approx(1)
    assert f"is as good: p {p:.3g}." in figure.alt


@pytest.mark.parametrize("n", [2, 25, 50])
def test_few_and_many_tasks_are_drawn(n):
    values = np.random.default_rng(0).random((n, n))
    result = made(values, tasks=tuple(f"task-{i}" for i in range(n)), true=values.T, data=False)
    for figure in (
        similarity_map(result.matrix, task_tree(result.matrix).root),
        strips(result),
        against_chance(result),
    ):
        assert figure.rows and len(figure.svg) < 1e6


def test_a_report_says_what_each_target_does_after_the_choice_the_best_and_without():
    guess = np.array([[0, 0, 1, 1], [2, 0, 2, 2], [1, 2, 0, 1], [1, 2, 0, 0.0]])
    result = made(guess, no_transfer=np.array([0.7, 0.7, 0.7, 0.4]))
    (section,) = [s for s in sections(result) if s.key == "gains"]
    first, tie, third, last = section.rows
    alone, best = {"without a source": "0.700"}, {"best source": "q", "after the best": "0.800"}
    assert first == {"target": "p", "train first": "q", "after it": "0.800", "gain": "+0.100", **alone, **best}
    assert tie["train first"] == "r or s" and tie["after it"] == "0.700" and tie["gain"] == "+0.000", "(.9 + .5) / 2"
    assert (third["train first"], third["gain"], third["best source"]) == ("q", "+0.000", "s")
    assert (last["after it"], last["without a source"], last["gain"], last["best source"]) == (
        "0.200",
        "0.400",
        "-0.200",
        "p",
    )
    assert section.text[:2] == (
        "For p train q first: 0.800 instead of 0.700 without a source.",
        "The chosen source helps 1 of 4 targets; where the gain is negative it harms.",
    )
    assert "tie for the first place" in section.text[-1]
    page = report_page(result)
    assert "For p train q first: 0.800 instead of 0.700" in page and ">+0.100<" in page
    unknown = [s for s in sections(made(guess)) if s.key == "gains"][0]
    assert "gain" not in unknown.rows[0] and unknown.text[0] == "For p train q first: 0.800."
    harmed = [s for s in sections(made(guess, no_transfer=np.full(4, 0.9))) if s.key == "gains"][0]
    assert harmed.text[0] == "For p the choice is q: 0.800 instead of 0.900 without a source.", "no advice to harm"
    for older in (made(schema_version=2), made(oracle=None)):
        assert "gains" not in {s.key for s in sections(older)}, "no metrics are known"


def test_a_gain_is_what_falls_where_lower_figures_are_better():
    oracle = Oracle(
        "loss", "bert", "letters", TaskMatrix.square(TASKS, TRUE), np.full(4, 0.5), better=dict.fromkeys(TASKS, "lower")
    )
    for guess in (GUESSES[0], -TRUE, TRUE):  # one that is perfect, and one that is wrong everywhere
        result = replace(made(guess), **against(TaskMatrix.square(TASKS, guess), oracle, {}))
        (section,) = [s for s in sections(result) if s.key == "gains"]
        for row in section.rows:
            assert float(row["gain"]) == pytest.approx(0.5 - float(row["after it"]))
        assert "Lower figures are better for p, q, r, s: a gain is what they fall by." in section.text


def test_each_cell_of_a_heat_map_has_a_hint():
    missing = TRUE.copy()
    missing[0, 1] = np.nan
    svg = inline_svg(similarity_map(made(missing).matrix, None))
    assert len(re.findall("<title>", svg)) == 12 and "<title>p for s: similarity 0.9</title>" in svg
    assert "<title>p for q: no similarity</title>" in svg
    place = re.search(r'<rect x="(\S+)" y="(\S+)" width="36" height="36"><title>p for q', svg)
    other = re.search(r'<rect x="(\S+)" y="(\S+)" width="36" height="36"><title>s for r', svg)
    assert [float(b) - float(a) for a, b in zip(place.groups(), other.groups(), strict=True)] == [36, 108]
    result = made(GUESSES[0])
    hints = [text for *_, text in strips(result).hints]
    assert (
        hints[0]
        == f"p, place 1: {result.ranking['p'][0]}: true rank {result.oracle_ranks['p'][result.ranking['p'][0]]:g}"
    )
    assert f"cra: TRS {result.scores.trs.value:.2f}, 95 % interval" in inline_svg(against_chance(result))
    nasty = inline_svg(similarity_map(made(tasks=(NASTY, "a & b", "c", "d")).matrix, None))
    assert "<title>&lt;script&gt;alert(&#x27;$x$&#x27;)&lt;/script&gt; for a &amp; b: similarity" in nasty


def test_the_cell_of_a_task_with_itself_is_crossed_out():
    svg = inline_svg(similarity_map(made().matrix, None))
    (cross,) = re.findall(r'<path d="([^"]*)"[^>]*style="fill: none; stroke: var\(--muted\)[^"]*"', svg)
    assert cross.count("M") == 4


def _costly(names, seconds=(2.0, 30.0, 400.0), **more):
    results = [made(m, estimator=name, **more) for name, m in zip(names, GUESSES, strict=False)]
    return [
        replace(r, provenance=replace(r.provenance, seconds=9e9, estimator_seconds=s))
        for r, s in zip(results, seconds, strict=True)
    ]


def test_cost_stands_against_skill():
    (board,) = leaderboard([*_costly(("one", "two", "silent"), (2.0, 30.0, None)), made(uses_oracle=True)])
    figure = cost_against_skill(board)
    assert {row["estimator"]: row["seconds"] for row in figure.rows} == {"one": 2.0, "two": 30.0}, "which say it"
    scores = {entry.estimator: entry.scores for entry in board.entries}
    assert all(row["skill"] == scores[row["estimator"]]["skill"] for row in figure.rows)
    hints = {text.partition(",")[0]: (x + w / 2, text) for x, _, w, _, text in figure.hints}
    assert "2 s, skill" in hints["one"][1] and "30 s, skill" in hints["two"][1]
    assert hints["one"][0] < hints["two"][0] and {">one<", ">two<"} <= {*re.findall(">one<|>two<", figure.svg)}
    assert "mathdefault" not in figure.svg and ">10<" in figure.svg
    page = board_page([board])
    assert page.count("<figure>") == 1 and "Seconds are of the processor, of the estimator alone" in page
    assert "<figure>" not in board_page(leaderboard([made(), made(estimator="dse")])), "none has a cost"


def test_cost_stands_against_trs_where_there_is_no_skill():
    results = _costly(("one", "two", "silent"))
    bare = [replace(r, scores=replace(r.scores, skill=replace(r.scores.skill, rho=None))) for r in results]
    (board,) = leaderboard(bare)
    figure = cost_against_skill(board)
    assert {*figure.rows[0]} >= {"trs", "seconds"} and "TRS, 1 is best" in figure.svg


def test_no_name_of_a_point_covers_another():
    (board,) = leaderboard([*_costly([f"estimator-{i}" for i in range(3)], seconds=(1.0, 1.0, 1.0))])
    entries = [replace(board.entries[0], estimator=f"estimator-{i}", seconds=10.0, computed=1) for i in range(30)]
    figure = cost_against_skill(replace(board, entries=tuple(entries)))
    assert 2 <= len(re.findall(">estimator-", figure.svg)) < 15 and len(figure.hints) == 30


def test_the_head_of_a_board_has_title_date_and_version():
    older, newer = made(), made(GUESSES[0], estimator="dse")
    newer = replace(newer, provenance=replace(newer.provenance, started="2025-03-04T09:00:00+00:00"))
    boards = leaderboard([newer, older])
    page = board_page(boards, title="Lab & sons")
    assert "<title>Lab &amp; sons</title>" in page and "<h1>Lab &amp; sons</h1>" in page
    assert "The newest result is of 2025-03-04." in page and f"written by cogbench {cogbench.__version__}." in page
    assert "<h1>Leaderboard</h1>" in board_page(boards)


def test_the_rows_of_a_board_and_of_the_board_over_all_link_to_reports(tmp_path):
    results = [made(m, estimator=f"e/{i}[k=1]") for i, m in enumerate(GUESSES[:3])]
    results += [made(np.zeros((4, 4)), estimator="random"), made(estimator="日本", oracle=None)]
    for result in results:
        result.save(tmp_path / "results")
    out, reports = tmp_path / "pages" / "board.html", tmp_path / "the reports"
    words = ("leaderboard", tmp_path / "results", "--stacked", "--out", out, "--reports", reports, "--title", "Ours")
    done = ask(*words)
    assert done.exit_code == 0 and f"wrote 4 reports into {reports}" in done.stderr
    files = sorted(reports.iterdir())
    assert len(files) == 4 and all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.html", f.name) for f in files)
    page = out.read_text(encoding="utf-8")
    links = re.findall(r'<a href="([^"]*)"', page)
    assert len(links) == 4 + 3, "each result, and each figure of the board over all"
    assert {unquote(link) for link in links} == {f"../the reports/{file.name}" for file in files}
    assert all(" " not in link for link in links)
    assert all('<a href="../pages/board.html">← Ours</a>' in f.read_text(encoding="utf-8") for f in files)
    before = [f.read_bytes() for f in files]
    assert ask(*words).exit_code == 0 and before == [f.read_bytes() for f in files], "written again, the same"


def test_a_report_of_details_of_another_form_is_left_out_with_a_line(tmp_path):
    made(details=[{"prediction": [1]}]).save(tmp_path / "results")
    made(GUESSES[0], estimator="dse").save(tmp_path / "results")
    done = ask("leaderboard", tmp_path / "results", "--out", tmp_path / "b.html", "--reports", tmp_path / "r")
    assert done.exit_code == 0 and len([*(tmp_path / "r").iterdir()]) == 1
    assert "no report: cra: its details of prediction have another form" in done.stderr


@pytest.mark.parametrize(
    "options, words",
    [
        (("--reports", "r"), "--title and --reports are of a page: add --out FILE.html"),
        (("--title", "x", "--format", "csv"), "--title and --reports are of a page: add --out FILE.html"),
        (("--reports", "r", "--format", "html"), "--reports needs a page that links to them: add --out FILE.html"),
        (("--reports", "r", "--out", "board.csv"), "--title and --reports are of a page: add --out FILE.html"),
    ],
)
def test_options_of_a_page_need_a_page(tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    made().save(tmp_path / "results")
    assert words in line(ask("leaderboard", *options), 2)
    assert not (tmp_path / "r").exists()


def test_a_folder_of_reports_that_cannot_be_written_gets_one_line(tmp_path):
    made().save(tmp_path / "results")
    (tmp_path / "taken").write_text("")
    for reports in (tmp_path / "taken" / "reports", tmp_path / "taken"):
        done = ask("leaderboard", tmp_path / "results", "--out", tmp_path / "b.html", "--reports", reports)
        assert done.exit_code in (2, 3) and "Traceback" not in done.stderr and not (tmp_path / "b.html").exists()


def test_notes_name_each_figure_once():
    others = [made(suite=suite, tasks=tuple("abcd"), data=False) for suite in ("words", "third")]
    boards = leaderboard([made(), made(GUESSES[0], estimator="x"), *others])
    assert "the number of estimators (2 in table 1; 1 in tables 2, 3)" in " ".join(board_notes(boards))
    assert boards[1].differs == ("suite third instead of letters",), "another suite has other tasks"


def test_the_commands_write_files(tmp_path):
    file = made(GUESSES[0]).save(tmp_path / "results")
    for form, inside in (
        ("html", "<!DOCTYPE html>"),
        ("markdown", "| estimator"),
        ("latex", "\\toprule"),
        ("json", "["),
    ):
        out = tmp_path / "new" / f"board.{form}"
        found = ask("leaderboard", tmp_path / "results", "--format", form, "--out", out)
        assert found.exit_code == 0 and not found.stdout and f"wrote {out}" in found.stderr
        assert inside in out.read_text(encoding="utf-8")
    found = ask("report", file, "--out", tmp_path / "r.html", "--figures", tmp_path / "figures")
    assert found.exit_code == 0 and "<!DOCTYPE html>" in (tmp_path / "r.html").read_text(encoding="utf-8")
    names = sorted(p.name for p in (tmp_path / "figures").iterdir())
    assert names == [f"{n}.{e}" for n in ("ranking", "scores", "similarity") for e in ("csv", "svg")]
    with (tmp_path / "figures" / "similarity.csv").open(encoding="utf-8") as table:
        assert len(list(csv.DictReader(table))) == 12
    assert "<desc>" in (tmp_path / "figures" / "scores.svg").read_text(encoding="utf-8")


def test_bad_input_gets_one_line_each(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no result in" in line(ask("leaderboard", tmp_path / "empty", "--format", "html"), 3)
    file = made().save(tmp_path / "results")
    newer = tmp_path / "results" / "newer.json"
    newer.write_text(file.read_text().replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99'))
    (tmp_path / "results" / "x.json").write_text("{")
    found = ask("leaderboard", tmp_path / "results", "--format", "html")
    assert found.exit_code == 0 and "</html>" in found.stdout
    assert "schema version 99; this cogbench reads up to" in found.stderr and "x.json' is no result" in found.stderr
    assert "schema version 99" in line(ask("report", newer), 3)
    assert "no file" in line(ask("report", tmp_path / "nothing.json"), 3)
    taken = tmp_path / "taken"
    taken.write_text("")
    for words in (
        ("leaderboard", tmp_path / "results", "--format", "html", "--out", taken / "board.html"),
        ("leaderboard", tmp_path / "results", "--out", tmp_path),
        ("report", file, "--out", taken / "report.html"),
        ("report", file, "--figures", taken),
    ):
        assert "cannot write" in line(ask(*words), 3)


def test_a_link_stays_and_what_it_names_is_written(tmp_path):
    link = tmp_path / "board.md"
    (tmp_path / "there").mkdir()
    link.symlink_to(tmp_path / "there" / "real.md")
    for text in ("new\n", "newer\n"):
        save_text(link, text)
        assert link.is_symlink() and (tmp_path / "there" / "real.md").read_text() == text
    assert {p.name for p in tmp_path.rglob("*")} == {"board.md", "there", "real.md"}, "no draft is left"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe, link, got = tmp_path / "pipe", tmp_path / "link", []
    os.mkfifo(pipe)
    link.symlink_to(pipe)

    def write(path, text, read):
        reader = Thread(target=lambda: got.append(path.open().read(read)), daemon=True)
        reader.start()
        try:
            save_text(path, text)
        finally:
            assert stat.S_ISFIFO(path.stat().st_mode), "who reads it would wait for ever"
            reader.join()

    write(pipe, "a page", -1)
    write(link, "another", -1)
    assert got == ["a page\n", "another\n"] and link.is_symlink()
    with pytest.raises(UnusableData, match="cannot write '.*pipe': Broken pipe"):
        write(pipe, "x" * 10**6, 1)


def test_a_report_is_written_into_a_page_and_nothing_else(tmp_path):
    file = made().save(tmp_path / "results")
    for name in ("r.pdf", "r.md"):
        assert "a report is a page; name a file that ends in .html" in line(
            ask("report", file, "--out", tmp_path / name), 2
        )
        assert not (tmp_path / name).exists()
    for name in ("r.HTML", "r.htm", "r"):
        assert ask("report", file, "--out", tmp_path / name).exit_code == 0


MEASURED = re.search(r"^MEASURED = (.*)$", (DOCS.parent / "Makefile").read_text(encoding="utf-8"), re.M)[1]


@pytest.mark.parametrize(
    "name, options",
    [
        ("leaderboard.html", ("--stacked", "--format", "html")),
        ("leaderboard.md", ("--format", "markdown")),
        ("stacked.md", ("--stacked", "--oracle", MEASURED, "--format", "markdown")),
    ],
)
def test_the_leaderboard_in_docs_is_that_of_its_results(name, options):
    board = ask("leaderboard", DOCS / "results", *options)
    assert board.exit_code == 0
    assert (DOCS / name).read_text(encoding="utf-8").strip() == board.stdout.strip(), "run `make board`"


def test_the_rows_of_readme_are_those_of_the_board_in_docs():
    def cells(text):
        return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in text.splitlines() if "|" in row]

    head, _, *board = cells((DOCS / "stacked.md").read_text(encoding="utf-8"))
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    shown, _, *rows = cells(readme.partition("## What is known so far")[2].partition("## How to read it")[0])
    columns = [head.index(name) for name in shown]
    named = {row[0]: row for row in board}
    assert [row[0] for row in rows[:4]] == [row[0] for row in board if not row[0].endswith("†")][:4]
    for row in rows:
        assert row == [named[row[0]][i] for i in columns]


def test_a_board_that_is_written_into_an_html_file_is_a_page(tmp_path):
    made().save(tmp_path / "results")
    assert ask("leaderboard", tmp_path / "results", "--out", tmp_path / "board.html").exit_code == 0
    assert "</html>" in (tmp_path / "board.html").read_text()
    assert ask("leaderboard", tmp_path / "results", "--out", tmp_path / "board.txt").exit_code == 0
    assert "</html>" not in (tmp_path / "board.txt").read_text()
