"""ID-003 in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.cash.id003.framing import Deframer, Frame
from drivers.cash.id003.messages import Command, MessageError, decode_answer, decode_request
from drivers.narration import FrameNarrator, words_of


class Narrator(FrameNarrator[Frame]):
    """A :class:`drivers.narration.Narrator`. An answer is read as one to the question before it."""

    def __init__(self, options: Mapping[str, str]) -> None:
        del options
        super().__init__(Frame, Deframer(), Deframer())
        self._asked = Command.STATUS

    def question(self, found: Frame) -> str:
        """The host's command."""
        code = found.payload[0]
        if code in set(Command) - {Command.ACK}:
            self._asked = Command(code)
        return words_of(lambda: decode_request(found.payload), MessageError)

    def answer(self, found: Frame) -> str:
        """The validator's answer."""
        return words_of(lambda: decode_answer(self._asked, found.payload), MessageError)
