"""Settles what stands signed in the journals and was never sent: by terminals that are gone, or before a backup that
the books were restored from.
"""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy import Connection

from guichet.v1 import terminal_link_pb2 as pb
from host.assembly import Host
from host.fleet.incidents import Incident, open_incidents
from host.journal.waiting import WaitingAdvice, forget_answered, note_tries, waiting_advices
from host.log import event, failure
from host.services.deposits import settle
from host.services.desk import SettlementDesk

LOOK_SECONDS = 60.0
"""Between two looks."""
GRACE_US = 10 * 60 * 1_000_000
"""So long a terminal may take to send an advice itself."""
_AGAIN_US = 60 * 60 * 1_000_000
_MOST = 64

_log = logging.getLogger(__name__)


async def settle_from_journals(host: Host, desk: SettlementDesk) -> None:
    """Look, settle, look again; until cancelled."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            while await settle_waiting(host, desk, GRACE_US) == _MOST:
                pass
        except Exception as error:  # whatever it is, the next look may do better, and the log says it
            failure(_log, "journals.failed", error)


async def settle_waiting(host: Host, desk: SettlementDesk, grace_us: int) -> int:
    """Settle some of what has waited for ``grace_us``; gives how many were looked at. What is refused is an incident,
    and is tried again after an hour.
    """
    now_us = host.now_us()

    def find(connection: Connection) -> tuple[WaitingAdvice, ...]:
        return waiting_advices(
            connection, received_before_us=now_us - grace_us, tried_before_us=now_us - _AGAIN_US, limit=_MOST
        )

    await host.store.run(forget_answered)
    found = await host.store.read(find)
    refused: list[tuple[WaitingAdvice, str]] = []
    for advice in found:
        signed = pb.SignedAdvice(content=advice.content, signature=advice.signature)
        reply = await settle(desk, signed, only=advice.terminal_id)
        if reply.refused is None:
            event(_log, "journals.settled", terminal=advice.terminal_id, advice=advice.hash.hex())
        else:
            refused.append((advice, reply.refused.text))
    if refused:
        await host.store.run(lambda connection: _keep_refusals(connection, refused, now_us))
    return len(found)


def _keep_refusals(connection: Connection, refused: list[tuple[WaitingAdvice, str]], now_us: int) -> None:
    note_tries(connection, [advice.hash for advice, _ in refused], now_us)
    incidents = [
        Incident("advice-not-settled", advice.terminal_id, advice.hash.hex()[:16], text, advice.hash.hex())
        for advice, text in refused
    ]
    open_incidents(connection, incidents, now_us)
