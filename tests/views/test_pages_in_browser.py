"""The pages in headless Chromium: nothing asked of any network, mouse, keyboard, widths, accessibility."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_results import made

from cogbench.results.leaderboard import leaderboard
from cogbench.results.result import SignalReport
from cogbench.scoring.chance import PValue
from cogbench.views.pages import board_page, report_page

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[dev]'")

AXE = Path(os.environ.get("AXE_CORE", Path(__file__).parents[2] / "build" / "axe" / "axe.min.js"))
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
NASTY = "<script>alert('x')</script>"
PREDICTED = {"score": 0.1, "error_to_shuffled": 0.98, "share_above_shuffled": 0.2}
WIDTHS = pytest.mark.parametrize("width", [375, 1400])
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
    }.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


def _graded():
    """Return results of which one is first, and others stand behind it."""
    true, noise = np.random.default_rng(0).normal(size=(7, 7)), np.random.default_rng(1).normal(size=(7, 7))
    guesses = {"perfect": true, "cra[similarity=spearman,dissimilarity=canberra]": true + 0.3 * noise, "worst": -true}
    tasks = tuple("abcdefg")
    return [made(m, estimator=name, tasks=tasks, true=true, data=False) for name, m in guesses.items()]


@pytest.fixture
def visit(browser, pages):
    """Open a page of a width; whatever it asks for, logs or throws is an error at the end."""
    contexts, troubles = [], []

    def open_(name, width=1400, **settings):
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        address = (pages / f"{name}.html").as_uri()
        page.on("request", lambda r: None if r.url == address else troubles.append(f"asked for {r.url[:80]}"))
        page.on("console", lambda m: troubles.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: troubles.append(f"error: {e}"))
        page.on("dialog", lambda d: (troubles.append("a dialog"), d.dismiss()))
        page.goto(address)
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


def test_the_keyboard_filters_too(visit):
    page = visit("board")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("tiny")
    assert page.locator("select[name=backbone]").input_value() == "tinybert"
    assert {*_column(page, "backbone")} == {"tinybert"}


def test_without_script_it_is_a_plain_table(visit):
    page = visit("board", java_script_enabled=False)
    assert page.locator("form:visible").count() == 0 and page.locator("button").count() == 0
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


def test_figures_fit_a_narrow_screen(visit):
    page = visit("report", 375)
    widths = page.evaluate("[...document.querySelectorAll('figure svg')].map((e) => e.getBoundingClientRect().width)")
    assert len(widths) == 5 and max(widths) <= 375 - 32


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
def test_what_is_folded_is_printed(visit, name):
    page = visit(name)
    page.emulate_media(media="print")
    folded = page.locator("details")
    assert folded.count() and page.locator("details[open]").count() == 0
    for part in folded.all():
        assert part.locator("summary").bounding_box()["height"] > 10
        assert part.locator(":scope > :not(summary)").first.bounding_box()["height"] > 10


def test_the_provenance_is_folded_and_opens(visit):
    page = visit("report")
    cell = page.get_by_role("rowheader", name="device")
    assert not cell.is_visible()
    page.get_by_text("Data, models, settings, time").click()
    assert cell.is_visible()
