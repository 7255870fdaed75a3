"""The chain: every entry's hash covers the entry before, so nothing can be left out, put in or changed unseen.

The hash is over the stored bytes as they are. Verifying a chain parses no record.

Anyone can compute a hash, so a chain alone shows an accident, not a forger. Beside each entry its terminal keeps a
seal, which takes a key that never leaves the machine: who rewrites a journal without it cannot seal what he wrote.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

GENESIS = bytes(32)
"""What stands before the first entry of an epoch."""

HASH_BYTES = 32
"""Of a hash and of a seal. Were they of other lengths, an entry's hash would not say where its record begins."""

SEAL_KEY_BYTES = 32

_DOMAIN = b"guichet/v1/journal-entry\0"
_SEAL_DOMAIN = b"guichet/v1/journal-seal\0"
_SNAPSHOT_DOMAIN = b"guichet/v1/journal-snapshot\0"
_CHECKPOINT_DOMAIN = b"guichet/v1/journal-checkpoint-kept\0"
_MILESTONE_DOMAIN = b"guichet/v1/journal-milestone\0"
_BASE_DOMAIN = b"guichet/v1/journal-base\0"


class ChainError(ValueError):
    """A chain that was broken. ``sequence`` is the first entry that does not fit."""

    def __init__(self, sequence: int, reason: str) -> None:
        super().__init__(f"journal entry {sequence}: {reason}")
        self.sequence = sequence
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in its place: ``record`` is the serialised guichet.v1.JournalRecord, verbatim."""

    epoch: int
    sequence: int
    previous_hash: bytes
    hash: bytes
    record: bytes


def entry_hash(epoch: int, sequence: int, previous_hash: bytes, record: bytes) -> bytes:
    """SHA-256 over the domain, epoch and sequence (8 bytes big-endian each), the previous hash and the record."""
    place = epoch.to_bytes(8, "big") + sequence.to_bytes(8, "big")
    return hashlib.sha256(_DOMAIN + place + previous_hash + record).digest()


def entry_seal(key: bytes, digest: bytes) -> bytes:
    """HMAC-SHA256 with ``key``, of 32 bytes, over the domain and an entry's hash, and so over all before it."""
    return hmac.digest(key, _SEAL_DOMAIN + digest, "sha256")


def snapshot_seal(key: bytes, epoch: int, sequence: int, digest: bytes, state: bytes) -> bytes:
    """HMAC-SHA256 with ``key``, of 32 bytes, over the domain, an entry's epoch and sequence (8 bytes big-endian each)
    and hash, and the state that all records up to it come to.
    """
    place = epoch.to_bytes(8, "big") + sequence.to_bytes(8, "big")
    return hmac.digest(key, _SNAPSHOT_DOMAIN + place + digest + state, "sha256")


def checkpoint_seal(key: bytes, content: bytes) -> bytes:
    """HMAC-SHA256 with ``key`` over the domain and the content of a checkpoint whose signature was looked at."""
    return hmac.digest(key, _CHECKPOINT_DOMAIN + content, "sha256")


def milestone_seal(key: bytes, snapshot: bytes, checkpoint: bytes) -> bytes:
    """HMAC-SHA256 with ``key`` over the domain, a snapshot's seal, and a checkpoint's content, which covers it."""
    return hmac.digest(key, _MILESTONE_DOMAIN + snapshot + checkpoint, "sha256")


def base_seal(key: bytes, milestone: bytes, later: bytes) -> bytes:
    """HMAC-SHA256 with ``key`` over the domain, a milestone's seal, and the content of the later checkpoint by which it
    was old enough for what lies before it to be removed.
    """
    return hmac.digest(key, _BASE_DOMAIN + milestone + later, "sha256")


def check_snapshot_seal(key: bytes, seal: bytes, epoch: int, sequence: int, digest: bytes, state: bytes) -> None:
    """Raises :class:`ChainError` unless ``seal`` was made with ``key`` for that state at that entry."""
    if not hmac.compare_digest(seal, snapshot_seal(key, epoch, sequence, digest, state)):
        raise ChainError(sequence, "its snapshot was not sealed with this terminal's key")


def check_seal(entry: Entry, key: bytes, seal: bytes) -> None:
    """Raises :class:`ChainError` unless ``seal`` was made with ``key`` for ``entry``."""
    if not hmac.compare_digest(seal, entry_seal(key, entry.hash)):
        raise ChainError(entry.sequence, "was not sealed with this terminal's key")


def next_entry(epoch: int, last: Entry | None, record: bytes) -> Entry:
    """The entry that follows ``last`` in ``epoch``; None: the first one."""
    sequence = 1 if last is None else last.sequence + 1
    previous = GENESIS if last is None else last.hash
    return Entry(epoch, sequence, previous, entry_hash(epoch, sequence, previous, record), record)


def check_link(entry: Entry, epoch: int, last_sequence: int, last_hash: bytes) -> None:
    """Raises :class:`ChainError` unless ``entry`` directly follows the given place of ``epoch``."""
    if entry.epoch != epoch:
        raise ChainError(entry.sequence, f"is of epoch {entry.epoch}, not {epoch}")
    if entry.sequence != last_sequence + 1:
        raise ChainError(entry.sequence, f"does not follow {last_sequence}")
    if entry.previous_hash != last_hash:
        raise ChainError(entry.sequence, "does not continue from the entry before it")
    check_hash(entry)


def check_hash(entry: Entry) -> None:
    """Raises :class:`ChainError` unless the hash of ``entry`` is that of its bytes."""
    if entry.hash != entry_hash(entry.epoch, entry.sequence, entry.previous_hash, entry.record):
        raise ChainError(entry.sequence, "was altered: its hash does not match its bytes")


def verify_chain(entries: Iterable[Entry], epoch: int) -> tuple[int, bytes]:
    """Check a whole epoch from its first entry; gives the last sequence and hash (0 and :data:`GENESIS` for none).

    Raises :class:`ChainError` at the first entry that does not fit.
    """
    sequence, last_hash = 0, GENESIS
    for entry in entries:
        check_link(entry, epoch, sequence, last_hash)
        sequence, last_hash = entry.sequence, entry.hash
    return sequence, last_hash
