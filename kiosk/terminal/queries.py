"""The customer's questions to the host, which end when the connection does that they were asked over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import grpc

from guichet.v1 import customer_pb2 as pb
from guichet.v1.customer_pb2_grpc import CustomerQueriesStub
from kiosk.settlement.courier import HostAway

if TYPE_CHECKING:  # The generated module has this name for the type checker only.
    from guichet.v1.customer_pb2_grpc import CustomerQueriesAsyncStub


class _Call(Protocol):
    def cancel(self) -> bool: ...


@contextmanager
def cancelled_by_its_own_task_only() -> Generator[None]:
    """Raises :class:`HostAway` where a CancelledError comes that nobody ordered. gRPC ends the calls of a closed
    channel with one, and to the task that waits for such a call it looks like the order to stop.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise HostAway("the connection was lost") from error


class CustomerQueries:
    """The questions of ``guichet.v1.CustomerQueries``, over one connection. ``timeout`` in seconds.

    Each raises :class:`HostAway` when that connection is over or ends meanwhile, and ``grpc.aio.AioRpcError`` for what
    the host or the wire says itself.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: CustomerQueriesAsyncStub = CustomerQueriesStub(channel)
        self._open: set[_Call] = set()
        self._over = False

    async def Authenticate(self, request: pb.AuthenticateRequest, *, timeout: float) -> pb.AuthenticateResponse:
        """Who holds this card."""
        self._require_connection()
        call = self._stub.Authenticate(request, timeout=timeout)
        with self._held(call):
            return await call

    async def GetBalance(self, request: pb.GetBalanceRequest, *, timeout: float) -> pb.GetBalanceResponse:
        """What an account holds."""
        self._require_connection()
        call = self._stub.GetBalance(request, timeout=timeout)
        with self._held(call):
            return await call

    async def StreamStatement(
        self, request: pb.StreamStatementRequest, *, timeout: float
    ) -> AsyncIterator[pb.StreamStatementResponse]:
        """A statement, part by part."""
        self._require_connection()
        call = self._stub.StreamStatement(request, timeout=timeout)
        with self._held(call):
            async for part in call:
                yield part

    def end(self) -> None:
        """The connection is over: what is open ends now, not after its time-out, and nothing more is asked over it.

        A closed channel would end the unary calls only; a stream of answers could stand until its time-out.
        """
        self._over = True
        for call in tuple(self._open):
            call.cancel()

    def _require_connection(self) -> None:
        if self._over:
            raise HostAway("not connected")

    @contextmanager
    def _held(self, call: _Call) -> Generator[None]:
        """While it is waited for; whoever stops waiting has no use for the rest of the answer either."""
        self._open.add(call)
        try:
            with cancelled_by_its_own_task_only():
                yield
        finally:
            self._open.discard(call)
            call.cancel()
