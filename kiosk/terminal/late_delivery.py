"""Delivering what was signed without a session: over server TLS only, because the signature is what counts.

A terminal whose certificate has expired or was revoked cannot open a session any more. Its deposits still settle.
"""

from __future__ import annotations

import grpc

from guichet.v1 import terminal_link_pb2 as pb
from guichet.v1.terminal_link_pb2_grpc import DepositsStub
from kiosk.settlement.courier import HostAway, HostRefused
from kiosk.terminal.channels import OpenChannel, open_channel

_SECONDS = 15.0
_AWAY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


class SubmitOnly:
    """A :class:`kiosk.settlement.courier.LateDelivery` to ``target``, trusting only ``authority_pem``."""

    def __init__(self, target: str, authority_pem: str, open_channel: OpenChannel = open_channel) -> None:
        self._open_channel = open_channel
        self._target = target
        self._credentials = grpc.ssl_channel_credentials(authority_pem.encode())

    async def submit(self, advice: pb.SignedAdvice) -> pb.SignedAnswer:
        """Deliver ``advice``; a connection for each, as this is rare."""
        async with self._open_channel(self._target, self._credentials) as channel:
            try:
                response = await DepositsStub(channel).Submit(pb.SubmitRequest(advice=advice), timeout=_SECONDS)
            except grpc.aio.AioRpcError as error:
                if error.code() in _AWAY:
                    raise HostAway(f"{error.code().name}: {error.details()}") from error
                raise HostRefused(pb.REFUSAL_CODE_UNSPECIFIED, f"{error.code().name}: {error.details()}") from error
        return response.answer
