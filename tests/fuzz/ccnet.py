"""CCNET: framing, messages, the machine, the simulated device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from drivers.api.cash import CashCommand
from drivers.cash.ccnet.framing import MAX_PAYLOAD, Deframer, Frame, Noise, crc16, frame
from drivers.cash.ccnet.machine import Machine
from drivers.cash.ccnet.messages import (
    Answer,
    Command,
    Identification,
    MessageError,
    NoteTable,
    PollAnswer,
    Request,
    State,
    decode_answer,
    decode_note_table,
    decode_request,
    encode_answer,
    encode_note_table,
    encode_request,
)
from drivers.cash.ccnet.simulator import default_table
from drivers.cash.ccnet.simulator_device import Validator
from drivers.cash.ccnet.timing import Timing
from drivers.cash.steps import CashMachine
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Vault
from tests.fuzz import devices, lines, machines
from tests.fuzz.decoder import Decoder, must

_COMMANDS = tuple(Command)
_TABLE = default_table()
_IDENTITY = Identification("GUICHET-SIM-CC", "SIM000000001", b"")
_PLAIN = (b"\x00", b"\xff", b"\x30")
_STATES = tuple(encode_answer(PollAnswer(state)) for state in State) + tuple(
    bytes((state, detail))
    for state in (State.BUSY, State.REJECTING, State.FAILURE, State.ESCROW, State.STACKED, State.RETURNED)
    for detail in (1, 2, 4, 0x68)
)
_LIKELY: Mapping[Command, tuple[bytes, ...]] = {
    Command.POLL: _STATES,
    Command.IDENTIFICATION: (encode_answer(_IDENTITY), encode_answer(Identification("OTHER", "S-2", b"")), *_PLAIN),
    Command.GET_NOTE_TABLE: (_TABLE.raw, *_PLAIN),
    Command.COUNT_STACKED: (b"\x00\x05", b"\x00\x06", *_PLAIN),
}
_MOVES = {Command.STACK: CashCommand.STACK, Command.RETURN: CashCommand.RETURN}


# --- framing --------------------------------------------------------------------------------------------------------


def _is_damaged(item: lines.Item) -> bool | None:
    return item.damaged if isinstance(item, Noise) else None


def _rebuilt(item: lines.Item) -> bytes:
    return frame(item.payload, item.address) if isinstance(item, Frame) else b""


_LINE = lines.Line(Deframer, _is_damaged, _rebuilt, frame(b"\x33"), b"\0", MAX_PAYLOAD + 5)


def _framing(data: bytes) -> None:
    lines.check(_LINE, data)


def _too_long() -> bytes:
    """A frame of 255 bytes whose CRC is right: no short form has so many."""
    head = b"\x02\x03\xff" + bytes(250)
    return head + crc16(head).to_bytes(2, "little")


def _framing_seeds() -> Iterator[bytes]:
    yield b"\x00" + frame(bytes(MAX_PAYLOAD))
    for payload in (*_STATES, _TABLE.raw, encode_answer(_IDENTITY), b"\x02\x03\x06\x14\x67"):
        yield b"\x00" + frame(payload)
        yield b"\xf5" + frame(payload)[:-1] + b"\x55" + frame(payload)
    yield b"\xf3" + _too_long()
    yield b"\x47" + b"\x02\x03\x06" * 40


# --- messages -------------------------------------------------------------------------------------------------------


def _messages(data: bytes) -> None:
    """The first byte: what was asked."""
    asked, payload = _COMMANDS[(data[0] if data else 0) % len(_COMMANDS)], data[1:]
    with suppress(MessageError):
        request = decode_request(payload)
        # Its three bytes are not kept: nobody here sets security.
        must(request.command is Command.SET_SECURITY or encode_request(request) == payload, "a request is changed")
    with suppress(MessageError):
        _check_answer(asked, decode_answer(asked, payload), payload)
    with suppress(MessageError):
        _check_table(decode_note_table(payload))


def _check_answer(asked: Command, answer: Answer, payload: bytes) -> None:
    again = encode_answer(answer)
    if isinstance(answer, Identification):
        must(len(again) == len(payload), "an identification changes its length")
        must(not payload[:27].isascii() or decode_answer(asked, again) == answer, "an identification is changed")
    else:
        must(again == payload, "an answer is changed")


def _check_table(table: NoteTable) -> None:
    must(all(value.minor > 0 for value in table.values.values()), "a note that is worth nothing")
    try:
        again = encode_note_table(table.values)
    except MessageError:
        return  # Not whole major units.
    must(decode_note_table(again.raw).values == table.values, "a note table is changed")


def _message_seeds() -> Iterator[bytes]:
    for index, command in enumerate(_COMMANDS):
        yield bytes((index,)) + encode_request(Request(command))
        for payload in (*_LIKELY.get(command, _PLAIN), bytes(6)):
            yield bytes((index,)) + payload
    yield b"\x00" + encode_request(Request(Command.ENABLE_NOTE_TYPES, frozenset({1, 23}), frozenset({0, 8})))


# --- the machine ----------------------------------------------------------------------------------------------------


class _Device:
    """The device's end."""

    def __init__(self) -> None:
        self._asked = Command.POLL

    def hear(self, data: bytes) -> CashCommand | None:
        must(frame(data[3:-2]) == data, "it sends what is no frame")
        command = decode_request(data[3:-2]).command
        if command not in (Command.ACK, Command.NAK):
            self._asked = command
        return _MOVES.get(command)

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\0")

    def likely(self, choice: int) -> bytes:
        answers = _LIKELY.get(self._asked, _PLAIN)
        return frame(answers[choice % len(answers)])


def _make_machine(choice: int) -> tuple[CashMachine, machines.Peer]:
    return Machine(Timing()), _Device()


def _machine(data: bytes) -> None:
    machines.check(_make_machine, data)


def _machine_seeds() -> Iterator[bytes]:
    idle, shut, escrow, stacked = (
        _STATES.index(bytes(state)) for state in (b"\x14", b"\x19", b"\x80\x02", b"\x81\x02")
    )
    begin = bytes((0, 0, 3, shut, 7, 3, 0, 7, 3, 0, 10, 7, 3, shut, 7, 3, 0, 7, 3, 0, 7, 3, 0))
    note = bytes((12, 7, 3, 0, 7, 3, idle, 7, 3, escrow, 0x2C, 7, 3, 0, 7, 3, stacked, 11, 7, 3, idle, 7, 3, 0))
    yield begin
    yield begin + note + note
    yield begin + note[:14] + bytes((0x3C, 7, 13, 40, 7, 3, stacked, 15))
    yield bytes((0, 0xFF, 3, 1, 7, 3, 0, 7, 3, 0, 10)) + begin
    for state in range(len(_STATES)):
        yield begin + bytes((7, 3, state, 7, 3, state, 15, 7, 3, shut, 10, 7, 3, idle))


# --- the simulated device -------------------------------------------------------------------------------------------


class _Host:
    """The host's end."""

    _REQUESTS = tuple(
        frame(encode_request(request))
        for request in (
            *(Request(command) for command in _COMMANDS if command is not Command.SET_SECURITY),
            Request(Command.ENABLE_NOTE_TYPES, frozenset(range(24)), frozenset(range(24))),
            Request(Command.ENABLE_NOTE_TYPES, frozenset(range(24))),
        )
    )

    def request(self, choice: int) -> bytes:
        return self._REQUESTS[choice % len(self._REQUESTS)]

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\0")

    def hear(self, answer: bytes) -> None:
        pass


def _make_device(choice: int) -> tuple[SimulatedCash, devices.Host]:
    device = Validator(Vault(None), _TABLE, "SIM000000001", 0.3, devices.SCRIPT if choice & 1 else ())
    device.forgets_count, device.remembers_credit = bool(choice & 2), bool(choice & 4)
    return device, _Host()


def _device(data: bytes) -> None:
    devices.check(_make_device, data)


def _device_seeds() -> Iterator[bytes]:
    ack, reset, poll, stack, enable = 0, 2, 4, 6, 12
    yield from devices.seeds((poll, reset, poll, enable, poll), (poll, stack, poll, poll, ack, poll))


DECODERS = (
    Decoder("ccnet-framing", _framing, _framing_seeds, 96),
    Decoder("ccnet-messages", _messages, _message_seeds, 256),
    Decoder("ccnet-machine", _machine, _machine_seeds, 160),
    Decoder("ccnet-simulator", _device, _device_seeds, 160),
)
