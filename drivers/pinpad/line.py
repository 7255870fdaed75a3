"""One question at a time over the pad's line: sequence numbers, deadlines, repeats; and what the pad says unasked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from drivers.errors import DeviceError, NoAnswer, ProtocolError, Refused
from drivers.pinpad import messages as m
from drivers.pinpad.framing import Deframer, Frame, encode_frame
from drivers.transport.api import ByteTransport

_log = logging.getLogger(__name__)

_ANSWER_SECONDS = 1.0
_TRIES = 3

Wanted = TypeVar("Wanted", bound=m.Answer)


class PadLine:
    """The terminal's end of the line to a PIN pad named ``device``; ``on_event`` hears of pressed keys."""

    def __init__(self, device: str, transport: ByteTransport, on_event: Callable[[m.EntryChanged], None]) -> None:
        self._device = device
        self._transport = transport
        self._on_event = on_event
        self._deframer = Deframer()
        self._turn = asyncio.Lock()
        self._sequence = 0
        self._pending: asyncio.Future[Frame] | None = None
        self._failure: DeviceError | None = None

    async def listen(self) -> None:
        """Take in what the pad sends, until the line is lost: raises :class:`drivers.errors.TransportError`."""
        try:
            while True:
                for frame in self._deframer.feed(await self._transport.read()):
                    self._sort(frame)
        except DeviceError as error:
            self._failure = error
            if self._pending is not None and not self._pending.done():
                self._pending.set_exception(error)
            raise

    async def ask(self, command: m.Command, wanted: type[Wanted]) -> Wanted:
        """The pad's answer. A lost one is asked for again, under the same sequence number, at most three times.

        Raises :class:`drivers.errors.NoAnswer`, :class:`drivers.errors.Refused` with the refusal as its code,
        :class:`drivers.errors.ProtocolError`, and :class:`drivers.errors.TransportError`.
        """
        async with self._turn:
            self._sequence = self._sequence % 0xFF + 1
            frame = m.encode(self._sequence, command)
            for _ in range(_TRIES):
                answer = await self._answer(frame)
                if answer is not None:
                    return self._understood(answer, wanted)
        raise NoAnswer(self._device, "silent", f"no answer to command {frame.kind:02X}")

    async def _answer(self, frame: Frame) -> Frame | None:
        if self._failure is not None:
            raise self._failure
        self._deframer.forget()
        self._pending = asyncio.get_running_loop().create_future()
        try:
            self._transport.write(encode_frame(frame))
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._pending
        except TimeoutError:
            return None
        finally:
            self._pending = None

    def _sort(self, frame: Frame) -> None:
        if frame.sequence == m.EVENT_SEQUENCE:
            self._event(frame)
        elif self._pending is not None and not self._pending.done() and frame.sequence == self._sequence:
            self._pending.set_result(frame)
        else:
            _log.info("%s: a late answer of kind %02X", self._device, frame.kind)

    def _event(self, frame: Frame) -> None:
        try:
            message = m.decode(frame)
        except m.BadMessage as error:
            _log.warning("%s: %s", self._device, error)
            return
        if isinstance(message, m.EntryChanged):
            self._on_event(message)

    def _understood(self, frame: Frame, wanted: type[Wanted]) -> Wanted:
        try:
            message = m.decode(frame)
        except m.BadMessage as error:
            raise ProtocolError(self._device, "bad-answer", str(error)) from error
        if isinstance(message, m.Refused):
            raise Refused(
                self._device, message.refusal.name.lower().replace("_", "-"), f"command {message.command:02X}"
            )
        if not isinstance(message, wanted):
            raise ProtocolError(self._device, "bad-answer", f"kind {frame.kind:02X} instead of {wanted.__name__}")
        return message
