"""A journal that this disk has lost, made anew: of the host's copy, and of what could be salvaged.

Such a journal ends before the epoch that its terminal was given since: what the old disk wrote last, and nobody has
seen, may have used the next places, so they are never used again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from guichet.journal.chain import ChainError, Entry, next_entry
from guichet.journal.line import line
from guichet.journal.records import Fact, encode
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.faults import failed
from kiosk.journal.file import JournalFile
from kiosk.journal.replay import Replay, verify_links
from kiosk.journal.store import Writer

_TOGETHER = 1_000
_REASON = "journal-restored"


class RestoreError(Exception):
    """What is there cannot be made one journal; the text says which entry is in the way."""


def merged(held: Sequence[Entry], own: Iterable[Entry]) -> list[Entry]:
    """``held`` by the host and, behind the last of each epoch there, those of our ``own`` that continue it; without
    what a later epoch of them went on without. Raises :class:`RestoreError` where the two hold different entries in one
    place, or the whole is no chain.
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
    return line(entries)


def said_of_it(writer: Writer, entries: Sequence[Entry], now_us: int) -> list[Entry]:
    """What ``writer``'s epoch begins with behind ``entries``: that they are restored, and their end is not there. A
    note that they leave undecided may have been stacked since, or given back, and what the device says next may be of
    another: it is in doubt, for good. Raises :class:`RestoreError` where they make no story.
    """
    replay = Replay()
    try:
        for entry in entries:
            replay.take(entry)
    except (KeyError, ValueError) as error:
        raise RestoreError(f"they make no story: {type(error).__name__}: {error}") from error
    facts: list[Fact] = []
    note = replay.fold.last
    if note is not None and note.undecided:
        number = note.outcome_number + 1
        facts.append(pb.NoteInDoubt(note_id=note.note_id, reason=_REASON, outcome_number=number))
    last = (entries[-1].epoch, entries[-1].sequence) if entries else (0, 0)
    facts.append(pb.JournalRestored(entries=len(entries), last_epoch=last[0], last_sequence=last[1]))
    said: list[Entry] = []
    for fact in facts:
        record = encode(writer.terminal, now_us, fact)
        said.append(next_entry(writer.epoch, said[-1] if said else None, record))
    return said


def write_restored(path: Path, key: bytes, epoch: int, entries: Sequence[Entry], said: Sequence[Entry] = ()) -> None:
    """Write ``entries``, sealed with ``key``, as the journal at ``path`` for a terminal that writes ``epoch`` from now
    on, and behind them what is ``said`` of them in that epoch; all of it, or nothing. Raises :class:`RestoreError`
    where a journal is there or ``epoch`` was used before, and :class:`kiosk.journal.faults.JournalError`.
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
        for some in _in_parts([*entries, *said]):
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
