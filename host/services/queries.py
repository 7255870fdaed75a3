"""CustomerQueries: who is in front of the terminal, what is on the accounts. A session belongs to its terminal."""

from __future__ import annotations

import datetime
import logging
from collections.abc import AsyncIterator
from typing import TypeVar

import grpc
from sqlalchemy import Connection

from guichet.ids import IdError, check_id
from guichet.journal.records import to_wire
from guichet.pin import BLOCK_BYTES, PinError, parse_ksn
from guichet.sealing import BadSeal, unseal
from guichet.v1 import customer_pb2 as pb
from guichet.v1 import customer_pb2_grpc
from host.assembly import Host
from host.customers.authentication import Attempt, BadAttempt, Denied, Known, RefusedBecause, Unverifiable, authenticate
from host.customers.sessions import OwnAccount, Session, accounts_of, find_session, open_session, own_account
from host.fleet.standing import Terminal
from host.ledger.statement import BadPeriod, Statement, TooManyLines, balance, statement
from host.log import event
from host.services.door import Context, Door

_PAN_PURPOSE = b"pan"
_MAX_SEALED = 1_024
_MAX_LINE_TEXT = 60

_REASONS = {
    RefusedBecause.WRONG_PIN: pb.AUTHENTICATION_REFUSAL_WRONG_PIN,
    RefusedBecause.PIN_BLOCKED: pb.AUTHENTICATION_REFUSAL_PIN_BLOCKED,
    RefusedBecause.UNKNOWN_CARD: pb.AUTHENTICATION_REFUSAL_UNKNOWN_CARD,
    RefusedBecause.CARD_EXPIRED: pb.AUTHENTICATION_REFUSAL_CARD_EXPIRED,
    RefusedBecause.CARD_BLOCKED: pb.AUTHENTICATION_REFUSAL_CARD_BLOCKED,
}

_log = logging.getLogger(__name__)

Request = TypeVar("Request")


class NotYours(Exception):
    """The session is over, or the account is not this customer's."""


class CustomerQueriesService(customer_pb2_grpc.CustomerQueriesServicer):
    """Authenticate, GetBalance, StreamStatement."""

    def __init__(self, host: Host, door: Door) -> None:
        self._host = host
        self._door = door

    async def Authenticate(  # noqa: D102 - in the contract
        self,
        request: pb.AuthenticateRequest,
        context: grpc.aio.ServicerContext[pb.AuthenticateRequest, pb.AuthenticateResponse],
    ) -> pb.AuthenticateResponse:
        terminal = await self._door.terminal(context)
        try:
            session_id = check_id(request.session_id)
            attempt = self._attempt(request)
        except (IdError, BadAttempt, PinError, BadSeal) as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        result = await self._host.store.run(lambda c: self._authenticate(c, terminal, session_id, attempt))
        if isinstance(result, Unverifiable):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, result.text)
        outcome = result.refused.reason if result.HasField("refused") else 0
        event(_log, "customer.authenticated", terminal=terminal.terminal_id, session=session_id, refusal=outcome)
        return result

    def _attempt(self, request: pb.AuthenticateRequest) -> Attempt:
        if len(request.sealed_pan) > _MAX_SEALED or len(request.pin_block) != BLOCK_BYTES:
            raise BadAttempt(f"a sealed card number has at most {_MAX_SEALED} bytes, a PIN block {BLOCK_BYTES}")
        pan = unseal(self._host.keys.sealing, request.sealed_pan, _PAN_PURPOSE)
        return Attempt(pan.decode("latin-1"), request.expiry, request.pin_block, parse_ksn(request.pin_ksn))

    def _authenticate(
        self, connection: Connection, terminal: Terminal, session_id: str, attempt: Attempt
    ) -> pb.AuthenticateResponse | Unverifiable:
        now_us, today = self._host.now_us(), self._host.calendar.today()
        result = authenticate(connection, self._host.module, terminal, attempt, today, now_us)
        match result:
            case Known(customer_id, name, language):
                random = self._host.seams.random
                token = open_session(connection, terminal, customer_id, session_id, random, now_us)
                own = [_account(account) for account in accounts_of(connection, customer_id)]
                customer = pb.Customer(session_token=token, display_name=name, language=language, accounts=own)
                return pb.AuthenticateResponse(customer=customer)
            case Denied(reason, tries_left):
                refused = pb.AuthenticationRefused(reason=_REASONS[reason], tries_left=tries_left)
                return pb.AuthenticateResponse(refused=refused)
            case Unverifiable():
                return result

    async def GetBalance(  # noqa: D102 - in the contract
        self,
        request: pb.GetBalanceRequest,
        context: grpc.aio.ServicerContext[pb.GetBalanceRequest, pb.GetBalanceResponse],
    ) -> pb.GetBalanceResponse:
        terminal = await self._door.terminal(context)

        def read(connection: Connection) -> pb.GetBalanceResponse:
            self._mine(connection, terminal, request.session_token, request.account_id)
            booked = to_wire(balance(connection, request.account_id))
            return pb.GetBalanceResponse(booked=booked, available=booked)

        try:
            return await self._host.store.read(read)
        except NotYours as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))

    async def StreamStatement(  # noqa: D102 - in the contract
        self,
        request: pb.StreamStatementRequest,
        context: grpc.aio.ServicerContext[pb.StreamStatementRequest, pb.StreamStatementResponse],
    ) -> AsyncIterator[pb.StreamStatementResponse]:
        terminal = await self._door.terminal(context)
        found, account, holder = await self._statement(request, terminal, context)
        opening = pb.StatementOpening(
            statement_id=self._host.seams.ids.new(),
            account_masked=account.masked,
            holder=holder,
            from_date=request.from_date,
            to_date=request.to_date,
            opening_balance=to_wire(found.opening),
        )
        yield pb.StreamStatementResponse(opening=opening)
        for line in found.lines:
            part = pb.StatementLine(
                booking_date=line.booked_on.isoformat(),
                value_date=line.value_date.isoformat(),
                text=line.text[:_MAX_LINE_TEXT],
                amount=to_wire(line.amount),
                balance=to_wire(line.balance),
            )
            yield pb.StreamStatementResponse(line=part)
        yield pb.StreamStatementResponse(closing=_closing(found))

    async def _statement(
        self, request: pb.StreamStatementRequest, terminal: Terminal, context: Context
    ) -> tuple[Statement, OwnAccount, str]:
        """One consistent picture, read at once; only its sending is a stream."""

        def read(connection: Connection) -> tuple[Statement, OwnAccount, str]:
            session, account = self._mine(connection, terminal, request.session_token, request.account_id)
            begin, end = _date(request.from_date), _date(request.to_date)
            return statement(connection, account.account_id, begin, end), account, session.display_name

        try:
            return await self._host.store.read(read)
        except NotYours as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        except BadPeriod as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except TooManyLines as error:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, str(error))

    def _mine(
        self, connection: Connection, terminal: Terminal, token: str, account_id: str
    ) -> tuple[Session, OwnAccount]:
        session = find_session(connection, terminal, token, self._host.now_us())
        account = None if session is None else own_account(connection, session, account_id)
        if session is None or account is None:
            raise NotYours("the session is over, or the account is not this customer's")
        return session, account


def _account(account: OwnAccount) -> pb.Account:
    return pb.Account(
        account_id=account.account_id,
        masked_number=account.masked,
        product=account.product,
        currency=account.currency,
        takes_deposits=account.takes_deposits,
    )


def _closing(found: Statement) -> pb.StatementClosing:
    return pb.StatementClosing(
        closing_balance=to_wire(found.closing),
        total_in=to_wire(found.total_in),
        total_out=to_wire(found.total_out),
        lines=len(found.lines),
    )


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise BadPeriod(f"not a date: {text[:20]!r}") from error
