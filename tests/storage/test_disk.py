"""A full disk is recognised by its number, also behind other errors, and is told in one line."""

import errno

import pytest

from cogbench.errors import FullDisk
from cogbench.storage import disk


def behind(error):
    """Return an error that a library raised because of another."""
    try:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("could not save") from cause
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    "error, full",
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (behind(OSError(errno.ENOSPC, "in another language")), True),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (behind(ValueError("x")), False),
    ],
)
def test_a_full_disk_is_recognised(error, full):
    assert disk.is_disk_full(error) is full


def test_room_is_that_of_the_folder_or_of_where_it_will_be(tmp_path, monkeypatch):
    assert disk.free_bytes(tmp_path / "not" / "yet") == pytest.approx(disk.free_bytes(tmp_path), rel=0.1)
    assert disk.has_room(tmp_path)
    monkeypatch.setattr(disk, "LEAST_FREE", 2**80)
    assert not disk.has_room(tmp_path)
    assert isinstance(disk.disk_full(tmp_path), FullDisk) and "is full: make room" in str(disk.disk_full(tmp_path))
