"""Each mistake of a plugin's author is one clear line, in `cogbench plugins --check` and in `cogbench run`."""

import json
import re
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from command import cogbench

from cogbench import MissingData, OracleCard, Parts, TaskMatrix, UnusableData, run
from cogbench.compute.estimate import ranks_nothing
from cogbench.errors import blaming
from cogbench.parts.oracle_names import find_oracle
from cogbench.testing import ToyBackbone, ToyTask, check_oracle, installed
from cogbench.testing.new_plugin import FILES, new_plugin

RUN = "run --suite probe --estimator probe-nearest --backbone probe-toy --jobs 0 --offline".split()
TOY = """
from cogbench import hookimpl
from cogbench.testing import ToyBackbone

@hookimpl
def register_backbones():
    return [ToyBackbone("probe-toy")]
"""
MATRIX = "return TaskMatrix.square(evidence.tasks, score)"
SIMILARITY = "def similarity(self, evidence: Evidence) -> TaskMatrix:"
NOT_LOADED = r"plugin 'probe-\w+' of cogbench-probe 0\.1\.0 does not load: "
UNKNOWN = rf"unknown estimator 'probe-nearest'\..* But {NOT_LOADED}"


class Mistake:
    """A change of one file of the template, and what is said of it."""

    def __init__(self, file, old, new, check, run=None, *, code=3, broken=True):
        self.file, self.old, self.new, self.code, self.broken = file, old, new, code, broken
        self.check, self.run = check, check if run is None else run


def estimator(old, new, check, run=None, **more):
    return Mistake("estimator.py", old, new, check, run, **more)


def failing(old, new, reason, file="estimator.py"):
    """A mistake for which the plugin is left out, so that its estimator is unknown."""
    return Mistake(file, old, new, f"does not load: {reason}", UNKNOWN + reason, code=2)


MISTAKES = {
    "returns an array": estimator(
        MATRIX,
        "return score",
        r"estimator 'probe-nearest': similarity\(\) returned ndarray; expected TaskMatrix",
        code=1,
    ),
    "returns nothing": estimator(
        MATRIX, "pass", r"estimator 'probe-nearest': similarity\(\) returned NoneType; expected TaskMatrix", code=1
    ),
    "raises": estimator(
        MATRIX,
        "raise KeyError('x')",
        r"estimator 'probe-nearest': similarity\(\) raised KeyError: 'x'",
        r"probe-nearest on probe-toy: KeyError: 'x' \(its log: .*\.log\)",
        code=1,
    ),
    "a matrix of another shape": estimator(
        MATRIX,
        MATRIX.replace("score)", "score[1:])"),
        r"a matrix of shape \(3, 4\) does not fit 4 sources × 4 targets",
        code=1,
    ),
    "the class": failing("[Nearest()]", "[Nearest]", r"register_estimators\(\) returned the class Nearest; exp"),
    "no list": failing("[Nearest()]", "Nearest()", r"register_estimators\(\) returned Nearest; expected a list"),
    "nothing registered": failing("return [Nearest()]", "pass", r"register_estimators\(\) returned NoneType; expected"),
    "needs is a text": failing(
        'frozenset({"representations"})',
        '"texts"',
        "register_estimators.. returned estimator 'probe-nearest', whose needs is str; expected a frozenset",
    ),
    "a misspelt need": failing(
        '{"representations"}', '{"representation"}', ".*needs 'representation'; did you mean 'representations'.*Known: "
    ),
    "no needs": failing(
        'needs: frozenset[str] = frozenset({"representations"})', "pass", ".*which is no Estimator: it lacks needs"
    ),
    "a misspelt verb": failing("def similarity", "def similarty", ".*it lacks similarity; did you mean 'similarty'"),
    "no dataclass": failing("@dataclass(frozen=True)\n", "", ".*which is no frozen dataclass: write @dataclass"),
    "not frozen": failing("@dataclass(frozen=True)", "@dataclass", ".*which is no frozen dataclass: write @dataclass"),
    "a list as a default": failing("farthest: bool = False", "weights: list = [1]", "ValueError: mutable default"),
    "an array as a default": failing("farthest: bool = False", "weights: object = np.ones(3)", ".*ndarray"),
    "a hook without its mark": estimator(
        "@hookimpl\n",
        "",
        r"defines register_estimators\(\) without @hookimpl, so it is not called: write @hookimpl above it",
        r"unknown estimator 'probe-nearest'.* defines register_estimators\(\) without @hookimpl, so it is not called",
        code=2,
    ),
    "a misspelt hook": failing(
        "def register_estimators", "def register_estimator", "it implements 'register_estimator', a hook .*did you mean"
    ),
    "the name of another's part": failing(
        '"probe-nearest"', '"cra"', "estimator 'cra' comes from plugin 'cra' of cogbench-toolkit"
    ),
    "a fault of syntax": failing(SIMILARITY, "def similarity(self, evidence:", "SyntaxError: "),
    "a module that is not installed": failing("import numpy", "import nompy\nimport numpy", "ModuleNotFoundError: No "),
    "no scores": estimator(
        MATRIX,
        MATRIX.replace("score)", "score * np.nan)"),
        "probe-nearest: it gave no score for any task",
        "probe-nearest on probe-toy: no pair of tasks has a score, so that the ranking is chance",
        code=0,
    ),
    "equal scores": estimator(
        MATRIX,
        MATRIX.replace("score)", "score * 0)"),
        "estimator 'probe-nearest', on the toy evidence: all sources of a target have the same score",
        "probe-nearest on probe-toy: all sources of a target have the same score, so that the ranking is chance",
        code=0,
        broken=False,
    ),
    "random scores": estimator(
        MATRIX,
        MATRIX.replace("score)", "np.random.random(score.shape))"),
        "probe-nearest: the same evidence gave two answers",
        "",
        code=0,
    ),
    "a heavy import": estimator(
        "import numpy as np",
        "import numpy as np\nimport scipy.linalg",
        "cogbench_probe.estimator imports scipy: import it inside the function that uses it",
        "",
        code=0,
    ),
    "asks for what it does not need": estimator(
        MATRIX,
        f"evidence.cards\n        {MATRIX}",
        "estimator 'probe-nearest' asks for 'cards', which its `needs`",
        code=1,
    ),
    "a suite's misspelt oracle": Mistake(
        "suite.py",
        "probe-transfers",
        "probe-transfer",
        "suite 'probe' names oracle 'probe-transfer', which is not installed; did you mean 'probe-transfers'",
        code=0,
    ),
    "a suite's misspelt signal": Mistake(
        "suite.py",
        "probe-reading",
        "probe-readings",
        "suite 'probe' names signal 'probe-readings', which is not installed; did you mean 'probe-reading'",
        code=0,
    ),
    "a suite's unknown task": Mistake(
        "suite.py",
        '"probe-start"',
        '"probe-stop"',
        "suite 'probe' names task 'probe-stop', which is not installed",
        "suite 'probe' holds tasks that no installed plugin gives: probe-stop; run the others with --tasks ",
        code=2,
    ),
    "a missing table of an oracle": Mistake(
        "oracle.py",
        "transfers.csv",
        "transfer.csv",
        "skipped: no file '.*transfer.csv'",
        "no file '.*transfer.csv'",
        broken=False,
    ),
    "a missing table of a task": Mistake(
        "task.py",
        "reviews.csv",
        "review.csv",
        "skipped: .*no file '.*review.csv'",
        "no file '.*review.csv'",
        broken=False,
    ),
    "a missing column": Mistake("task.py", '"verdict"', '"verdicts"', "lacks column verdicts"),
    "an unknown kind of task": Mistake(
        "task.py",
        'kind="classification"',
        'kind="classify"',
        "unknown kind of task 'classify'; did you mean 'classification'",
        "suite 'probe' holds tasks that .* But .*unknown kind of task 'classify'",
        code=2,
    ),
    "texts as labels of numbers": Mistake("task.py", 'kind="classification"', 'kind="regression"', "'bad'.*number"),
    "a task that returns no data set": Mistake(
        "task.py",
        'return Dataset(self.kind, columns, ("no", "yes"), Origin(self.name, "1"))',
        "return columns",
        r"task 'probe-\w+': load\(\) returned dict; expected Dataset",
    ),
    "a task that raises": Mistake(
        "task.py", "self.question)", "self.questions)", r"task 'probe-\w+': load\(\) raised AttributeError: "
    ),
    "a recording of another shape": Mistake(
        "signal.py",
        "values[subject == name]",
        "values[1:][subject[1:] == name]",
        "signal 'probe-reading': each subject needs a row for each of the sentences",
    ),
    "a sentence twice": Mistake(
        "signal.py",
        'tuple(dict.fromkeys(columns["sentence"]))',
        'tuple(columns["sentence"])',
        "signal 'probe-reading' holds a sentence twice",
    ),
    "a signal that raises": Mistake(
        "signal.py", 'columns["subject"]', 'columns["subjects"]', r"signal 'probe-reading': read\(\) raised KeyError: "
    ),
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that installs the template's package with a toy backbone and one mistake."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COGBENCH_LOAD_PLUGINS", "cogbench-probe")

    def install(file=None, old="", new=""):
        new_plugin("cogbench-probe", [*FILES], tmp_path / "probe", Parts())
        (tmp_path / "probe/cogbench_probe").rename(tmp_path / "cogbench_probe")
        (tmp_path / "cogbench_probe/toy.py").write_text(TOY)
        for name in ("oracle.py", "suite.py"):
            path = tmp_path / "cogbench_probe" / name
            path.write_text(path.read_text().replace("minilm-2l", "probe-toy"))
        if file:
            path = tmp_path / "cogbench_probe" / file
            assert path.read_text().count(old) >= 1, "the template has changed"
            path.write_text(path.read_text().replace(old, new))
        info = tmp_path / "cogbench_probe-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cogbench-probe\nVersion: 0.1.0\n")
        lines = [f"probe-{kind} = cogbench_probe.{kind}" for kind in (*FILES, "toy")]
        (info / "entry_points.txt").write_text("\n".join(["[cogbench]", *lines, ""]))

    yield install
    for module in [name for name in sys.modules if name.partition(".")[0] == "cogbench_probe"]:
        del sys.modules[module]


def said(done):
    """Return the lines that a command printed for people, in one text; there is no traceback."""
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert "Traceback" not in done.output
    return done.stderr


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_clear_line(name, package, monkeypatch):
    mistake = MISTAKES[name]
    package(mistake.file, mistake.old, mistake.new)
    if name != "a heavy import":  # which takes a process
        monkeypatch.setattr(installed, "_heavy_imports", lambda modules: {})
    checked = cogbench("plugins", "cogbench-probe", "--check", "--json")
    verdicts = [row["check"] for row in json.loads(checked.stdout)]
    lines = [*verdicts, *said(checked).splitlines()]
    assert any(re.search(mistake.check, line) for line in lines), "\n".join(lines)
    assert any(verdict.startswith("BROKEN") for verdict in verdicts) == mistake.broken, verdicts
    assert checked.exit_code == (3 if mistake.broken else 0)

    done = cogbench(*RUN)
    lines = said(done).splitlines()
    assert done.exit_code == mistake.code, done.output
    where = lines[-1:] if mistake.code else lines
    assert any(re.search(mistake.run, line) for line in where), done.stderr


def test_the_template_has_no_mistake_and_is_scored(package):
    package()
    checked = cogbench("plugins", "cogbench-probe", "--check", "--json")
    assert {row["check"] for row in json.loads(checked.stdout)} == {"ok"} and checked.exit_code == 0
    done = cogbench(*RUN, "--format", "json")
    (result,) = json.loads(done.stdout)
    assert result["oracle"]["name"] == "probe-transfers" and result["scores"]["trs"]["value"] >= 1
    assert done.exit_code == 0 and "chance" not in done.stderr


@dataclass(frozen=True)
class Table:
    """An oracle whose code answers with anything."""

    answer: str = "nothing"
    name: str = "probe-table"
    card: OracleCard = OracleCard("d", "o", "l", "b", "s", ("x", "y"), ("x", "y"))

    def read(self, files):
        if self.answer == "nothing":
            return None
        raise KeyError(self.answer)


@pytest.mark.parametrize(
    "answer, says", [("nothing", "returned NoneType; expected Oracle"), ("x", "raised KeyError: 'x")]
)
def test_an_oracles_code_is_named_in_the_check_and_where_it_is_read(answer, says):
    for ask in (check_oracle, lambda oracle: find_oracle(Parts(), oracle)):
        with pytest.raises(UnusableData, match=rf"^oracle 'probe-table': read\(\) {says}"):
            ask(Table(answer))


def test_what_the_machine_lacks_is_no_mistake_of_a_part():
    for error, kind in ((OSError(28, "full"), OSError), (MemoryError(), MemoryError), (MissingData("no"), MissingData)):
        with pytest.raises(kind), blaming("task 'x': load()"):
            raise error
    with pytest.raises(UnusableData, match=r"^task 'x': load\(\) raised FileNotFoundError: .*no\.csv'\.$") as caught:
        with blaming("task 'x': load()"):
            open("no.csv")
    assert isinstance(caught.value.__cause__, FileNotFoundError)  # COGBENCH_DEBUG=1 and pytest show where


def test_a_part_that_is_given_in_python_is_checked():
    with pytest.raises(UnusableData, match=r"this is the class ToyTask; expected an instance: ToyTask\(\)\."):
        run("dse", ToyBackbone(), suite="mini", tasks=[ToyTask], jobs=0)


@pytest.mark.parametrize(
    "values, says",
    [
        ([[np.nan] * 3] * 3, "no pair of tasks has a score"),
        ([[0, 1, 2]] * 3, "all sources of a target have the same score"),
        ([[0, 1, 2], [0, 1, 2], [0, 3, 2]], ""),
        ([[np.nan, 1, 2], [0, np.nan, 2], [np.nan, 3, np.nan]], ""),
        ([[0, 1, np.nan], [np.nan, 0, np.nan], [0, 1, 0]], "all sources of a target have the same score"),
    ],
)
def test_a_matrix_that_ranks_nothing_is_told_from_one_that_does(values, says):
    words = ranks_nothing(TaskMatrix.square("abc", np.array(values)))
    assert words.startswith(says) and bool(words) == bool(says)


def test_one_score_for_each_target_is_no_tie():
    assert ranks_nothing(TaskMatrix.square("ab", np.array([[0, 1.0], [1.0, 0]]))) == ""


def test_each_module_with_a_heavy_import_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    sources = {"light_1": "import json", "heavy_1": "import torch", "light_2": "", "heavy_2": "import pandas, pyarrow"}
    for name, source in {**sources, "torch": "", "pandas": "", "pyarrow": ""}.items():  # stand-ins, which take no time
        (tmp_path / f"{name}.py").write_text(source)
    assert installed._heavy_imports([*sources]) == {"heavy_1": ["torch"], "heavy_2": ["pandas", "pyarrow"]}


def test_a_package_of_an_extra_that_is_missing_is_no_mistake_of_a_part():
    with pytest.raises(MissingData, match="this needs the package torch, which is not installed"):
        with blaming("task 'x': load()"):
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
