"""Both gRPC servers: the terminals' (mutual TLS) and the one for enrolment and late deposits (server TLS)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from guichet.limits import MAX_MESSAGE_BYTES
from guichet.v1 import customer_pb2_grpc, enrolment_pb2_grpc, replication_pb2_grpc, terminal_link_pb2_grpc
from host.assembly import Host
from host.services import tls
from host.services.deposits import DepositsService
from host.services.desk import SettlementDesk
from host.services.door import Door
from host.services.enrolment import EnrolmentService
from host.services.from_journals import settle_from_journals
from host.services.journals import JournalsService
from host.services.link import TerminalLinkService
from host.services.queries import CustomerQueriesService

_LINK = "guichet.v1.TerminalLink"
_DEPOSITS = "guichet.v1.Deposits"
_QUERIES = "guichet.v1.CustomerQueries"
_JOURNALS = "guichet.v1.Journals"
_ENROLMENT = "guichet.v1.Enrolment"

GRACE_SECONDS = 3.0

# A terminal behind a dead router is noticed within a minute; one that pings more often than this is cut off.
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that the servers really have."""

    port: int
    enrol_port: int


class PortTaken(OSError):
    """Somebody else listens there."""


@asynccontextmanager
async def serving(host: Host) -> AsyncGenerator[Ports]:
    """Both servers, and the desk between them, for as long as the context lasts. Raises :class:`PortTaken`."""
    desk = SettlementDesk(host.store, host.settlement)
    terminals, late = _server(), _server()
    add_services(host, desk, terminals, late)
    await _add_standard(terminals, (_LINK, _DEPOSITS, _QUERIES, _JOURNALS))
    await _add_standard(late, (_ENROLMENT, _DEPOSITS))
    ports = Ports(
        port=_listen(terminals, host.config.address, host.config.port, tls.mutual(host)),
        enrol_port=_listen(late, host.config.address, host.config.enrol_port, tls.server_only(host)),
    )
    working = [
        asyncio.create_task(desk.run(), name="settlement desk"),
        asyncio.create_task(settle_from_journals(host, desk), name="settlement from journals"),
    ]
    try:
        await asyncio.gather(terminals.start(), late.start())
        yield ports
    finally:
        await asyncio.gather(terminals.stop(GRACE_SECONDS), late.stop(GRACE_SECONDS))
        for task in working:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def add_services(host: Host, desk: SettlementDesk, terminals: grpc.aio.Server, late: grpc.aio.Server) -> None:
    """What the host does for ``terminals``, and what it does for whoever comes without a certificate (``late``)."""
    door = Door(host)
    terminal_link_pb2_grpc.add_TerminalLinkServicer_to_server(TerminalLinkService(host, desk, door), terminals)
    replication_pb2_grpc.add_JournalsServicer_to_server(JournalsService(host, door), terminals)
    customer_pb2_grpc.add_CustomerQueriesServicer_to_server(CustomerQueriesService(host, door), terminals)
    terminal_link_pb2_grpc.add_DepositsServicer_to_server(DepositsService(desk), terminals)
    terminal_link_pb2_grpc.add_DepositsServicer_to_server(DepositsService(desk), late)
    enrolment_pb2_grpc.add_EnrolmentServicer_to_server(EnrolmentService(host), late)


def _server() -> grpc.aio.Server:
    return grpc.aio.server(options=_OPTIONS)


async def _add_standard(server: grpc.aio.Server, names: Sequence[str]) -> None:
    """Health, for load balancers; reflection, for engineers' tools."""
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    for name in ("", *names):
        await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)


def _listen(server: grpc.aio.Server, address: str, port: int, credentials: grpc.ServerCredentials) -> int:
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        return server.add_secure_port(where, credentials)
    except RuntimeError as error:
        raise PortTaken(f"cannot listen on {where}: {error}") from error
