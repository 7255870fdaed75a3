"""Choosing an account, where there is a choice."""

from __future__ import annotations

import grpc

from guichet.v1 import customer_pb2
from guichet.v1 import screen_pb2 as pb
from kiosk.settlement.courier import HostAway
from kiosk.terminal.parts import CustomerSession, Parts

_QUERY_SECONDS = 10.0


async def choose_account(
    parts: Parts, session: CustomerSession, purpose: pb.Service.ValueType
) -> customer_pb2.Account | None:
    """The account that the customer wants; None for going back. The only one there is, is not asked for."""
    accounts = [a for a in session.customer.accounts if purpose != pb.SERVICE_DEPOSIT or a.takes_deposits]
    if len(accounts) == 1:
        return accounts[0]
    choices = [await _choice(parts, session, account) for account in accounts]
    view = pb.AccountsView(purpose=purpose, accounts=choices)
    control = await parts.front.choose(view, parts.config.timings.customer)
    return next((account for account in accounts if account.account_id == control), None)


async def _choice(parts: Parts, session: CustomerSession, account: customer_pb2.Account) -> pb.AccountChoice:
    choice = pb.AccountChoice(
        account_id=account.account_id, masked_number=account.masked_number, product=account.product
    )
    try:
        request = customer_pb2.GetBalanceRequest(
            session_token=session.customer.session_token, account_id=account.account_id
        )
        balance = await parts.link.queries.GetBalance(request, timeout=_QUERY_SECONDS)
        choice.balance.CopyFrom(balance.available)
    except (HostAway, grpc.aio.AioRpcError) as error:
        parts.log.event("balance.unknown", reason=type(error).__name__)
    return choice
