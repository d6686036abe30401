"""An estimator whose members are named: a run puts the installed estimators in the place of their names."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cogbench import (
    Estimator,
    Files,
    Store,
    TaskMatrix,
    UnknownName,
    UnusableData,
    hookimpl,
    load_parts,
    recommend,
    run,
)
from cogbench.parts.codec import decode, encode
from cogbench.parts.interfaces import members_of
from cogbench.parts.set_options import with_members
from cogbench.views.listing import describe_parts


@dataclass(frozen=True)
class Sum:
    """The sum of any estimators' similarities."""

    members: tuple[Any, ...] = ()
    name: str = "sum"

    @property
    def needs(self):
        return frozenset().union(*(m.needs for m in self.members if isinstance(m, Estimator)))

    def similarity(self, evidence):
        found = [evidence.similarity(member).values for member in self.members]
        return TaskMatrix(evidence.tasks, evidence.targets, np.sum(found, axis=0))


@pytest.fixture
def parts(toy_plugin):
    combination = ModuleType("combination")
    combination.register_estimators = hookimpl(lambda: [Sum()], specname="register_estimators")
    return load_parts(toy_plugin, combination)


def test_names_become_estimators_and_their_matrices_are_cells_of_their_own(parts, tmp_path):
    def ask(estimators, *sets):
        store, files = Store(tmp_path / "store"), Files(offline=True)
        return run(estimators, "toy", suite="toy", jobs=0, parts=parts, files=files, store=store, set=sets)

    cra, dse = ask(["cra", "dse"])
    (both,) = ask("sum", "sum.members=cra:dse")
    assert both.estimator == "sum[members=cra:dse]"
    assert both.provenance.cells.computed == 1  # the sum
    found = [np.array(r.similarity, float) for r in (cra, dse, both)]
    np.testing.assert_allclose(found[2], found[0] + found[1])
    (again,) = ask("sum", "sum.members=cra:dse")
    assert again.provenance.cells.computed == 0
    assert [r.estimator for r in ask("sum", "sum.members=cra:dse,cra:size")] == [
        "sum[members=cra:dse]",
        "sum[members=cra:size]",
    ]


def test_a_members_options_are_set_by_its_name(parts, tmp_path):
    def ask(*sets):
        store, files = Store(tmp_path / "store"), Files(offline=True)
        return run("sum", "toy", suite="toy", jobs=0, parts=parts, files=files, store=store, set=sets)

    plain, set_apart = (ask("sum.members=cra:dse", *sets)[0] for sets in ((), ("cra.similarity=pearson",)))
    assert set_apart.estimator == "sum[members=cra[similarity=pearson]:dse]"
    assert plain.similarity != set_apart.similarity
    (inner,) = ask("sum.members=cra+cnm", "cra+cnm.cra.similarity=pearson", "cra+cnm.cnm.hidden=5")
    assert inner.estimator == "sum[members=cra+cnm[cra.similarity=pearson,cnm.hidden=5]]"
    with pytest.raises(UnusableData, match="estimator 'cra' has 2 settings"):
        ask("sum.members=cra:dse", "cra.similarity=pearson,cosine")
    with pytest.raises(UnknownName, match="part in --set 'cnm'"):
        ask("sum.members=cra:dse", "cnm.hidden=5")


def test_an_unknown_member_lists_the_near_ones(parts):
    with pytest.raises(UnknownName, match=r"unknown estimator 'cro'; did you mean 'cra'"):
        with_members(parts.find, Sum(("cro", "dse")))


def test_a_member_of_itself_is_refused(parts, toy_plugin):
    with pytest.raises(UnusableData, match="estimator 'sum' is a member of itself"):
        with_members(parts.find, Sum(("cra", "sum")), ["sum.members=cra:sum"])
    ring = ModuleType("ring")
    ring.register_estimators = hookimpl(lambda: [Sum(("b",), "a"), Sum(("a",), "b")], specname="register_estimators")
    looped = load_parts(toy_plugin, ring)
    with pytest.raises(UnusableData, match="estimator 'a' is a member of itself"):
        with_members(looped.find, looped.estimators["a"])


def test_members_may_have_members_and_parts_are_left_as_they_are(parts):
    dse = parts.estimators["dse"]
    inner = Sum(("cra",))
    ensemble = with_members(parts.find, Sum((dse, "sum", "size")))
    assert [m.name for m in members_of(ensemble)] == ["dse", "sum", "size"]
    assert with_members(parts.find, dse) is dse
    assert with_members(parts.find, with_members(parts.find, inner)) == with_members(parts.find, inner)
    assert decode(encode(ensemble)) == ensemble


def test_they_are_listed_by_their_names(toy_plugin):
    combination = ModuleType("combination")
    part = Sum(tuple(load_parts().estimators[n] for n in ("cra", "dse")))
    combination.register_estimators = hookimpl(lambda: [part], specname="register_estimators")
    (row,) = [r for r in describe_parts(load_parts(combination), "estimator") if r["name"] == "sum"]
    assert row["options"] == "members=cra:dse"


def test_a_recommendation_takes_them_too(parts, tmp_path):
    how = {"suite": "toy", "parts": parts, "jobs": 0, "files": Files(offline=True), "store": Store(tmp_path / "store")}
    run("dse", "toy", tasks=["toy-a", "toy-b", "toy-c"], **how)
    found = recommend("toy-d", "sum", "toy", set=["sum.members=dse:cra"], **how)
    assert found.estimator == "sum[members=dse:cra]" and len(found.ranking) == 3
