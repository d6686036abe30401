"""`--set PART.OPTION=VALUE`: an option of a part, typed and checked by the part's own fields."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ..errors import UnknownName, UnusableData, WrongOption
from .interfaces import Backbone, Estimator
from .recipe import Task

T = TypeVar("T")
Find = Callable[[str, str], Any]  # from a kind and a name to the installed part


def _no_parts(kind: str, name: str) -> Any:
    raise UnknownName.of(kind, name, ())


def varied(part: Any, sets: Iterable[str], find: Find = _no_parts) -> list[Any]:
    """Return the part with each combination of the values that `sets` give its options.

    Parameters
    ----------
    part : part
        Settings for other parts are passed over.
    sets : iterable of str
        `PART.OPTION=VALUE[,VALUE…]`; `a:b` is a tuple, `none` is None where the option may be None, `OPTION` may go on
        into a member: `cra+cnm.cra.similarity`.
    find : callable, optional
        From a kind and a name to the installed part: the value of an option that holds a backbone is the name of one,
        and that of an option that holds tasks is names of tasks or suites. By default no parts are known.

    Raises
    ------
    UnknownName
        If the part has no such option, or there is no part of a name.
    UnusableData
        If a value is not of the option's type.
    """
    variants: list[Any] = [part]
    for text in sets:
        path, values = split(text)
        if path.startswith(f"{part.name}."):
            option = path.removeprefix(f"{part.name}.").split(".")
            variants = [_replaced(p, part.name, option, v, find) for p, v in product(variants, values)]
    return variants


def options_of_address(address: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the address and the options of `ADDRESS,option=value,option=value`; a value may hold commas."""
    place, *settings = re.split(r",(?=[A-Za-z_]+=)", address)
    return place, [(name, value) for name, _, value in (setting.partition("=") for setting in settings)]


def with_texts(part: Any, options: Iterable[tuple[str, str]], find: Find = _no_parts) -> Any:
    """Return the part with options set from texts, each typed as by `--set`; the errors are those of `varied`."""
    for name, text in options:
        part = _replaced(part, part.name, [name], text, find)
    return part


def check_targets(sets: Iterable[str], parts: Sequence[Any]) -> None:
    """Raise UnknownName if a setting is for a part that this run does not use."""
    for text in sets:
        path, _ = split(text)
        if not any(path.startswith(f"{p.name}.") for p in parts):
            raise UnknownName.of(
                "part in --set", path.rpartition(".")[0] or path, {p.name for p in parts}, label="In this run"
            )


def split(text: str) -> tuple[str, list[str]]:
    """Return the path and the values of `PART.OPTION=VALUE[,VALUE…]`."""
    path, equals, values = text.partition("=")
    if not equals or "." not in path:
        raise WrongOption(f"--set takes PART.OPTION=VALUE, not {text!r}.")
    return path, values.split(",")


def _replaced(part: Any, path: str, option: Sequence[str], text: str, find: Find) -> Any:
    """Return the part, which `path` names as it was typed: a member need not have a name of its own."""
    name, *rest = option
    options = options_of(part)
    if name not in options:
        raise UnknownName.of(f"option of {path!r}", name, options, label="Options")
    if rest:
        if not dataclasses.is_dataclass(options[name]):
            raise UnknownName.of(
                f"member of {path!r}",
                name,
                [k for k, v in options.items() if dataclasses.is_dataclass(v)],
                label="Members",
            )
        return with_option(part, name, _replaced(options[name], f"{path}.{name}", rest, text, find))
    if holds := _part_held(part, name):
        return with_option(part, name, _installed(find, holds, f"{path}.{name}={text}", text))
    if dataclasses.is_dataclass(options[name]):
        first = next(iter(options_of(options[name])), "OPTION")
        raise WrongOption(
            f"{path}.{name}={text}: a member's options are set one by one, as {path}.{name}.{first}=VALUE."
        )
    return with_option(part, name, _typed(part, path, name, text))


def _hint_of(part: Any, name: str) -> Any:
    hints = get_type_hints(type(part))
    return hints.get(name) or hints[f"{name}_"]


def _part_held(part: Any, name: str) -> Any:
    """Return the type of an option that holds a backbone, one or none, or tasks, any number; None of any other."""
    hint = _hint_of(part, name)
    types = (hint, *get_args(hint))
    if Backbone in types or (get_origin(hint) is tuple and Task in types):
        return hint
    return hint if isinstance(hint, type) and isinstance(options_of(part)[name], Backbone) else None


def _installed(find: Find, hint: Any, setting: str, text: str) -> Any:
    """Return the installed parts that a text names: a backbone, or a tuple of tasks."""
    if get_origin(hint) is tuple:
        return tuple(task for name in text.split(":") if name for task in _tasks(find, name))
    types = get_args(hint) or (hint,)
    if text == "none" and type(None) in types:
        return None
    backbone = find("backbone", text)
    if not isinstance(backbone, types):
        raise WrongOption(f"{setting}: backbone {text!r} is no {types[0].__name__}, which this option takes.")
    return backbone


def _tasks(find: Find, name: str) -> list[Any]:
    """Return the task of a name, or the tasks of the suite of that name."""
    try:
        return [find("task", name)]
    except UnknownName as error:
        try:
            suite = find("suite", name)
        except UnknownName:
            raise error from None
    return [find("task", task) for task in suite.tasks]


def _typed(part: Any, path: str, name: str, text: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    hint = _hint_of(part, name)
    listed = any(get_origin(h) is tuple for h in (hint, *get_args(hint)))
    value: Any = tuple(text.split(":") if text else ()) if listed else text
    for attempt in [None, value] if text == "none" else [value]:  # an option that cannot be None may be called so
        try:
            return TypeAdapter(hint).validate_python(attempt)
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
    raise WrongOption(f"{path}.{name}={text}: {problem[0].lower()}{problem[1:]}.")


def options_of(part: Any) -> dict[str, Any]:
    """Return a part's options by the names that users type: its fields, but those that say what it is.

    An option named like the part's verb needs an underscore as a field (`similarity_`); users do not type it.
    """
    return {f.name.removesuffix("_"): getattr(part, f.name) for f in dataclasses.fields(part) if f.name not in FIXED}


def with_option(part: Any, option: str, value: Any) -> Any:
    """Return the part with one option replaced; `option` as users type it."""
    names = {f.name.removesuffix("_"): f.name for f in dataclasses.fields(part)}
    return dataclasses.replace(part, **{names[option]: value})


# Fields that say what a part is, not how it works.
FIXED = frozenset({"name", "needs", "suite", "kind", "metric", "further", "card"})


def only(kind: str, variants: Sequence[T]) -> T:
    """Return the one part that a name and its options mean; several settings of an option are refused."""
    if len(variants) > 1:
        name = variants[0].name  # type: ignore[attr-defined]
        raise WrongOption(f"{kind} {name!r} has {len(variants)} settings; here it takes one value an option.")
    return variants[0]


def with_members(
    find: Find, estimator: Estimator, sets: Sequence[str] = (), above: tuple[Estimator, ...] = ()
) -> Estimator:
    """Return an estimator with the installed estimators in place of the names in its field `members`, if it has one.

    `find` returns the installed part of a kind and name. They have the options that `sets` gives to estimators of their
    names; `above` are those that it is a member of.

    Raises
    ------
    UnknownName
        If no installed estimator bears such a name.
    UnusableData
        If an option of one is given several values, or one is a member of itself.
    """
    members = getattr(estimator, "members", ())
    if not isinstance(members, tuple) or not any(isinstance(m, str) for m in members):
        return estimator
    if estimator in above:
        raise UnusableData(f"estimator {estimator.name!r} is a member of itself: name others in its members.")
    above = (*above, estimator)

    def installed(name: str) -> Estimator:
        return with_members(find, only("estimator", varied(find("estimator", name), sets)), sets, above)

    named = tuple(installed(m) if isinstance(m, str) else m for m in members)
    return replace(estimator, members=named)  # type: ignore[type-var]


def all_members(estimators: Iterable[Estimator]) -> list[Estimator]:
    """Return the members of estimators' tuples `members`, and theirs: those that `--set` means by their own names."""
    members = [m for e in estimators for m in getattr(e, "members", ()) if isinstance(m, Estimator)]
    return [*members, *all_members(members)] if members else []
