"""Every installed part keeps its promises. Plugin authors copy this file."""

from dataclasses import fields, is_dataclass, replace

import pytest

from cogbench import MissingData, load_parts
from cogbench.testing import (
    check_backbone,
    check_estimator,
    check_oracle,
    check_selector,
    check_set,
    check_sharing,
    check_signal,
    check_task,
)

PARTS = load_parts()


def _named(parts):
    return pytest.mark.parametrize("part", parts.values(), ids=parts.keys())


def _or_skip(check, part):
    try:
        check(part)
    except MissingData as error:  # the message says which command brings the data
        pytest.skip(str(error))


@_named(PARTS.tasks)
def test_task(part):
    _or_skip(check_task, part)


@_named({name: part for name, part in PARTS.backbones.items() if not hasattr(part, "sharings")})
def test_backbone(part):
    _or_skip(check_backbone, part)


@_named({name: part for name, part in PARTS.backbones.items() if hasattr(part, "sharings")})
def test_sharing(part):
    check_sharing(part, PARTS.backbones["minilm-2l"])


@_named(PARTS.signals)
def test_signal(part):
    _or_skip(check_signal, part)


def _brief(part):
    """Return an estimator as it comes, but with two epochs of what it and its members train."""
    options = {f.name: getattr(part, f.name) for f in fields(part)}
    members = {name: _brief(value) for name, value in options.items() if is_dataclass(value)}
    return replace(part, **members, **{name: 2 for name in options if name == "epochs"})


@_named(PARTS.estimators)
def test_estimator(part):
    check_estimator(_brief(part))


@pytest.mark.torture
@_named({name: part for name, part in PARTS.estimators.items() if _brief(part) != part})
def test_estimator_with_all_its_epochs(part):
    check_estimator(part)


@_named(PARTS.oracles)
def test_oracle(part):
    _or_skip(check_oracle, part)


@_named(PARTS.sets)
def test_sets(part):
    _or_skip(check_set, part)


@_named(PARTS.selectors)
def test_selector(part):
    check_selector(part)


@pytest.mark.parametrize("kind, name", [("backbone", "minilm-2l"), ("task", "mini-rte"), ("signal", "mini")])
def test_what_is_embedded_is_never_skipped(kind, name):
    check = {"backbone": check_backbone, "task": check_task, "signal": check_signal}[kind]
    check(PARTS.find(kind, name))
