"""PIN: typed at the pad, sealed there, judged by the host; the kiosk sees how many digits there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import grpc

from drivers.api.card import Card, Pan
from drivers.api.pinpad import PinBlock
from drivers.errors import DeviceError
from guichet.ids import SessionId
from guichet.v1 import customer_pb2
from guichet.v1 import journal_pb2 as journal
from guichet.v1 import screen_pb2 as pb
from kiosk.settlement.courier import HostAway
from kiosk.terminal.front import End, SessionOver
from kiosk.terminal.parts import CustomerSession, Parts
from kiosk.terminal.refusal import Refused

_AUTHENTICATE_SECONDS = 15.0
_MOST_DIGITS = 32

_REFUSALS = {
    customer_pb2.AUTHENTICATION_REFUSAL_PIN_BLOCKED: pb.NOTICE_PIN_BLOCKED,
    customer_pb2.AUTHENTICATION_REFUSAL_UNKNOWN_CARD: pb.NOTICE_CARD_UNKNOWN,
    customer_pb2.AUTHENTICATION_REFUSAL_CARD_EXPIRED: pb.NOTICE_CARD_EXPIRED,
    customer_pb2.AUTHENTICATION_REFUSAL_CARD_BLOCKED: pb.NOTICE_CARD_BLOCKED,
}


async def authenticate(parts: Parts, card: Card, session_id: SessionId) -> CustomerSession:
    """Whoever the host says that this card and the PIN typed for it are. Raises
    :class:`kiosk.terminal.refusal.Refused`, and :class:`kiosk.terminal.front.SessionOver` for a customer who goes.
    """
    tries_left: int | None = None
    while True:
        block = await _enter_pin(parts, card.pan, card.masked, tries_left)
        await parts.front.show(pb.WaitView(reason=pb.WAIT_REASON_CHECKING_PIN))
        answer = await _ask_host(parts, card, session_id, block)
        if answer.WhichOneof("result") == "customer":
            if answer.customer.language:
                parts.front.language = answer.customer.language
            return CustomerSession(session_id, answer.customer, card.masked)
        refused = answer.refused
        if refused.reason != customer_pb2.AUTHENTICATION_REFUSAL_WRONG_PIN:
            notice = _REFUSALS.get(refused.reason, pb.NOTICE_CARD_UNKNOWN)
            raise Refused(notice, "host-refused", journal.SESSION_END_PIN_REFUSED)
        tries_left = refused.tries_left


async def _enter_pin(parts: Parts, pan: Pan, masked: str, tries_left: int | None) -> PinBlock:
    identity = parts.pinpad.status.identity
    software = identity is not None and identity.simulated

    def view(digits: int) -> pb.PinView:
        return pb.PinView(card_masked=masked, digits=digits, tries_left=tries_left, software_pad=software)

    digits: asyncio.Queue[int] = asyncio.Queue(_MOST_DIGITS)
    await parts.front.show(view(0))
    entry = asyncio.ensure_future(parts.pinpad.enter_pin(pan, partial(_newest, digits)))
    watch = asyncio.ensure_future(_follow(parts, digits, view))
    try:
        await asyncio.wait((entry, watch), return_when=asyncio.FIRST_COMPLETED)
        if watch.done():
            await watch
        block = await entry
    except DeviceError as error:
        raise Refused(pb.NOTICE_PIN_PAD_OUT, error.code, journal.SESSION_END_DEVICE) from error
    finally:
        for task in (entry, watch):
            task.cancel()
        await asyncio.gather(entry, watch, return_exceptions=True)
    if block is None:
        raise SessionOver(End.CANCELLED)
    return block


async def _follow(parts: Parts, digits: asyncio.Queue[int], view: Callable[[int], pb.PinView]) -> None:
    """Show a star for each digit until the entry is over; raises when the customer is gone."""
    gone = asyncio.ensure_future(_until_gone(parts))
    try:
        while True:
            count = asyncio.ensure_future(digits.get())
            try:
                await asyncio.wait((count, gone), return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    await gone
                await parts.front.show(view(await count))
            finally:
                count.cancel()
    finally:
        gone.cancel()


async def _until_gone(parts: Parts) -> None:
    await parts.front.until_nobody(parts.config.timings.customer)


async def _ask_host(
    parts: Parts, card: Card, session_id: SessionId, block: PinBlock
) -> customer_pb2.AuthenticateResponse:
    request = customer_pb2.AuthenticateRequest(
        session_id=session_id,
        sealed_pan=parts.sealer.seal(card.pan.reveal(), b"pan"),
        pin_block=block.block,
        pin_ksn=block.ksn,
        expiry=card.expiry,
    )
    try:
        return await parts.link.queries.Authenticate(request, timeout=_AUTHENTICATE_SECONDS)
    except (HostAway, grpc.aio.AioRpcError) as error:
        parts.log.event("authenticate.failed", reason=type(error).__name__)
        raise Refused(pb.NOTICE_HOST_AWAY, "host", journal.SESSION_END_HOST) from error


def _newest(digits: asyncio.Queue[int], count: int) -> None:
    """A pad that tells more than anybody can type is believed about the last of it only."""
    if digits.full():
        digits.get_nowait()
    digits.put_nowait(count)
