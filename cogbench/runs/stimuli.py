"""Which sentences an estimator reads: those of a signal with responses, of a file of one's own, or neutral ones."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..compute.workspace import Workspace
from ..data.oracle import Suite
from ..data.recording import Recording
from ..errors import UnknownName, WrongOption
from ..parts.interfaces import ORACLES_DATA, Estimator, Signal
from ..parts.registry import Parts
from ..parts.sentence_file import SentenceFile
from ..tables.options import ending_of

NEUTRAL = "neutral"  # the signal that stands in where the usual one is not at hand
PLAIN_TEXT = (".txt", ".txt.gz")  # sentences, and no table
log = logging.getLogger("cogbench")


def takes_sentences(estimator: Estimator) -> bool:
    """Whether an estimator needs stimuli and no responses to them; of a combination, whether no member needs them."""
    return "representations" in estimator.needs and "responses" not in estimator.needs


def find_stimuli(parts: Parts, address: str | Path) -> Signal:
    """Return the signal of this name, or one that reads the sentences in a file.

    Raises
    ------
    UnknownName
        If it is neither the name of a signal nor a file.
    """
    address, path = str(address), Path(address).expanduser()
    file = address if path.exists() else re.split(r"[:,]", address)[0]
    has_roles = file != address and "=" in address
    if address in parts.signals or has_roles or ending_of(file) not in ("", *PLAIN_TEXT):
        return parts.find("signal", address)
    if (signal := parts.open("signal", address, last_resort=False)) is not None:
        return signal
    if not path.suffix and not path.exists():
        raise UnknownName.of("signal or file of sentences", address, parts.signals)
    name = path.stem if path.stem not in parts.signals else f"{path.stem}-own"
    return SentenceFile(name, str(path))


def refuse_unused_stimuli(estimators: Sequence[Estimator]) -> None:
    """Raise UnusableData for stimuli that no estimator reads."""
    if not any(takes_sentences(estimator) for estimator in estimators):
        listed = ", ".join(repr(estimator.name) for estimator in estimators)
        if any("responses" in estimator.needs for estimator in estimators):
            raise WrongOption(
                f"--stimuli gives sentences alone, and {listed} cannot use them without responses: "
                "name a signal that has responses with --signal."
            )
        raise WrongOption(f"--stimuli gives sentences, and {listed} reads none: leave the option out.")


def refuse_without_responses(estimator: Estimator, signal: Signal, recording: Recording, suite: Suite) -> None:
    """Raise UnusableData if an estimator needs responses and the signal holds sentences alone."""
    if "responses" in estimator.needs and not recording.subjects:
        usual = suite.signal if suite.signal != signal.name else "one that `cogbench list signals` shows"
        raise WrongOption(
            f"signal {signal.name!r} holds sentences without responses, which estimator {estimator.name!r} needs: name "
            f"a signal that has them, such as --signal {usual}."
        )


def stand_in(signals: Sequence[Signal], suite: Suite, workspace: Workspace) -> tuple[Sequence[Any], tuple[str, ...]]:
    """Return a suite's usual signal if it is at hand, else the neutral sentences and a note that says so.

    At hand is what can be read without a download.
    """
    neutral = workspace.parts.signals.get(NEUTRAL)
    if neutral is None or (signals and all(workspace.at_hand(signal) for signal in signals)):
        return signals, ()
    reason, remedy = "is not installed", "--signal names another one"
    if signals:
        reason = "is not on this machine"
        remedy = f"`cogbench fetch --signal {suite.signal}` brings it, or says who publishes it"
    note = (
        f"stimuli: neutral sentences stand in for those of {suite.signal!r}, the usual signal of suite {suite.name!r}, "
        f"which {reason}; {remedy}, --stimuli takes other sentences."
    )
    log.warning(note)
    return [neutral], (note,)


def refuse_knowing(estimator: Estimator) -> None:
    """Raise WrongOption if an estimator reads what an oracle is scored on: a target of one's own has no oracle."""
    if "evaluation" in estimator.needs:
        raise WrongOption(
            f"estimator {estimator.name!r} reads the evaluation split, whose answers a recommendation must not know."
        )
    if ORACLES_DATA & estimator.needs:
        raise WrongOption(
            f"estimator {estimator.name!r} reads measured transfers, and there are none to a target of your own."
        )
