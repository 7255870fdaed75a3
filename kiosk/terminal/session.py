"""A session: from the card going in to the card coming out. One at a time; none resumes after a restart."""

from __future__ import annotations

import asyncio

from drivers.api.card import Card, CardEvent, CardInserted, CardRemoved
from drivers.errors import CardError, DeviceError
from guichet.ids import SessionId
from guichet.v1 import journal_pb2 as journal
from guichet.v1 import screen_pb2 as pb
from kiosk.journal.faults import JournalError
from kiosk.journal.folds import Deposit
from kiosk.terminal.dates import expired
from kiosk.terminal.flows.deposit import deposit_flow
from kiosk.terminal.flows.offline import offline_flow
from kiosk.terminal.flows.result import show_result
from kiosk.terminal.flows.statement import statement_flow
from kiosk.terminal.front import FIRST_LANGUAGE, End, SessionOver
from kiosk.terminal.health import works
from kiosk.terminal.parts import CustomerSession, Parts
from kiosk.terminal.pin import authenticate
from kiosk.terminal.refusal import Refused

_CARD_REMINDER_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 0.5


class Sessions:
    """Waits for cards and serves whoever comes."""

    def __init__(self, parts: Parts, interrupted: SessionId | None = None) -> None:
        """``interrupted``: the session that was open when the terminal last stopped."""
        self._parts = parts
        self._interrupted = interrupted
        self._inserted = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self._closing = False
        self._served = interrupted is not None
        parts.card.subscribe(self._on_card)
        parts.desk.on_change(parts.front.wake)

    @property
    def open(self) -> bool:
        """Someone is being served."""
        return not self.idle.is_set()

    def serve_no_more(self) -> None:
        """The terminal is about to stop: whoever is here is served, nobody after that."""
        self._closing = True
        self._parts.front.wake()

    def _on_card(self, event: CardEvent) -> None:
        match event:
            case CardInserted():
                self._inserted.set()
            case CardRemoved():
                self._inserted.clear()
                self._served = False
                if self.open:
                    self._parts.front.end_session(End.CARD_TAKEN)
        self._parts.front.wake()

    async def run(self) -> None:
        """Serve until cancelled."""
        interrupted, self._interrupted = self._interrupted, None
        if interrupted is not None:
            await self._tell_interrupted(interrupted)
        while True:
            # Before anyone is served, also after a session that crashed: the card of the last one must be out.
            await self._goodbye()
            await self._attract()
            await self._serve()

    async def _tell_interrupted(self, interrupted: SessionId) -> None:
        """Who still stands here with the card inside is told first what became of the money. The session is over."""
        parts, front = self._parts, self._parts.front
        mine = [deposit for deposit in parts.journal.fold.deposits.values() if deposit.session_id == interrupted]
        front.begin_session()
        await front.show(pb.WaitView(reason=pb.WAIT_REASON_FINISHING_DEPOSIT if mine else pb.WAIT_REASON_STARTING))
        deadline = parts.clock.monotonic() + parts.config.timings.device_grace + _CARD_REMINDER_SECONDS
        while parts.clock.monotonic() < deadline and not (works(parts.card) and self._decided(mine)):
            await front.touched(_LOOK_AGAIN_SECONDS, ends_session=False)
        if mine and parts.card.card_inside and self._decided(mine):
            self.idle.clear()
            try:
                await show_result(parts, parts.journal.fold.deposits[mine[-1].deposit_id], pb.DEPOSIT_STOP_RESTART)
            except SessionOver as over:
                parts.log.event("session.interrupted-told", end=over.end.name.lower())
            finally:
                self.idle.set()

    def _decided(self, deposits: list[Deposit]) -> bool:
        fold = self._parts.journal.fold
        return all(fold.deposits[deposit.deposit_id].closed for deposit in deposits)

    # --- nobody is here ---------------------------------------------------------------------------------------------

    async def _attract(self) -> None:
        front = self._parts.front
        front.begin_session()
        front.language = FIRST_LANGUAGE  # Not that of the last customer.
        while True:
            await front.show(self._idle_view())
            if self._inserted.is_set() and self._can_serve():
                return
            await front.touched(_CARD_REMINDER_SECONDS, ends_session=False)

    def _can_serve(self) -> bool:
        parts = self._parts
        if self._closing or not works(parts.card) or parts.journal.failure is not None:
            return False
        return works(parts.pinpad) if parts.link.connected else self._can_serve_alone()

    def _can_serve_alone(self) -> bool:
        """Whether a deposit may begin while the host is away; not where it is there and does not let us in."""
        parts = self._parts
        return not parts.link.refused and self._can_take_cash() and parts.offline.closed_because() is None

    def _idle_view(self) -> pb.AttractView | pb.OutOfServiceView:
        parts = self._parts
        if not self._can_serve():
            return pb.OutOfServiceView(code=self._why_not())
        available, unavailable = self._services(bank=parts.link.connected)
        paper, away = works(parts.printer), not parts.link.connected
        return pb.AttractView(available=available, unavailable=unavailable, paper=paper, host_away=away)

    def _why_not(self) -> str:
        parts = self._parts
        if parts.journal.failure is not None:
            return parts.journal.failure.fault.value  # Also where that is why it is stopping.
        if self._closing:
            return "stopping"
        if not parts.link.connected:
            return "host-refused" if parts.link.refused else "host"
        return "card-reader" if not works(parts.card) else "pin-pad"

    def _services(self, *, bank: bool = True) -> tuple[list[pb.Service.ValueType], list[pb.Service.ValueType]]:
        """What works, and what does not; ``bank``: whether the host is there to ask."""
        states = {pb.SERVICE_STATEMENT: bank, pb.SERVICE_DEPOSIT: self._can_take_cash()}
        return [one for one, good in states.items() if good], [one for one, good in states.items() if not good]

    def _can_take_cash(self) -> bool:
        parts = self._parts
        return parts.desk.view.ready and parts.journal.can_take_a_note() and not parts.replicator.refused

    # --- someone is here --------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        parts, session_id = self._parts, SessionId(self._parts.ids.new())
        self._served = True
        self.idle.clear()
        card, end, stopped = None, journal.SESSION_END_CUSTOMER, False
        try:
            await parts.front.show(pb.WaitView(reason=pb.WAIT_REASON_READING_CARD))
            card = await self._read_card()
            parts.journal.append(journal.SessionOpened(session_id=session_id, card_masked=card.masked))
            if parts.link.connected:
                await self._menu(await authenticate(parts, card, session_id))
            else:
                await offline_flow(parts, card, session_id)
        except Refused as refused:
            end = refused.end
            await self._say(refused)
        except SessionOver as over:
            end = journal.SESSION_END_TIMEOUT if over.end is End.TIMEOUT else journal.SESSION_END_CUSTOMER
        except JournalError as error:
            parts.log.event("journal.failed", reason=str(error))
        except asyncio.CancelledError:
            stopped = True  # Under the customer's hands: the next start closes the session and says what became of it.
            raise
        finally:
            if card is not None:
                card.pan.wipe()
            if not stopped:
                self._close(session_id, end)
            self.idle.set()

    def _close(self, session_id: SessionId, end: journal.SessionEnd.ValueType) -> None:
        parts = self._parts
        if parts.journal.fold.session != session_id or parts.journal.failure is not None:
            return
        try:
            parts.journal.append(journal.SessionClosed(session_id=session_id, end=end))
        except JournalError as error:
            parts.log.event("journal.failed", reason=str(error))

    async def _read_card(self) -> Card:
        try:
            card = await self._parts.card.read()
        except CardError as error:
            notice = pb.NOTICE_CARD_BLOCKED if error.code == "blocked" else pb.NOTICE_CARD_UNREADABLE
            raise Refused(notice, f"card-{error.code}", journal.SESSION_END_CARD_REFUSED) from error
        except DeviceError as error:
            raise Refused(pb.NOTICE_CARD_UNREADABLE, error.code, journal.SESSION_END_DEVICE) from error
        if expired(card.expiry, self._parts.clock):
            card.pan.wipe()
            raise Refused(pb.NOTICE_CARD_EXPIRED, "card-expired", journal.SESSION_END_CARD_REFUSED)
        return card

    async def _say(self, refused: Refused) -> None:
        view = pb.NoticeView(notice=refused.notice, code=refused.code, controls=["done"])
        try:
            await self._parts.front.choose(view, self._parts.config.timings.notice)
        except SessionOver:
            return  # Nobody reads it any more.

    async def _goodbye(self) -> None:
        """Until the card is out: nobody else is served, and nothing of the session is shown."""
        front = self._parts.front
        front.begin_session()
        while self._inserted.is_set() and self._served:
            await front.show(pb.GoodbyeView(card_inside=True))
            await front.touched(_CARD_REMINDER_SECONDS, ends_session=False)

    # --- the menu ---------------------------------------------------------------------------------------------------

    async def _menu(self, session: CustomerSession) -> None:
        parts = self._parts
        while True:
            available, unavailable = self._services()
            view = pb.MenuView(
                customer_name=session.customer.display_name, available=available, unavailable=unavailable
            )
            match await parts.front.choose(view, parts.config.timings.customer):
                case "statement":
                    await statement_flow(parts, session)
                case "deposit":
                    await deposit_flow(parts, session)
                case "finish":
                    return
                case control:
                    parts.log.event("touch.unknown", control=control[:40])
