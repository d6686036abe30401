"""The pages in headless Chromium: nothing asked of any network, mouse, keyboard, widths, print, accessibility."""

import csv
import io
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_results import TRUE, made

from cogbench.results.leaderboard import leaderboard
from cogbench.results.result import Result, SignalReport
from cogbench.scoring.chance import PValue
from cogbench.views.pages import board_page, report_page, save_reports

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[dev]'")

AXE = Path(os.environ.get("AXE_CORE", Path(__file__).parents[2] / "build" / "axe" / "axe.min.js"))
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
NASTY = "<script>alert('x')</script>"
PREDICTED = {"score": 0.1, "error_to_shuffled": 0.98, "share_above_shuffled": 0.2}
WIDTHS = pytest.mark.parametrize("width", [375, 1400])
RESULTS = Path(__file__).parents[2] / "docs" / "results"
PAGES = pytest.mark.parametrize("name", ["board", "report", "unscored"])


@pytest.fixture(scope="module")
def browser():
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=[*QUIET, "--disable-component-update"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages as files: a board of four tables, a report with all sections, one of an unscored result, and boards."""
    folder = tmp_path_factory.mktemp("pages")
    guesses = np.random.default_rng(1).random((8, 4, 4))
    results = [made(m, estimator=f"e{i}", backbone="tinybert" if i % 2 else "bert") for i, m in enumerate(guesses)]
    for i, p in ((0, 2e-5), (1, 1e-7)):  # both are written <0.001
        trs = replace(results[i].scores.trs, p=PValue(p, 9_999, exact=False))
        results[i] = replace(results[i], scores=replace(results[i].scores, trs=trs))
    results += [
        made(estimator=NASTY, uses_oracle=True),
        made(estimator="cra[similarity=spearman,dissimilarity=canberra]"),
    ]
    results += [made(np.zeros((4, 4)), estimator="random")]  # it was run, and prefers nothing
    results += [made(estimator="odd", suite="words"), made(estimator="bare", oracle=None, synthetic=["signal"])]
    results += [made(m, oracle="measured", backbone="tinybert", estimator=f"m{i}") for i, m in enumerate(guesses[:3])]
    channels = {"S1": ["first", "second"], "S2": ["first", "second"]}
    signal = SignalReport(
        sentences=20,
        subjects=2,
        channels=channels,
        unit="ms",
        origin="a stand-in",
        sha256="0" * 64,
        notes=["two sentences had no reading times"],
    )
    told = {
        "by_subject": {s: m.tolist() for s, m in zip(("S1", "S2", "S3"), guesses[:3], strict=True)},
        "prediction": {s: {t: PREDICTED for t in "pqrs"} for s in ("S1", "S2", "S3")},
    }
    full = made(guesses[0], estimator="cnm", by_seed=[*guesses[:2]], signal_quality=signal, details=[told])
    for name, text in {
        "board": board_page(leaderboard(results)),
        "report": report_page(full),
        "unscored": report_page(made(oracle=None, estimator=NASTY)),
        "standing": board_page(leaderboard(_graded())),
        "long": board_page(leaderboard([made(estimator=f"cra[draw={i}]") for i in range(60)])),
        "mixed": board_page(leaderboard(_mixed())),
        "linked": _linked(folder),
    }.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


def _graded():
    """Return results of which one is first, and others stand behind it."""
    true, noise = np.random.default_rng(0).normal(size=(7, 7)), np.random.default_rng(1).normal(size=(7, 7))
    guesses = {"perfect": true, "cra[similarity=spearman,dissimilarity=canberra]": true + 0.3 * noise, "worst": -true}
    tasks = tuple("abcdefg")
    return [made(m, estimator=name, tasks=tasks, true=true, data=False) for name, m in guesses.items()]


def _mixed():
    """Return results of two estimators with options, two signals or none, and two families of oracles."""
    rng = np.random.default_rng(3)
    kinds = [("cnm", "gaze"), ("cnm[seeds=5]", "gaze"), ("cnm", "fmri"), ("cra", "gaze"), ("size", None)]
    suites = ("letters", "words")
    made_ = [made(rng.random((4, 4)), estimator=e, signal=s, suite=suite) for e, s in kinds for suite in suites]
    return [
        replace(r, provenance=replace(r.provenance, estimator_seconds=1.5)) for r in [*made_, made(estimator="=1+1")]
    ]


def _linked(folder):
    """Write the reports of three results beside a board, into a folder of an awkward name; return the board."""
    results = [made(estimator=NASTY), made(TRUE.T, estimator="a/b[c=1]"), made(np.zeros((4, 4)), estimator="random")]
    addresses, _ = save_reports(results, folder / "re ports#1", folder / "linked.html", "Our board")
    return board_page(leaderboard(results), title="Our board", reports=addresses)


@pytest.fixture
def visit(browser, pages):
    """Open a page of a width; whatever it asks for, logs or throws is an error at the end."""
    contexts, troubles = [], []

    def open_(name, width=1400, **settings):
        name, _, state = name.partition("#")
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        address = (pages / f"{name}.html").as_uri()
        allowed = (address, pages.as_uri() if name == "linked" else address)
        page.on("request", lambda r: None if r.url.startswith(allowed) else troubles.append(f"asked for {r.url[:80]}"))
        page.on("console", lambda m: troubles.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: troubles.append(f"error: {e}"))
        page.on("dialog", lambda d: (troubles.append("a dialog"), d.dismiss()))
        page.goto(address + (f"#{state}" if state else ""))
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not troubles


def _column(page, name, table=0):
    """Return what a column of a table shows, of the rows that are results."""
    return page.evaluate(
        """([name, table]) => {
          const found = document.querySelectorAll("table.board")[table];
          const heads = [...found.tHead.rows[0].cells].map((c) => c.textContent.trim());
          return [...found.tBodies[0].rows].filter((r) => r.className !== "baseline" && r.checkVisibility())
            .map((r) => r.cells[heads.indexOf(name)].textContent);
        }""",
        [name, table],
    )


@PAGES
@WIDTHS
def test_text_stays_within_the_page(visit, name, width):
    page = visit(name, width)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = page.evaluate(
        """(width) => [...document.querySelectorAll("body *")]
          .filter((e) => !e.parentElement.closest(".scroll") && !["SCRIPT", "STYLE"].includes(e.tagName))
          .filter((e) => e.getBoundingClientRect().right > width + 0.5
            || (!e.matches(".scroll, select, input") && e.clientWidth && e.scrollWidth > e.clientWidth + 1))
          .map((e) => e.outerHTML.slice(0, 100))""",
        width,
    )
    assert beyond == []


@PAGES
@pytest.mark.parametrize("width, scheme", [(1400, "light"), (1400, "dark"), (375, "dark")])
def test_accessibility_has_no_serious_finding(visit, name, width, scheme):
    if not AXE.is_file():
        pytest.skip(f"no axe-core at {AXE}")
    page = visit(name, width, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    page.add_style_tag(content=".scroll { background: none }")  # over a gradient no contrast is computed
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then((r) => r.violations.map((v) => [v.impact, v.id, v.nodes[0].html]))")
    assert found == [], "serious or not"


@PAGES
def test_names_are_shown_as_they_are_written(visit, name):
    page = visit(name)
    assert page.locator("script").count() == (name == "board")
    if name != "report":
        assert NASTY in page.locator("main").inner_text()


def test_a_click_sorts_by_a_column_and_another_one_turns_it(visit):
    page = visit("board")
    trs = [float(v) for v in _column(page, "TRS")]
    assert trs == sorted(trs) and len({*trs}) > 2
    head = page.get_by_role("columnheader", name="spearman").first
    head.get_by_role("button").click()
    rho = [float(v) for v in _column(page, "spearman")]
    assert rho == sorted(rho, reverse=True) and head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    assert [float(v) for v in _column(page, "spearman")] == rho[::-1]
    assert (
        head.get_attribute("aria-sort") == "ascending"
        and page.locator("[aria-sort]").count() == len(page.locator("table.board").all()) - 1
    ), "the other tables stay sorted by TRS, the unscored one by nothing"
    page.get_by_role("button", name="estimator").first.click()
    names = _column(page, "estimator")
    assert len(names) == 10 and [n for n in names if n.startswith("e")] == [f"e{i}" for i in range(8)]


def test_numbers_are_sorted_by_what_they_are_and_not_by_how_they_are_written(visit):
    page = visit("board")
    button = page.get_by_role("button", name="p", exact=True).first
    button.click()
    assert _column(page, "p")[:2] == ["<0.001"] * 2 and _column(page, "estimator")[:2] == ["e1", "e0"]
    button.click()
    assert _column(page, "estimator")[-2:] == ["e0", "e1"]


def test_what_is_not_known_comes_last_either_way(visit):
    page = visit("board")
    button = page.get_by_role("button", name="regret@1").first
    for _ in range(2):
        button.click()
        last = page.locator("table.board").first.locator("tbody tr").last
        assert "baseline" in last.get_attribute("class")


def test_the_keyboard_sorts_too(visit):
    page = visit("board")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "estimator":
            break
    page.keyboard.press("Enter")
    head = page.get_by_role("columnheader", name="estimator").first
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "one sees where one is"


def test_filters_by_oracle_and_backbone(visit):
    page = visit("board")
    told = page.get_by_role("status")
    assert told.inner_text() == "15 of 15 results shown"
    page.locator("select[name=backbone]").select_option("tinybert")
    assert {*_column(page, "backbone")} == {"tinybert"}
    baselines = page.locator("tr.baseline:visible").all_inner_texts()
    assert any("popularity" in row for row in baselines), "baselines stay for reference"
    assert any("random" in row and "bert" in row for row in baselines), "one that was run on another backbone too"
    assert page.locator("section[data-oracle]:visible").count() == 2, "a table without any row is not shown"
    page.locator("select[name=oracle]").select_option("measured")
    assert page.locator("section[data-oracle]:visible").count() == 1
    assert told.inner_text() == "3 of 15 results shown"
    page.locator("select[name=oracle]").select_option("")
    page.locator("select[name=backbone]").select_option("")
    assert told.inner_text() == "15 of 15 results shown"


def test_filters_by_estimator_signal_and_family(visit):
    page = visit("mixed")
    assert page.get_by_role("status").inner_text() == "11 of 11 results shown"
    page.get_by_label("Estimator").select_option("cnm")
    assert {*_column(page, "estimator")} == {"cnm", "cnm[seeds=5]"}, "whatever its options"
    page.get_by_label("Signal").select_option("fmri")
    assert page.get_by_role("status").inner_text() == "2 of 11 results shown"
    page.get_by_label("Family of oracles").select_option("words")
    assert page.get_by_role("status").inner_text() == "1 of 11 results shown"
    assert page.locator("section[data-oracle]:visible h2").inner_text().startswith("2. Suite words")
    assert page.locator("tr.baseline:visible").count() == 2, "baselines stay for reference"
    page.get_by_label("Estimator").select_option("")
    page.get_by_label("Family of oracles").select_option("")
    page.get_by_label("Signal").select_option("none")
    assert {*_column(page, "estimator")} == {"size"}


def test_a_search_finds_rows_by_all_its_words(visit):
    page = visit("mixed")
    page.get_by_label("Search").fill("CNM gaze")
    assert sorted(_column(page, "estimator")) == ["cnm", "cnm[seeds=5]"]
    assert page.get_by_role("status").inner_text() == "4 of 11 results shown"
    page.get_by_label("Search").fill("nothing of this name")
    assert page.locator("section[data-oracle]:visible").count() == 0
    page.get_by_label("Search").fill("popularity")
    assert page.locator("tr.baseline:visible").count(), "a baseline can be found"


def test_sort_and_filters_stand_in_the_address(visit):
    page = visit("mixed")
    assert "#" not in page.url
    page.get_by_label("Estimator").select_option("cnm")
    page.get_by_label("Search").fill("gaze & more=")
    page.get_by_label("Search").fill("gaze")
    page.get_by_role("button", name="spearman").first.click()
    order, state = _column(page, "estimator"), page.url.partition("#")[2]
    assert len(order) == 2
    page.reload()
    again = visit(f"mixed#{state}")
    for shown in (page, again):
        assert _column(shown, "estimator") == order and shown.get_by_label("Search").input_value() == "gaze"
        head = shown.get_by_role("columnheader", name="spearman").first
        assert head.get_attribute("aria-sort") == "descending"
    again.evaluate("location.hash = '#signal=fmri'")
    again.wait_for_function("document.querySelector('[name=signal]').value === 'fmri'")
    assert {*_column(again, "estimator")} == {"cnm"} and again.get_by_label("Search").input_value() == ""
    assert again.get_by_role("columnheader", name="TRS").first.get_attribute("aria-sort") == "ascending"
    again.get_by_label("Signal").select_option("")
    assert "#" not in again.url, "the page as it was written has no state"


@pytest.mark.parametrize("state", ["signal=nothing&board-1=nothing,ascending", "board-1", "%E0%A4%A&=&board-1=,"])
def test_an_address_of_another_page_changes_nothing(visit, state):
    page = visit(f"mixed#{state}")
    assert page.get_by_role("status").inner_text() == "11 of 11 results shown"
    assert page.get_by_role("columnheader", name="TRS").first.get_attribute("aria-sort") == "ascending"


def _download(page, form):
    with page.expect_download() as event:
        page.get_by_role("button", name=form, exact=True).first.click()
    assert event.value.suggested_filename == f"board-1.{form}"
    return Path(event.value.path()).read_text(encoding="utf-8")


def test_what_is_shown_can_be_downloaded(visit):
    page = visit("mixed")
    page.get_by_label("Search").fill("1+1")
    rows = [*csv.DictReader(io.StringIO(_download(page, "csv")))]
    assert [row["estimator"] for row in rows if "(baseline)" not in row["estimator"]] == ["'=1+1"], "it is no formula"
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="skill", exact=True).first.click()
    table = [*csv.DictReader(io.StringIO(_download(page, "csv")))]
    plain = json.loads(_download(page, "json"))
    assert [row["TRS"] for row in plain] == [float(row["TRS"]) for row in table]
    results = [row for row in plain if "(baseline)" not in row["estimator"]]
    assert [row["estimator"] for row in results] == _column(page, "estimator"), "in the order that is shown"
    skills = [row["skill"] for row in results]
    assert skills == sorted(skills, reverse=True) and any(skill != round(skill, 2) for skill in skills), "exact numbers"
    assert plain[-1]["signal"] is None and re.fullmatch(r"\d\.\d\d to \d\.\d\d", results[0]["95 % interval"])


def test_a_row_links_to_its_report_and_that_links_back(visit):
    page = visit("linked")
    assert page.title() == "Our board" and page.get_by_role("heading", level=1).inner_text() == "Our board"
    assert page.locator("tbody a").count() == 2, "what prefers no source has nothing to report"
    for name in (NASTY, "a/b[c=1]"):
        page.get_by_role("link", name=name).click()
        assert page.get_by_role("heading", level=1).inner_text() == f"{name} on bert"
        page.get_by_role("link", name="Our board").click()
        assert page.url.endswith("/linked.html")


def test_what_is_not_told_from_chance_is_grey(visit):
    page = visit("standing")
    ink, muted = page.evaluate(
        """() => ["--ink", "--muted"].map((name) => {
          const probe = document.body.appendChild(document.createElement("i"));
          probe.style.color = `var(${name})`;
          return getComputedStyle(probe).color;
        })"""
    )
    colours = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("tbody tr:not(.baseline)")].map((row) =>
          [row.cells[0].textContent, [...row.cells].map((cell) => getComputedStyle(cell).color)]))"""
    )
    assert {*colours["perfect"]} == {ink} and {*colours["worst"]} == {muted}
    assert "a grey row is not told from chance" in page.locator("main").inner_text()


def test_the_keyboard_filters_too(visit):
    page = visit("board")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.type("tiny")
    assert page.locator("select[name=backbone]").input_value() == "tinybert"
    assert {*_column(page, "backbone")} == {"tinybert"}


def test_without_script_it_is_a_plain_table(visit):
    page = visit("board", java_script_enabled=False)
    assert page.locator("form:visible").count() == 0 and page.locator("button, .downloads").count() == 0
    assert page.locator("table.board:visible").count() == 4
    assert page.get_by_role("rowheader", name="e0").is_visible()


def test_figures_are_drawn_in_the_colours_of_the_scheme(visit):
    inks = set()
    for scheme in ("light", "dark"):
        page = visit("report", color_scheme=scheme)
        assert page.locator("figure svg").count() == 5
        assert all(alt.get_attribute("aria-label") for alt in page.locator("figure [role=img]").all())
        inks.add(page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill"))
    assert len(inks) == 2


def test_figures_scroll_on_a_narrow_screen_and_their_text_stays_as_large(visit):
    page = visit("report", 375)
    boxes = page.evaluate(
        "[...document.querySelectorAll('figure > .scroll')].map((e) => [e.clientWidth, e.scrollWidth])"
    )
    assert len(boxes) == 5 and max(shown for shown, _ in boxes) <= 375 - 32
    assert sum(whole > shown for shown, whole in boxes) >= 3
    sizes = page.evaluate(
        """[...document.querySelectorAll('figure svg text')].map((e) => parseFloat(getComputedStyle(e).fontSize)
          * e.ownerSVGElement.getBoundingClientRect().width / e.ownerSVGElement.viewBox.baseVal.width)"""
    )
    assert min(sizes) >= 8, "pixels"


def test_a_cell_of_a_figure_says_what_it_is_under_the_mouse(visit):
    page = visit("report")
    box = page.locator("figure svg").nth(2).locator("rect:has(title)", has_text="p for q: similarity").bounding_box()
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    text = page.evaluate(
        "([x, y]) => { scrollTo(0, y); return document.elementFromPoint(x, y - scrollY).textContent }", middle
    )
    assert re.fullmatch(r"p for q: similarity 0\.\d+", text) and box["width"] == pytest.approx(36, abs=1)


def _twelve():
    """Return a result of twelve tasks and three subjects, with all that an estimator can tell of them."""
    tasks, rng = tuple(f"a-task-{i}" for i in range(12)), np.random.default_rng(0)
    guesses, subjects = rng.random((3, 12, 12)), ("S1", "S2", "S3")
    details = {
        "by_subject": {s: m.tolist() for s, m in zip(subjects, guesses, strict=True)},
        "prediction": {s: dict.fromkeys(tasks, PREDICTED) for s in subjects},
        "fingerprints": {t: rng.random(12).tolist() for t in tasks},
    }
    alone = {"true": guesses[1], "no_transfer": np.full(12, 0.5), "hashes": "0123456789ab"}
    return made(guesses[0], tasks=tasks, by_seed=[*guesses[:2]], details=[details], **alone)


@pytest.mark.parametrize("name", ["report", "unscored", "twelve", "real"])
def test_a_report_prints_on_at_most_eight_pages(visit, pages, name):
    (file,) = RESULTS.glob("cnm-ridge--minilm--*.json")
    if name in ("twelve", "real"):
        result = _twelve() if name == "twelve" else Result.load(file)
        (pages / f"{name}.html").write_text(report_page(result), encoding="utf-8")
    printed = visit(name).pdf()
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 8


@pytest.mark.parametrize("name", ["board", "standing"])
@WIDTHS
def test_the_score_stands_beside_the_estimator(visit, name, width):
    page = visit(name, width)
    right = "(e) => e.getBoundingClientRect().right"
    assert page.get_by_role("columnheader", name="95 % interval").first.evaluate(right) <= width
    wide = page.locator("tbody th").first.evaluate("(e) => e.offsetWidth")
    assert wide >= 18 * 16 if width > 640 else wide < 150


@pytest.mark.parametrize("name", ["board", "standing"])
def test_the_estimators_and_their_head_stay_in_sight_when_a_wide_table_is_moved(visit, name):
    page = visit(name, 375)
    page.locator(".scroll").first.evaluate("(e) => { e.scrollLeft = 300 }")
    estimator, trs = (page.get_by_role("columnheader", name=head).first for head in ("estimator", "TRS"))
    names = page.locator("tbody th").first.bounding_box()
    assert estimator.bounding_box()["x"] == pytest.approx(names["x"], abs=1)
    assert trs.bounding_box()["x"] < names["x"], "the scores have gone to the left"
    at = (
        "(e) => { const r = e.getBoundingClientRect(); return document.elementFromPoint(r.x + 9, r.y + 9).textContent }"
    )
    assert estimator.evaluate(at) == "estimator", "no other head lies over it"


def test_a_board_tells_where_each_stands(visit):
    page = visit("standing")
    assert _column(page, "standing") == ["first", "not told from the first", "worse than the first"]


@pytest.mark.parametrize("script", [True, False])
def test_the_head_of_a_long_table_stays_in_sight(visit, script):
    page = visit("long", java_script_enabled=script)
    box, head = page.locator(".scroll").first, page.get_by_role("columnheader", name="spearman")
    box.hover()
    for _ in range(100):  # a busy machine may lose a turn of the wheel
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(50)
        if box.evaluate("element => element.scrollTop") > 300:
            break
    else:
        pytest.fail("the table does not scroll")
    assert box.bounding_box()["height"] <= 0.8 * 900
    assert head.bounding_box()["y"] == pytest.approx(box.bounding_box()["y"], abs=1)
    page.emulate_media(media="print")
    assert box.bounding_box()["height"] > 60 * 10, "all rows are printed"


@PAGES
def test_what_is_folded_is_printed_unless_it_is_long(visit, name):
    page = visit(name)
    page.emulate_media(media="print")
    folded = page.locator("details")
    assert folded.count() and page.locator("details[open]").count() == 0
    for part in folded.all():
        if part.locator("tr").count() > 41:
            assert not part.is_visible()
            continue
        assert part.locator("summary").bounding_box()["height"] > 10
        assert part.locator(":scope > :not(summary)").first.bounding_box()["height"] > 10


def test_the_provenance_is_folded_and_opens(visit):
    page = visit("report")
    cell = page.get_by_role("rowheader", name="device")
    assert not cell.is_visible()
    page.get_by_text("Data, models, settings, time").click()
    assert cell.is_visible()
