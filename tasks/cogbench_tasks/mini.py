"""The suite `mini`: small synthetic tasks whose shared skills are planted, and a control that shares none.

The sentences are written by a grammar over the words of `mini_words`; nobody said them, and no result on them says
anything about English. They exist because their answer is known: which tasks teach the same knowledge about the same
words stands in `SKILLS`. In `mini-shuffled` each task draws that knowledge anew for itself, so that its neighbours
teach it nothing but the form.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cogbench import Card, Dataset, Files, OracleCard, OracleFile, Origin, Suite, hookimpl

from . import mini_forms as forms
from .mini_words import PLANTED, Lexicon, shuffled

# What a task can be solved with. Tasks with a skill in common draw on the same words and the same knowledge of them:
# `valence` which adjectives praise; `kinds` which nouns are food; `synonymy` which words mean the same; `names` which
# names are a person's and which a town's. Only `agreement` of subject and verb is grammar, and one task's own.
SKILLS: dict[str, frozenset[str]] = {
    "mini-cola": frozenset({"agreement", "names"}),
    "mini-mnli": frozenset({"kinds", "valence"}),
    "mini-mrpc": frozenset({"synonymy"}),
    "mini-qnli": frozenset({"kinds", "names"}),
    "mini-qqp": frozenset({"names", "synonymy"}),
    "mini-rte": frozenset({"kinds"}),
    "mini-sst-2": frozenset({"valence"}),
    "mini-sts-b": frozenset({"synonymy", "valence"}),
    "mini-squad-v2": frozenset({"kinds", "names"}),
    "mini-conll-2003": frozenset({"names"}),
    "mini-semeval-2010-8": frozenset({"names", "valence"}),
    "mini-ms-marco": frozenset({"kinds", "synonymy"}),
}


@dataclass(frozen=True)
class Form:
    """What a task asks, and how its rows are made.

    `row` writes one row of a wanted sort. The sorts take turns; there are as many as `labels`, unless `sorts` says
    otherwise.
    """

    row: Callable[[random.Random, Lexicon, int], forms.Row]
    what: str
    labels: tuple[str, ...] = ()
    kind: str = "classification"
    metric: str = "accuracy"
    further: tuple[str, ...] = ()
    sorts: int = 0
    train_rows: int = 600
    evaluation_rows: int = 1200


FORMS = {
    "mini-cola": Form(
        forms.cola, "is the sentence acceptable?", ("unacceptable", "acceptable"), metric="mcc", train_rows=240
    ),
    "mini-mnli": Form(
        forms.mnli, "does the first sentence entail the second?", ("entailment", "neutral", "contradiction")
    ),
    "mini-mrpc": Form(forms.mrpc, "do two sentences say the same?", ("not_equivalent", "equivalent"), train_rows=160),
    "mini-qnli": Form(forms.qnli, "does the sentence answer the question?", ("entailment", "not_entailment")),
    "mini-qqp": Form(forms.qqp, "do two questions ask the same?", ("not_duplicate", "duplicate"), train_rows=300),
    "mini-rte": Form(
        forms.rte, "does the first sentence entail the second?", ("entailment", "not_entailment"), train_rows=120
    ),
    "mini-sst-2": Form(forms.sst_2, "is the sentence favourable?", ("negative", "positive"), train_rows=240),
    "mini-sts-b": Form(
        forms.sts_b,
        "how much do two sentences agree, from 0 to 5?",
        kind="regression",
        metric="spearman",
        sorts=6,
        train_rows=200,
    ),
    "mini-squad-v2": Form(
        forms.squad,
        "which passage answers the question, if any?",
        kind="extractive-qa",
        metric="token-f1",
        further=("exact-match",),
        sorts=3,
        train_rows=120,
        evaluation_rows=800,
    ),
    "mini-conll-2003": Form(
        forms.conll,
        "which words name a person or a town?",
        forms.TAGS,
        kind="tagging",
        metric="entity-f1",
        sorts=3,
        train_rows=120,
    ),
    "mini-semeval-2010-8": Form(
        forms.semeval,
        "how do two marked words relate, and which way round?",
        forms.RELATIONS,
        kind="relation",
        metric="relation-f1",
        further=("accuracy",),
        sorts=6,
        train_rows=300,
    ),
    "mini-ms-marco": Form(
        forms.marco,
        "which passages answer the query?",
        kind="reranking",
        metric="ndcg@10",
        further=("mrr@10",),
        sorts=10,
        train_rows=120,
        evaluation_rows=400,
    ),
}


@dataclass(frozen=True)
class MiniTask:
    """A synthetic task: its rows are generated from a seed, the same on every machine.

    Parameters
    ----------
    name, kind, metric, card, further, suite
        As every task has them.
    form : str
        The key in `FORMS` and `SKILLS`.
    train_rows, evaluation_rows : int
        The evaluation split does not change with the number of training rows; the two share no row.
    seed : int
        Of the rows, and of the shuffle.
    shuffled : bool
        Whether this task's knowledge of its words is a draw of its own, which no other task shares.
    """

    name: str
    kind: str
    metric: str
    card: Card
    further: tuple[str, ...] = ()
    suite: str = "mini"
    form: str = ""
    train_rows: int = 400
    evaluation_rows: int = 1200
    seed: int = 0
    shuffled: bool = False

    @property
    def lexicon(self) -> Lexicon:
        """What this task holds true of its words."""
        return shuffled(PLANTED, f"{self.form} {self.seed}") if self.shuffled else PLANTED

    def load(self, split: Literal["train", "evaluation"], files: Files) -> Dataset:
        """Write the rows of one split; `files` is not asked for anything."""
        form, lexicon = FORMS[self.form], self.lexicon
        rng = random.Random(f"rows of {self.form} {self.seed}")
        n = self.evaluation_rows + (self.train_rows if split == "train" else 0)
        found: dict[tuple, forms.Row] = {}  # by all that a model sees, so that no row occurs twice
        while len(found) < n:
            wanted = len(found) % (form.sorts or len(form.labels))
            row = {"label": wanted, **form.row(rng, lexicon, wanted)}
            found.setdefault(tuple(value for column, value in row.items() if column != "label"), row)
        rows = list(found.values())[self.evaluation_rows if split == "train" else 0 :]
        columns = {column: [row[column] for row in rows] for column in rows[0]}
        return Dataset(self.kind, columns, form.labels, Origin(f"cogbench synthetic {self.name}", f"seed {self.seed}"))


def _task(name: str, form: Form, *, shuffled: bool) -> MiniTask:
    skills = f"{', '.join(sorted(SKILLS[name]))}, {'drawn for this task alone' if shuffled else 'shared as planted'}"
    suite = "mini-shuffled" if shuffled else "mini"
    return MiniTask(
        name=name.replace("mini", suite),
        kind=form.kind,
        metric=form.metric,
        card=Card(
            form.train_rows, "MIT", f"Synthetic, written by a generator: {form.what} Skills: {skills}.", synthetic=True
        ),
        further=form.further,
        suite=suite,
        form=name,
        train_rows=form.train_rows,
        evaluation_rows=form.evaluation_rows,
        shuffled=shuffled,
    )


@hookimpl
def register_tasks() -> list[MiniTask]:
    """Return the tasks of both suites."""
    return [_task(name, form, shuffled=shuffled) for shuffled in (False, True) for name, form in FORMS.items()]


@hookimpl
def register_oracles() -> list[OracleFile]:
    """Return the transfers measured on both suites (`make mini-oracle` measures them again), and what is planted."""
    return [_oracle("mini"), _oracle("mini-shuffled"), _planted()]


def _planted() -> OracleFile:
    tasks = tuple(FORMS)
    card = OracleCard(
        description="how many skills two tasks of mini share: the cosine of their sets of skills",
        origin="planted: cogbench_tasks.mini.SKILLS",
        licence="MIT",
        backbone="none",
        suite="mini",
        sources=tasks,
        targets=tasks,
        metrics=tuple((task, "cosine") for task in tasks),
        basis="planted",
        note="no transfers, but which tasks share skills",
    )
    return OracleFile("mini-planted", str(Path(__file__).parent / "oracles" / "mini-planted.csv"), card)


def _oracle(suite: str) -> OracleFile:
    tasks = tuple(name.replace("mini", suite, 1) for name in FORMS)
    card = OracleCard(
        description=f"transfers between the twelve synthetic tasks of {suite}",
        origin="measured by cogbench: `make mini-oracle`",
        licence="MIT",
        backbone="minilm-2l",
        suite=suite,
        sources=tasks,
        targets=tasks,
        metrics=tuple((task, form.metric) for task, form in zip(tasks, FORMS.values(), strict=True)),
        basis="measured",
        note="synthetic tasks",
    )
    return OracleFile(f"{suite}-minilm-2l", str(Path(__file__).parent / "oracles" / f"{suite}-minilm-2l.json"), card)


@hookimpl
def register_suites() -> list[Suite]:
    """Return `mini`, and `mini-shuffled`, its negative control."""
    return [
        Suite(
            "mini",
            tuple(FORMS),
            signal="mini",
            oracles=(("minilm-2l", "mini-minilm-2l"),),
            description="Twelve small synthetic tasks with planted shared skills: a control whose answer is known.",
        ),
        Suite(
            "mini-shuffled",
            tuple(name.replace("mini", "mini-shuffled") for name in FORMS),
            signal="mini",
            oracles=(("minilm-2l", "mini-shuffled-minilm-2l"),),
            description="Negative control, synthetic: the tasks of `mini`, each with word knowledge of its own.",
        ),
    ]
