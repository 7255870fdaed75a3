"""The ports' credentials, and the proof that they speak TLS 1.3 and nothing older."""

from __future__ import annotations

import asyncio
import ssl

import grpc

from host.assembly import Host


class TlsTooOld(Exception):
    """A port took a TLS 1.2 handshake: the setting of host.services.ciphers came too late, or gRPC has changed."""


def mutual(host: Host) -> grpc.ServerCredentials:
    """The terminals' port: whoever has no certificate of our authority does not get past the handshake."""
    pair = host.authority.server_credentials(host.config.names, host.now_us())
    return grpc.ssl_server_credentials([pair], root_certificates=host.authority.pem, require_client_auth=True)


def server_only(host: Host) -> grpc.ServerCredentials:
    """The port for those who have no certificate yet, or none that is good any more."""
    return grpc.ssl_server_credentials([host.authority.server_credentials(host.config.names, host.now_us())])


async def probe(address: str, port: int) -> None:
    """Try the port with TLS 1.2. Raises :class:`TlsTooOld` where that works: such a host must not run."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it asks for the version, it trusts nothing
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        _, writer = await asyncio.open_connection(address, port, ssl=context)
    except (ssl.SSLError, ConnectionError):
        return
    writer.close()
    raise TlsTooOld(f"port {port} speaks TLS 1.2")
