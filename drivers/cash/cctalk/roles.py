"""Bill validator and coin acceptor: one machine in two roles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.api.cash import CashCapabilities
from drivers.cash.cctalk.events import Meaning, coin_meaning, note_meaning
from drivers.cash.cctalk.messages import Header


@dataclass(frozen=True, slots=True)
class Role:
    """``driver``: its registered name. ``watchdog``: seconds without a read of the events after which the device shuts
    its slot. ``mask_bytes``: how many bytes of inhibits it has if it does not say. ``most_types``: positions at most.
    """

    driver: str
    address: int
    events: Header
    ids: Header
    meaning: Callable[[int, int], Meaning]
    capabilities: CashCapabilities
    watchdog: float
    mask_bytes: int
    most_types: int


NOTES = Role(
    "cctalk", 40, Header.NOTE_EVENTS, Header.NOTE_ID, note_meaning, CashCapabilities(marks=True), 5.0, 8, 64
)  # fmt: skip
COINS = Role(
    "cctalk-coin", 2, Header.COIN_EVENTS, Header.COIN_ID, coin_meaning, CashCapabilities(escrow=False, marks=True),
    1.0, 2, 16,
)  # fmt: skip
