"""How far a computation is, for people: lines, and what a callable is told; what a function takes as `progress`."""

import subprocess
import sys
from dataclasses import replace

import pytest

import cogbench
from cogbench import Step
from cogbench.workers.progress import Lines, in_counts, shown_progress, with_progress

BEGIN = Step(place="", done=0, failed=0, running=1, total=100, share=0.0)


def lines(steps):
    """Return the lines for steps at these seconds."""
    written, times = [], iter([seconds for seconds, _ in steps])
    report = Lines(written.append, lambda: next(times))
    for _, step in steps:
        report(step)
    return written


def at(done, share=None, **more):
    return replace(BEGIN, place=f"cell-{done}", done=done, share=done / 100 if share is None else share, **more)


def test_a_line_at_the_start_and_at_the_end():
    phase = replace(BEGIN, running=0, phase="starting 2 workers, loading data")
    assert lines([(0, phase), (40, replace(BEGIN, running=2)), (42, at(99)), (43.21, at(100, failed=1))]) == [
        "100 units of work to compute: starting 2 workers, loading data",
        "99 of 100 done, 1 running, about 0.4 s left; cell-99",
        "100 of 100 done, 1 failed, after 43 s",
    ]


def test_a_line_for_a_tenth_of_the_work_or_a_minute_but_never_two_within_ten_seconds():
    fast = lines([(i, at(i)) for i in range(101)])
    assert len(fast) == 2 + 9 and fast[1].startswith("10 of 100 done")
    faster = lines([(i / 10, at(i)) for i in range(101)])
    assert len(faster) == 2
    slow = lines([(50 * i, at(i)) for i in range(101)])
    assert len(slow) == 2 + 49
    assert "left" in slow[1] and slow[1].startswith("2 of 100 done, 1 running, about 81.7 minutes left; cell-2")


def test_two_computations_are_told_one_after_the_other():
    printed = lines([(0, BEGIN), (5, at(100)), (5, replace(BEGIN, total=3)), (6, at(3, 1.0, total=3))])
    assert [line.split(" units")[0] for line in printed if "units" in line] == ["100", "3"]
    assert printed[-1] == "3 of 3 done, after 1.0 s"


def test_counts_and_names_of_strangers():
    assert in_counts(at(3, failed=2, running=4)) == "3 of 100 done, 2 failed, 4 running"
    (line,) = lines([(0, BEGIN), (60, replace(at(50), place="\x1b[31mred"))])[1:]
    assert "\x1b" not in line


def test_what_a_function_takes_as_progress(capsys, monkeypatch):
    steps = []

    @with_progress
    def work(n, *, progress=False):
        for i in range(n + 1):
            if progress:
                progress(replace(BEGIN, done=i, total=n, share=i / n))
        return n

    assert work(2) == work(2, progress=None) == work(2, progress=steps.append) == 2
    assert [step.done for step in steps] == [0, 1, 2] and not capsys.readouterr().err
    assert work(2, progress=True) == 2
    output = capsys.readouterr()
    assert not output.out and output.err.splitlines()[0] == "cogbench: 2 units of work to compute"
    assert output.err.splitlines()[-1].startswith("cogbench: 2 of 2 done, after ")
    assert work.__doc__ is None and work.__name__ == "work"


@pytest.mark.parametrize("name", ["run", "recommend", "measure_oracle", "measure_sets", "make_pack", "fetch"])
def test_the_public_functions_call_it_progress(name):
    from inspect import signature

    parameters = signature(getattr(cogbench, name)).parameters
    assert "progress" in parameters and "tell" not in parameters


def test_a_terminal_has_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with shown_progress(True) as report:
        report(replace(BEGIN, phase="starting 2 workers, loading data"))
        report(at(3))
    assert not capsys.readouterr().out


SCRIPT = """
import logging, sys
from pathlib import Path
logging.basicConfig(level=logging.INFO)
from cogbench import Files, Recipe, Store
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.testing.toys import TASKS, ToyBackbone
from cogbench.workers import engine
if __name__ == "__main__":
    workspace = Workspace(Files(offline=True), Store(Path(sys.argv[1])), jobs=1)
    engine.compute([Training(ToyBackbone(), Recipe((task,))) for task in TASKS[:2]], workspace)
"""


def test_the_log_of_a_program_has_our_lines_and_none_of_the_cluster(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    logged = [line for line in done.stderr.splitlines() if line.startswith(("INFO:", "WARNING:", "ERROR:"))]
    assert logged and all(line.split(":")[1] == "cogbench" for line in logged), done.stderr
    assert "INFO:cogbench:0 units of work are in the store, 2 are to be computed" in logged
    assert sum(line.startswith("INFO:cogbench:computed toy/toy-a/seed-0 in ") for line in logged) == 1
