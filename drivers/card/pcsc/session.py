"""One reading of one card: the EMV dialogue over a PC/SC connection, in a thread that may be given up."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from functools import partial

from drivers.api.card import Card
from drivers.card.pcsc.apdu import wipe
from drivers.card.pcsc.calls import CallThread
from drivers.card.pcsc.emv import Terminal, identify
from drivers.card.pcsc.holder import EmvFailure
from drivers.card.pcsc.service import CardHandle, Service, ServiceError, Trouble

_CALL_SECONDS = 5.0


async def identify_card(device: str, reader: str, terminal: Terminal) -> Card:
    """Identify the card in ``reader``. The caller sets the time for all of it: a mute card takes longer than anybody.

    Raises :class:`drivers.card.pcsc.holder.EmvFailure`, :class:`drivers.card.pcsc.service.ServiceError`, and
    :class:`TimeoutError` for a single call that does not come back.
    """
    thread, session = CallThread(f"{device}-read"), _Session(reader)
    try:
        await thread.call(session.open, _CALL_SECONDS)
        card = await _converse(thread, session, terminal)
    except (EmvFailure, ServiceError):
        await _give_back(thread, session)
        raise
    else:
        await _give_back(thread, session)
        return card
    finally:
        # Behind whatever call still blocks: a mute card lets go of the thread only when it is taken out.
        thread.post(session.close)
        thread.close()


async def _give_back(thread: CallThread, session: _Session) -> None:
    """Who reads the card next, at once, must not find that it is still kept from everyone, by us."""
    with suppress(TimeoutError):
        await thread.call(session.close, _CALL_SECONDS)


async def _converse(thread: CallThread, session: _Session, terminal: Terminal) -> Card:
    dialogue = identify(terminal, t0=session.card.t0)
    try:
        command = next(dialogue)
        while True:
            answer = await thread.call(partial(session.transmit, command), _CALL_SECONDS)
            command = _advance(dialogue, answer)
    except StopIteration as done:
        return done.value
    finally:
        dialogue.close()


def _advance(dialogue: Generator[bytes, bytearray, Card], answer: bytearray) -> bytes:
    try:
        return dialogue.send(answer)
    finally:
        wipe(answer)


class _Session:
    """The blocking side; lives in its call thread, and remembers what it must give back, whoever still waits."""

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._service = Service()
        self._card: CardHandle | None = None

    @property
    def card(self) -> CardHandle:
        if self._card is None:
            raise ServiceError(Trouble.CARD_GONE, "open", 0)
        return self._card

    def open(self) -> None:
        self._service.open()
        self._card = self._service.connect(self._reader)

    def transmit(self, command: bytes) -> bytearray:
        return self._service.transmit(self.card, command)

    def close(self) -> None:
        if self._card is not None:
            self._service.disconnect(self._card)
            self._card = None
        self._service.close()
