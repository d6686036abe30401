"""A task that is several tasks: how many rows each gives, what they become, and that it is a source as any task."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_parts import toy_module

from cogbench import (
    Card,
    Dataset,
    Files,
    Origin,
    PooledTask,
    Store,
    TableTask,
    UnusableData,
    load_parts,
    measure_oracle,
    read_oracle,
)
from cogbench.combining.pooled import allocate_rows
from cogbench.compute.cells import Training
from cogbench.compute.workspace import Workspace
from cogbench.data.oracle_files import write_oracle
from cogbench.parts.recipe import Recipe
from cogbench.testing import check_task
from cogbench.testing.toys import TASKS, ToyBackbone

FILES = Files(offline=True)
sizes = st.lists(st.integers(0, 40), min_size=2, max_size=6).filter(any)


@dataclass(frozen=True)
class Reviews:
    """Reviews of one domain: as many rows as it says, whose texts name it."""

    name: str
    rows: int = 20
    labels: tuple[str, ...] = ("bad", "good")
    kind: str = "classification"
    metric: str = "accuracy"
    suite: str = "reviews"
    paired: bool = False

    @property
    def card(self):
        return Card(self.rows, "MIT", f"Reviews of {self.name}.")

    def load(self, split, files):
        n = self.rows if split == "train" else 6
        columns = {"text": [f"{split} {self.name} {i}" for i in range(n)], "label": [i % 2 for i in range(n)]}
        columns |= {"text_pair": columns["text"]} if self.paired else {}
        return Dataset(self.kind, columns, self.labels, Origin(self.name))


def test_a_small_task_is_a_gap_in_an_equal_pool_and_is_filled_up_by_water():
    assert allocate_rows([100, 10, 50], 90, "equal") == [30, 10, 30]
    assert allocate_rows([100, 10, 50], 90, "water-filling") == [40, 10, 40]
    assert allocate_rows([100, 10, 50], 120, "water-filling") == [60, 10, 50]
    assert allocate_rows([100, 10, 50], None, "equal") == [100, 10, 50]
    assert allocate_rows([5, 5, 5], 10, "equal") == [4, 3, 3]


@given(sizes, st.integers(1, 200))
def test_water_fills_to_one_level(sizes, total):
    numbers = allocate_rows(sizes, total, "water-filling")
    assert sum(numbers) == min(total, sum(sizes))
    assert all(0 <= n <= size for n, size in zip(numbers, sizes, strict=True))
    level = max(numbers)
    assert all(n == size or n >= level - 1 for n, size in zip(numbers, sizes, strict=True))
    # The level is that of the formula, found by halving an interval.
    low, high = 0.0, float(max(sizes))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(sizes, middle).sum() < min(total, sum(sizes)) else (low, middle)
    np.testing.assert_array_less(np.abs(np.minimum(sizes, high) - numbers), 1 + 1e-6)


@given(sizes, st.integers(1, 200))
def test_an_equal_pool_gives_no_task_more_than_its_share(sizes, total):
    numbers = allocate_rows(sizes, total, "equal")
    shares = allocate_rows([total] * len(sizes), total, "equal")
    assert numbers == [min(size, share) for size, share in zip(sizes, shares, strict=True)]
    assert sum(shares) == total and max(shares) - min(shares) <= 1
    if all(size >= total for size in sizes):
        assert sorted(numbers) == sorted(allocate_rows(sizes, total, "water-filling"))


def test_a_pool_has_the_allocated_rows_of_each_task_with_each_class_in_its_share():
    pool = PooledTask("pool", (Reviews("books", 40), Reviews("films", 8), Reviews("music", 40)), 48, "water-filling")
    train, evaluation = (pool.load(split, FILES) for split in ("train", "evaluation"))
    texts = [text.split()[1] for text in train.columns["text"]]
    assert [texts.count(name) for name in ("books", "films", "music")] == [20, 8, 20]
    assert len({*train.columns["text"]}) == 48 and np.mean(train.columns["label"]) == 0.5
    assert len(evaluation) == 18
    equal = PooledTask("pool", pool.tasks, 48).load("train", FILES)
    assert len(equal) == 16 + 8 + 16 and "pool has 40 of 48 rows" in equal.notes[-1]
    assert pool.load("train", FILES).sha256 == train.sha256
    assert PooledTask("pool", pool.tasks, 48, "water-filling", seed=1).load("train", FILES).sha256 != train.sha256
    assert (pool.card.rows, pool.suite, pool.metric, pool.card.licence) == (48, "reviews", "accuracy", "MIT")


def test_classes_that_a_task_names_in_another_order_are_the_same_classes():
    pool = PooledTask("pool", (Reviews("books"), Reviews("films", labels=("good", "bad"))))
    train = pool.load("train", FILES)
    assert train.labels == ("bad", "good")
    assert train.columns["label"][:2] == [0, 1] and train.columns["label"][20:22] == [1, 0]


@pytest.mark.parametrize(
    ("tasks", "more", "words"),
    [
        ((), {}, "it needs two tasks or more, each once; it has none."),
        ((Reviews("a"),), {}, "it needs two tasks or more, each once; it has a."),
        ((Reviews("a"), Reviews("a", 3)), {}, "it needs two tasks or more, each once; it has a, a."),
        (
            (Reviews("a"), Reviews("b", kind="tagging")),
            {},
            "are of several kinds: a classification, b tagging; pool",
        ),
        ((Reviews("a"), Reviews("b")), {"total": 1}, "1 rows in total are less than one of each of 2 tasks."),
        ((Reviews("a"), Reviews("b")), {"allocation": "all"}, "allocation 'all'; known: equal, water-filling."),
    ],
)
def test_a_pool_that_makes_no_sense_is_refused(tasks, more, words):
    with pytest.raises(UnusableData) as refused:
        PooledTask("pool", tasks, **more)
    assert "pooled task 'pool': " in str(refused.value) and words in str(refused.value)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Reviews("b", labels=("no", "yes")), "b has the classes no, yes, but a bad, good."),
        (Reviews("b", paired=True), "b has the columns text, label, text_pair, but a text, label."),
    ],
)
def test_tasks_of_other_classes_or_columns_are_refused_when_they_are_read(other, words):
    with pytest.raises(UnusableData) as refused:
        PooledTask("pool", (Reviews("a"), other)).load("train", FILES)
    assert words in str(refused.value)


def test_a_pool_is_a_task_for_any_backbone_and_oracle(tmp_path):
    parts, store = load_parts(toy_module()), Store(tmp_path)
    tasks = [parts.tasks[name] for name in ("toy-a", "toy-b", "toy-c")]
    pool = PooledTask("a+b", tuple(tasks[:2]), 60)
    check_task(pool, FILES)
    oracle = measure_oracle("toy", tasks=[*tasks, pool], suite="toy", files=FILES, store=store, parts=parts, jobs=0)
    assert oracle.transfers.sources == ("toy-a", "toy-b", "toy-c", "a+b")
    assert np.isfinite(oracle.transfers.values[~oracle.transfers.same]).all()
    assert oracle.groups == {"a+b": ("toy-a", "toy-b")}
    write_oracle(oracle, tmp_path / "o.json")
    assert read_oracle(tmp_path / "o.json").groups == oracle.groups


def test_what_a_pool_is_made_of_is_in_its_key_and_crosses_processes(tmp_path):
    parts = load_parts(toy_module())
    workspace = Workspace(FILES, Store(tmp_path), parts=parts)
    one, other = TASKS[:2]
    pools = [
        PooledTask("pool", (one, other)),
        PooledTask("pool", (other, one)),
        PooledTask("pool", (one, other), 40),
        PooledTask("pool", (one, other), 40, seed=1),
    ]
    keys = [workspace.key(Training(ToyBackbone(), Recipe((pool,)))) for pool in pools]
    assert len({*keys}) == 4
    assert all(parts.decode(parts.encode(pool)) == pool for pool in pools)


def test_domains_of_real_reviews_are_pooled(shared_data):
    domains = tuple(
        TableTask(
            name,
            str(shared_data / "amazon_blitzer" / name / "train-00000-of-00001.parquet"),
            "classification",
            (("text", "text"), ("label", "label")),
        )
        for name in ("books", "dvd", "kitchen")
    )
    rows = {task.name: {*task.load("train", FILES).columns["text"]} for task in domains}
    for total, numbers in ((600, [200, 200, 200]), (None, [len(rows[task.name]) for task in domains])):
        train = PooledTask("reviews", domains, total).load("train", FILES)
        texts = train.columns["text"]
        assert [sum(text in rows[task.name] for text in {*texts}) for task in domains] == pytest.approx(numbers, abs=20)
        assert train.labels == ("negative", "positive") and abs(np.mean(train.columns["label"]) - 0.5) < 0.02
