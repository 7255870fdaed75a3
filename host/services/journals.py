"""Journals: a terminal's own journal as the host holds it, for a disk that has lost it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import grpc

from guichet.ids import TerminalId
from guichet.journal.chain import Entry
from guichet.journal.checkpoint import Checkpoint, countersigned
from guichet.journal.export import to_message
from guichet.limits import MAX_MESSAGE_BYTES, MAX_RECORDS_PER_BATCH
from guichet.v1 import replication_pb2 as pb
from guichet.v1 import replication_pb2_grpc
from host.assembly import Host
from host.journal.records import last_place, read_after
from host.log import event
from host.services.door import Door

_MOST_NUMBER = 2**63 - 1

_log = logging.getLogger(__name__)

_Call = grpc.aio.ServicerContext[pb.FetchRequest, pb.FetchResponse]


class JournalsService(replication_pb2_grpc.JournalsServicer):
    """Journals.Fetch."""

    def __init__(self, host: Host, door: Door) -> None:
        self._host = host
        self._door = door

    async def Fetch(  # noqa: D102 - in the contract
        self, request: pb.FetchRequest, context: _Call
    ) -> AsyncIterator[pb.FetchResponse]:
        terminal = (await self._door.terminal(context)).terminal_id
        if max(request.after_epoch, request.after_sequence) > _MOST_NUMBER:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a place out of range")
        after, count = (request.after_epoch, request.after_sequence), 0
        while entries := await self._some(terminal, after):
            for part in _in_parts(entries):
                yield await self._told(terminal, part)
            after, count = (entries[-1].epoch, entries[-1].sequence), count + len(entries)
        event(_log, "journal.fetched", terminal=terminal, entries=count)

    async def _some(self, terminal: TerminalId, after: tuple[int, int]) -> tuple[Entry, ...]:
        return await self._host.store.read(lambda c: read_after(c, terminal, after, MAX_RECORDS_PER_BATCH))

    async def _told(self, terminal: TerminalId, entries: list[Entry]) -> pb.FetchResponse:
        last = entries[-1]
        held = await self._host.store.read(lambda c: last_place(c, terminal, last.epoch))
        response = pb.FetchResponse(entries=[to_message(entry) for entry in entries])
        if (held.sequence, held.hash) == (last.sequence, last.hash):
            checkpoint = Checkpoint(terminal, last.epoch, last.sequence, last.hash, self._host.now_us())
            response.checkpoint.CopyFrom(countersigned(checkpoint, self._host.keys.signer))
        return response


def _in_parts(entries: tuple[Entry, ...]) -> list[list[Entry]]:
    """Each of one epoch, and no larger than a message may be, with room to spare."""
    parts: list[list[Entry]] = []
    size = 0
    for entry in entries:
        size += len(entry.record)
        if not parts or parts[-1][0].epoch != entry.epoch or size > MAX_MESSAGE_BYTES // 2:
            parts.append([])
            size = len(entry.record)
        parts[-1].append(entry)
    return parts
