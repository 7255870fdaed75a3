"""What a terminal's drivers find in the simulation: the cash module's cable, and devices that hold no money."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from drivers.api.card import Card, CardEvent, CardInserted, Pan
from drivers.api.device import DeviceIdentity, DeviceState, DeviceStatus, SelfTestStep
from drivers.api.document import Document
from drivers.api.pinpad import PinBlock
from drivers.api.printer import Paper, PrinterState
from drivers.errors import CardError, TransportError
from drivers.simulation.cash_device import SimulatedCash
from guichet.ids import DeviceSerial
from tests.simulation.bank import Customer
from tests.simulation.loop import WorldLoop, life_now

_LATENCY = 0.002


class Line:
    """The cash module's cable: what is written arrives at once, what it answers a little later."""

    def __init__(self, device: SimulatedCash, loop: WorldLoop) -> None:
        self._device = device
        self._loop = loop
        self._incoming = bytearray()
        self._received = asyncio.Event()
        self._open = True
        self._last = 0.0

    async def read(self) -> bytes:
        while not self._incoming:
            if not self._open:
                raise TransportError("cash", "hung-up", "the other end closed")
            self._received.clear()
            await self._received.wait()
        data = bytes(self._incoming)
        self._incoming.clear()
        return data

    def write(self, data: bytes) -> None:
        if not self._open:
            raise TransportError("cash", "hung-up", "the other end closed")
        life = life_now()
        if life is not None:
            life.effect()
        now = self._loop.time()
        answer = self._device.receive(data, now)
        if answer:
            self._last = max(self._last, now + _LATENCY)
            self._loop.at(self._last, self._arrive, answer)
        if (at := self._device.late_at) is not None:
            self._loop.at(at, self._arrive_late)
        if life is not None:
            life.effected()

    def _arrive(self, data: bytes) -> None:
        if self._open:
            self._incoming += data
            self._received.set()

    def _arrive_late(self) -> None:
        now = self._loop.time()
        if late := self._device.collect(now):
            self._arrive(late)
        if (at := self._device.late_at) is not None:
            self._loop.at(max(at, now + 0.001), self._arrive_late)

    async def drained(self) -> None:
        """Nothing ever waits here."""

    def close(self) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        self._open = False
        self._received.set()


class _Stand:
    """What the devices that hold no money have in common."""

    status = DeviceStatus(DeviceState.READY)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        return ()


class Reader(_Stand):
    """A card slot. ``inside``: the card that is in it."""

    def __init__(self, inside: Callable[[], Customer | None]) -> None:
        self._inside = inside
        self._handlers: list[Callable[[CardEvent], None]] = []

    def subscribe(self, handler: Callable[[CardEvent], None]) -> None:
        self._handlers.append(handler)

    @property
    def card_inside(self) -> bool:
        return self._inside() is not None

    def tell(self, event: CardEvent) -> None:
        for handler in self._handlers:
            handler(event)

    async def run(self) -> None:
        if self.card_inside:
            self.tell(CardInserted())
        await asyncio.Event().wait()

    async def read(self) -> Card:
        await asyncio.sleep(0.3)
        card = self._inside()
        if card is None:
            raise CardError("card", "removed", "the card is gone")
        pan = Pan(card.pan)
        return Card(pan, pan.masked, card.expiry, "SIMULATED")


class Pad(_Stand):
    """An encrypting PIN pad. ``sealed``: what its key makes of a PIN."""

    status = DeviceStatus(
        DeviceState.READY, identity=DeviceIdentity("simulated", "PAD", DeviceSerial("PAD-1"), "1", simulated=True)
    )

    def __init__(self, sealed: Callable[[Pan, str], PinBlock]) -> None:
        self._sealed = sealed
        self._entry: asyncio.Future[str] | None = None

    def typed(self, digits: str) -> None:
        if self._entry is not None and not self._entry.done():
            self._entry.set_result(digits)

    async def enter_pin(self, pan: Pan, on_digits: Callable[[int], None]) -> PinBlock | None:
        self._entry = asyncio.get_running_loop().create_future()
        digits = await self._entry
        on_digits(len(digits))
        return self._sealed(pan, digits)


class Printer(_Stand):
    """A printer with paper."""

    async def state(self) -> PrinterState:
        return PrinterState(online=True, paper=Paper.ADEQUATE, cover_open=False)

    async def print(self, document: Document) -> None:
        await asyncio.sleep(0.5)
