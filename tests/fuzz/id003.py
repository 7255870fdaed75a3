"""ID-003: framing, messages, the option of country codes, the machine, the simulated device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from drivers.api.cash import CashCommand
from drivers.api.device import DeviceConfig
from drivers.cash.id003.driver import open_device
from drivers.cash.id003.framing import MAX_PAYLOAD, Deframer, Frame, Noise, frame
from drivers.cash.id003.machine import Machine
from drivers.cash.id003.messages import (
    COUNTRIES,
    SETTINGS,
    TICKET,
    Acknowledged,
    Answer,
    BootVersion,
    Command,
    CommunicationError,
    Enquiry,
    Invalid,
    MessageError,
    NoteTable,
    Request,
    SerialNumber,
    Setting,
    State,
    Status,
    Version,
    decode_answer,
    decode_note_table,
    decode_request,
    encode_answer,
    encode_note_table,
    encode_request,
)
from drivers.cash.id003.simulator import default_table
from drivers.cash.id003.simulator_device import Firmware, Validator
from drivers.cash.id003.timing import Timing
from drivers.cash.steps import CashMachine
from drivers.context import DriverContext
from drivers.errors import ConfigurationError
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Vault
from drivers.transport.api import ByteTransport
from tests.fuzz import devices, lines, machines
from tests.fuzz.decoder import Decoder, must

_COMMANDS = tuple(Command)
_TABLE = default_table()
_REFUSALS = tuple(map(encode_answer, (CommunicationError(), Invalid(), Enquiry())))
_DONE = (b"\x50", *_REFUSALS)
_STATES = tuple(map(encode_answer, (
    *(Status(state) for state in State if state is not State.ESCROW),
    Status(State.ESCROW, b"\x62"), Status(State.ESCROW, b"\x70"), Status(State.ESCROW, bytes((TICKET,)) + b"123"),
    Status(State.REJECTING, b"\x71"), Status(State.FAILURE, b"\xa2"), Status(State.STACKED, b"\x01"),
)))  # fmt: skip
_LIKELY: Mapping[Command, tuple[bytes, ...]] = {
    Command.STATUS: (*_STATES, *_REFUSALS),
    Command.VERSION: (encode_answer(Version("i(EUR)-100-SS ID003-05V500")), *_REFUSALS),
    Command.SERIAL: (encode_answer(SerialNumber("SIM000000001")), encode_answer(SerialNumber("OTHER")), *_REFUSALS),
    Command.NOTE_TABLE: (encode_answer(_TABLE), encode_answer(NoteTable({}, bytes(4))), *_REFUSALS),
    **{
        command: (encode_answer(Setting(command, bytes(size))), encode_answer(Setting(command, b"\x02" * size)), *_DONE)
        for command, size in SETTINGS.items()
    },
}
_MOVES = {Command.STACK_1: CashCommand.STACK, Command.STACK_2: CashCommand.STACK, Command.RETURN: CashCommand.RETURN}


# --- framing --------------------------------------------------------------------------------------------------------


def _is_damaged(item: lines.Item) -> bool | None:
    return item.damaged if isinstance(item, Noise) else None


def _rebuilt(item: lines.Item) -> bytes:
    return frame(item.payload) if isinstance(item, Frame) else b""


_LINE = lines.Line(Deframer, _is_damaged, _rebuilt, frame(b"\x11"), b"\0", MAX_PAYLOAD + 4)


def _framing(data: bytes) -> None:
    lines.check(_LINE, data)


def _framing_seeds() -> Iterator[bytes]:
    yield b"\x00" + frame(bytes(MAX_PAYLOAD))
    yield b"\x47" + b"\xfc\x05\xfc\xfc" * 20
    for payload in (*_STATES, encode_answer(_TABLE), b"\xfc\x05\x11\x27\x56"):
        yield b"\x00" + frame(payload)
        yield b"\xf5" + frame(payload)[:-1] + b"\x55" + frame(payload)


# --- messages -------------------------------------------------------------------------------------------------------


def _messages(data: bytes) -> None:
    """The first byte: what was asked."""
    asked, payload = _COMMANDS[(data[0] if data else 0) % len(_COMMANDS)], data[1:]
    with suppress(MessageError):
        must(encode_request(decode_request(payload)) == payload, "a request is changed")
    with suppress(MessageError):
        _check_answer(asked, decode_answer(asked, payload), payload)
    with suppress(MessageError):
        _check_table(decode_note_table(payload))


def _check_answer(asked: Command, answer: Answer, payload: bytes) -> None:
    again = encode_answer(answer)
    if isinstance(answer, Version | BootVersion | SerialNumber):
        must(not payload[1:].isascii() or decode_answer(asked, again) == answer, "a text is changed")
    else:
        must(again == payload or isinstance(answer, Acknowledged), "an answer is changed")


def _check_table(table: NoteTable) -> None:
    must(all(value.minor > 0 for value in table.values.values()), "a note that is worth nothing")
    must(TICKET not in table.values, "a ticket has a value")
    try:
        again = encode_note_table(table.values)
    except MessageError:
        return  # Codes beyond those of a validator, or digits that a record has no room for.
    must(decode_note_table(again.raw).values == table.values, "a note table is changed")


def _message_seeds() -> Iterator[bytes]:
    for index, command in enumerate(_COMMANDS):
        yield bytes((index,)) + encode_request(Request(command, bytes(SETTINGS.get(command, 0))))
        for payload in _LIKELY.get(command, _DONE):
            yield bytes((index,)) + payload
    yield b"\x00" + _TABLE.raw


# --- the option of country codes ------------------------------------------------------------------------------------


async def _no_line(address: str, baud: int = 9600) -> ByteTransport:
    raise AssertionError(f"{address} at {baud} was opened")


_CONTEXT = DriverContext(lambda: 0.0, bytes, _no_line)


def _countries(data: bytes) -> None:
    config = DeviceConfig("cash", "id003", "tcp://h:1", {"countries": data.decode("utf-8", "replace")})
    with suppress(ConfigurationError):
        open_device(config, _CONTEXT)


def _country_seeds() -> Iterator[bytes]:
    yield from (b"17=GBP,1A=PLN", b"17=GBP, 1a=XXX", b",", b"", b"E0=EUR,E0=USD")


# --- the machine ----------------------------------------------------------------------------------------------------


class _Device:
    """The device's end."""

    def __init__(self) -> None:
        self._asked = Request(Command.STATUS)

    def hear(self, data: bytes) -> CashCommand | None:
        must(frame(data[2:-2]) == data, "it sends what is no frame")
        request = decode_request(data[2:-2])
        if request.command is not Command.ACK:
            self._asked = request
        return _MOVES.get(request.command)

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\0")

    def likely(self, choice: int) -> bytes:
        if self._asked.command in SETTINGS and not choice:
            return frame(encode_request(self._asked))  # The echo, by which it is accepted.
        answers = _LIKELY.get(self._asked.command, _DONE)
        return frame(answers[choice % len(answers)])


def _make_machine(choice: int) -> tuple[CashMachine, machines.Peer]:
    return Machine(Timing(), {**COUNTRIES, 0x17: "GBP"} if choice & 1 else COUNTRIES), _Device()


def _machine(data: bytes) -> None:
    machines.check(_make_machine, data)


def _machine_seeds() -> Iterator[bytes]:
    def at(*state: int) -> int:
        return _STATES.index(bytes(state))

    answers = bytes((7, 3, 0)) * 6
    begin = bytes((0, 0, 3, at(0x1A))) + answers + bytes((10, 7, 3, at(0x1A))) + answers + answers
    note = bytes((12, 7, 3, 0, 7, 3, 0, 7, 3, at(0x11), 7, 3, at(0x13, 0x62), 0x2C, 7, 3, 0, 7, 3, at(0x15), 11, 7, 3))
    yield begin
    yield begin + note + bytes((at(0x16), 7, 3, at(0x11))) + note
    yield begin + note[:14] + bytes((0x3C, 7, 13, 40, 7, 3, at(0x18), 15))
    for state in range(len(_STATES)):
        yield bytes((0, 0, 3, state)) + answers + bytes((10, 7, 3, state, 15)) + answers + answers


# --- the simulated device -------------------------------------------------------------------------------------------


class _Host:
    """The host's end."""

    _REQUESTS = tuple(
        frame(encode_request(request))
        for request in (
            *(Request(command, bytes(SETTINGS.get(command, 0))) for command in _COMMANDS),
            Request(Command.SET_INHIBIT, b"\x01"),
            Request(Command.SET_DENOMINATIONS, b"\xff\xff"),
            Request(Command.SET_OPTIONS, b"\x02\x00"),
        )
    )

    def request(self, choice: int) -> bytes:
        return self._REQUESTS[choice % len(self._REQUESTS)]

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\0")

    def hear(self, answer: bytes) -> None:
        pass


def _make_device(choice: int) -> tuple[SimulatedCash, devices.Host]:
    firmware = Firmware(
        recovers=not choice & 2,
        remembers_credit=bool(choice & 4),
        shows_transients=not choice & 8,
        knows_serial=not choice & 16,
        ack_patience=0.5 if choice & 32 else None,
        after_box=(State.INITIALIZE, State.POWER_UP, State.DISABLED, State.IDLING)[choice >> 6],
    )
    script = devices.SCRIPT if choice & 1 else ()
    return Validator(Vault(None), _TABLE, "SIM000000001", 0.3, script, firmware), _Host()


def _device(data: bytes) -> None:
    devices.check(_make_device, data)


def _device_seeds() -> Iterator[bytes]:
    status, reset, stack, ack, denominations, inhibit, options = map(
        _COMMANDS.index,
        (Command.STATUS, Command.RESET, Command.STACK_2, Command.ACK, Command.SET_DENOMINATIONS, Command.SET_INHIBIT,
         Command.SET_OPTIONS),
    )  # fmt: skip
    yield from devices.seeds(
        (status, reset, options, status, denominations, inhibit, status), (status, stack, status, status, ack, status)
    )


DECODERS = (
    Decoder("id003-framing", _framing, _framing_seeds, 96),
    Decoder("id003-messages", _messages, _message_seeds, 256),
    Decoder("id003-countries", _countries, _country_seeds, 64),
    Decoder("id003-machine", _machine, _machine_seeds, 160),
    Decoder("id003-simulator", _device, _device_seeds, 160),
)
