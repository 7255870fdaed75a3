"""SSP messages, both directions: what the host asks, what the validator answers.

The validator does not repeat the command in its answer, so an answer is only understood together with its question.
(SSP manual GA138, commands and generic responses.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from drivers.cash.essp.events import VERSIONS, Event, decode_events, encode_events
from drivers.cash.essp.notetable import MessageError, Setup, decode_setup

__all__ = [
    "Answer", "Command", "Counters", "KeyShare", "MessageError", "Plain", "Polled", "RejectCode", "Request",
    "SerialNumber", "Setup", "Status", "Version", "decode_answer", "decode_request", "encode_answer", "encode_request",
]  # fmt: skip


class Command(IntEnum):
    """The commands that we use or that a simulator must know, by their code."""

    RESET = 0x01
    SET_INHIBITS = 0x02
    DISPLAY_ON = 0x03
    DISPLAY_OFF = 0x04
    SETUP = 0x05
    PROTOCOL = 0x06
    POLL = 0x07
    REJECT = 0x08
    DISABLE = 0x09
    ENABLE = 0x0A
    SERIAL = 0x0C
    SYNC = 0x11
    LAST_REJECT = 0x17
    HOLD = 0x18
    FIRMWARE = 0x20
    SET_GENERATOR = 0x4A
    SET_MODULUS = 0x4B
    KEY_EXCHANGE = 0x4C
    POLL_WITH_ACK = 0x56
    EVENT_ACK = 0x57
    COUNTERS = 0x58


ONLY_ENCRYPTED = frozenset({Command.POLL_WITH_ACK, Command.EVENT_ACK})
"""Commands that a device takes in an encrypted packet only."""

_WITH_NUMBER: Mapping[Command, int] = {
    Command.PROTOCOL: 1,
    Command.SET_GENERATOR: 8,
    Command.SET_MODULUS: 8,
    Command.KEY_EXCHANGE: 8,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A command. ``number``: of PROTOCOL (the version) and of the key exchange (64 bits). ``channels``: those that
    SET_INHIBITS accepts, from 1 to 24; all others are inhibited.
    """

    command: Command
    number: int = 0
    channels: frozenset[int] = frozenset()


def encode_request(request: Request) -> bytes:
    """The data of a command."""
    head = bytes((request.command,))
    if request.command is Command.SET_INHIBITS:
        mask = sum(1 << channel - 1 for channel in request.channels)
        return head + mask.to_bytes(3 if mask > 0xFFFF else 2, "little")
    size = _WITH_NUMBER.get(request.command, 0)
    return head + request.number.to_bytes(size, "little") if size else head


def decode_request(data: bytes) -> Request:
    """The command in ``data``. Raises :class:`MessageError` for one that we do not know or that is malformed."""
    try:
        command = Command(data[0])
    except (IndexError, ValueError) as error:
        raise MessageError(f"no such command: {data.hex()}") from error
    rest = data[1:]
    if command is Command.SET_INHIBITS and 1 <= len(rest) <= 3:
        mask = int.from_bytes(rest, "little")
        return Request(command, channels=frozenset(bit + 1 for bit in range(24) if mask >> bit & 1))
    if command is Command.SET_INHIBITS or len(rest) != _WITH_NUMBER.get(command, 0):
        raise MessageError(f"{command.name} with {len(rest)} bytes")
    return Request(command, int.from_bytes(rest, "little"))


# --- answers --------------------------------------------------------------------------------------------------------


class Status(IntEnum):
    """The first byte of every answer."""

    OK = 0xF0
    UNKNOWN_COMMAND = 0xF2
    WRONG_PARAMETERS = 0xF3
    OUT_OF_RANGE = 0xF4
    CANNOT = 0xF5
    SOFTWARE_ERROR = 0xF6
    CHECKSUM = 0xF7
    FAIL = 0xF8
    HEADER = 0xF9
    NO_KEY = 0xFA


REJECT_REASONS: Mapping[int, str] = {
    0x00: "accepted", 0x01: "length", 0x02: "average", 0x03: "coastline", 0x04: "graph", 0x05: "buried",
    0x06: "inhibited", 0x07: "second-note", 0x08: "host", 0x09: "cross-channel", 0x0A: "rear-sensor",
    0x0B: "too-long", 0x0C: "disabled", 0x0D: "slow-mechanism", 0x0E: "string", 0x0F: "fraud-channel",
    0x10: "no-notes", 0x11: "peak-detect", 0x12: "twisted", 0x13: "escrow-timeout", 0x14: "barcode", 0x15: "camera",
    0x16: "slot-fail", 0x17: "slot-fail", 0x18: "lens", 0x19: "width", 0x1A: "too-short", 0x1B: "payout-note",
    0x1C: "double-note", 0x1D: "cannot-stack", 0x1F: "credit-card",
}  # fmt: skip
"""What LAST REJECT answers, as a stable word."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A status alone: done, or why not."""

    status: Status


@dataclass(frozen=True, slots=True)
class Polled:
    """What happened since the last poll, oldest first. ``rest`` begins with a record that cannot be read; with it, what
    the device says is not known whole.
    """

    events: tuple[Event, ...]
    rest: bytes = b""


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """Who it is."""

    number: int


@dataclass(frozen=True, slots=True)
class Version:
    """The full name of its firmware."""

    text: str


@dataclass(frozen=True, slots=True)
class RejectCode:
    """Why the last note was refused."""

    code: int

    @property
    def reason(self) -> str:
        """The same as a stable word."""
        return REJECT_REASONS.get(self.code, f"reason-{self.code:02x}")


@dataclass(frozen=True, slots=True)
class Counters:
    """Notes since the counters were last set back, each modulo 2**32; no power cut changes them."""

    stacked: int
    stored: int
    dispensed: int = 0
    to_stacker: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class KeyShare:
    """The device's half of the key exchange."""

    number: int


Answer = Plain | Polled | SerialNumber | Version | Setup | RejectCode | Counters | KeyShare

_COUNTERS = 5
_POLLS = (Command.POLL, Command.POLL_WITH_ACK)


def decode_answer(asked: Command, payload: bytes, version: int = VERSIONS[0]) -> Answer:
    """The answer to ``asked``; ``version``: of the protocol, as agreed on. Raises :class:`MessageError` for one that is
    none.
    """
    try:
        status = Status(payload[0])
    except (IndexError, ValueError) as error:
        raise MessageError(f"no such status: {payload.hex()}") from error
    data = payload[1:]
    if status is not Status.OK:
        if len(data) > 1 or (data and status is not Status.CANNOT):
            raise MessageError(f"{status.name} with {len(data)} bytes")
        return Plain(status)
    if asked in _POLLS:
        return Polled(*decode_events(data, version))
    return _decode_data(asked, data)


def _decode_data(asked: Command, data: bytes) -> Answer:
    match asked:
        case Command.SERIAL if len(data) == 4:
            return SerialNumber(int.from_bytes(data, "big"))
        case Command.SETUP:
            return decode_setup(data)
        case Command.FIRMWARE if data:
            return Version(data.decode("ascii", "replace").strip(" \0"))
        case Command.LAST_REJECT if len(data) == 1:
            return RejectCode(data[0])
        case Command.COUNTERS if data[:1] == bytes((_COUNTERS,)) and len(data) == 1 + 4 * _COUNTERS:
            return Counters(*(int.from_bytes(data[at : at + 4], "little") for at in range(1, len(data), 4)))
        case Command.KEY_EXCHANGE if len(data) == 8:
            return KeyShare(int.from_bytes(data, "little"))
        case (
            Command.SERIAL | Command.FIRMWARE | Command.LAST_REJECT | Command.COUNTERS | Command.KEY_EXCHANGE
        ):  # fmt: skip
            raise MessageError(f"no answer to {asked.name}: {data.hex()}")
        case _ if data:
            raise MessageError(f"OK to {asked.name} with {len(data)} bytes")
        case _:
            return Plain(Status.OK)


def encode_answer(answer: Answer) -> bytes:
    """The data of an answer: the validator's side."""
    match answer:
        case Plain(status):
            return bytes((status,))
        case Polled(events, rest):
            return b"\xf0" + encode_events(events) + rest
        case SerialNumber(number):
            return b"\xf0" + number.to_bytes(4, "big")
        case Version(text):
            return b"\xf0" + text.encode("ascii", "replace")
        case Setup(raw=raw):
            return b"\xf0" + raw
        case RejectCode(code):
            return bytes((0xF0, code))
        case Counters(stacked, stored, dispensed, to_stacker, rejected):
            counts = (stacked, stored, dispensed, to_stacker, rejected)
            return bytes((0xF0, _COUNTERS)) + b"".join(count.to_bytes(4, "little") for count in counts)
        case KeyShare(number):
            return b"\xf0" + number.to_bytes(8, "little")


def is_readable(asked: Request, answer: Answer | None) -> bool:
    """Whether ``answer`` says all that was ``asked``: to a poll, what happened, or that the device does not know."""
    if asked.command not in _POLLS:
        return answer is not None
    return answer == Plain(Status.SOFTWARE_ERROR) or (isinstance(answer, Polled) and not answer.rest)
