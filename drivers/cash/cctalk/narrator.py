"""ccTalk in words, of bill validators and coin acceptors. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.cash.cctalk.echo import Echo
from drivers.cash.cctalk.framing import HOST, Checksum, Deframer, Frame
from drivers.cash.cctalk.messages import Header, MessageError, decode_answer, decode_request
from drivers.cash.cctalk.roles import COINS, NOTES, Role
from drivers.narration import FrameNarrator, Saying, words_of


class Narrator(FrameNarrator[Frame]):
    """A :class:`drivers.narration.Narrator`. An answer is read as one to the question before it.

    Options ``checksum``, ``echo`` and ``bus_address`` as the driver has them: without them a bus is not understood.
    """

    def __init__(self, options: Mapping[str, str], role: Role = NOTES) -> None:
        checksum = Checksum.CRC16 if options.get("checksum") == Checksum.CRC16.value else Checksum.SIMPLE
        text = options.get("bus_address", "")
        address = int(text) if text.isascii() and text.isdecimal() and 2 <= int(text[:4]) <= 255 else role.address
        outward = Deframer(frozenset({address}), HOST, checksum)
        super().__init__(Frame, outward, Deframer(frozenset({HOST}), address, checksum))
        self._echo = Echo(present=options.get("echo") == "yes")
        self._asked = Header.SIMPLE_POLL

    def sent(self, data: bytes) -> list[Saying]:
        """The host's frames."""
        self._echo.expect(data)
        return super().sent(data)

    def received(self, data: bytes) -> list[Saying]:
        """The device's frames, without the host's own bytes where the line gives them back."""
        said = self._echo.take(data)
        if said is None:
            return [Saying(data, "COLLISION: not what was sent comes back")]
        echo = [Saying(data[: len(data) - len(said)], "echo")] if len(said) < len(data) else []
        return echo + super().received(said)

    def question(self, found: Frame) -> str:
        """The host's request."""
        if found.header in set(Header):
            self._asked = Header(found.header)
        return words_of(lambda: decode_request(found.header, found.data), MessageError)

    def answer(self, found: Frame) -> str:
        """The device's answer."""
        return words_of(lambda: decode_answer(self._asked, found.header, found.data), MessageError)


def coin_narrator(options: Mapping[str, str]) -> Narrator:
    """For the line of a coin acceptor."""
    return Narrator(options, COINS)
