"""A journal that this disk has lost, made anew: of the host's copy, and of what could be salvaged.

Such a journal ends before the epoch that its terminal was given since: what the old disk wrote last, and nobody has
seen, may have used the next places, so they are never used again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from guichet.journal.chain import ChainError, Entry
from kiosk.journal.faults import failed
from kiosk.journal.file import JournalFile
from kiosk.journal.replay import verify_links

_TOGETHER = 1_000


class RestoreError(Exception):
    """What is there cannot be made one journal; the text says which entry is in the way."""


def merged(held: Sequence[Entry], own: Iterable[Entry]) -> list[Entry]:
    """``held`` by the host and, behind the last of each epoch there, those of our ``own`` that continue it. Raises
    :class:`RestoreError` where the two hold different entries in one place, or the whole is no chain.
    """
    known = {(entry.epoch, entry.sequence): entry for entry in held}
    for entry in own:
        there = known.setdefault((entry.epoch, entry.sequence), entry)
        if there != entry:
            raise RestoreError(f"the host holds another entry at {entry.epoch}/{entry.sequence}: both are evidence")
    entries = [known[place] for place in sorted(known)]
    try:
        verify_links(entries)
    except ChainError as error:
        raise RestoreError(f"there is a gap: {error}") from error
    return entries


def write_restored(path: Path, key: bytes, epoch: int, entries: Sequence[Entry]) -> None:
    """Write ``entries``, sealed with ``key``, as the journal at ``path`` for a terminal that writes ``epoch`` from now
    on; all of it, or nothing. Raises :class:`RestoreError` where a journal is there or ``epoch`` was used before, and
    :class:`kiosk.journal.faults.JournalError`.
    """
    if path.exists() or Path(f"{path}-wal").exists():
        raise RestoreError(f"{path} or its log is there: move both away first; nothing was done")
    if entries and entries[-1].epoch >= epoch:
        raise RestoreError(
            f"epoch {entries[-1].epoch} was written before, and this enrolment writes {epoch}: enrol again"
        )
    begun = path.with_name(path.name + ".begun")
    begun.unlink(missing_ok=True)
    file = JournalFile.create(begun, key)
    try:
        for some in _in_parts(entries):
            file.write(some)
        file.goes_on()
    finally:
        file.close()
    try:
        _put_in_place(begun, path)
    except OSError as error:
        raise failed(path, error) from error


def _put_in_place(begun: Path, path: Path) -> None:
    """Under its name, which nobody may have taken meanwhile: a terminal may have been started."""
    try:
        os.link(begun, path)
    except FileExistsError as error:
        raise RestoreError(
            f"{path} came to be there meanwhile: stop the terminal, and look; nothing was done"
        ) from error
    finally:
        begun.unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _in_parts(entries: Sequence[Entry]) -> Iterable[Sequence[Entry]]:
    for begin in range(0, len(entries), _TOGETHER):
        yield entries[begin : begin + _TOGETHER]
