"""`--set`: options by the names that users type, typed by the part's own fields."""

from dataclasses import dataclass, field, replace
from typing import Literal

import pytest

from cogbench import Backbone, CogbenchError, Task, UnknownName, UnusableData, hookimpl, load_parts
from cogbench.parts.set_options import check_targets, options_of, split, varied, with_option
from cogbench.testing.toys import ToyBackbone


@dataclass(frozen=True)
class _Inner:
    rate: float = 0.5
    name: str = "inner"


@dataclass(frozen=True)
class _Part:
    count: int = 1
    rate: float = 0.1
    flag: bool = False
    way: Literal["cosine", "pearson"] = "cosine"
    layers: tuple[int, ...] = ()
    pair: tuple[str, int] = ("a", 1)
    limit: int | None = None
    text: str = "x"
    note: str | None = "x"
    maybe: tuple[int, ...] | None = (1,)
    similarity_: str = "cosine"
    member: _Inner = field(default=_Inner())
    name: str = "part"
    needs: frozenset[str] = frozenset()

    def similarity(self): ...


def _one(text, part=None):
    (found,) = varied(part or _Part(), [f"part.{text}"])
    return found


@pytest.mark.parametrize(
    "text, option, value",
    [
        ("count=3", "count", 3),
        ("rate=1e-3", "rate", 0.001),
        ("rate=2", "rate", 2.0),
        ("flag=true", "flag", True),
        ("flag=no", "flag", False),
        ("way=pearson", "way", "pearson"),
        ("layers=1:2:3", "layers", (1, 2, 3)),
        ("layers=4", "layers", (4,)),
        ("layers=", "layers", ()),
        ("pair=b:2", "pair", ("b", 2)),
        ("limit=5", "limit", 5),
        ("limit=none", "limit", None),
        ("text=a=b", "text", "a=b"),
        ("text=none", "text", "none"),
        ("note=none", "note", None),
        ("note=x", "note", "x"),
        ("maybe=1:2", "maybe", (1, 2)),
        ("maybe=none", "maybe", None),
        ("similarity=pearson", "similarity_", "pearson"),
    ],
)
def test_a_value_has_the_type_of_its_field(text, option, value):
    found = getattr(_one(text), option)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "text, says",
    [
        ("count=x", "part.count=x: input should be a valid integer"),
        ("count=1.5", "part.count=1.5: input should be a valid integer"),
        ("flag=maybe", "part.flag=maybe: input should be a valid boolean"),
        ("way=euclid", "part.way=euclid: input should be 'cosine' or 'pearson'"),
        ("layers=1:x", "part.layers=1:x: input should be a valid integer"),
        ("pair=b", "part.pair=b: field required"),
        ("limit=x", "part.limit=x: input should be a valid integer"),
        ("rate=none", "part.rate=none: input should be a valid number"),
        ("similarity", "--set takes PART.OPTION=VALUE, not 'part.similarity'"),
    ],
)
def test_a_wrong_value_says_what_it_should_be(text, says):
    with pytest.raises(UnusableData) as caught:
        _one(text)
    assert str(caught.value).startswith(says)


def test_several_values_give_one_part_each():
    found = varied(_Part(), ["part.count=1,2", "part.way=cosine,pearson", "part.rate=0.5"])
    assert [(p.count, p.way, p.rate) for p in found] == [
        (1, "cosine", 0.5),
        (1, "pearson", 0.5),
        (2, "cosine", 0.5),
        (2, "pearson", 0.5),
    ]
    assert varied(_Part(), ["part.layers=1:2,3"]) == [_Part(layers=(1, 2)), _Part(layers=(3,))]


def test_a_part_is_left_as_it_was():
    part = _Part()
    assert varied(part, []) == [part]
    assert varied(part, ["other.count=3", "partner.count=4"]) == [part]
    _one("count=9", part)
    assert part == _Part()


def test_an_option_of_a_member():
    assert _one("member.rate=0.9") == _Part(member=_Inner(0.9))
    with pytest.raises(UnknownName, match="unknown option of 'part.member' 'rat'; did you mean 'rate'. Options: rate."):
        _one("member.rat=0.9")
    with pytest.raises(UnknownName, match="unknown member of 'part' 'rate'.* Members: member."):
        _one("rate.x=1")


def test_what_is_wrong_in_a_member_without_a_name_is_told_by_the_path_that_was_typed():
    @dataclass(frozen=True)
    class Nameless:
        size: int = 1
        inner: _Inner = field(default=_Inner())

    @dataclass(frozen=True)
    class Outer:
        of: Nameless = field(default=Nameless())
        name: str = "outer"

    for text, says in {
        "of.nosuch=1": "unknown option of 'outer.of' 'nosuch'",
        "of.size.x=1": "unknown member of 'outer.of' 'size'",
        "of.inner=1": "outer.of.inner=1: a member's options are set one by one, as outer.of.inner.rate=VALUE",
        "of.size=abc": "outer.of.size=abc: input should be a valid integer",
        "of.inner.rate=x": "outer.of.inner.rate=x: input should be a valid number",
    }.items():
        with pytest.raises(CogbenchError) as caught:
            varied(Outer(), [f"outer.{text}"])
        assert str(caught.value).startswith(says)


def test_a_member_is_not_itself_a_value():
    with pytest.raises(
        UnusableData, match="part.member=x: a member's .* are set one by one, as part.member.rate=VALUE"
    ):
        _one("member=x")


@dataclass(frozen=True)
class _Holder:
    backbone: Backbone | None = None
    tasks: tuple[Task, ...] = ()
    own: ToyBackbone = ToyBackbone()
    name: str = "holder"


def test_an_option_that_holds_parts_takes_the_names_of_installed_ones(toy_plugin):
    parts = load_parts(toy_plugin)

    def one(*sets):
        (found,) = varied(_Holder(), [f"holder.{text}" for text in sets], parts.find)
        return found

    toy, tasks = parts.backbones["toy"], parts.tasks
    assert one("backbone=toy").backbone is toy
    assert one("backbone=toy", "backbone.rate=0.5").backbone == replace(toy, rate=0.5)
    assert one("backbone=toy", "backbone=none").backbone is None
    assert one("tasks=toy-b:toy-a").tasks == (tasks["toy-b"], tasks["toy-a"])
    assert one("tasks=toy").tasks == tuple(tasks[name] for name in parts.suites["toy"].tasks)
    assert one("tasks=toy-a", "tasks=").tasks == ()
    assert one("own=toy").own is toy
    assert [p.backbone.name for p in varied(_Holder(), ["holder.backbone=toy,minilm"], parts.find)] == ["toy", "minilm"]


@pytest.mark.parametrize(
    "text, says",
    [
        ("backbone=toi", "unknown backbone 'toi'; did you mean 'toy'"),
        ("tasks=toy-a:toy-x", "unknown task 'toy-x'; did you mean"),
        ("own=minilm", "holder.own=minilm: backbone 'minilm' is no ToyBackbone, which this option takes"),
        ("own=none", "unknown backbone 'none'"),
        ("backbone.rate=1", "unknown member of 'holder' 'backbone'"),
    ],
)
def test_a_name_of_no_installed_part_is_refused(text, says, toy_plugin):
    with pytest.raises(CogbenchError) as caught:
        varied(_Holder(), [f"holder.{text}"], load_parts(toy_plugin).find)
    assert str(caught.value).startswith(says)


def test_the_label_of_a_part_names_the_parts_that_it_holds(toy_plugin):
    toy_plugin.register_backbones = hookimpl(lambda: [ToyBackbone(), _Filled()], specname="register_backbones")
    parts = load_parts(toy_plugin)
    sets = ["filled.backbone=toy", "filled.backbone.rate=0.5", "filled.tasks=toy-a:toy-b"]
    (filled,) = varied(_Filled(), sets, parts.find)
    assert parts.label("backbone", filled) == "filled[backbone=toy[rate=0.5],tasks=toy-a:toy-b]"
    assert parts.decode(parts.encode(filled)) == filled


@dataclass(frozen=True)
class _Filled(ToyBackbone):
    name: str = "filled"
    backbone: Backbone | None = None
    tasks: tuple[Task, ...] = ()


def test_an_unknown_option_lists_the_near_ones():
    with pytest.raises(UnknownName, match="unknown option of 'part' 'layer'; did you mean 'layers'.*Options: count, "):
        _one("layer=3")
    for fixed in ("name", "needs"):
        with pytest.raises(UnknownName, match=f"unknown option of 'part' '{fixed}'"):
            _one(f"{fixed}=x")


def test_a_setting_for_a_part_that_is_not_used_is_an_error():
    check_targets(["part.count=1", "part.member.rate=2"], [_Part()])
    with pytest.raises(UnknownName, match="unknown part in --set 'prat'; did you mean 'part'. In this run: part."):
        check_targets(["prat.count=1"], [_Part()])


@pytest.mark.parametrize("text", ["part", "count=3", "part.count", "", "=3"])
def test_the_form_of_a_setting(text):
    with pytest.raises(UnusableData, match="--set takes PART.OPTION=VALUE, not "):
        split(text)
    assert split("a.b.c=1,2=3") == ("a.b.c", ["1", "2=3"])


def test_a_name_with_dots_or_a_plus():
    part = _Part(name="a+b.c")
    assert varied(part, ["a+b.c.count=4"]) == [_Part(name="a+b.c", count=4)]
    assert varied(_Part(name="a"), ["a+b.c.count=4"]) == [_Part(name="a")]


def test_options_are_named_as_users_type_them():
    assert [*options_of(_Part())] == "count rate flag way layers pair limit text note maybe similarity member".split()
    assert with_option(_Part(), "similarity", "x").similarity_ == "x"


def test_options_of_every_installed_part_can_be_set_to_what_they_are():
    parts = load_parts()
    for kind in ("task", "backbone", "signal", "estimator"):
        for part in parts.of(kind).values():
            for option, value in options_of(part).items():
                if value is None or isinstance(value, bool | int | float | str) and "," not in str(value):
                    text = "none" if value is None else str(value)
                    assert varied(part, [f"{part.name}.{option}={text}"]) == [part], (part.name, option)
