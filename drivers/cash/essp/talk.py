"""One question at a time on an SSP line, asked again with the identical bytes until it is answered. Pure."""

from __future__ import annotations

from drivers.cash.essp.framing import Deframer, Frame
from drivers.cash.essp.messages import Request
from drivers.cash.essp.timing import Timing
from drivers.cash.essp.wire import Wire
from drivers.cash.exchange import Exchange


class Talk(Exchange[Request]):
    """The rhythm of the line and the two ends of its bytes."""

    def __init__(self, timing: Timing) -> None:
        super().__init__(timing.answer * timing.repeats)
        self.wire = Wire()
        self._timing = timing
        self._deframer = Deframer()
        self._sent = 0

    def say(self, request: Request, now: float) -> bytes:
        """The bytes of a new question."""
        self._sent = 0
        return self._put(request, self.wire.pack(request), now)

    def again(self, now: float, *, in_vain: bool) -> bytes | None:
        """The identical bytes, which the device does not carry out twice; None: it has been asked often enough. One
        that is lost is not asked the same again and again: it is greeted. ``in_vain``: nothing of the kind is answered.
        """
        repeats = self._timing.tries if in_vain else self._timing.repeats
        if self.asked is None or self._sent > repeats or self.lost:
            self.finish(now, self._timing.quiet)
            return None
        return self._put(self.asked, self.wire.last, now)

    def feed(self, data: bytes, now: float) -> list[tuple[Request, bytes]]:
        """The question and what answers it, where ``data`` completes that."""
        heard: list[tuple[Request, bytes]] = []
        for found in self._deframer.feed(data):
            if not isinstance(found, Frame) or self.asked is None:
                continue
            payload = self.wire.unpack(found)
            if payload is not None:
                heard.append((self.asked, payload))
                self.heard(now)
                self.finish(now, self._timing.quiet)
        return heard

    def _put(self, request: Request, data: bytes, now: float) -> bytes:
        self._deframer.clear()
        self._sent += 1
        self.ask(request, now, self._timing.answer)
        return data
