"""What a running system takes from outside, as protocols: time, randomness, ids, signatures, seals.

Everything is passed in at construction, so that a whole system can run from one seed in virtual time.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Clock(Protocol):
    """Two clocks in one: the wall's may jump, the monotonic one never goes back."""

    def wall_us(self) -> int:
        """Microseconds since 1970-01-01 UTC. Evidence for people; it never orders records."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; for deadlines and durations only."""
        ...


class BootClock(Protocol):
    """How long the machine has been running: a clock that nobody at its keyboard sets, and that outlives a process."""

    def boot_id(self) -> str:
        """Names this boot of the machine; another one at every boot."""
        ...

    def since_boot_us(self) -> int:
        """Microseconds since this boot, those asleep included. It never goes back."""
        ...


class Random(Protocol):
    """A source of random bytes fit for keys, where the system's own is behind it."""

    def bytes(self, count: int) -> bytes:
        """``count`` random bytes."""
        ...


class Ids(Protocol):
    """Makes identifiers that no other terminal and no other run ever makes again."""

    def new(self) -> str:
        """A new id in the form of :func:`guichet.ids.make_id`."""
        ...


class Domain(Enum):
    """What a signature is for. One made for one purpose never verifies for another."""

    DEPOSIT_ADVICE = "deposit-advice"
    SETTLEMENT_ANSWER = "settlement-answer"
    JOURNAL_CHECKPOINT = "journal-checkpoint"
    JOURNAL_EXPORT = "journal-export"
    BOX_COUNT = "box-count"
    CLAIM_PROPOSAL = "claim-proposal"
    CLAIM_RESOLUTION = "claim-resolution"
    OFFLINE_LIMITS = "offline-limits"
    LOST_DEPOSIT = "lost-deposit"


class Signer(Protocol):
    """Signs with a key that it never gives out (a file in development, a TPM or an HSM in production)."""

    def sign(self, domain: Domain, content: bytes) -> bytes:
        """A deterministic signature over ``content`` for ``domain``; see :mod:`guichet.signing`."""
        ...


class Sealer(Protocol):
    """Seals a secret so that only the host can read it."""

    def seal(self, secret: bytes, purpose: bytes) -> bytes:
        """``secret`` sealed to the host's key, bound to ``purpose``; see :mod:`guichet.sealing`."""
        ...
