"""Which installed parts combine a source and a target: a backbone that trains both together, a selector of rows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import UnknownName, WrongOption
from ..parts.interfaces import Backbone, shares, teacher_of, trained_alone
from ..parts.recipe import ALL_ROWS, SEQUENTIAL, SHARINGS, USUAL_SHARE, RowChoice, Selector
from ..parts.registry import Parts
from ..parts.set_options import only, varied


def find_sharing(parts: Parts, sharing: str, backbone: Backbone, set: Sequence[str] = ()) -> Backbone:
    """Return the backbone that trains several tasks together in a way, each of them as `backbone` is trained.

    Raises
    ------
    UnknownName
        If there is no such way, or no installed backbone trains so.
    UnusableData
        If the backbone itself trains several tasks together, in another way, or `set` names another backbone.
    """
    if sharing not in SHARINGS:
        raise UnknownName.of("sharing", sharing, SHARINGS)
    if sharing == SEQUENTIAL or sharing in shares(backbone):
        return backbone
    if shares(backbone):
        able = ", ".join(sorted(shares(backbone)))
        raise WrongOption(f"backbone {backbone.name!r} cannot train with sharing {sharing!r}; it can: {able}.")
    able_parts = [part for part in parts.backbones.values() if sharing in shares(part)]
    if not able_parts:
        raise UnknownName(f"no installed plugin trains tasks with sharing {sharing!r}; cogbench-multitask does.")
    together = only("backbone", varied(able_parts[0], set, parts.find))
    if getattr(together, "backbone", None) != getattr(able_parts[0], "backbone", None):
        raise WrongOption(
            f"{together.name} trains the backbone of --backbone: leave out --set {together.name}.backbone."
        )
    return replace(together, backbone=backbone)  # type: ignore[type-var]


def label_of(parts: Parts, backbone: Backbone) -> str:
    """Return the label of a backbone that is trained, and the options of the one around it that trains together."""
    alone = trained_alone(backbone)
    label, usual = parts.label("backbone", alone), parts.backbones.get(backbone.name)
    if backbone is alone or usual is None:
        return label
    own: Any = replace(backbone, backbone=usual.backbone)  # type: ignore[type-var,attr-defined]
    return label + parts.label("backbone", own).removeprefix(backbone.name)


def find_selector(parts: Parts, select: str | Selector | None, set: Sequence[str] = ()) -> Selector | None:
    """Return the selector of a name, with its options; None for None.

    Raises
    ------
    UnknownName
        If there is none of that name; of an option, as `varied`.
    UnusableData
        If an option is given several values.
    """
    if select is None:
        return None
    part = parts.find("selector", select) if isinstance(select, str) else select
    chosen: Selector = only("selector", varied(part, set, parts.find))
    return chosen


def check_choice(selector: Selector | None, share: float | None, backbone: Backbone, *, checkpoints: bool) -> float:
    """Refuse what cannot be trained on chosen rows; return the share that is kept, which is a half unless it is given.

    Raises
    ------
    UnusableData
        If the share is none, or there is no selector; if the sources are trained already, or the backbone has a
        teacher, which would learn from all rows.
    """
    if selector is None:
        if share is not None:
            raise WrongOption(
                f"a share of {share:g} of the rows cannot be kept without a selector: name one with --select, or leave "
                "out --select-share."
            )
        return USUAL_SHARE
    share = USUAL_SHARE if share is None else share
    RowChoice(selector, None, share)  # type: ignore[arg-type]
    if checkpoints:
        raise WrongOption("checkpoints are trained already: no rows of theirs can be chosen with --select.")
    if teacher_of(trained_alone(backbone)):
        raise WrongOption(
            f"backbone {backbone.name!r} learns from a teacher, which learns from all rows: leave out --select, or "
            "name a backbone without a teacher."
        )
    return share


def choice_word(parts: Parts, selector: Selector | None, share: float) -> str:
    """Return how rows are chosen in a word, such as `similarity[terms=False] 0.5`."""
    return ALL_ROWS if selector is None else f"{parts.label('selector', selector)} {share:g}"
