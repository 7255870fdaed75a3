"""ccTalk on the bench: a bill validator or a coin acceptor, its machine, and a caller that keeps marks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from drivers.api.cash import Answered, CashCommand, CashEvent, Completed, Escrowed, Passed, Rejected, Returned, Stacked
from drivers.cash.cctalk.framing import Checksum, Deframer, Frame, frame
from drivers.cash.cctalk.machine import Machine
from drivers.cash.cctalk.messages import Header, Request, Route, decode_request
from drivers.cash.cctalk.roles import COINS, NOTES, Role
from drivers.cash.cctalk.simulator_device import CoinAcceptor, SimulatedBus, Validator
from drivers.cash.cctalk.timing import Timing
from drivers.cash.cctalk.values import CoinUnit
from drivers.cash.steps import Input
from drivers.simulation.mechanism import Step
from drivers.simulation.notes import Place, Vault
from guichet.ids import DeviceSerial
from guichet.money import parse_money
from tests.drivers.cash import bench as common

E = TypeVar("E")
FIVE, TEN, TWENTY, UNKNOWN_TYPE = 1, 2, 3, 4
TABLE = {FIVE: parse_money("5 EUR"), TEN: parse_money("10 EUR"), TWENTY: parse_money("20 EUR")}
CENTS, EURO = 1, 2
COIN_TABLE = {CENTS: parse_money("0.20 EUR"), EURO: parse_money("1 EUR")}
SERIAL = "12345678"
WHO = [
    Header.SIMPLE_POLL, Header.SERIAL, Header.MANUFACTURER, Header.CATEGORY, Header.PRODUCT, Header.SOFTWARE,
    Header.POLLING_PRIORITY, Header.GET_INHIBITS,
]  # fmt: skip
HARMLESS = {*WHO, Header.NOTE_EVENTS}
HOLD, STACK, RETURN = Request(Header.ROUTE, b"\xff"), Request(Header.ROUTE, b"\x01"), Request(Header.ROUTE, b"\x00")


def device(vault: Vault | None = None, *, serial: str = SERIAL, pace: float = 0.3) -> Validator:
    """A validator with three kinds of notes."""
    return Validator(vault or Vault(None), TABLE, serial, pace)


def coins(vault: Vault | None = None) -> CoinAcceptor:
    """An acceptor of two kinds of coins."""
    return CoinAcceptor(vault or Vault(None), COIN_TABLE, SERIAL)


@dataclass
class Bench(common.Bench[Machine, SimulatedBus, Request, Header]):
    """``marks``: what the caller has on record for each device; ``records``: whether it can record.

    ``last_mark``: another one's record.
    """

    checksum: Checksum = field(default=Checksum.SIMPLE, kw_only=True)
    echo: bool = field(default=False, kw_only=True)
    unit: CoinUnit = field(default=CoinUnit.MINOR, kw_only=True)
    timing: Timing = field(default_factory=Timing, kw_only=True)
    marks: dict[DeviceSerial, int] = field(default_factory=dict[DeviceSerial, int], kw_only=True)
    last_mark: Callable[[], int | None] | None = field(default=None, kw_only=True)
    records: bool = field(init=False, default=True)
    found: int = field(init=False, default=0)
    serial: DeviceSerial = field(init=False, default_factory=lambda: DeviceSerial(""))

    @property
    def role(self) -> Role:
        """Notes or coins."""
        return NOTES if isinstance(self.device, Validator) else COINS

    def new_machine(self) -> Machine:
        """A new process: only what is on record is still known."""
        self.device.checksum, self.device.echo = self.checksum, self.echo
        self.found = len(self.told)
        return Machine(self.role, self.timing, self.checksum, echo=self.echo, unit=self.unit)

    def understood(self, data: bytes) -> tuple[Request, Header]:
        (found,) = Deframer(frozenset({self.device.role.address}), checksum=self.checksum).feed(data)
        assert isinstance(found, Frame), data.hex()
        request = decode_request(found.header, found.data)
        return request, request.header

    def recall(self, serial: DeviceSerial) -> int | None:
        self.serial = serial
        return self.last_mark() if self.last_mark is not None else self.marks.get(serial)

    def caller(self, event: CashEvent) -> list[Input]:
        marked = isinstance(event, Answered | Escrowed | Stacked | Returned | Rejected | Passed)
        if marked and self.records and event.mark is not None:
            self.marks[self.serial] = event.mark
        return super().caller(event)

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
            self.pass_time(end)

    def until_place(self, place: Place) -> None:
        """Run until the last note lies there."""
        self.wait(place.value, lambda: self.places()[-1] is place)

    def requests(self, *only: Header) -> list[Request]:
        """What was sent, in order; only these headers where some are given."""
        return [sent.request for sent in self.sent if not only or sent.command in only]

    def routes(self) -> list[int]:
        """Where notes were sent, in order; not the looks into escrow."""
        return [request.data[0] for request in self.requests(Header.ROUTE) if request.data[0] != Route.HOLD]


def bench(*, proceeds: bool = True, acknowledges: bool = True) -> Bench:
    """A new process and a new bill validator."""
    return Bench(device(), proceeds=proceeds, acknowledges=acknowledges)


def stage(b: Bench, step: Step) -> None:
    """A note comes as far as ``step``, and no further is known of it than that it was in escrow."""
    b.device.metal.stage_seconds = 3.0
    if step is Step.DRAWING_IN:
        b.enabled()
        b.insert()
        return
    b.escrowed()
    if step in (Step.STACKING, Step.RETURNING):
        b.command(CashCommand.STACK if step is Step.STACKING else CashCommand.RETURN)
        b.until(Completed)


def reply(*data: int, source: int = 40) -> bytes:
    """A device's frame."""
    return frame(1, 0, bytes(data), source=source)
