"""The smart-card service as typed, blocking calls: what we use of PC/SC (pcsc-lite's winscard.h) through pyscard.

The low-level module is used because the library's own monitor thread dies with the daemon, and says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from typing import Protocol, cast

_COUNTER_SHIFT = 16


class _Scard(Protocol):
    """The functions and numbers of ``smartcard.scard`` (pyscard has no type stubs)."""

    SCARD_SCOPE_USER: int
    SCARD_SHARE_EXCLUSIVE: int
    SCARD_PROTOCOL_T0: int
    SCARD_PROTOCOL_T1: int
    SCARD_UNPOWER_CARD: int
    SCARD_STATE_UNAWARE: int
    SCARD_STATE_PRESENT: int
    SCARD_STATE_MUTE: int
    SCARD_STATE_UNKNOWN: int
    SCARD_STATE_UNAVAILABLE: int
    SCARD_S_SUCCESS: int
    SCARD_E_TIMEOUT: int
    SCARD_E_NO_READERS_AVAILABLE: int
    SCARD_E_UNKNOWN_READER: int
    SCARD_E_READER_UNAVAILABLE: int
    SCARD_E_NO_SMARTCARD: int
    SCARD_W_REMOVED_CARD: int
    SCARD_W_RESET_CARD: int
    SCARD_E_SHARING_VIOLATION: int
    SCARD_W_UNRESPONSIVE_CARD: int
    SCARD_W_UNPOWERED_CARD: int
    SCARD_W_UNSUPPORTED_CARD: int
    SCARD_E_NOT_TRANSACTED: int
    SCARD_E_PROTO_MISMATCH: int
    SCARD_E_CARD_UNSUPPORTED: int
    SCARD_F_COMM_ERROR: int

    def SCardEstablishContext(self, scope: int) -> tuple[int, int]: ...
    def SCardReleaseContext(self, context: int) -> int: ...
    def SCardListReaders(self, context: int, groups: list[str]) -> tuple[int, list[str]]: ...
    def SCardGetStatusChange(
        self, context: int, milliseconds: int, states: list[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, list[int]]]]: ...
    def SCardConnect(self, context: int, reader: str, share: int, protocols: int) -> tuple[int, int, int]: ...
    def SCardTransmit(self, card: int, protocol: int, command: list[int]) -> tuple[int, list[int]]: ...
    def SCardDisconnect(self, card: int, disposition: int) -> int: ...


_scard = cast("_Scard", import_module("smartcard.scard"))


class Trouble(Enum):
    """What a failed call means to us."""

    SERVICE_LOST = "pcscd-lost"
    READER_GONE = "reader-gone"
    CARD_GONE = "removed"
    CARD_SILENT = "unreadable"
    CARD_TAKEN = "card-taken"


class ServiceError(Exception):
    """A PC/SC call failed; ``number`` is its return code."""

    def __init__(self, trouble: Trouble, call: str, number: int) -> None:
        super().__init__(f"{call} returned {number & 0xFFFFFFFF:08X}")
        self.trouble = trouble


_TROUBLES = {
    _scard.SCARD_E_NO_READERS_AVAILABLE: Trouble.READER_GONE,
    _scard.SCARD_E_UNKNOWN_READER: Trouble.READER_GONE,
    _scard.SCARD_E_READER_UNAVAILABLE: Trouble.READER_GONE,
    _scard.SCARD_E_NO_SMARTCARD: Trouble.CARD_GONE,
    _scard.SCARD_W_REMOVED_CARD: Trouble.CARD_GONE,
    # Exclusive use: nobody but the reader itself resets the card, when another one comes.
    _scard.SCARD_W_RESET_CARD: Trouble.CARD_GONE,
    _scard.SCARD_E_SHARING_VIOLATION: Trouble.CARD_TAKEN,
    _scard.SCARD_W_UNRESPONSIVE_CARD: Trouble.CARD_SILENT,
    _scard.SCARD_W_UNPOWERED_CARD: Trouble.CARD_SILENT,
    _scard.SCARD_W_UNSUPPORTED_CARD: Trouble.CARD_SILENT,
    _scard.SCARD_E_NOT_TRANSACTED: Trouble.CARD_SILENT,
    _scard.SCARD_E_PROTO_MISMATCH: Trouble.CARD_SILENT,
    _scard.SCARD_E_CARD_UNSUPPORTED: Trouble.CARD_SILENT,
    _scard.SCARD_F_COMM_ERROR: Trouble.CARD_SILENT,
}


@dataclass(frozen=True, slots=True)
class SlotState:
    """A reader's slot: ``changes`` counts insertions and removals, so that a card swapped between two looks is seen.

    ``raw`` is what the service wants back to tell the next change.
    """

    present: bool
    mute: bool
    changes: int
    atr: bytes
    raw: int


UNKNOWN_SLOT = SlotState(present=False, mute=False, changes=-1, atr=b"", raw=_scard.SCARD_STATE_UNAWARE)
"""Before the first look."""


@dataclass(frozen=True, slots=True)
class CardHandle:
    """A powered card that nobody else may use."""

    handle: int
    protocol: int

    @property
    def t0(self) -> bool:
        """Whether the link speaks T=0."""
        return self.protocol == _scard.SCARD_PROTOCOL_T0


class Service:
    """One context with pcscd. Every method blocks and raises :class:`ServiceError`; not for two threads at once."""

    def __init__(self) -> None:
        self._context: int | None = None

    def open(self) -> None:
        """Get the context; every other method needs it."""
        code, context = _scard.SCardEstablishContext(_scard.SCARD_SCOPE_USER)
        _check(code, "SCardEstablishContext")
        self._context = context

    def close(self) -> None:
        """Release the context, if there is one. A lost one has nothing to release: its return code says nothing."""
        if self._context is not None:
            _scard.SCardReleaseContext(self._context)
            self._context = None

    @property
    def _open_context(self) -> int:
        if self._context is None:
            raise ServiceError(Trouble.SERVICE_LOST, "open", 0)
        return self._context

    def readers(self) -> tuple[str, ...]:
        """The names of the readers that are there, sorted as the service sorts them."""
        try:
            code, names = _scard.SCardListReaders(self._open_context, [])
        except SystemError as error:  # pyscard's way of saying that the context died under its hands
            raise ServiceError(Trouble.SERVICE_LOST, "SCardListReaders", 0) from error
        if code == _scard.SCARD_E_NO_READERS_AVAILABLE:
            return ()
        _check(code, "SCardListReaders")
        return tuple(names)

    def wait(self, reader: str, known: SlotState, seconds: float) -> SlotState:
        """The slot's state when it differs from ``known``, or ``known`` after ``seconds``."""
        code, states = _scard.SCardGetStatusChange(self._open_context, int(seconds * 1000), [(reader, known.raw)])
        if code == _scard.SCARD_E_TIMEOUT:
            return known
        _check(code, "SCardGetStatusChange")
        _, event, atr = states[0]
        if event & (_scard.SCARD_STATE_UNKNOWN | _scard.SCARD_STATE_UNAVAILABLE):
            raise ServiceError(Trouble.READER_GONE, "SCardGetStatusChange", code)
        return SlotState(
            present=bool(event & _scard.SCARD_STATE_PRESENT),
            mute=bool(event & _scard.SCARD_STATE_MUTE),
            changes=event >> _COUNTER_SHIFT & 0xFFFF,
            atr=bytes(atr),
            raw=event,
        )

    def connect(self, reader: str) -> CardHandle:
        """Power the card and keep everyone else from it."""
        protocols = _scard.SCARD_PROTOCOL_T0 | _scard.SCARD_PROTOCOL_T1
        code, handle, protocol = _scard.SCardConnect(
            self._open_context, reader, _scard.SCARD_SHARE_EXCLUSIVE, protocols
        )
        _check(code, "SCardConnect")
        return CardHandle(handle, protocol)

    def transmit(self, card: CardHandle, command: bytes) -> bytearray:
        """The card's answer. Neither command nor answer appears in any error."""
        code, answer = _scard.SCardTransmit(card.handle, card.protocol, list(command))
        _check(code, "SCardTransmit")
        if not answer:  # some readers answer so when the card was pulled out under the command
            raise ServiceError(Trouble.CARD_SILENT, "SCardTransmit", code)
        return bytearray(answer)

    def disconnect(self, card: CardHandle) -> None:
        """Switch the card's power off. One that is gone already needs none of it."""
        _scard.SCardDisconnect(card.handle, _scard.SCARD_UNPOWER_CARD)


def _check(code: int, call: str) -> None:
    if code != _scard.SCARD_S_SUCCESS:
        raise ServiceError(_TROUBLES.get(code, Trouble.SERVICE_LOST), call, code)
