"""Fetching this terminal's journal from its host, which holds a copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

import grpc

from guichet.ids import TerminalId
from guichet.journal.chain import ChainError, Entry
from guichet.journal.checkpoint import BadCheckpoint, check_checkpoint
from guichet.limits import MAX_MESSAGE_BYTES
from guichet.v1 import replication_pb2 as pb
from guichet.v1.replication_pb2_grpc import JournalsStub
from kiosk.journal.replay import verify_links
from kiosk.terminal.channels import OpenChannel, open_channel
from kiosk.terminal.enrolment import Identity

_OPTIONS = (("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),)
# For each part; the whole may take long.
_SECONDS = 60.0


class FetchError(Exception):
    """The host could not be asked, or what it sent is not what it countersigned."""


async def fetch_journal(identity: Identity, target: str, open_channel: OpenChannel = open_channel) -> list[Entry]:
    """Every entry that the host at ``target`` holds of this terminal, of every epoch, in order: chained, and each
    epoch's last one countersigned by the host. Raises :class:`FetchError`.
    """
    entries: list[Entry] = []
    ends: dict[int, tuple[int, bytes]] = {}
    async with open_channel(target, identity.channel_credentials(), _OPTIONS) as channel:
        try:
            async for part in _parts(JournalsStub(channel).Fetch(pb.FetchRequest())):
                entries += [Entry(e.epoch, e.sequence, e.previous_hash, e.hash, e.record) for e in part.entries]
                if part.HasField("checkpoint"):
                    said = check_checkpoint(part.checkpoint, identity.host_signing_key, identity.terminal_id)
                    ends[said.epoch] = (said.sequence, said.hash)
        except TimeoutError as error:
            raise FetchError(f"the host at {target} has not sent the next part for {_SECONDS:.0f} s") from error
        except grpc.aio.AioRpcError as error:
            raise FetchError(f"the host at {target} says {error.code().name}: {error.details()}") from error
        except BadCheckpoint as error:
            raise FetchError(str(error)) from error
    _check(entries, ends, identity.terminal_id)
    return entries


async def _parts(call: AsyncIterable[pb.FetchResponse]) -> AsyncIterator[pb.FetchResponse]:
    parts = aiter(call)
    while True:
        async with asyncio.timeout(_SECONDS):
            try:
                part = await anext(parts)
            except StopAsyncIteration:
                return
        yield part


def _check(entries: list[Entry], ends: dict[int, tuple[int, bytes]], terminal: TerminalId) -> None:
    try:
        verify_links(entries)
    except ChainError as error:
        raise FetchError(f"what the host sent of {terminal} is no journal: {error}") from error
    last = {entry.epoch: (entry.sequence, entry.hash) for entry in entries}
    if last != ends:
        raise FetchError(f"what the host sent of {terminal} is not all of what it countersigned")
