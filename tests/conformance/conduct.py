"""What a driver may do and when: watched between the desk and the wire, whatever protocol is spoken.

A device that counts its notes proves afterwards what became of each, so books and paper agree even where a driver
acknowledges too early, or sends a command blindly again. Here the rules are looked at themselves. The device says which
order has arrived (:class:`drivers.simulation.cash_device.Order`); what was allowed when it was written stands here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from drivers.api.cash import (
    Answered,
    CashCapabilities,
    CashCommand,
    CashEvent,
    CashModule,
    CashStorage,
    Escrowed,
    LastMark,
    Lost,
    Returned,
    Stacked,
)
from drivers.api.device import DeviceStatus, SelfTestStep
from drivers.simulation.cash_device import Order
from drivers.transport.api import ByteTransport

_MOVES = {Order.STACK: CashCommand.STACK, Order.RETURN: CashCommand.RETURN}


@dataclass(frozen=True, slots=True)
class Allowed:
    """What was allowed when ``data`` were written, as the ``number``-th of this connection. ``proceeded``: the desk
    has the first answer on record. ``wished``: what it wants done with the note. ``acknowledged``: how many events it
    has had on record since its life began.
    """

    number: int
    data: bytes
    proceeded: bool
    wished: CashCommand | None
    acknowledged: int


class Conduct:
    """Watches one driver. ``wrongs`` is what it should not have done, in plain words; ``orders`` what its device has
    heard. ``acknowledges``: the protocol has an acknowledgement; in one that numbers its events a question lets go what
    was read before, and takes nothing.
    """

    def __init__(self, *, acknowledges: bool) -> None:
        self._acknowledges = acknowledges
        self.wrongs: list[str] = []
        self.orders: set[Order] = set()
        self.begin()

    def begin(self) -> None:
        """Another process: it knows nothing of what the one before was allowed."""
        self._acknowledged = 0
        self._last_ack: Allowed | None = None
        self.connected()

    def connected(self) -> None:
        """The line has been opened."""
        self._answered = self._proceeded = self._told = self._revives = False
        self._wished: CashCommand | None = None
        self._looked = True
        self._writes = 0
        self._under_way: deque[Allowed] = deque()
        self._now: Allowed | None = None

    # --- what the desk does and hears -------------------------------------------------------------------------------

    def told(self, event: CashEvent) -> None:
        """The driver has told ``event``; nobody has heard of it yet."""
        match event:
            case Answered():
                self._answered, self._proceeded, self._told, self._wished = True, False, True, None
            case Lost():
                self._answered = self._proceeded = self._told = False
                self._wished = None
            case Stacked() | Returned():
                self._told, self._wished = True, None
            case Escrowed():
                self._wished = None
            case _:
                self._told = True

    def proceeds(self) -> None:
        """The desk has the first answer on record."""
        self._proceeded = self._answered

    def wishes(self, command: CashCommand) -> None:
        """The desk posts ``command``."""
        self._wished = command

    def records(self) -> None:
        """The desk has the event that the device holds on record; counts once for each time that one was told."""
        self._acknowledged += self._told
        self._told = False

    # --- what goes over the wire ------------------------------------------------------------------------------------

    def wrote(self, data: bytes) -> None:
        """The driver has put ``data`` on the line."""
        self._writes += 1
        allowed = Allowed(self._writes, data, self._proceeded, self._wished, self._acknowledged)
        self._under_way.append(allowed)

    def arriving(self, data: bytes) -> Iterator[bytes]:
        """``data`` has come to the device: gives it as it was written, one write after the other."""
        while data and self._under_way:
            self._now = self._under_way.popleft()
            part, data = data[: len(self._now.data)], data[len(self._now.data) :]
            yield part

    def read(self) -> None:
        """Something has come back from the device."""
        self._looked, self._revives = True, False

    def ordered(self, order: Order) -> None:
        """The device has understood ``order`` in what it is hearing now."""
        self.orders.add(order)
        allowed = self._now
        if allowed is None:
            return
        match order:
            case Order.RESET:
                self._expect(allowed.proceeded or self._revives, order, "the first answer was not on record")
            case Order.ACKNOWLEDGE if self._acknowledges:
                self._acknowledged_by(allowed)
            case Order.ACKNOWLEDGE:
                pass
            case Order.STACK | Order.RETURN:
                self._expect(allowed.proceeded, order, "the first answer was not on record")
                self._expect(allowed.wished is _MOVES[order], order, f"the desk wished {allowed.wished}")
                self._expect(self._looked, order, "a command before it was not answered, and nothing was looked at")
                self._looked = False

    def _acknowledged_by(self, allowed: Allowed) -> None:
        """Each time that the desk has one on record is good for one; a packet that was lost is sent again as it was."""
        last = self._last_ack
        again = last is not None and allowed.data == last.data and allowed.number == last.number + 1
        due = allowed.acknowledged > (last.acknowledged if last is not None else 0)
        self._expect(due or again, Order.ACKNOWLEDGE, "the event was not on record")
        self._last_ack, self._revives = allowed, True

    def _expect(self, right: bool, order: Order, why: str) -> None:
        if not right:
            self.wrongs.append(f"{order.value} was sent, and {why}")


class WatchedLine:
    """The driver's end of the wire."""

    def __init__(self, line: ByteTransport, conduct: Conduct) -> None:
        self._line = line
        self._conduct = conduct

    async def read(self) -> bytes:
        data = await self._line.read()
        self._conduct.read()
        return data

    def write(self, data: bytes) -> None:
        self._line.write(data)
        self._conduct.wrote(data)

    async def drained(self) -> None:
        await self._line.drained()

    def close(self) -> None:
        self._line.close()


class WatchedModule:
    """The driver, as the desk has it: a :class:`drivers.api.cash.CashModule`."""

    def __init__(self, module: CashModule, conduct: Conduct) -> None:
        self._module = module
        self._conduct = conduct
        module.subscribe(conduct.told)

    @property
    def status(self) -> DeviceStatus:
        return self._module.status

    @property
    def capabilities(self) -> CashCapabilities:
        return self._module.capabilities

    @property
    def storage(self) -> CashStorage:
        return self._module.storage

    def subscribe(self, handler: Callable[[CashEvent], None]) -> None:
        self._module.subscribe(handler)

    def remember_by(self, last_mark: LastMark) -> None:
        self._module.remember_by(last_mark)

    def proceed(self) -> None:
        self._conduct.proceeds()
        self._module.proceed()

    def enable(self) -> None:
        self._module.enable()

    def disable(self) -> None:
        self._module.disable()

    def stack(self) -> None:
        self._conduct.wishes(CashCommand.STACK)
        self._module.stack()

    def return_note(self) -> None:
        self._conduct.wishes(CashCommand.RETURN)
        self._module.return_note()

    def acknowledge(self) -> None:
        self._conduct.records()
        self._module.acknowledge()

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        return await self._module.self_test()

    async def run(self) -> None:
        await self._module.run()
