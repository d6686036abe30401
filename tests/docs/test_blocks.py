"""Every block of the documents that is marked as run works as it is typed, and prints what the page shows."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

from blocks import Command, commands, faults, matches  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("plugins/*/README.md"))]
RUN = [page for page in PAGES if commands(page.read_text(encoding="utf-8"))]


@pytest.mark.timeout(900)  # at most 30 seconds of the processor
@pytest.mark.parametrize("page", RUN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_work_as_typed(page, tmp_path):
    assert not (wrong := faults(page.read_text(encoding="utf-8"), tmp_path)), "\n".join(wrong)


def test_readme_and_the_tutorial_have_commands_that_are_run():
    assert {"README.md", "tutorial.md", "own-oracle.md", "boards.md"} <= {page.name for page in RUN}


def test_a_block_is_read_as_a_terminal_shows_it():
    page = "text\n```console\n$ one \\\n  two\nprinted\n$ three\n```\n```sh\nfour\n```\n"
    assert commands(page) == [Command("one \\\n  two", ("printed",)), Command("three", ())]


@pytest.mark.parametrize(
    "shown, printed, same",
    [
        (("a", "..."), "a\nb\nc\n", True),
        (("a", "...", "c"), "a\nb\nc\n", True),
        (("a", "..."), "b\n", False),
        (("a",), "a\nb\n", False),
        (("p 0.1",), "p 0x1\n", False),
        ((), "anything\n", True),
    ],
)
def test_what_is_shown_is_what_is_printed(shown, printed, same):
    assert matches(shown, printed) is same


def test_a_command_that_fails_or_prints_something_else_is_a_fault(tmp_path):
    page = "```console\n$ exit 3\n$ echo one\ntwo\n$ echo three\nthree\n```\n"
    assert [fault.splitlines()[0] for fault in faults(page, tmp_path)] == ["$ exit 3", "$ echo one"]
