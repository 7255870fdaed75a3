"""The terminal's side of the screen: the view of the moment, and the touches that come back for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from enum import Enum, auto
from typing import NoReturn

import grpc

from guichet.v1 import screen_pb2 as pb
from guichet.v1.screen_pb2_grpc import ScreenServicer
from kiosk.log import EventLog

Content = (
    pb.AttractView | pb.WaitView | pb.PinView | pb.MenuView | pb.AccountsView | pb.DepositView
    | pb.DepositResultView | pb.StatementView | pb.NoticeView | pb.GoodbyeView | pb.OutOfServiceView
)  # fmt: skip

_FIELD_OF = {
    field.message_type.full_name: field.name
    for field in pb.View.DESCRIPTOR.oneofs_by_name["content"].fields
    if field.message_type is not None
}
_MAX_TOUCHES = 16
# Views of these kinds follow one another by themselves while the customer reaches out. What these controls mean does
# not change with them, so a touch on the last one counts on the next.
_STEADY = {"deposit": frozenset({"finish", "cancel"})}

FIRST_LANGUAGE = "en"
"""What the screen speaks to whom nobody knows yet."""


class End(Enum):
    """Why a session is over before its last word."""

    CARD_TAKEN = auto()
    CANCELLED = auto()
    TIMEOUT = auto()


class SessionOver(Exception):
    """Raised where a flow waits for the customer: there is none any more."""

    def __init__(self, end: End) -> None:
        super().__init__(end.name)
        self.end = end


class Front(ScreenServicer):
    """One screen, whichever process it is now. The newest view wins; a touch counts only for the view it was on."""

    def __init__(self, log: EventLog, *, training: bool) -> None:
        self._log = log
        self._training = training
        self._view = pb.View(view_id=0, language=FIRST_LANGUAGE, training=training)
        self._kind_since = 0
        self._touches: deque[pb.Touched] = deque(maxlen=_MAX_TOUCHES)
        self._changed = asyncio.Condition()
        self._stirred = asyncio.Event()
        self._woken = False
        self._over: End | None = None
        self.language = FIRST_LANGUAGE
        self.attached = False

    # --- for flows --------------------------------------------------------------------------------------------------

    async def show(self, content: Content) -> None:
        """Put ``content`` on the glass, unless it is there already."""
        name = _FIELD_OF[content.DESCRIPTOR.full_name]
        if self._view.WhichOneof("content") == name and getattr(self._view, name) == content:
            return
        view = pb.View(view_id=self._view.view_id + 1, language=self.language, training=self._training)
        if self._view.WhichOneof("content") != name:
            self._kind_since = view.view_id
        body = getattr(view, name)
        body.CopyFrom(content)
        body.SetInParent()
        async with self._changed:
            self._view = view
            self._changed.notify_all()

    async def touched(self, seconds: float, *, ends_session: bool = True) -> str | None:
        """The control that was touched on the view of the moment; None when :meth:`wake` was called. Raises
        :class:`SessionOver` when the card is gone or, unless told not to, when nobody touches for ``seconds``.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._next()
        except TimeoutError as error:
            if ends_session:
                raise SessionOver(End.TIMEOUT) from error
            return None

    async def choose(self, content: Content, seconds: float) -> str:
        """Show ``content`` and wait for one of its controls. Raises :class:`SessionOver`, also when nobody has touched
        for ``seconds``, whatever the devices do meanwhile.
        """
        await self.show(content)
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            control = await self.touched(deadline - asyncio.get_running_loop().time())
            if control is not None:
                return control

    async def until_nobody(self, seconds: float) -> NoReturn:
        """Wait, whatever is touched. Raises :class:`SessionOver` when the card is gone or nobody touches for
        ``seconds``.
        """
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            touched = await self.touched(deadline - asyncio.get_running_loop().time()) is not None
            deadline = asyncio.get_running_loop().time() + seconds if touched else deadline

    async def _next(self) -> str | None:
        while True:
            if self._over is not None:
                raise SessionOver(self._over)
            while self._touches:
                touch = self._touches.popleft()
                if self._counts(touch):
                    return touch.control
            if self._woken:
                self._woken = False
                return None
            self._stirred.clear()
            await self._stirred.wait()

    def _counts(self, touch: pb.Touched) -> bool:
        steady = _STEADY.get(self._view.WhichOneof("content") or "", frozenset[str]())
        same_kind = touch.view_id >= self._kind_since and touch.control in steady
        return touch.view_id == self._view.view_id or same_kind

    def wake(self) -> None:
        """Let whoever waits look at the world again."""
        self._woken = True
        self._stirred.set()

    def begin_session(self) -> None:
        """A customer is here."""
        self._over = None
        self._woken = False

    def end_session(self, end: End) -> None:
        """The customer is gone; whoever waits for a touch hears it."""
        self._over = end
        self._stirred.set()

    # --- for the screen ---------------------------------------------------------------------------------------------

    async def Attach(
        self,
        request_iterator: AsyncIterable[pb.AttachRequest],
        context: grpc.aio.ServicerContext[pb.AttachRequest, pb.AttachResponse],
    ) -> AsyncIterator[pb.AttachResponse]:
        """One screen's connection."""
        listening = asyncio.create_task(self._listen(request_iterator))
        self.attached = True
        self._log.event("screen.attached")
        shown = -1
        try:
            while True:
                view = await self._newer_than(shown)
                shown = view.view_id
                yield pb.AttachResponse(view=view)
        finally:
            listening.cancel()
            self.attached = False
            self._log.event("screen.detached")

    async def _newer_than(self, shown: int) -> pb.View:
        async with self._changed:
            await self._changed.wait_for(lambda: self._view.view_id != shown)
            return self._view

    async def _listen(self, requests: AsyncIterable[pb.AttachRequest]) -> None:
        async for request in requests:
            if request.WhichOneof("event") == "touched":
                self._touches.append(request.touched)
                self._stirred.set()
