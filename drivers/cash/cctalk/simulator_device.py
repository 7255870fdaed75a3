"""ccTalk devices in software: what the metal does, as this protocol says it.

What they know of events lives in memory that a power cut empties: counter 0, no events, every position inhibited. Where
the paper is they find out by themselves when power is back: a note that was not past escrow goes back, one that was is
stacked. (ccTalk generic specification 4.7; sheet sections 4, 6 and 8.)
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections import deque
from collections.abc import Mapping

from drivers.cash.cctalk.framing import BROADCAST, Checksum, Deframer, Frame, frame
from drivers.cash.cctalk.messages import (
    EVENT_HEADERS,
    SLOTS,
    Acknowledged,
    Answer,
    Code,
    EventBuffer,
    Header,
    Mask,
    MessageError,
    NotRouted,
    OptionFlags,
    PollEvery,
    Request,
    Route,
    SerialNumber,
    Text,
    decode_request,
    encode_answer,
)
from drivers.cash.cctalk.roles import COINS, NOTES, Role
from drivers.cash.cctalk.values import COUNTRY_OF, TOKEN, Scaling
from drivers.simulation.cash_device import Order, SimulatedCash
from drivers.simulation.mechanism import Box, Moved, Spot, Step, Verdict
from drivers.simulation.notes import PhysicalNote, Place, Vault
from drivers.simulation.script import Rule
from guichet.money import Money

_SERIALS = 1 << 24
_PARTIAL_SECONDS = 0.05
_ORDERS = {int(Route.STACK): Order.STACK, int(Route.RETURN): Order.RETURN}
_SCALING = Scaling(100, 2)
_NO_SCALING = Scaling(0, 0)
_VALIDATION, _INHIBITED_NOTE, _REJECTED_COIN, _INHIBITED_COIN = 2, 4, 1, 2
_STACKER_MISSING, _STACKER_FULL, _NOTE_JAM, _OTHER_FAULT = 44, 45, 39, 255


class SimulatedBus(SimulatedCash):
    """What both devices share: addresses, checksum, echo, events, inhibits, the watchdog.

    ``checksum`` and ``echo``: as the line is wired. ``tells_power_up``: whether an event says what became of a note
    that was inside when power came back; that differs between products.
    """

    role: Role
    positions: int

    def __init__(
        self, vault: Vault, table: Mapping[int, Money], serial: str, stage_seconds: float, script: tuple[Rule, ...]
    ) -> None:
        super().__init__(vault, serial, stage_seconds, script)
        self.table = dict(table)
        self.checksum = Checksum.SIMPLE
        self.echo = False
        self.tells_power_up = True
        self.metal.escrow_seconds = 30.0
        self._read_at: float | None = None
        self._must_clear = False
        self._heard_at = 0.0
        self._deframer = Deframer(frozenset({self.role.address, BROADCAST}))
        self._forget()
        self.woke(self.metal.wake())

    def _forget(self) -> None:
        self.counter = self._told = self._acknowledged = 0
        self.events: deque[tuple[int, int]] = deque(maxlen=SLOTS)
        self.mask = b"\0" * (2 if self.positions <= 16 else 8)
        self.master = False

    # --- what it says of itself -------------------------------------------------------------------------------------

    @property
    def values(self) -> Mapping[int, Money]:
        """What its positions are worth."""
        return self.table

    @property
    def unnamed_type(self) -> int:
        """The position after the last that its table names."""
        return max(self.table, default=0) + 1

    @property
    def accepts(self) -> bool:
        """The slot is open."""
        return self.master and any(self.mask) and not self.fault and self.metal.step is Step.RESTING

    @property
    def says(self) -> str:
        """What it would take now, or why it takes nothing."""
        if self.metal.step is not Step.RESTING:
            return self.metal.step.value
        return "fault" if self.fault else ("accepting" if self.accepts else "inhibited")

    @property
    def sayings(self) -> frozenset[str]:
        """All of that."""
        return frozenset({"fault", "accepting", "inhibited"} | {step.value for step in Step})

    @property
    def fault(self) -> int:
        """The self-check's code; 0 where it is well."""
        if self.failed:
            return _OTHER_FAULT
        if self.metal.step is Step.JAMMED:
            return _NOTE_JAM
        return {Box.OUT: _STACKER_MISSING, Box.FULL: _STACKER_FULL, Box.IN: 0}[self.metal.box]

    def post(self, a: int, b: int) -> None:
        """One more event."""
        self.counter = self.counter % 255 + 1
        self.events.appendleft((a, b))

    def enabled(self, position: int) -> bool:
        """Whether its mask lets a type in."""
        byte, bit = divmod(position - 1, 8)
        return 0 <= byte < len(self.mask) and bool(self.mask[byte] >> bit & 1)

    # --- power and time ---------------------------------------------------------------------------------------------

    def woke(self, place: Place | None) -> None:
        """All that it knew of events is gone; the path clears itself."""
        self._forget()
        self._read_at = None
        self._must_clear = True

    def restore_power(self, now: float) -> None:
        """It comes up, and the path clears itself."""
        super().restore_power(now)
        self._clear(now)

    def _clear(self, now: float) -> None:
        if self.powered and self._must_clear:
            self._must_clear = False
            self.metal.reset(now)

    def advance(self, now: float) -> None:
        """Also: a host that does not read has the slot shut."""
        self._clear(now)
        super().advance(now)
        if self._read_at is not None and now - self._read_at > self.role.watchdog and self.powered:
            self._read_at = None
            self.watchdog_bites()

    @abstractmethod
    def watchdog_bites(self) -> None:
        """The host has not read the events for too long."""

    # --- the wire ---------------------------------------------------------------------------------------------------

    def deafen(self) -> None:
        """Forget a frame that has begun to arrive."""
        self._deframer.clear()

    def receive(self, data: bytes, now: float) -> bytes:
        """With the host's own bytes first, where the line echoes: the wire does that, not the device."""
        return (data if self.echo else b"") + super().receive(data, now)

    def hear(self, data: bytes, now: float) -> list[bytes]:
        """Nothing at all to a wrong checksum, another address, or a header that it does not have."""
        if now - self._heard_at > _PARTIAL_SECONDS:
            self.deafen()
        self._heard_at = now
        self._deframer.checksum = self.checksum
        answers = [self._answer_frame(found, now) for found in self._deframer.feed(data) if isinstance(found, Frame)]
        return [answer for answer in answers if answer]

    def _answer_frame(self, found: Frame, now: float) -> bytes:
        try:
            request = decode_request(found.header, found.data)
        except MessageError:
            return b""
        answer = self.answer(request, now)
        if answer is None or found.to == BROADCAST:
            return b""
        header, data = encode_answer(answer)
        to = found.source if found.source is not None else 1
        return frame(to, header, data, source=self.role.address, checksum=self.checksum)

    def answer(self, request: Request, now: float) -> Answer | None:
        """What both kinds answer alike; None: it does not have that header."""
        header = request.header
        if header in EVENT_HEADERS:
            if header is not self.role.events:
                return None
            self._read_at = now
            if self._acknowledged != self._told:
                self.acknowledge_arrives(now)
            self._acknowledged, self._told = self._told, self.counter
            slots = [*self.events, *[(0, 0)] * SLOTS][:SLOTS]
            return EventBuffer(self.counter, tuple(slots))
        match header:
            case Header.SIMPLE_POLL:
                return Acknowledged()
            case Header.RESET:
                self.on_order(Order.RESET)
                self.cut_power(now)
                self.restore_power(now)
                return Acknowledged()
            case Header.SET_INHIBITS:
                self.mask = request.data
                return Acknowledged()
            case Header.GET_INHIBITS:
                return Mask(self.mask)
            case Header.SET_MASTER:
                self.master = bool(request.data[0] & 1)
                return Acknowledged()
            case Header.GET_MASTER:
                return Code(int(self.master))
            case _:
                return self._describe(header)

    def _describe(self, header: Header) -> Answer | None:
        match header:
            case Header.MANUFACTURER:
                return Text("GUICHET-SIM")
            case Header.PRODUCT:
                return Text(f"CT{self.role.address}")
            case Header.SOFTWARE:
                return Text("1.0")
            case Header.SERIAL:
                return SerialNumber(serial_number(self.serial))
            case Header.SELF_CHECK:
                return Code(self.fault)
            case Header.POLLING_PRIORITY:
                return PollEvery(0.2)
            case _:
                return None

    def acknowledged(self, now: float) -> None:
        """A host that reads on has seen what was told. The device forgets nothing by it, so that nothing depends on it:
        lost, late or repeated, it makes no difference.
        """

    def box_changed(self, box: Box, now: float) -> None:
        """Coins have no say in it."""


def serial_number(serial: str) -> int:
    """24 bits: the digits themselves, or for a name something that stands for it."""
    return int(serial) % _SERIALS if serial.isdecimal() else zlib.crc32(serial.encode("utf-8")) % _SERIALS


class Validator(SimulatedBus):
    """A bill validator with escrow and stacker."""

    role = NOTES
    positions = 64

    def __init__(
        self,
        vault: Vault,
        table: Mapping[int, Money],
        serial: str,
        stage_seconds: float = 0.3,
        script: tuple[Rule, ...] = (),
    ) -> None:
        self.uses_escrow = True
        super().__init__(vault, table, serial, stage_seconds, script)

    def judge(self, note: PhysicalNote) -> tuple[Verdict, int]:
        """Whether it is recognised and enabled."""
        if not note.readable:
            return Verdict.REJECT, _VALIDATION
        if not self.enabled(note.note_type):
            return Verdict.REJECT, _INHIBITED_NOTE
        return (Verdict.ESCROW if self.uses_escrow else Verdict.STACK), 0

    def moved(self, happened: Moved, note: PhysicalNote | None, now: float) -> None:
        """An event for whatever has happened, when it has."""
        kind = note.note_type if note is not None else 0
        match happened:
            case Moved.ESCROWED:
                self.post(kind, 1)
            case Moved.STACKED:
                self.post(kind, 0)
            case Moved.RETURNED:
                self.post(0, 1)
            case Moved.REJECTED:
                self.post(0, self.metal.reason)
            case Moved.JAMMED:
                self.post(0, 6 if self.metal.mishaps.jam is Spot.HEAD else 7)
            case Moved.CHEATED:
                self.post(0, 18)
            case Moved.CLEARED_TO_BOX if self.tells_power_up:
                self.post(kind, 0)
            case Moved.CLEARED_TO_MOUTH if self.tells_power_up:
                self.post(0, 1)
            case _:
                pass

    def watchdog_bites(self) -> None:
        """It shuts its slot and says so; the host must open it again."""
        if self.master:
            self.master = False
            self.post(0, 0)

    def box_changed(self, box: Box, now: float) -> None:
        """Each change is an event."""
        self.post(0, {Box.OUT: 11, Box.IN: 12, Box.FULL: 14}[box])

    def answer(self, request: Request, now: float) -> Answer | None:
        """What only a bill validator answers."""
        match request.header:
            case Header.CATEGORY:
                return Text("Bill Validator")
            case Header.ROUTE:
                return self._route(request.data[0], now)
            case Header.NOTE_ID:
                return self._identifier(request.data[0])
            case Header.SCALING:
                country = request.data.decode("ascii", "replace")
                known = any(COUNTRY_OF.get(value.currency.code) == country for value in self.table.values())
                return _SCALING if known else _NO_SCALING
            case Header.REVISION:
                return Text("SIM1")
            case Header.SET_MODE:
                self.uses_escrow = bool(request.data[0] & 2)
                return Acknowledged()
            case _:
                return super().answer(request, now)

    def _route(self, where: int, now: float) -> Answer | None:
        if where in _ORDERS:
            self.on_order(_ORDERS[where])
        if self.metal.step is Step.JAMMED:
            return NotRouted.FAILED
        if self.metal.step is not Step.ESCROW:
            return NotRouted.ESCROW_EMPTY
        if where == Route.HOLD:
            self.metal.hold(now)
        elif where == Route.STACK:
            self.metal.stack(now)
            self.stepped(now)
        elif where == Route.RETURN and not self.metal.give_back(now):
            return NotRouted.FAILED
        elif where == Route.RETURN:
            self.stepped(now)
        else:
            return None
        return Acknowledged()

    def _identifier(self, position: int) -> Answer | None:
        value = self.table.get(position)
        if position > 16 and position > max(self.table, default=0):
            return None
        return Text(note_identifier(value) if value is not None else ".......")


class CoinAcceptor(SimulatedBus):
    """A coin acceptor. A coin is a small note that is never held: it drops into the box, or out again.
    ``credits_are_values``: an event says what a coin is worth, and not its position.
    """

    role = COINS
    positions = 16
    unasked = Verdict.STACK

    def __init__(
        self,
        vault: Vault,
        table: Mapping[int, Money],
        serial: str,
        stage_seconds: float = 0.1,
        script: tuple[Rule, ...] = (),
    ) -> None:
        self.status = 0
        self.credits_are_values = False
        super().__init__(vault, table, serial, stage_seconds, script)

    def judge(self, note: PhysicalNote) -> tuple[Verdict, int]:
        """Whether it is recognised and enabled."""
        if not note.readable:
            return Verdict.REJECT, _REJECTED_COIN
        return (Verdict.STACK, 0) if self.enabled(note.note_type) else (Verdict.REJECT, _INHIBITED_COIN)

    def moved(self, happened: Moved, note: PhysicalNote | None, now: float) -> None:
        """A credit, or why there is none."""
        match happened:
            case Moved.STACKED if note is not None:
                self.post(self._credit(note.note_type), 1)
            case Moved.CLEARED_TO_BOX if note is not None and self.tells_power_up:
                self.post(self._credit(note.note_type), 1)
            case Moved.REJECTED:
                self.post(0, self.metal.reason)
            case Moved.JAMMED:
                self.post(0, 14)
            case Moved.CHEATED:
                self.post(0, 20)
            case _:
                pass

    def _credit(self, position: int) -> int:
        """A coin that its table does not name is a token to it."""
        if not self.credits_are_values:
            return position
        value = self.table.get(position)
        return value_credit(value) if value is not None else TOKEN

    @property
    def accepts(self) -> bool:
        """Also only as long as it is read: it opens by itself when it is again."""
        return super().accepts and self._read_at is not None

    def watchdog_bites(self) -> None:
        """It takes nothing until it is read again."""

    def answer(self, request: Request, now: float) -> Answer | None:
        """What only a coin acceptor answers."""
        match request.header:
            case Header.CATEGORY:
                return Text("Coin Acceptor")
            case Header.STATUS:
                return Code(self.status)
            case Header.OPTION_FLAGS:
                return OptionFlags(int(self.credits_are_values))
            case Header.COIN_ID:
                position = request.data[0]
                if not 1 <= position <= self.positions:
                    return None
                value = self.table.get(position)
                return Text(coin_identifier(value) if value is not None else "......")
            case _:
                return super().answer(request, now)


# --- identifiers ----------------------------------------------------------------------------------------------------


def note_identifier(value: Money) -> str:
    """The identifier of a note at a scaling of 100 with 2 decimals. Raises MessageError for a value that has none."""
    major, rest = divmod(value.minor, 10**value.currency.exponent)
    if rest or not 0 < major < 10000 or value.currency.code not in COUNTRY_OF:
        raise MessageError(f"no identifier for {value}")
    return f"{COUNTRY_OF[value.currency.code]}{major:04d}A"


def coin_identifier(value: Money) -> str:
    """The identifier of a coin, in minor units. Raises MessageError for a value that has none."""
    thousands, rest = divmod(value.minor, 1000)
    text = f"{thousands}K{rest // 100}" if thousands else f"{rest:03d}"
    if value.minor <= 0 or len(text) != 3 or (thousands and rest % 100) or value.currency.code not in COUNTRY_OF:
        raise MessageError(f"no identifier for {value}")
    return f"{COUNTRY_OF[value.currency.code]}{text}A"


def value_credit(value: Money) -> int:
    """The credit of a coin as its value in minor units. Raises MessageError for a value that has none."""
    tens, rest = divmod(value.minor, 10)
    if 0 < value.minor < 128:
        return value.minor
    if rest or not 0 < tens < 127:
        raise MessageError(f"no credit for {value}")
    return 128 + tens
