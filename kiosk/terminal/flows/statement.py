"""The statement: fetched as a stream, checked, shown, printed."""

from __future__ import annotations

import grpc

from guichet.limits import MAX_STATEMENT_LINES
from guichet.v1 import customer_pb2
from guichet.v1 import screen_pb2 as pb
from kiosk.settlement.courier import HostAway
from kiosk.terminal.dates import days_ago, today
from kiosk.terminal.flows.accounts import choose_account
from kiosk.terminal.flows.printing import can_print, print_document
from kiosk.terminal.paper import Statement, StatementError, assemble, statement_document
from kiosk.terminal.parts import CustomerSession, Parts

_DAYS = 30
_LINES_ON_SCREEN = 8
_SECONDS = 30.0


async def statement_flow(parts: Parts, session: CustomerSession) -> None:
    """Show the last thirty days of an account and print them if asked."""
    account = await choose_account(parts, session, pb.SERVICE_STATEMENT)
    if account is None:
        return
    await parts.front.show(pb.WaitView(reason=pb.WAIT_REASON_FETCHING_STATEMENT))
    try:
        statement = await _fetch(parts, session, account.account_id)
    except (HostAway, grpc.aio.AioRpcError, StatementError) as error:
        parts.log.event("statement.failed", reason=str(type(error).__name__))
        failed = pb.NoticeView(notice=pb.NOTICE_STATEMENT_FAILED, code="statement", controls=["back"])
        await parts.front.choose(failed, parts.config.timings.notice)
        return
    await _show(parts, statement)


async def _fetch(parts: Parts, session: CustomerSession, account_id: str) -> Statement:
    request = customer_pb2.StreamStatementRequest(
        session_token=session.customer.session_token,
        account_id=account_id,
        from_date=days_ago(parts.clock, _DAYS).isoformat(),
        to_date=today(parts.clock).isoformat(),
    )
    received: list[customer_pb2.StreamStatementResponse] = []
    async for part in parts.link.queries.StreamStatement(request, timeout=_SECONDS):
        received.append(part)
        if len(received) > MAX_STATEMENT_LINES + 2:
            raise StatementError("more lines than any statement has")
    return assemble(received)


async def _show(parts: Parts, statement: Statement) -> None:
    printed = False
    while True:
        paper = await can_print(parts)
        control = await parts.front.choose(
            _view(statement, paper=paper, printed=printed), parts.config.timings.customer
        )
        if control != "print":
            return
        await parts.front.show(pb.WaitView(reason=pb.WAIT_REASON_PRINTING))
        document = statement_document(statement, parts.imprint())
        printed = await print_document(parts, document)
        if not printed:
            failed = pb.NoticeView(notice=pb.NOTICE_PRINT_FAILED, code="printer", controls=["back"])
            await parts.front.choose(failed, parts.config.timings.notice)


def _view(statement: Statement, *, paper: bool, printed: bool) -> pb.StatementView:
    opening, closing = statement.opening, statement.closing
    return pb.StatementView(
        account_masked=opening.account_masked,
        holder=opening.holder,
        from_date=opening.from_date,
        to_date=opening.to_date,
        opening_balance=opening.opening_balance,
        closing_balance=closing.closing_balance,
        lines=[
            pb.StatementViewLine(date=line.booking_date, text=line.text, amount=line.amount)
            for line in statement.lines[-_LINES_ON_SCREEN:]
        ],
        lines_in_all=len(statement.lines),
        paper=paper,
        printed=printed,
    )
