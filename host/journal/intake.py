"""Taking in a journal: every entry follows the one that is held, or it is a gap or a fork. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from guichet.journal.chain import GENESIS, Entry, entry_hash
from guichet.limits import MAX_RECORD_BYTES, MAX_RECORDS_PER_BATCH
from guichet.v1 import journal_pb2

_HASH_BYTES = 32
_MAX_NUMBER = 2**63 - 1


class MalformedBatch(ValueError):
    """A batch that cannot be what it claims to be; nothing of it is kept."""


class Gap(Exception):
    """The batch begins after what the host holds: the entries ``first`` to ``last`` of ``epoch`` are missing."""

    def __init__(self, epoch: int, first: int, last: int) -> None:
        super().__init__(f"the host holds up to {first - 1} of epoch {epoch}, the batch begins at {last + 1}")
        self.epoch, self.first, self.last = epoch, first, last


@dataclass(frozen=True, slots=True)
class Place:
    """The last entry of an epoch that is held: 0 and the genesis hash for none."""

    sequence: int = 0
    hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Intake:
    """What to keep of a batch: ``new`` extends the journal, ``forked`` claims places that it cannot have."""

    new: tuple[Entry, ...] = ()
    forked: tuple[Entry, ...] = field(default=())


def parse_batch(messages: Sequence[journal_pb2.JournalEntry]) -> tuple[Entry, ...]:
    """The entries of a batch: in order, of one epoch, each hash that of its bytes. Raises :class:`MalformedBatch`."""
    if not 1 <= len(messages) <= MAX_RECORDS_PER_BATCH:
        raise MalformedBatch(f"a batch has 1 to {MAX_RECORDS_PER_BATCH} entries, not {len(messages)}")
    entries = tuple(_entry(message) for message in messages)
    for before, after in pairwise(entries):
        if (after.epoch, after.sequence) != (before.epoch, before.sequence + 1):
            raise MalformedBatch(f"entry {after.sequence} of epoch {after.epoch} does not follow {before.sequence}")
        if after.previous_hash != before.hash:
            raise MalformedBatch(f"entry {after.sequence} does not continue from the entry before it")
    return entries


def _entry(message: journal_pb2.JournalEntry) -> Entry:
    if not (1 <= message.epoch <= _MAX_NUMBER and 1 <= message.sequence <= _MAX_NUMBER):
        raise MalformedBatch("epoch and sequence count from 1")
    if len(message.previous_hash) != _HASH_BYTES or len(message.hash) != _HASH_BYTES:
        raise MalformedBatch(f"entry {message.sequence}: a hash has {_HASH_BYTES} bytes")
    if len(message.record) > MAX_RECORD_BYTES:
        raise MalformedBatch(f"entry {message.sequence}: a record of {len(message.record)} bytes is too long")
    if message.hash != entry_hash(message.epoch, message.sequence, message.previous_hash, message.record):
        raise MalformedBatch(f"entry {message.sequence}: its hash does not match its bytes")
    return Entry(message.epoch, message.sequence, message.previous_hash, message.hash, message.record)


def take_in(entries: Sequence[Entry], last: Place, held: Mapping[int, bytes], *, on_a_branch: bool = False) -> Intake:
    """Decide about a parsed batch. ``held``: sequence -> hash of those of its places that are taken already.
    ``on_a_branch``: it continues from an entry of a fork.

    Raises :class:`Gap` where the batch begins beyond ``last``. From the first entry that does not fit, everything is a
    fork: what follows it continues from it.
    """
    if on_a_branch:
        return Intake(forked=tuple(entries))
    if entries[0].sequence > last.sequence + 1:
        raise Gap(entries[0].epoch, last.sequence + 1, entries[0].sequence - 1)
    for index, entry in enumerate(entries):
        if entry.sequence <= last.sequence:
            if held[entry.sequence] != entry.hash:
                return Intake(forked=tuple(entries[index:]))
        elif entry.sequence == last.sequence + 1 and entry.previous_hash != last.hash:
            return Intake(forked=tuple(entries[index:]))
        else:
            return Intake(new=tuple(entries[index:]))
    return Intake()
