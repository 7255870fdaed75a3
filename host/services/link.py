"""TerminalLink: the one connection of a terminal. Every item has its own result; a bad item never ends the stream."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeVar

import grpc
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from guichet.journal.checkpoint import Checkpoint, countersigned
from guichet.v1 import offline_pb2, replication_pb2, terminal_link_pb2_grpc
from guichet.v1 import terminal_link_pb2 as pb
from host.assembly import Host
from host.fleet.health import HealthError, check_health, keep_health
from host.fleet.incidents import Incident, open_incidents
from host.fleet.standing import Terminal
from host.journal.intake import Gap, MalformedBatch, Place, parse_batch
from host.journal.records import (
    UnknownEpoch,
    beside_of,
    check_epoch,
    forked_sequence,
    gap_incident,
    keep_batch,
    last_place,
    line_of,
)
from host.log import event, failure
from host.offline.limits import SignedLimits, newest
from host.services.deposits import settle
from host.services.desk import SettlementDesk
from host.services.door import Door, Look, NotLetIn

_MAX_ITEM_ID = 64
_MAX_VERSION = 100

_log = logging.getLogger(__name__)

T = TypeVar("T")

_Call = grpc.aio.ServicerContext[pb.ConnectRequest, pb.ConnectResponse]


class TerminalLinkService(terminal_link_pb2_grpc.TerminalLinkServicer):
    """TerminalLink.Connect."""

    def __init__(self, host: Host, desk: SettlementDesk, door: Door) -> None:
        self._host = host
        self._desk = desk
        self._door = door

    async def Connect(  # noqa: D102 - in the contract
        self, request_iterator: AsyncIterator[pb.ConnectRequest], context: _Call
    ) -> AsyncIterator[pb.ConnectResponse]:
        terminal = await self._door.terminal(context)
        event(_log, "link.opened", terminal=terminal.terminal_id)
        link = _Link(self._host, self._desk, terminal, self._door.look(context))
        try:
            async for request in request_iterator:
                yield await link.answer(request)
        except NotLetIn as error:
            await context.abort(error.code, str(error))
        finally:
            event(_log, "link.closed", terminal=terminal.terminal_id)


class _Nonsense(ValueError):
    """An item that cannot be what it claims to be; the connection goes on."""


class _Link:
    """One connection: what was said on it so far is whether hello came."""

    def __init__(self, host: Host, desk: SettlementDesk, terminal: Terminal, look: Look) -> None:
        self._host = host
        self._desk = desk
        self._terminal = terminal
        self._look = look
        self._greeted = False
        self._told = 0  # The number of the newest list of offline limits that was told on this connection.

    async def answer(self, request: pb.ConnectRequest) -> pb.ConnectResponse:
        """The result of one item, with the item's id. A terminal whose certificate was withdrawn in mid-stream loses
        its session at the next item: raises :class:`host.services.door.NotLetIn`.
        """
        item = request.item_id[:_MAX_ITEM_ID]
        try:
            response = await self._dispatch(request)
        except UnknownEpoch as error:
            response = _refused(pb.REFUSAL_CODE_MALFORMED, str(error))
        except SQLAlchemyError as error:
            failure(_log, "link.store-failed", error, terminal=self._terminal.terminal_id)
            response = _refused(pb.REFUSAL_CODE_BUSY, "the host could not keep it now")
        if response.HasField("refused"):
            event(_log, "link.refused", terminal=self._terminal.terminal_id, item=item, text=response.refused.text)
        response.answers_item_id = item
        return response

    async def _dispatch(self, request: pb.ConnectRequest) -> pb.ConnectResponse:
        try:
            return await self._take(request)
        except (_Nonsense, MalformedBatch, HealthError) as error:
            await self._host.store.read(self._look)  # Nothing was kept that would have looked.
            return _refused(pb.REFUSAL_CODE_MALFORMED, str(error))

    async def _take(self, request: pb.ConnectRequest) -> pb.ConnectResponse:
        """Whoever keeps something looks in the same transaction who it is from (:meth:`_keep`)."""
        if not 1 <= len(request.item_id) <= _MAX_ITEM_ID:
            raise _Nonsense(f"an item id has 1 to {_MAX_ITEM_ID} characters")
        kind = request.WhichOneof("item")
        if kind == "hello":
            return await self._hello(request.hello)
        if not self._greeted:
            raise _Nonsense("the first item of a connection is hello")
        match kind:
            case "heartbeat":
                return await self._heartbeat(request.heartbeat)
            case "journal":
                return await self._journal(request.journal)
            case "advice":
                await self._host.store.read(self._look)
                reply = await settle(self._desk, request.advice, only=self._terminal.terminal_id)
                return pb.ConnectResponse(answer=reply.answer, refused=reply.refused)
            case _:
                raise _Nonsense("an item of a kind that this host does not know")

    async def _keep(self, work: Callable[[Connection], T]) -> T:
        def looked_and_kept(connection: Connection) -> T:
            self._look(connection)
            return work(connection)

        return await self._host.store.run(looked_and_kept)

    async def _hello(self, hello: pb.Hello) -> pb.ConnectResponse:
        if max(len(hello.software_version), len(hello.journal_fault)) > _MAX_VERSION:
            raise _Nonsense(f"a version and a fault have at most {_MAX_VERSION} characters")
        now_us = self._host.now_us()

        def greet(connection: Connection) -> tuple[_Greeting, SignedLimits | None]:
            greeting = _greet(connection, self._terminal, hello, now_us)
            return greeting, newest(connection, self._terminal.terminal_id)

        greeting, limits = await self._keep(greet)
        self._greeted = True
        held = greeting.held
        welcome = pb.Welcome(
            held_sequence=held.sequence,
            host_time_us=now_us,
            offline_limits=self._tell(limits),
            forked_sequence=greeting.forked_sequence,
            beside=greeting.beside,
        )
        welcome.earlier.extend(
            replication_pb2.EpochHeld(epoch=epoch, sequence=place.sequence, hash=place.hash)
            for epoch, place in greeting.earlier
        )
        if held.sequence:
            welcome.held_hash = held.hash
            welcome.checkpoint.CopyFrom(self._countersigned(hello.epoch, held))
        return pb.ConnectResponse(welcome=welcome)

    async def _heartbeat(self, heartbeat: pb.Heartbeat) -> pb.ConnectResponse:
        check_health(heartbeat.health)
        name, now_us = self._terminal.terminal_id, self._host.now_us()

        def keep(connection: Connection) -> SignedLimits | None:
            keep_health(connection, name, heartbeat.health, now_us)
            return newest(connection, name)

        limits = await self._keep(keep)
        return pb.ConnectResponse(noted=pb.Noted(offline_limits=self._tell(limits)))

    def _tell(self, limits: SignedLimits | None) -> offline_pb2.SignedOfflineLimits | None:
        """The list, where this connection has not been told of it yet: a new one goes out with the next heartbeat."""
        if limits is None or limits.limits.number <= self._told:
            return None
        self._told = limits.limits.number
        return offline_pb2.SignedOfflineLimits(content=limits.content, signature=limits.signature)

    async def _journal(self, batch: pb.JournalBatch) -> pb.ConnectResponse:
        entries = parse_batch(batch.entries)
        name, now_us = self._terminal.terminal_id, self._host.now_us()
        try:
            kept = await self._keep(lambda connection: keep_batch(connection, name, entries, now_us))
        except Gap as gap:
            return await self._miss(gap)
        if kept.forked_at is not None:
            text = f"another entry is held at {kept.forked_at}: both are kept, an incident is open"
            return _refused(pb.REFUSAL_CODE_FORK, text, kept.forked_at)
        epoch, last = entries[0].epoch, kept.last
        held = pb.JournalHeld(epoch=epoch, sequence=last.sequence, hash=last.hash, forked_sequence=kept.forked_sequence)
        if batch.countersign:
            held.checkpoint.CopyFrom(self._countersigned(epoch, last))
        return pb.ConnectResponse(journal_held=held)

    async def _miss(self, gap: Gap) -> pb.ConnectResponse:
        incident, now_us = gap_incident(self._terminal.terminal_id, gap), self._host.now_us()
        await self._host.store.run(lambda connection: open_incidents(connection, (incident,), now_us))
        return _refused(pb.REFUSAL_CODE_GAP, str(gap))

    def _countersigned(self, epoch: int, place: Place) -> replication_pb2.SignedCheckpoint:
        checkpoint = Checkpoint(self._terminal.terminal_id, epoch, place.sequence, place.hash, self._host.now_us())
        return countersigned(checkpoint, self._host.keys.signer)


@dataclass(frozen=True, slots=True)
class _Greeting:
    """What the host holds of the terminal's present epoch and of those before it, from where on two disks have written
    the present one, and which before it are no part of its story.
    """

    held: Place
    earlier: tuple[tuple[int, Place], ...]
    forked_sequence: int
    beside: tuple[int, ...]


def _greet(connection: Connection, terminal: Terminal, hello: pb.Hello, now_us: int) -> _Greeting:
    """The place to continue from. A terminal that has less than the host holds has lost part of its journal; one that
    cannot open it says so, and its heartbeat says why.
    """
    name = terminal.terminal_id
    check_epoch(connection, name, hello.epoch)
    keep_health(connection, name, None, now_us)
    held = last_place(connection, name, hello.epoch)
    if hello.last_sequence < held.sequence and not hello.journal_fault:
        lost = f"{hello.last_sequence + 1} to {held.sequence}"
        text = (
            f"the terminal no longer has entries {lost} of epoch {hello.epoch}, which the host holds: a disk went back"
        )
        occasion = f"{hello.epoch}/{hello.last_sequence}/{held.sequence}"
        incident = Incident("journal-went-back", name, f"epoch {hello.epoch}", text, occasion)
        open_incidents(connection, (incident,), now_us)
    forked = forked_sequence(connection, name, hello.epoch)
    line = line_of(connection, name, hello.epoch)
    earlier = tuple((epoch, place) for epoch, place in line.items() if epoch < hello.epoch)
    return _Greeting(held, earlier, forked, tuple(beside_of(connection, name, hello.epoch, line)))


def _refused(code: pb.RefusalCode.ValueType, text: str, sequence: int = 0) -> pb.ConnectResponse:
    return pb.ConnectResponse(refused=pb.ItemRefused(code=code, text=text, sequence=sequence))
