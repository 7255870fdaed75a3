"""What a poll's answer says: event records back to back, each as long as its code and the protocol version have it.

An event that is not known here has an unknown length, so nothing after it can be read. (SSP manual GA138, poll events.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

VERSIONS = (8, 7, 6)
"""Protocol versions that are asked for, the best first."""


class EventCode(IntEnum):
    """The first byte of an event record."""

    SLAVE_RESET = 0xF1
    READ = 0xEF
    CREDIT = 0xEE
    REJECTING = 0xED
    REJECTED = 0xEC
    STACKED = 0xEB
    SAFE_JAM = 0xEA
    UNSAFE_JAM = 0xE9
    DISABLED = 0xE8
    STACKER_FULL = 0xE7
    FRAUD = 0xE6
    TICKET_VALIDATED = 0xE5
    BOX_REPLACED = 0xE4
    BOX_REMOVED = 0xE3
    CLEARED_TO_BOX = 0xE2
    CLEARED_FROM_FRONT = 0xE1
    PATH_OPEN = 0xE0
    COINS_PAID = 0xDF
    COIN_CREDIT = 0xDE
    INCOMPLETE_FLOAT = 0xDD
    INCOMPLETE_PAYOUT = 0xDC
    STORED = 0xDB
    DISPENSING = 0xDA
    PAYOUT_TIMEOUT = 0xD9
    FLOATED = 0xD8
    FLOATING = 0xD7
    PAYOUT_HALTED = 0xD6
    PAYOUT_JAMMED = 0xD5
    DISPENSED = 0xD2
    TICKET_ACKNOWLEDGED = 0xD1
    DEVICE_FULL = 0xCF
    HELD_IN_BEZEL = 0xCE
    PAID_AT_POWER_UP = 0xCD
    STACKING = 0xCC
    TO_STORE_AT_RESET = 0xCB
    TO_STACKER_AT_RESET = 0xCA
    MOVED_TO_STACKER = 0xC9
    FLOAT_ATTACHED = 0xC8
    FLOAT_REMOVED = 0xC7
    PAYOUT_OUT_OF_SERVICE = 0xC6
    COIN_RETURN_PRESSED = 0xC5
    COIN_MECHANISM_JAMMED = 0xC4
    EMPTIED = 0xC3
    EMPTYING = 0xC2
    COIN_MECHANISM_ERROR = 0xB7
    INITIALISING = 0xB6
    ALL_DISABLED = 0xB5
    SMART_EMPTIED = 0xB4
    SMART_EMPTYING = 0xB3
    PAYOUT_ERROR = 0xB1
    JAM_RECOVERY = 0xB0


_WITH_CHANNEL = frozenset({EventCode.READ, EventCode.CREDIT, EventCode.FRAUD, EventCode.CLEARED_TO_BOX,
                           EventCode.CLEARED_FROM_FRONT})  # fmt: skip
# 7 bytes, a value and a country: from version 6, and from version 8.
_VALUE_FROM_6 = frozenset({EventCode.MOVED_TO_STACKER, EventCode.PAID_AT_POWER_UP})
_VALUE_FROM_8 = frozenset({EventCode.TO_STACKER_AT_RESET, EventCode.TO_STORE_AT_RESET, EventCode.HELD_IN_BEZEL})
# From version 6 a count comes first, and so many times these bytes; PAYOUT_ERROR has one more behind them.
_COUNTED = {
    EventCode.DISPENSING: 7, EventCode.DISPENSED: 7, EventCode.PAYOUT_JAMMED: 7, EventCode.PAYOUT_HALTED: 7,
    EventCode.FLOATING: 7, EventCode.FLOATED: 7, EventCode.PAYOUT_TIMEOUT: 7, EventCode.COIN_CREDIT: 7,
    EventCode.COINS_PAID: 7, EventCode.SMART_EMPTYING: 7, EventCode.SMART_EMPTIED: 7, EventCode.PAYOUT_ERROR: 7,
    EventCode.INCOMPLETE_PAYOUT: 11, EventCode.INCOMPLETE_FLOAT: 11,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """One record; ``data`` is what follows its code."""

    code: EventCode
    data: bytes = b""

    @property
    def channel(self) -> int:
        """The channel that it is about, 0 where it says none: in READ still being scanned, at a reset not known."""
        return self.data[0] if self.code in _WITH_CHANNEL and self.data else 0


def decode_events(data: bytes, version: int) -> tuple[tuple[Event, ...], bytes]:
    """The records in ``data`` and the rest, which is empty unless it begins with a record that cannot be read."""
    events: list[Event] = []
    while data:
        try:
            code = EventCode(data[0])
        except ValueError:
            break
        length = _data_length(code, data[1:], version)
        if len(data) < 1 + length:
            break
        events.append(Event(code, data[1 : 1 + length]))
        data = data[1 + length :]
    return tuple(events), data


def encode_events(events: Iterable[Event]) -> bytes:
    """Records back to back, as a device sends them."""
    return b"".join(bytes((event.code,)) + event.data for event in events)


def _data_length(code: EventCode, rest: bytes, version: int) -> int:
    if code in _WITH_CHANNEL:
        return 1
    if code in _VALUE_FROM_6:
        return 7 if version >= 6 else 0
    if code in _VALUE_FROM_8:
        return 7 if version >= 8 else 0
    if code in _COUNTED:
        return _counted_length(code, rest, version)
    return 0


def _counted_length(code: EventCode, rest: bytes, version: int) -> int:
    each = _COUNTED[code]
    if version < 6:
        return 8 if each == 11 else 4
    return 1 + (rest[0] if rest else 0) * each + (1 if code is EventCode.PAYOUT_ERROR else 0)
