"""The lines in words, which they are already. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.narration import FrameNarrator
from tests.conformance.acme.framing import Deframer, Line


class Narrator(FrameNarrator[Line]):
    """A :class:`drivers.narration.Narrator`."""

    def __init__(self, options: Mapping[str, str]) -> None:
        del options
        super().__init__(Line, Deframer(), Deframer())

    def question(self, found: Line) -> str:
        """The host's."""
        return found.text

    def answer(self, found: Line) -> str:
        """The device's."""
        return found.text
