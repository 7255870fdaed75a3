"""One question at a time over a ccTalk bus: frames out, typed answers back, the echo dropped. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from drivers.cash.cctalk.echo import Echo
from drivers.cash.cctalk.framing import Checksum, Deframer, Frame, frame
from drivers.cash.cctalk.messages import Answer, MessageError, Request, decode_answer, encode_request
from drivers.cash.cctalk.timing import Timing
from drivers.cash.exchange import Exchange


class Errand(Enum):
    """What a request was sent for."""

    EVENTS = auto()
    QUESTION = auto()
    LOOK = auto()
    ORDER = auto()


class Garbled(Enum):
    """What came is no answer: two talked at once, or the device said what does not belong to the question."""

    COLLISION = auto()
    UNREADABLE = auto()


@dataclass(frozen=True, slots=True)
class Heard:
    """What came on a request. ``raw``: its frame."""

    request: Request
    answer: Answer | Garbled
    raw: bytes = b""


class Wire:
    """The bus to the device at ``address``. Its times are those of ``exchange``."""

    def __init__(self, address: int, checksum: Checksum, timing: Timing, *, echo: bool) -> None:
        self.exchange: Exchange[Request] = Exchange(timing.lost)
        self.errand = Errand.EVENTS
        self._address = address
        self._checksum = checksum
        self._answer_seconds = timing.answer
        self._echo = Echo(present=echo)
        self._deframer = Deframer(source=address, checksum=checksum)

    def ask(self, errand: Errand, request: Request, now: float) -> bytes:
        """The bytes to send."""
        header, data = encode_request(request)
        raw = frame(self._address, header, data, checksum=self._checksum)
        self.errand = errand
        self._deframer.clear()
        self._echo.expect(raw)
        self.exchange.ask(request, now, self._answer_seconds)
        return raw

    def receive(self, data: bytes, now: float) -> Heard | None:
        """What ``data`` amounts to. An answer that nobody waits for any more is nothing."""
        said, request = self._echo.take(data), self.exchange.asked
        if request is None:
            return None
        if said is None:
            return Heard(request, Garbled.COLLISION)
        for found in self._deframer.feed(said):
            if isinstance(found, Frame):
                self.exchange.heard(now)
                return Heard(request, self._understood(request, found), found.raw)
        return None

    @staticmethod
    def _understood(request: Request, found: Frame) -> Answer | Garbled:
        try:
            return decode_answer(request.header, found.header, found.data)
        except MessageError:
            return Garbled.UNREADABLE
