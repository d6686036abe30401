"""Records as plain JSON values and back, checked field by field."""

import json
import re
from functools import cache
from typing import Any

from ..data.oracle_files import FORMER_FIELDS
from ..parts.codec import with_public_names
from ..storage.foreign import faults_of_json

# The flat names that scores had before schema version 4, by their places today.
FORMER_SCORES = {
    "trs": {
        "value": "trs",
        "chance": "trs_chance",
        "p": "trs_p",
        "p_independent": "trs_p_independent",
        "interval": "trs_interval",
    },
    "top_k": {"m": "top_m", "share": "top_k", "chance": "top_k_chance"},
    "metric": {
        "selected": "selected_mean",
        "best": "oracle_best_mean",
        "random": "random_mean",
        "no_transfer": "no_transfer_mean",
    },
    "gains": {
        "selected": "selected_gain",
        "best": "oracle_best_gain",
        "random": "random_gain",
        "helping": "helping",
        "selected_helping": "selected_helping",
    },
    "ranking": {name: name for name in ("rank_of_best", "ndcg", "ndcg_gain", "spearman", "kendall")},
}


@cache  # made once: making it takes longer than reading a result
def adapter(kind: type) -> Any:
    """Return pydantic's adapter of a kind of record."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def plain(record: Any) -> Any:
    """Return any record as JSON values: null for what is undefined."""
    kind: Any = type(record)
    return json.loads(adapter(kind).dump_json(record))


def record_of_plain(kind: type, values: Any) -> Any:
    """Return the record of these JSON values; ValueError says in words what does not fit.

    As JSON, so that a text is no number: "nan" would pass for one.
    """
    return record_of_json(kind, json.dumps(values))


def record_of_json(kind: type, text: str) -> Any:
    """Return the record of a JSON text; ValueError says in words what does not fit."""
    from pydantic import ValidationError

    try:
        return adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise ValueError(_in_words(error.errors()[0])) from None


def sound_record(kind: type, text: str) -> Any:
    """Return the record of a JSON text, which is parsed once; None if anything is wrong with the text."""
    try:
        record = record_of_json(kind, text)
    except ValueError:
        return None
    return None if any(faults_of_json(record)) else record


def _in_words(fault: Any) -> str:
    """Return pydantic's fault without Python's names of things."""
    place = " / ".join(map(str, fault["loc"]))
    if fault["type"] == "missing":
        return f"it has no {place}"
    message = (
        re.sub(r" or an instance of \w+|, unable to .*", "", fault["msg"])
        .replace("dictionary", "JSON object")
        .replace("an object", "a JSON object")
    )
    return f"{place} {message.removeprefix('Input ')}"


def upgraded_result(plain_result: dict[str, Any], version: int) -> dict[str, Any]:
    """Return what a result file of an older schema holds in the form of today's, which is `version`.

    Scores that only a later schema has stay unknown: `cogbench score` computes them.
    """
    former, upgraded = plain_result["schema_version"], dict(plain_result, schema_version=version)
    if former == 1:
        for name in ("oracle", "signal_quality"):
            if isinstance(record := upgraded.get(name), dict):
                upgraded[name] = {FORMER_FIELDS.get(key, key): value for key, value in record.items()}
        upgraded |= {name: with_public_names(upgraded[name]) for name in ("options", "provenance") if name in upgraded}
    if isinstance(scores := upgraded.get("scores"), dict):
        upgraded["scores"] = _grouped(_flat_scores(scores) if former < 3 else scores)
    return upgraded


def _flat_scores(scores: dict[str, Any]) -> dict[str, Any]:
    """Return the scores of the schemas 1 and 2 by the names of schema 3."""
    kept = {name: value for name, value in scores.items() if name not in ("trs_resolution", "trs_p")}
    if isinstance(ranks := kept.get("per_target"), dict):
        kept["per_target"] = {target: {"rank": rank} for target, rank in ranks.items()}
    return {**kept, "trs_p_independent": scores.get("trs_p"), "trs_p": None, "skill": None, "resampled": None}


def _grouped(scores: dict[str, Any]) -> dict[str, Any]:
    """Return the flat scores of schema 3 in their groups."""
    flat = dict(scores)
    groups: dict[str, Any] = {
        group: {field: flat.pop(name) for field, name in names.items() if name in flat}
        for group, names in FORMER_SCORES.items()
    }
    if groups["ranking"].get("rank_of_best") is None:  # a selection has no whole ranking
        groups["ranking"] = None
    return {**flat, **groups}
