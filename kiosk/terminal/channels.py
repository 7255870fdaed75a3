"""How a terminal opens a connection to its host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import grpc

ChannelOption = tuple[str, int]
"""A gRPC channel argument, such as ``("grpc.keepalive_time_ms", 10_000)``."""


class OpenChannel(Protocol):
    """Makes a channel to ``target``, host:port; nothing is connected before the first call over it."""

    def __call__(
        self, target: str, credentials: grpc.ChannelCredentials, options: Sequence[ChannelOption] = (), /
    ) -> grpc.aio.Channel:
        """The channel, to be closed by whoever asked for it."""
        ...


def open_channel(
    target: str, credentials: grpc.ChannelCredentials, options: Sequence[ChannelOption] = ()
) -> grpc.aio.Channel:
    """A real one, over TLS."""
    return grpc.aio.secure_channel(target, credentials, options=list(options))
