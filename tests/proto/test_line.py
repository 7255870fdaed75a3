"""Of what several disks wrote, which entries are the present one's story."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pytest

from guichet.ids import TerminalId
from guichet.journal.chain import GENESIS, Entry, entry_hash, next_entry
from guichet.journal.line import goes_on_from, line, was_restored
from guichet.journal.records import Fact, encode
from guichet.v1 import journal_pb2 as pb

NAME = TerminalId("T-1")
STARTED = pb.TerminalStarted()


def disk(epoch: int, count: int, *begins: Fact) -> list[Entry]:
    """What a disk wrote in its epoch: ``count`` entries, of which the first are ``begins``."""
    entries: list[Entry] = []
    for fact in (*begins, *([STARTED] * (count - len(begins)))):
        entries.append(next_entry(epoch, entries[-1] if entries else None, encode(NAME, 1, fact)))
    return entries


def restored(epoch: int, sequence: int) -> Fact:
    return pb.JournalRestored(entries=sequence, last_epoch=epoch, last_sequence=sequence)


def again(epoch: int, sequence: int) -> Fact:
    return pb.TerminalStarted(last_epoch=epoch, last_sequence=sequence)


def places(entries: Sequence[Entry]) -> dict[int, int]:
    return {epoch: len(list(of_it)) for epoch, of_it in groupby(entries, key=lambda entry: entry.epoch)}


DOUBT = pb.NoteInDoubt(note_id="n", reason="journal-restored", outcome_number=1)


@pytest.mark.parametrize(
    ("disks", "expected"),
    [
        ([], {}),
        ([disk(1, 5)], {1: 5}),
        ([disk(1, 5), disk(2, 3)], {1: 5, 2: 3}),
        ([disk(1, 5), disk(2, 3, restored(1, 5))], {1: 5, 2: 3}),
        ([disk(1, 9), disk(2, 3, restored(1, 5))], {1: 5, 2: 3}),
        ([disk(1, 9), disk(2, 3, DOUBT, restored(1, 5))], {1: 5, 2: 3}),
        ([disk(1, 9), disk(2, 3, restored(0, 0))], {2: 3}),
        ([disk(1, 9), disk(2, 9, restored(1, 5)), disk(3, 2, restored(2, 4))], {1: 5, 2: 4, 3: 2}),
        # The third was made of a copy without anything of the second, and of more of the first.
        ([disk(1, 9), disk(2, 9, restored(1, 5)), disk(3, 2, restored(1, 7))], {1: 7, 3: 2}),
        ([disk(1, 9), disk(2, 9, restored(1, 5)), disk(3, 2)], {1: 5, 2: 9, 3: 2}),
        # The first disk was enrolled again after the second had been there: it goes on behind its own end.
        ([disk(1, 9), disk(2, 9, restored(1, 5)), disk(3, 2, again(1, 9))], {1: 9, 3: 2}),
        ([disk(1, 9), disk(2, 9, again(1, 9)), disk(3, 2, again(2, 9))], {1: 9, 2: 9, 3: 2}),
        # Before it named the last entry, it said how many there were.
        ([disk(1, 9), disk(2, 2, pb.JournalRestored(entries=5))], {1: 9, 2: 2}),
        # In the third place it is no opening: nobody writes it there.
        ([disk(1, 9), disk(2, 3, STARTED, STARTED, restored(1, 5))], {1: 9, 2: 3}),
    ],
)
def test_a_disk_goes_on_with_what_it_was_made_of_and_with_nothing_behind_that(
    disks: list[list[Entry]], expected: dict[int, int]
) -> None:
    entries = [entry for one in disks for entry in one]
    kept = line(entries)
    assert places(kept) == expected
    assert set(kept) <= set(entries)


def test_what_cannot_be_read_says_nothing() -> None:
    unreadable = Entry(2, 1, GENESIS, entry_hash(2, 1, GENESIS, b"\xff"), b"\xff")
    assert goes_on_from([unreadable]) is None
    second = next_entry(2, unreadable, encode(NAME, 1, restored(1, 5)))
    assert goes_on_from([unreadable, second]) == (1, 5)
    assert goes_on_from([]) is None
    assert [was_restored(one) for one in (disk(2, 3), disk(2, 3, again(1, 5)), disk(2, 3, DOUBT, restored(1, 5)))] == [
        False,
        False,
        True,
    ]
    assert not was_restored([unreadable])
