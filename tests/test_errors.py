"""Errors cross processes whole, and those of one kind or reason are reported together."""

import pickle

import pytest

from cogbench import errors
from cogbench.errors import Absent, CogbenchError, MissingData, UnusableData, together
from cogbench.workers.worker import Refusal

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CogbenchError)]
EXAMPLES = {
    Absent: Absent("data of task 'cola'", "not on this machine."),
    Refusal: Refusal("tcp://10.0.0.1:4000", "it would compute another cell."),
}


@pytest.mark.parametrize("kind", [*KINDS, Refusal])
def test_an_error_survives_pickle(kind):
    error = EXAMPLES.get(kind) or kind("a message.")
    error.place = "an attribute of its own"
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind and str(copy) == str(error) and vars(copy) == vars(error) and copy.args == error.args


def test_errors_of_two_parts_say_what_and_why():
    absence, refusal = EXAMPLES[Absent], EXAMPLES[Refusal]
    assert (absence.what, absence.reason) == ("data of task 'cola'", "not on this machine.")
    assert str(absence) == "data of task 'cola': not on this machine."
    assert (refusal.worker, refusal.reason) == ("tcp://10.0.0.1:4000", "it would compute another cell.")
    assert str(refusal) == "worker tcp://10.0.0.1:4000 refuses: it would compute another cell."


def test_things_that_are_absent_for_one_reason_share_a_line():
    offline, unknown = "--offline forbids the hub.", "the hub cannot be reached."
    absences = [Absent("cola", offline), Absent("rte", unknown), Absent("qqp", offline)]
    error = together(absences)
    assert type(error) is MissingData and str(error) == f"cola; qqp: {offline}\nrte: {unknown}"
    assert str(together([error, MissingData("no file.")])) == f"{error}\nno file."
    assert type(together([*absences, UnusableData("no rows.")])) is CogbenchError
    assert type(together([UnusableData("no rows."), UnusableData("no rows.")])) is UnusableData
