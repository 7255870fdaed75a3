"""The screen's end of the contract with the terminal: attached for as long as it lives, and again for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc.aio

from guichet.limits import MAX_MESSAGE_BYTES
from guichet.v1 import screen_pb2 as pb
from guichet.v1.screen_pb2_grpc import ScreenStub

_log = logging.getLogger("guichet.screen.link")
_MAX_WAITING = 64
_RETRY_SECONDS = 0.4
_OPTIONS = (("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),)


class ScreenLink:
    """Gives every view of the terminal to ``on_view``, and says ``on_away`` once each time it is lost."""

    def __init__(
        self, terminal: Path, version: str, on_view: Callable[[pb.View], None], on_away: Callable[[], None]
    ) -> None:
        self._target = f"unix:{terminal.absolute()}"
        self._version = version
        self._on_view = on_view
        self._on_away = on_away
        self._waiting: asyncio.Queue[pb.AttachRequest] | None = None

    def touched(self, view_id: int, control: str) -> None:
        """Report a touch. While the terminal is away there is nobody to tell, and nothing on the glass to touch."""
        self._send(pb.AttachRequest(touched=pb.Touched(view_id=view_id, control=control)))

    def shown(self, view_id: int) -> None:
        """Report that a view is on the glass."""
        self._send(pb.AttachRequest(shown=pb.Shown(view_id=view_id)))

    def _send(self, request: pb.AttachRequest) -> None:
        if self._waiting is None:
            return
        try:
            self._waiting.put_nowait(request)
        except asyncio.QueueFull:
            _log.warning("the terminal takes nothing: %s dropped", request.WhichOneof("event"))

    async def run(self) -> None:
        """Stay attached; never returns."""
        while True:
            try:
                await self._attach()
                self._lost("it ended the stream")
            except grpc.aio.AioRpcError as error:
                self._lost(error.code().name)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _attach(self) -> None:
        """One life of the stream; returns or raises when it is over."""
        waiting = asyncio.Queue[pb.AttachRequest](_MAX_WAITING)
        async with grpc.aio.insecure_channel(self._target, options=_OPTIONS) as channel:
            async for response in ScreenStub(channel).Attach(self._requests(waiting)):
                if self._waiting is None:
                    _log.info("attached to the terminal")
                    self._waiting = waiting
                self._on_view(response.view)

    async def _requests(self, waiting: asyncio.Queue[pb.AttachRequest]) -> AsyncIterator[pb.AttachRequest]:
        yield pb.AttachRequest(ready=pb.ScreenReady(software_version=self._version))
        while True:
            yield await waiting.get()

    def _lost(self, reason: str) -> None:
        if self._waiting is None:
            return
        self._waiting = None
        _log.warning("the terminal is away: %s", reason)
        self._on_away()
