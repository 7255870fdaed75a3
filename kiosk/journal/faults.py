"""Why a journal cannot be used: for the code that decides by it, and for the person who has to mend it."""

from __future__ import annotations

import errno
import os
from enum import Enum
from pathlib import Path

import apsw


class Fault(Enum):
    """What is wrong, by the code under which screen, host and log name it."""

    LOCKED = "journal-locked"
    FULL = "journal-full"
    READ_ONLY = "journal-read-only"
    DENIED = "journal-denied"
    ABSENT = "journal-absent"
    DAMAGED = "journal-damaged"
    BROKEN = "journal-broken"
    KEYLESS = "journal-keyless"
    OTHER_FORM = "journal-other-form"
    IO = "journal-io"


MEND = {
    Fault.LOCKED: "another process has it open",
    Fault.FULL: "the disk is full: make room, and the terminal goes on by itself",
    Fault.READ_ONLY: "the file system is read-only: check the disk before it is mounted for writing again",
    Fault.DENIED: "this user may not write there: check owner and rights of the directory and the file",
    Fault.ABSENT: "it is not there: restore it, from the host's copy",
    Fault.DAMAGED: "it cannot be read as it is: keep the file, and salvage what is in it",
    Fault.BROKEN: "it was changed after it was written: keep the file, and call who may look into it",
    Fault.KEYLESS: "the key that it is sealed with is not there: put back journal.key as it was",
    Fault.OTHER_FORM: "it was not written by this version for this enrolment",
    Fault.IO: "the disk does not do what it is asked: keep the file, and exchange the disk",
}
"""What a person can do about it."""


class JournalError(Exception):
    """The journal cannot be opened, is damaged, or cannot be written any more. No note may be taken."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(f"{text} ({fault.value}: {MEND[fault]})")
        self.fault = fault
        self.text = text


_BY_ERRNO = {
    errno.ENOSPC: Fault.FULL, errno.EDQUOT: Fault.FULL, errno.EFBIG: Fault.FULL, errno.EROFS: Fault.READ_ONLY,
    errno.EACCES: Fault.DENIED, errno.EPERM: Fault.DENIED, errno.ENOENT: Fault.ABSENT, errno.ENOTDIR: Fault.ABSENT,
}  # fmt: skip

_BY_KIND: tuple[tuple[type[Exception], Fault], ...] = (
    (apsw.BusyError, Fault.LOCKED),
    (apsw.LockedError, Fault.LOCKED),
    (apsw.FullError, Fault.FULL),
    (apsw.PermissionsError, Fault.DENIED),
    (apsw.CorruptError, Fault.DAMAGED),
    (apsw.NotADBError, Fault.DAMAGED),
)


def failed(path: Path, error: apsw.Error | OSError, system_errno: int = 0) -> JournalError:
    """``error`` in our terms. ``system_errno``: what the operating system told SQLite last; 0 where that is not
    known.
    """
    return JournalError(_fault(path, error, system_errno), f"{path}: {type(error).__name__}: {error}")


def _fault(path: Path, error: apsw.Error | OSError, system_errno: int) -> Fault:
    if isinstance(error, apsw.ReadOnlyError):
        return Fault.READ_ONLY if _is_read_only(path) else Fault.DENIED  # SQLite has one word for both.
    by_kind = next((fault for kind, fault in _BY_KIND if isinstance(error, kind)), None)
    number = error.errno if isinstance(error, OSError) else system_errno
    return by_kind or _BY_ERRNO.get(number or 0, Fault.IO)


def _is_read_only(path: Path) -> bool:
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False
