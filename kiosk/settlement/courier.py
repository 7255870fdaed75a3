"""Whoever carries items to the host, as settlement sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from guichet.v1 import terminal_link_pb2 as pb


class HostAway(Exception):
    """The host cannot be reached now, or did not answer in time. What was to be sent is still to be sent."""


class HostRefused(Exception):
    """The host answered that it does not take an item. ``code`` is a ``RefusalCode``; ``sequence``: for a fork, the
    first of the batch that is not the host's.
    """

    def __init__(self, code: pb.RefusalCode.ValueType, text: str, sequence: int = 0) -> None:
        super().__init__(f"{pb.RefusalCode.Name(code)}: {text}")
        self.code = code
        self.sequence = sequence


class LateDelivery(Protocol):
    """The way that stays open to a terminal that is expired or revoked: what it signed can always be delivered."""

    async def submit(self, advice: pb.SignedAdvice) -> pb.SignedAnswer:
        """Deliver ``advice`` without a session. Raises :class:`HostAway` and :class:`HostRefused`."""
        ...


class JournalCopy(Protocol):
    """The journal's copy at the host, as settlement sees it."""

    def holds(self, place: tuple[int, int]) -> bool:
        """Whether the host holds the records up to ``place``, or will not take them, so that nobody need wait."""
        ...

    def on_progress(self, listener: Callable[[], None]) -> None:
        """``listener`` is called when the host may hold more."""
        ...


class Courier(Protocol):
    """The connection to the host."""

    @property
    def connected(self) -> bool:
        """Whether items can be sent now."""
        ...

    @property
    def refused(self) -> bool:
        """Whether the host is there and does not let this terminal in: no session will come of waiting."""
        ...

    def on_change(self, listener: Callable[[pb.Welcome | None], None]) -> None:
        """``listener`` hears the host's welcome at every connection, and None when it is lost or first refused."""
        ...

    def begin_again(self) -> None:
        """End this connection and say hello over a new one. Does nothing while there is none."""
        ...

    async def request(self, item: pb.ConnectRequest) -> pb.ConnectResponse:
        """Send ``item`` and return its result. Raises :class:`HostAway` and :class:`HostRefused`."""
        ...
