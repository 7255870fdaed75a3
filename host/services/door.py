"""The door: which terminal is calling, by the certificate that it showed, and whether it may."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NoReturn, Protocol

import grpc
from cryptography import x509
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from guichet.ids import TerminalId
from host.assembly import Host
from host.fleet.standing import Standing, Terminal, standing
from host.log import failure
from host.pki.authority import BadRequest, serial_of, terminal_of

_log = logging.getLogger(__name__)

_CERTIFICATE = "x509_pem_cert"


class Context(Protocol):
    """What the door needs of a call: who showed which certificate from where, and a way to end it."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """What TLS knows of the caller."""
        ...

    def peer(self) -> str:
        """Its address, such as ``ipv4:192.0.2.7:40112``."""
        ...

    async def abort(self, code: grpc.StatusCode, details: str = "", /) -> NoReturn:
        """End the call."""
        ...


class NotLetIn(Exception):
    """Who calls is no terminal of ours, or is one no more. ``code``: how the call ends."""

    def __init__(self, code: grpc.StatusCode, why: str) -> None:
        super().__init__(why)
        self.code = code


Look = Callable[[Connection], Terminal]
"""Who calls, by what the database says in this transaction. Raises :class:`NotLetIn`."""


class Door:
    """Lets terminals in, one by one, by what the database says now."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def terminal(self, context: Context) -> Terminal:
        """The caller, in good standing. Ends the call with UNAUTHENTICATED or PERMISSION_DENIED otherwise, and with
        UNAVAILABLE where the database does not say.
        """
        try:
            return await self._host.store.read(self.look(context))
        except NotLetIn as error:
            await context.abort(error.code, str(error))
        except SQLAlchemyError as error:
            failure(_log, "door.store-failed", error)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the host could not look who this is now")

    def look(self, context: Context) -> Look:
        """Who this is, to be asked for again with every item of a call that goes on, in the item's own transaction."""
        shown = _shown(context)

        def look(connection: Connection) -> Terminal:
            if shown is None:
                raise NotLetIn(grpc.StatusCode.UNAUTHENTICATED, "this certificate is no terminal's")
            name, serial = shown
            found, terminal = standing(connection, name, serial, self._host.now_us())
            if found is Standing.WITHDRAWN:
                raise NotLetIn(grpc.StatusCode.PERMISSION_DENIED, f"the certificate of {name} was withdrawn or is over")
            if terminal is None:
                raise NotLetIn(grpc.StatusCode.UNAUTHENTICATED, f"this certificate of {name} is not known here")
            return terminal

        return look


def _shown(context: Context) -> tuple[TerminalId, str] | None:
    shown = list(context.auth_context().get(_CERTIFICATE, ()))
    return _named(shown[0]) if shown else None


@lru_cache(maxsize=4_096)
def _named(pem: bytes) -> tuple[TerminalId, str] | None:
    """Terminal and serial number of a certificate: the same for the same bytes, and asked for with every item."""
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        return terminal_of(certificate), serial_of(certificate)
    except BadRequest:
        return None


def origin(context: Context) -> str:
    """Where the caller is, without its port: ``ipv4:192.0.2.7``."""
    return context.peer().rpartition(":")[0]
