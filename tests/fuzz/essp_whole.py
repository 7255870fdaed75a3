"""eSSP: the machine and the simulated device."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api.cash import CashCommand
from drivers.cash.essp.framing import Deframer, Frame, frame
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY, Dice, session_key, share
from drivers.cash.essp.machine import Machine
from drivers.cash.essp.messages import (
    Command,
    KeyShare,
    Request,
    decode_request,
    encode_answer,
)
from drivers.cash.essp.sealing import SEALED, Seal, SealError
from drivers.cash.essp.simulator_device import Validator
from drivers.cash.essp.timing import Timing
from drivers.cash.essp.wire import Wire
from drivers.cash.steps import CashMachine
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Vault
from tests.fuzz import devices, machines
from tests.fuzz.decoder import Decoder, must
from tests.fuzz.essp import LIKELY, STATUSES, TABLE, zeros

# --- the machine ----------------------------------------------------------------------------------------------------


class _Device:
    """The device's end. Where the machine took another number for the key, the two no longer understand each other."""

    _SECRET = 12345

    def __init__(self) -> None:
        self._heard = b""
        self._open = False
        self._asked = Request(Command.SYNC)
        self._flag = True
        self._key: bytes | None = None
        self._agreed: bytes | None = None
        self._count = 0
        self._generator = self._modulus = 1

    @property
    def wants(self) -> machines.Wants:
        if not self._open:
            return machines.Wants.NOTHING
        return machines.Wants.NEWS if self._asked.command is Command.POLL_WITH_ACK else machines.Wants.ANSWER

    def hear(self, data: bytes) -> CashCommand | None:
        again, self._heard = data == self._heard, data
        (found,) = Deframer().feed(data)
        assert isinstance(found, Frame)
        must(frame(found.payload, flag=found.flag) == data, "it sends what is no frame")
        self._flag, self._key = found.flag, None
        payload = found.payload
        if payload[0] == SEALED:
            try:
                self._count, payload = Seal(self._agreed or bytes(16)).open(payload)
            except SealError:
                return None
            self._key = self._agreed
        self._take(decode_request(payload))
        # The identical bytes are not carried out twice: what was not answered is asked for again by them.
        return CashCommand.RETURN if self._asked.command is Command.REJECT and not again else None

    def _take(self, request: Request) -> None:
        self._asked, self._open = request, True
        match request.command:
            case Command.SET_GENERATOR:
                self._generator = request.number
            case Command.SET_MODULUS:
                self._modulus = request.number
            case Command.KEY_EXCHANGE:
                self._agreed = session_key(DEFAULT_FIXED_KEY, share(request.number, self._SECRET, self._modulus))
            case _:
                pass

    def wrap(self, payload: bytes) -> bytes:
        payload = payload or b"\xf0"
        if self._key is not None:
            payload = Seal(self._key).close((self._count + 1) % (1 << 32), payload, zeros)
        return frame(payload, flag=self._flag)

    def likely(self, choice: int) -> bytes:
        self._open = False
        if self._asked.command is Command.KEY_EXCHANGE and not choice:
            return self.wrap(encode_answer(KeyShare(share(self._generator, self._SECRET, self._modulus))))
        answers = LIKELY.get(self._asked.command, STATUSES)
        return self.wrap(answers[choice % len(answers)])


def make_machine(choice: int) -> tuple[CashMachine, machines.Peer]:
    return Machine(Timing()), _Device()


def _machine(data: bytes) -> None:
    machines.play(make_machine, data)


def machine_seeds() -> Iterator[bytes]:
    polls = LIKELY[Command.POLL]

    def at(*data: int) -> int:
        return polls.index(bytes((0xF0, *data)))

    shut, idle = at(0xE8), polls.index(STATUSES[0])
    arrives = (idle, at(0xEF, 0), at(0xEF, 1))
    ready = (shut, machines.PROCEED, shut, shut, shut, machines.ENABLE, *arrives)
    stacked = (machines.STACK, at(0xCC), at(0xCC, 0xEE, 1), machines.ACKNOWLEDGE, at(0xEB, 0xE8), idle, idle)
    returned = (machines.RETURN, at(0xED), at(0xEC), idle, idle)
    yield machines.story(
        make_machine, 0, (*ready, *stacked, *arrives, *returned, at(0xED), at(0xEC), idle, machines.DISABLE, shut)
    )
    yield machines.story(make_machine, 0, (*ready, machines.AGAIN, idle))
    for answer in range(0, len(polls), 2):
        begins_so = (answer, machines.PROCEED, shut)
        goes_so = (*ready, machines.STACK, answer, machines.ACKNOWLEDGE, shut)
        yield machines.story(make_machine, 0, begins_so if answer % 3 == 0 else goes_so)


# --- the simulated device -------------------------------------------------------------------------------------------

_GENERATOR, _MODULUS, _SECRET = 982451653, 1287821, 12345
_REQUESTS = (
    Request(Command.SYNC),
    Request(Command.PROTOCOL, 8),
    Request(Command.SET_GENERATOR, _GENERATOR),
    Request(Command.SET_MODULUS, _MODULUS),
    Request(Command.KEY_EXCHANGE, share(_GENERATOR, _SECRET, _MODULUS)),
    Request(Command.SET_INHIBITS, channels=frozenset(range(1, 25))),
    Request(Command.ENABLE),
    Request(Command.POLL_WITH_ACK),
    Request(Command.EVENT_ACK),
    *(Request(command, 4) for command in Command if command not in (Command.SYNC, Command.KEY_EXCHANGE)),
)


class _Host:
    """The host's end: the driver's own, so that flags, keys and counts are right."""

    def __init__(self) -> None:
        self._wire = Wire()
        self._wire.dice = Dice(b"")
        self._exchanges = False

    def request(self, choice: int) -> bytes:
        request = _REQUESTS[choice % len(_REQUESTS)]
        self._exchanges = request.command is Command.KEY_EXCHANGE
        return self._wire.pack(request)

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\x07", flag=bool(len(payload) & 1))

    def hear(self, answer: bytes) -> None:
        for found in Deframer().feed(answer):
            payload = self._wire.unpack(found) if isinstance(found, Frame) else None
            if payload is not None and self._exchanges and len(payload) == 9:
                agreed = share(int.from_bytes(payload[1:], "little"), _SECRET, _MODULUS)
                self._wire.agree(session_key(DEFAULT_FIXED_KEY, agreed))


def _make_device(choice: int) -> tuple[SimulatedCash, devices.Host]:
    device = Validator(Vault(None), TABLE, "1873452", 0.3, devices.SCRIPT if choice & 1 else ())
    device.forgets_count, device.remembers_credit = bool(choice & 2), bool(choice & 4)
    device.forgets_channel, device.early_credit = bool(choice & 8), bool(choice & 16)
    return device, _Host()


def _device(data: bytes) -> None:
    devices.check(_make_device, data)


def _device_seeds() -> Iterator[bytes]:
    yield from devices.seeds(tuple(range(8)), (7, 7, 7, 8, 7))


DECODERS = (
    Decoder("essp-machine", _machine, machine_seeds, 384, story=True),
    Decoder("essp-simulator", _device, _device_seeds, 160, story=True),
)
