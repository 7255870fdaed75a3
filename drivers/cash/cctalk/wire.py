"""One question at a time over a ccTalk bus: frames out, typed answers back, the echo dropped. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from drivers.cash.cctalk.echo import Echo
from drivers.cash.cctalk.framing import Checksum, Deframer, Frame, frame
from drivers.cash.cctalk.messages import Answer, MessageError, Request, decode_answer, encode_request
from drivers.cash.cctalk.timing import Timing
from drivers.cash.cctalk.under_way import Kind, UnderWay
from drivers.cash.exchange import Exchange
from drivers.cash.rest import Asides, Rest, Turn
from drivers.cash.steps import Send


class Errand(Enum):
    """What a request was sent for. PROOF: to know that no other answer is under way."""

    EVENTS = auto()
    QUESTION = auto()
    LOOK = auto()
    ORDER = auto()
    PROOF = auto()


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
    """The bus to the device at ``address``. Its times are those of ``exchange``. ``babble``: something came on the last
    question, and nothing that could be believed, or understood, as its answer.
    """

    def __init__(self, address: int, checksum: Checksum, timing: Timing, *, echo: bool) -> None:
        self.exchange: Exchange[Request] = Exchange(timing.lost)
        self.errand = Errand.EVENTS
        self._address = address
        self._checksum = checksum
        self._timing = timing
        self._slow = False
        self.babble = False
        self._under_way = UnderWay()
        self._echo = Echo(present=echo)
        self._deframer = Deframer(source=address, checksum=checksum)

    @property
    def proof(self) -> Kind | None:
        """What the next question must be answered by before anything else is asked; None: ask what you like."""
        return self._under_way.proof

    def begin_anew(self) -> None:
        """What came late from a device that was lost says nothing of the one that comes."""
        self._slow = False

    def ask(self, errand: Errand, request: Request, now: float) -> bytes:
        """The bytes to send."""
        raw = self._frame(request)
        self.errand = errand
        self.babble = False
        self._deframer.clear()
        self._echo.expect(raw)
        self.exchange.ask(request, now, self._patience)
        return raw

    def turn(self, request: Request, answer: bytes) -> Turn[Request]:
        """From here on, ``answer`` to ``request`` is nothing new."""
        return Turn(request, (Send(self._frame(request)),), answer)

    def rest(
        self, poll: Turn[Request], pause: float, now: float, asides: Asides[Request] | None, aside_at: float
    ) -> Rest[Request] | None:
        """From here on, nothing is new. None on a line with an echo: that comes before an answer, in whatever pieces,
        and is compared each time.
        """
        if self._echo.present:
            return None
        return Rest(poll, self._deframer.clear, self._patience, (), pause, now, asides, aside_at)

    def _frame(self, request: Request) -> bytes:
        header, data = encode_request(request)
        return frame(self._address, header, data, checksum=self._checksum)

    @property
    def _patience(self) -> float:
        return self._timing.late if self._slow else self._timing.answer

    def missed(self, request: Request, now: float) -> None:
        """``request`` has no answer that could be believed: it may still be under way."""
        self._under_way.missed(request.header)
        self.exchange.finish(now, self._timing.drain)

    def receive(self, data: bytes, now: float) -> Heard | None:
        """What ``data`` amounts to. An answer that nobody waits for any more is nothing. Whether one is of any use, and
        so ends a silence, is for the caller to say.
        """
        said, request = self._echo.take(data), self.exchange.asked
        if said is None:
            return Heard(request, Garbled.COLLISION) if request is not None else None
        for found in self._deframer.feed(said):
            if isinstance(found, Frame) and self._is_certain(found, now) and request is not None:
                return Heard(request, self._understood(request, found), found.raw)
            if self.exchange.asked is None:
                break
        return None

    def _is_certain(self, found: Frame, now: float) -> bool:
        """Whether it answers what was asked last. After a late one of the proof's own kind, the next proof can tell."""
        wanted = self.proof
        if self.exchange.asked is None:
            self._slow |= wanted is not None
            return False
        if self._under_way.proves(found):
            return True
        self.babble = True
        self._slow = True
        if self.proof is not wanted:
            self.exchange.finish(now, self._timing.quiet)
        return False

    def _understood(self, request: Request, found: Frame) -> Answer | Garbled:
        try:
            return decode_answer(request.header, found.header, found.data)
        except MessageError:
            self.babble = True
            return Garbled.UNREADABLE
