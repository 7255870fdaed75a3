"""The deposit: from the account to the receipt. What happens to a note is the cash desk's; this flow opens the slot
when it may, says what is going on, and ends when the customer, the clock or the device does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from guichet.ids import DepositId, SessionId
from guichet.limits import MAX_NOTES_PER_DEPOSIT
from guichet.money import Currency, Money
from guichet.v1 import customer_pb2
from guichet.v1 import journal_pb2 as journal
from guichet.v1 import screen_pb2 as pb
from kiosk.journal.faults import JournalError
from kiosk.journal.folds import Note
from kiosk.terminal.desk_view import Stage
from kiosk.terminal.flows.accounts import choose_account
from kiosk.terminal.flows.deposit_view import view_of
from kiosk.terminal.flows.printing import can_print
from kiosk.terminal.flows.result import show_result
from kiosk.terminal.front import End, SessionOver
from kiosk.terminal.offline import Opening, fits
from kiosk.terminal.parts import CustomerSession, Parts

_LOOK_AGAIN_SECONDS = 1.0
_SHUT_SECONDS = 5.0
_SHUT_LOOK_SECONDS = 0.05
_RETURN_AGAIN_SECONDS = (2.0, 8.0, 20.0, 40.0)
"""After the order, when a device is told again to give a note back that it keeps; at the last it counts as stuck."""


class Ended(Enum):
    """Why no further note is taken."""

    CUSTOMER = auto()
    TIMEOUT = auto()
    CARD_TAKEN = auto()
    DEVICE = auto()
    LIMIT = auto()


_ENDS = {
    Ended.CUSTOMER: journal.DEPOSIT_END_CUSTOMER,
    Ended.TIMEOUT: journal.DEPOSIT_END_TIMEOUT,
    Ended.CARD_TAKEN: journal.DEPOSIT_END_CUSTOMER,
    Ended.DEVICE: journal.DEPOSIT_END_DEVICE,
    Ended.LIMIT: journal.DEPOSIT_END_LIMIT,
}
_STOPS = {
    Ended.CUSTOMER: pb.DEPOSIT_STOP_UNSPECIFIED,
    Ended.TIMEOUT: pb.DEPOSIT_STOP_TIMEOUT,
    Ended.CARD_TAKEN: pb.DEPOSIT_STOP_UNSPECIFIED,
    Ended.DEVICE: pb.DEPOSIT_STOP_DEVICE,
    Ended.LIMIT: pb.DEPOSIT_STOP_LIMIT,
}


@dataclass(slots=True)
class _Progress:
    """One deposit on its way. Times are monotonic seconds."""

    deposit_id: DepositId
    denominations: frozenset[Money]
    paper: bool
    last_sign_of_life: float
    stage: Stage = Stage.CLOSED
    stage_since: float = 0.0
    silent_since: float | None = None
    asked_again: int = 0
    finish: Ended | None = None


async def deposit_flow(parts: Parts, session: CustomerSession) -> None:
    """One deposit. Raises :class:`kiosk.terminal.front.SessionOver` when the customer is gone; the deposit is closed
    then, and everything that was stacked is on its way to the account.
    """
    account = await choose_account(parts, session, pb.SERVICE_DEPOSIT)
    if account is not None and await _may_begin(parts):
        await make_deposit(parts, session.session_id, account)


async def make_deposit(
    parts: Parts, session_id: SessionId, account: customer_pb2.Account, opening: Opening | None = None
) -> None:
    """A deposit to ``account``, of which only the currency is known where it begins by ``opening``, without a host."""
    paper = await can_print(parts)
    if not paper and not await _goes_on_without_receipt(parts):
        return
    denominations = _denominations(parts, account)
    await _slot_is_shut(parts)
    try:
        deposit_id = parts.desk.open_deposit(session_id, account, denominations, parts.config.version, opening)
    except (JournalError, RuntimeError):
        await _notice(parts, pb.NOTICE_CASH_OUT, parts.desk.view.fault or "cash")
        return
    progress = _Progress(deposit_id, denominations, paper, parts.clock.monotonic())
    try:
        over = await _take_notes(parts, progress)
    finally:
        parts.desk.abandon()  # Also where this ends unexpectedly: nobody leads the deposit from here on.
    deposit = parts.journal.fold.deposits[deposit_id]
    if over is not None and over.end is End.CARD_TAKEN:
        raise over
    stop = _STOPS[progress.finish or Ended.DEVICE]
    await show_result(parts, deposit, stop)


async def cash_is_ready(parts: Parts) -> bool:
    """Before the first note: whether there is everything here that it takes to keep it safe."""
    if not parts.desk.view.ready or not parts.journal.can_take_a_note() or parts.replicator.refused:
        await _notice(parts, pb.NOTICE_CASH_OUT, parts.desk.view.fault or "journal")
        return False
    return True


async def _may_begin(parts: Parts) -> bool:
    if not await cash_is_ready(parts):
        return False
    if not parts.link.connected:
        await _notice(parts, pb.NOTICE_HOST_AWAY, "host")
        return False
    return True


async def _slot_is_shut(parts: Parts) -> None:
    """What came in before this deposit is told before it begins, also what a device that was silent has still to tell,
    or one that draws in by itself. It takes a question and its answer.
    """
    parts.desk.ask_whether_shut()
    until = parts.clock.monotonic() + _SHUT_SECONDS
    while parts.desk.view.ready and not parts.desk.shut and parts.clock.monotonic() < until:
        await parts.front.touched(_SHUT_LOOK_SECONDS, ends_session=False)


async def _goes_on_without_receipt(parts: Parts) -> bool:
    view = pb.NoticeView(notice=pb.NOTICE_NO_RECEIPT, code="printer", controls=["continue", "back"])
    return await parts.front.choose(view, parts.config.timings.customer) == "continue"


async def _notice(parts: Parts, notice: pb.Notice.ValueType, code: str) -> None:
    view = pb.NoticeView(notice=notice, code=code, controls=["back"])
    await parts.front.choose(view, parts.config.timings.notice)


def _denominations(parts: Parts, account: customer_pb2.Account) -> frozenset[Money]:
    currency = Currency(account.currency)
    return frozenset(value for value in parts.config.denominations & parts.desk.values if value.currency == currency)


# --- taking notes ---------------------------------------------------------------------------------------------------


async def _take_notes(parts: Parts, progress: _Progress) -> SessionOver | None:
    """Until the deposit is closed. A customer who is gone does not end it before its last note is decided; a journal
    that cannot be written any more does, because nothing will ever be decided then.
    """
    gone: SessionOver | None = None
    while not parts.journal.fold.deposits[progress.deposit_id].closed and parts.journal.failure is None:
        try:
            await _one_look(parts, progress)
        except SessionOver as over:
            gone = over
            progress.finish = progress.finish or Ended.CARD_TAKEN
            parts.front.begin_session()  # Heard once; the note in the slot still needs this loop.
        except JournalError:
            # Nothing can be written: nothing more is taken, and what is on record closes after the next start.
            return gone
    return gone


async def _one_look(parts: Parts, progress: _Progress) -> None:
    """Look at the desk, do what is due, show it, wait for the next thing to happen."""
    now = parts.clock.monotonic()
    _advance(parts, progress, now)
    if progress.finish is not None and not parts.desk.undecided and not _note_inside(parts):
        parts.desk.close_deposit(_ENDS[progress.finish])
        return
    await _open_slot(parts, progress)
    await parts.front.show(_view(parts, progress))
    control = await parts.front.touched(_LOOK_AGAIN_SECONDS, ends_session=False)
    if control is not None:
        progress.last_sign_of_life = parts.clock.monotonic()
        _touched(parts, progress, control)


def _advance(parts: Parts, progress: _Progress, now: float) -> None:
    """What time alone brings about."""
    if parts.desk.view.stage is not progress.stage:
        progress.stage, progress.stage_since, progress.asked_again = parts.desk.view.stage, now, 0
    _decide_in_escrow(parts, progress, now)
    _end_what_takes_too_long(parts, progress, now)
    _wait_for_device(parts, progress, now)
    if not parts.journal.can_take_a_note():
        progress.finish = progress.finish or Ended.DEVICE
    if now - progress.last_sign_of_life >= parts.config.timings.customer:
        progress.finish = progress.finish or Ended.TIMEOUT


def _decide_in_escrow(parts: Parts, progress: _Progress, now: float) -> None:
    if progress.stage in (Stage.DRAWING_IN, Stage.ESCROW, Stage.STACKING):
        progress.last_sign_of_life = now
    if progress.stage is not Stage.ESCROW:
        return
    if progress.finish is not None:
        parts.desk.give_back(journal.RETURN_REASON_CUSTOMER)
    elif now - progress.stage_since >= parts.config.timings.escrow_hold:
        parts.desk.take()


def _end_what_takes_too_long(parts: Parts, progress: _Progress, now: float) -> None:
    """A note that nobody takes back, or that never arrives, must not hold what is in the box already."""
    since, timings = now - progress.stage_since, parts.config.timings
    if parts.desk.keeps_note and since >= _RETURN_AGAIN_SECONDS[progress.asked_again]:
        progress.asked_again = min(progress.asked_again + 1, len(_RETURN_AGAIN_SECONDS) - 1)
        parts.desk.return_again()
    elif not parts.desk.view.ready:
        return
    elif progress.stage is Stage.RETURNING and since >= timings.note_taken:
        progress.finish = progress.finish or Ended.DEVICE
        parts.desk.not_taken()
    elif progress.stage in (Stage.DRAWING_IN, Stage.STACKING, Stage.CLEARING) and since >= timings.note_moves:
        progress.finish = progress.finish or Ended.DEVICE
        parts.desk.stuck()


def _wait_for_device(parts: Parts, progress: _Progress, now: float) -> None:
    view, grace = parts.desk.view, parts.config.timings.device_grace
    if view.ready:
        progress.silent_since = None
        return
    progress.silent_since = progress.silent_since if progress.silent_since is not None else now
    silent = now - progress.silent_since
    if view.fault or silent >= grace:
        progress.finish = progress.finish or Ended.DEVICE
    if silent >= grace and not parts.desk.keeps_note:
        parts.desk.no_answer()


def _note_inside(parts: Parts) -> bool:
    """A note that is not decided or still moves; the slot must come to rest first."""
    return parts.desk.view.ready and parts.desk.view.stage in (
        Stage.DRAWING_IN,
        Stage.ESCROW,
        Stage.STACKING,
        Stage.RETURNING,
        Stage.CLEARING,
    )


async def _open_slot(parts: Parts, progress: _Progress) -> None:
    """The next note may come when nothing is in the way and the records of the last are safe elsewhere, or few."""
    if progress.finish is not None:
        if parts.desk.view.stage is Stage.OPEN:
            parts.desk.close_slot()
        return
    if not parts.desk.view.ready or parts.desk.view.stage is not Stage.CLOSED:
        return
    if len(_notes(parts, progress)) >= MAX_NOTES_PER_DEPOSIT:
        progress.finish = Ended.LIMIT
        return
    if (left := parts.desk.left) is not None and not fits(left, progress.denominations):
        progress.finish = Ended.LIMIT
        return
    if not await _records_are_safe(parts, progress):
        return
    parts.desk.accept()


async def _records_are_safe(parts: Parts, progress: _Progress) -> bool:
    """Whether the next note may come: while the host is there, when it holds the records of all notes before; while it
    is away, as long as what only this machine knows of is worth less than the cap.
    """
    last = parts.journal.last
    if last is None:
        return True
    if parts.replicator.doubted:
        progress.finish = Ended.LIMIT
        return False
    if parts.link.connected:
        # Where the host is there and does not take them, the next look asks again, until the customer's time is over.
        return await parts.replicator.wait_held(last.sequence, parts.config.timings.replication_wait)
    currency = parts.journal.fold.deposits[progress.deposit_id].currency
    if parts.replicator.unreplicated(currency).minor >= parts.config.unreplicated_cap(currency).minor:
        progress.finish = Ended.LIMIT
        return False
    return True


def _touched(parts: Parts, progress: _Progress, control: str) -> None:
    match control:
        case "finish" | "cancel":
            progress.finish = progress.finish or Ended.CUSTOMER
        case "give_back":
            parts.desk.give_back(journal.RETURN_REASON_CUSTOMER)
        case _:
            parts.log.event("touch.unknown", control=control[:40])


def _view(parts: Parts, progress: _Progress) -> pb.DepositView:
    deposit, desk = parts.journal.fold.deposits[progress.deposit_id], parts.desk
    notes, away = _notes(parts, progress), not parts.link.connected
    return view_of(deposit, notes, desk.view, desk.left, host_away=away, no_receipt=not progress.paper)


def _notes(parts: Parts, progress: _Progress) -> list[Note]:
    return parts.journal.fold.notes_of(progress.deposit_id)
