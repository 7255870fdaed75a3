"""What a receipt printer is asked, and what it says of itself, in words; a document is only named. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from drivers.narration import Saying, describe
from drivers.printer.escpos.status import (
    CLEAR_BUFFERS,
    INITIALISE,
    NO_AUTOMATIC_STATUS,
    TRANSMIT_PAPER_STATUS,
    Fact,
    Query,
    identity_request,
    process_id_request,
    split_answers,
    status_request,
)

_QUESTIONS: Mapping[bytes, str] = {
    **{status_request(query): f"status: {describe(query)}" for query in Query},
    **{identity_request(fact): f"who are you: {describe(fact)}" for fact in Fact},
    CLEAR_BUFFERS: "clear buffers",
    INITIALISE: "initialise",
    NO_AUTOMATIC_STATUS: "no automatic status",
    TRANSMIT_PAPER_STATUS: "paper status, in its turn",
}
_PROCESS_ID = process_id_request(b"    ")[:-4]
_QUESTION = re.compile(
    b"|".join(re.escape(question) for question in _QUESTIONS) + b"|" + re.escape(_PROCESS_ID) + b"....", re.DOTALL
)


class Narrator:
    """A :class:`drivers.narration.Narrator`. A question cut in two by the line's buffers shows as document."""

    def __init__(self, options: Mapping[str, str]) -> None:
        del options
        self._pending = b""

    def opened(self, entropy: bytes) -> None:
        """Nothing follows from it."""

    def missed(self, count: int) -> None:
        """The rest of an answer will not come any more."""
        self._pending = b""

    def sent(self, data: bytes) -> list[Saying]:
        """Questions, and the pieces of a document between them."""
        sayings: list[Saying] = []
        at = 0
        for found in _QUESTION.finditer(data):
            sayings += _document(data[at : found.start()])
            words = _QUESTIONS.get(found[0], f"say when printed: {found[0][-4:].decode('ascii', 'replace')}")
            sayings.append(Saying(found[0], words))
            at = found.end()
        return sayings + _document(data[at:])

    def received(self, data: bytes) -> list[Saying]:
        """What the printer says; several answers may come at once."""
        answers, self._pending = split_answers(self._pending + data)
        return [Saying(data, "; ".join(describe(answer) for answer in answers))]


def _document(data: bytes) -> list[Saying]:
    return [Saying(data, f"document, {len(data)} bytes")] if data else []
