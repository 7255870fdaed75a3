"""Machine and simulated device joined in memory, in virtual time: no loop, no wire, every byte counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from drivers.api.cash import (
    Answered,
    CashCommand,
    CashEvent,
    Cleared,
    Completed,
    Escrowed,
    Presence,
    Ready,
    Rejected,
    Returned,
    Stacked,
    Trouble,
)
from drivers.cash.cctalk.framing import Checksum, Deframer, Frame, frame
from drivers.cash.cctalk.machine import Machine
from drivers.cash.cctalk.messages import Header, Request, Route, decode_request
from drivers.cash.cctalk.roles import COINS, NOTES, Role
from drivers.cash.cctalk.simulator_device import CoinAcceptor, SimulatedBus, Validator
from drivers.cash.cctalk.timing import Timing
from drivers.cash.steps import Acknowledge, Do, Emit, Input, Opened, Proceed, Recall, Recalled, Received, Send, Tick
from drivers.simulation.notes import Place, Vault
from guichet.ids import DeviceSerial
from guichet.money import parse_money

E = TypeVar("E")
FIVE, TEN, TWENTY, UNKNOWN_TYPE = 1, 2, 3, 4
TABLE = {FIVE: parse_money("5 EUR"), TEN: parse_money("10 EUR"), TWENTY: parse_money("20 EUR")}
CENTS, EURO = 1, 2
COIN_TABLE = {CENTS: parse_money("0.20 EUR"), EURO: parse_money("1 EUR")}
SERIAL = "12345678"
HOLD, STACK, RETURN = Request(Header.ROUTE, b"\xff"), Request(Header.ROUTE, b"\x01"), Request(Header.ROUTE, b"\x00")


def device(vault: Vault | None = None, *, serial: str = SERIAL, pace: float = 0.3) -> Validator:
    """A validator with three kinds of notes."""
    return Validator(vault or Vault(None), TABLE, serial, pace)


def coins(vault: Vault | None = None) -> CoinAcceptor:
    """An acceptor of two kinds of coins."""
    return CoinAcceptor(vault or Vault(None), COIN_TABLE, SERIAL)


@dataclass(slots=True)
class Bench:
    """``sent`` is what the machine asked, ``told`` what it told, both in order. ``marks``: what the caller has on
    record for each device.

    ``proceeds``, ``acknowledges`` and ``records``: whether the caller does so by itself, as a cash desk does;
    ``caller`` and ``last_mark``: another one in its place.
    """

    device: SimulatedBus
    checksum: Checksum = Checksum.SIMPLE
    echo: bool = False
    now: float = 100.0
    proceeds: bool = True
    acknowledges: bool = True
    records: bool = True
    sent: list[tuple[float, Request]] = field(default_factory=list[tuple[float, Request]])
    told: list[CashEvent] = field(default_factory=list[CashEvent])
    found: int = 0
    caller: Callable[[CashEvent], list[Input]] | None = None
    last_mark: Callable[[], int | None] | None = None
    marks: dict[DeviceSerial, int] = field(default_factory=dict[DeviceSerial, int])
    to_device: Callable[[bytes], bytes] = bytes
    from_device: Callable[[bytes], bytes] = bytes
    trace: list[tuple[str, object]] = field(default_factory=list[tuple[str, object]])
    timing: Timing = field(default_factory=Timing)
    machine: Machine = field(init=False)
    serial: DeviceSerial = field(default_factory=lambda: DeviceSerial(""))

    def __post_init__(self) -> None:
        self.device.checksum, self.device.echo = self.checksum, self.echo
        self.restart()

    @property
    def role(self) -> Role:
        """Notes or coins."""
        return NOTES if isinstance(self.device, Validator) else COINS

    def restart(self) -> None:
        """The process is killed and started again: only what is on record is still known."""
        self.machine = Machine(self.role, self.timing, self.checksum, echo=self.echo)
        self.found = len(self.told)
        self.step(Opened(bytes(64)))

    # --- time -------------------------------------------------------------------------------------------------------

    def step(self, happened: Input) -> None:
        """One input, and everything that follows from it at this moment."""
        inputs = [happened]
        while inputs:
            for output in self.machine.step(inputs.pop(0), self.now):
                match output:
                    case Emit(event):
                        self.told.append(event)
                        self.trace.append(("told", event))
                        inputs.extend(self._caller(event))
                    case Send(data):
                        inputs.extend(self._wire(data))
                    case Recall(serial):
                        self.serial = serial
                        mark = self.last_mark() if self.last_mark is not None else self.marks.get(serial)
                        inputs.insert(0, Recalled(mark))

    def _caller(self, event: CashEvent) -> list[Input]:
        if self.caller is not None:
            return self.caller(event)
        reactions: list[Input] = []
        marked = isinstance(event, Answered | Escrowed | Stacked | Returned | Rejected)
        if marked and self.records and event.mark is not None:
            self.marks[self.serial] = event.mark
        if isinstance(event, Answered) and self.proceeds:
            reactions += [Acknowledge()] if event.presence is Presence.STACKED and self.acknowledges else []
            reactions += [Proceed()]
        held = isinstance(event, Stacked | Returned) or (isinstance(event, Rejected) and event.mark is not None)
        if held and self.acknowledges:
            reactions += [Acknowledge()]
        return reactions

    def _wire(self, data: bytes) -> list[Input]:
        request = self._understood(data)
        self.sent.append((self.now, request))
        self.trace.append(("sent", request))
        answer = self.from_device(self.device.receive(self.to_device(data), self.now))
        self.trace.append(("answer", answer))
        self.now += 0.002
        return [Received(answer)] if answer else []

    def _understood(self, data: bytes) -> Request:
        found = Deframer(frozenset({self.device.role.address}), checksum=self.checksum).feed(data)
        assert len(found) == 1, data.hex()
        assert isinstance(found[0], Frame)
        return decode_request(found[0].header, found[0].data)

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        end = self.now + seconds
        while self.now < end:
            self._pass(end)

    def _pass(self, end: float) -> None:
        """Until something is due, or ``end``."""
        late = self.device.collect(self.now)
        if late:
            self.step(Received(self.from_device(late)))
        moments = [at for at in (self.machine.deadline, self.device.due) if at is not None]
        self.now = min(end, max(self.now + 0.001, min(moments, default=end)))
        self.step(Tick())

    def until(self, kind: type[E], seconds: float = 60.0) -> E:
        """Run until an event of ``kind`` is told, after the one that was found last."""
        end = self.now + seconds
        while True:
            for place in range(self.found, len(self.told)):
                event = self.told[place]
                if isinstance(event, kind):
                    self.found = place + 1
                    return event
            assert self.now < end, f"no {kind.__name__} within {seconds} s; told: {self.told[self.found :]}"
            self._pass(end)

    def until_place(self, place: Place, seconds: float = 60.0) -> None:
        """Run until the last note lies there."""
        end = self.now + seconds
        while self.places()[-1] is not place:
            assert self.now < end, f"never in {place.value}; it is in {self.places()[-1].value}"
            self.run(0.01)
            self.device.advance(self.now)

    # --- shorthands -------------------------------------------------------------------------------------------------

    def command(self, command: CashCommand) -> None:
        """Post a command."""
        self.step(Do(command))

    def ready(self) -> Ready:
        """Until a device can be enabled."""
        return self.until(Ready)

    def enabled(self) -> None:
        """Ready, and the slot open."""
        if not self.heard(Ready):
            self.ready()
        self.command(CashCommand.ENABLE)
        self.until(Completed)
        end = self.now + 10
        while not self.device.accepts:
            assert self.now < end, self.device.says
            self.run(0.1)

    def insert(self, note_type: int = TWENTY, *, readable: bool = True) -> None:
        """A customer pushes a note in."""
        self.device.insert("paper", note_type, self.now, readable=readable)

    def escrowed(self, note_type: int = TWENTY) -> Escrowed:
        """A note lies in escrow."""
        self.enabled()
        self.insert(note_type)
        return self.until(Escrowed)

    def stacked(self, note_type: int = TWENTY) -> Stacked:
        """A note went all the way."""
        self.escrowed(note_type)
        self.command(CashCommand.STACK)
        return self.until(Stacked)

    def requests(self, *only: Header) -> list[Request]:
        """What was sent, in order; only these headers where some are given."""
        return [request for _, request in self.sent if not only or request.header in only]

    def routes(self) -> list[int]:
        """Where notes were sent, in order; not the looks into escrow."""
        return [request.data[0] for request in self.requests(Header.ROUTE) if request.data[0] != Route.HOLD]

    def heard(self, kind: type[E]) -> list[E]:
        """All events of one kind."""
        return [event for event in self.told if isinstance(event, kind)]

    def troubles(self) -> list[str]:
        """All troubles, by their codes."""
        return [trouble.code + (" over" if trouble.over else "") for trouble in self.heard(Trouble)]

    def places(self) -> list[Place]:
        """Where every note lies."""
        return [note.place for note in self.device.vault.notes]

    def cleared(self) -> Cleared:
        """Until the device is done with everything."""
        return self.until(Cleared)


class Lose:
    """Loses, damages or holds up whatever fits, so many times."""

    def __init__(self, fits: Callable[[Request], bool], times: int = 1) -> None:
        self.fits, self.left = fits, times
        self.hit = False

    def answers(self, bench: Bench, change: Callable[[bytes], bytes]) -> None:
        """Do it to the answers of ``bench``'s device."""

        def to(data: bytes) -> bytes:
            (found,) = Deframer(frozenset({bench.device.role.address}), checksum=bench.checksum).feed(data)
            assert isinstance(found, Frame)
            self.hit = self.left > 0 and self.fits(decode_request(found.header, found.data))
            self.left -= self.hit
            return data

        bench.to_device = to
        bench.from_device = lambda data: change(data) if self.hit else data

    def questions(self, bench: Bench, change: Callable[[bytes], bytes]) -> None:
        """Do it to the questions."""

        def to(data: bytes) -> bytes:
            (found,) = Deframer(frozenset({bench.device.role.address}), checksum=bench.checksum).feed(data)
            assert isinstance(found, Frame)
            hit = self.left > 0 and self.fits(decode_request(found.header, found.data))
            self.left -= hit
            return change(data) if hit else data

        bench.to_device = to


def damaged(data: bytes) -> bytes:
    """The same frame with its checksum broken."""
    return data[:-1] + bytes((data[-1] ^ 0x55,)) if data else data


def nothing(_: bytes) -> bytes:
    """A cut wire."""
    return b""


def reply(*data: int, source: int = 40) -> bytes:
    """A device's frame."""
    return frame(1, 0, bytes(data), source=source)
