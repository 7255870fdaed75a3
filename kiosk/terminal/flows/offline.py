"""A session while the host is away: one deposit, by limits that the host signed before. No PIN is asked for, because
nobody could check it; so there is no balance and no statement. If the host comes back meanwhile, nothing changes.
"""

from __future__ import annotations

from drivers.api.card import Card
from guichet.ids import SessionId
from guichet.journal.records import to_wire
from guichet.v1 import customer_pb2
from guichet.v1 import journal_pb2 as journal
from guichet.v1 import screen_pb2 as pb
from kiosk.terminal.flows.deposit import cash_is_ready, make_deposit
from kiosk.terminal.offline import Allowed, Reason
from kiosk.terminal.parts import Parts
from kiosk.terminal.refusal import Refused

_NOTICES = {
    Reason.OFF: pb.NOTICE_HOST_AWAY,
    Reason.NO_TRUSTED_TIME: pb.NOTICE_HOST_AWAY,
    Reason.EXPIRED: pb.NOTICE_HOST_AWAY,
    Reason.JOURNAL_RESTORED: pb.NOTICE_HOST_AWAY,
    Reason.CARD_EXPIRED: pb.NOTICE_CARD_EXPIRED,
    Reason.OTHER_BIN: pb.NOTICE_OFFLINE_OTHER_CARD,
    Reason.OTHER_CURRENCY: pb.NOTICE_OFFLINE_OTHER_CARD,
    Reason.TERMINAL_USED_UP: pb.NOTICE_OFFLINE_USED_UP,
    Reason.CARD_USED_UP: pb.NOTICE_OFFLINE_USED_UP,
}


async def offline_flow(parts: Parts, card: Card, session_id: SessionId) -> None:
    """One deposit of ``card``. Raises :class:`kiosk.terminal.refusal.Refused` where it may not deposit now, and
    :class:`kiosk.terminal.front.SessionOver` for a customer who is gone.
    """
    allowed = _allowed(parts, card)
    if not await _wants_to(parts, allowed) or not await cash_is_ready(parts):
        return
    # Asked again: while somebody reads, the host may have refused the terminal, or a limit may have run out.
    allowed = _allowed(parts, card)
    account = customer_pb2.Account(currency=allowed.limit.currency.code)
    await make_deposit(parts, session_id, account, parts.offline.opening(card, allowed))


def _allowed(parts: Parts, card: Card) -> Allowed:
    allowed = parts.offline.allowance(card)
    if isinstance(allowed, Reason):
        parts.log.event("offline.refused", reason=allowed.value)
        raise Refused(_NOTICES[allowed], allowed.value, journal.SESSION_END_HOST)
    return allowed


async def _wants_to(parts: Parts, allowed: Allowed) -> bool:
    view = pb.NoticeView(
        notice=pb.NOTICE_OFFLINE_DEPOSIT,
        code="host",
        controls=["continue", "back"],
        amount=to_wire(allowed.left),
    )
    return await parts.front.choose(view, parts.config.timings.customer) == "continue"
