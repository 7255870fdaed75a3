"""The codecs of the cash protocols, for the decoding benchmark: what a device says, and an exhaustive scan for it.

A scan tries every length at every offset and asks whether these bytes are a frame: checksum first, then what its head
says. It is right and short, and what one writes who trusts nothing but the checksum; the deframers read the head first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from types import ModuleType
from typing import Any, Protocol, runtime_checkable
from unittest.mock import patch

from drivers.cash.ccnet import framing as ccnet
from drivers.cash.ccnet import messages as ccnet_messages
from drivers.cash.cctalk import framing as cctalk
from drivers.cash.cctalk import messages as cctalk_messages
from drivers.cash.essp import framing as essp
from drivers.cash.essp import messages as essp_messages
from drivers.cash.essp.events import Event, EventCode
from drivers.cash.essp.sealing import Seal
from drivers.cash.id003 import framing as id003
from drivers.cash.id003 import messages as id003_messages

_KEY = bytes(range(16))
_BUS = 40
_EVENT_SLOTS = 5


@runtime_checkable
class _Cached(Protocol):
    """What :func:`functools.lru_cache` makes."""

    @property
    def __wrapped__(self) -> Callable[..., object]:
        """The function itself."""
        ...

    def cache_clear(self) -> None:
        """Forget everything."""
        ...


class Deframes(Protocol):
    """A deframer of any protocol; it gives frames, which have ``raw``, and noise."""

    def feed(self, data: bytes) -> list[Any]:
        """What ``data`` completes."""
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """``said``: the frame of an answer to a poll, any; ``deframer``: a new one; ``frame``: the frame that these bytes
    are, the hard way, or None; ``decode``: the message of a frame, None where it has none. ``shortest`` and
    ``longest``: bytes of a frame on the line. ``modules``: where the codec is, and what it remembers.
    """

    name: str
    said: Callable[[Random], bytes]
    deframer: Callable[[], Deframes]
    frame: Callable[[bytes], Any]
    decode: Callable[[Any], object]
    shortest: int
    longest: int
    modules: tuple[ModuleType, ...]

    @contextmanager
    def afresh(self) -> Generator[None]:
        """Meanwhile the codec remembers nothing: each of its caches is what it is a cache of."""
        with ExitStack() as stack:
            for module, name, cached in self._caches():
                stack.enter_context(patch.object(module, name, cached.__wrapped__))
            yield

    @property
    def remembers(self) -> bool:
        """Whether it has caches."""
        return bool(self._caches())

    def _caches(self) -> list[tuple[ModuleType, str, _Cached]]:
        found = ((module, name, each) for module in self.modules for name, each in vars(module).items())
        return [(module, name, each) for module, name, each in found if isinstance(each, _Cached)]


# --- CCNET ------------------------------------------------------------------------------------------------------------


def _ccnet_said(dice: Random) -> bytes:
    state = ccnet_messages.State
    plain = (state.IDLING, state.ACCEPTING, state.STACKING, state.DISABLED, state.RETURNING)
    full = (state.ESCROW, state.STACKED, state.REJECTING, state.RETURNED)
    if dice.random() < 0.5:
        answer = ccnet_messages.PollAnswer(dice.choice(plain))
    else:
        answer = ccnet_messages.PollAnswer(dice.choice(full), dice.randrange(256))
    return ccnet.frame(ccnet_messages.encode_answer(answer))


def _ccnet_frame(raw: bytes) -> ccnet.Frame | None:
    good = ccnet.crc16(raw) == 0 and raw[0] == ccnet.SYNC and raw[1] == ccnet.VALIDATOR and raw[2] == len(raw)
    return ccnet.Frame(raw[1], raw[3:-2], raw) if good else None


def _ccnet_decode(found: ccnet.Frame) -> object:
    try:
        return ccnet_messages.decode_answer(ccnet_messages.Command.POLL, found.payload)
    except ccnet_messages.MessageError:
        return None


# --- ID-003 -----------------------------------------------------------------------------------------------------------


def _id003_said(dice: Random) -> bytes:
    state = id003_messages.State
    plain = (state.IDLING, state.ACCEPTING, state.STACKING, state.VEND_VALID, state.STACKED, state.DISABLED)
    if dice.random() < 0.5:
        answer = id003_messages.Status(dice.choice(plain))
    else:
        answer = id003_messages.Status(dice.choice((state.ESCROW, state.REJECTING)), bytes((dice.randrange(256),)))
    return id003.frame(id003_messages.encode_answer(answer))


def _id003_frame(raw: bytes) -> id003.Frame | None:
    good = id003.crc16(raw) == 0 and raw[0] == id003.SYNC and raw[1] == len(raw)
    return id003.Frame(raw[2:-2], raw) if good else None


def _id003_decode(found: id003.Frame) -> object:
    try:
        return id003_messages.decode_answer(id003_messages.Command.STATUS, found.payload)
    except id003_messages.MessageError:
        return None


# --- eSSP: sealed, as every poll of the driver and every answer to it is ----------------------------------------------


def _essp_said(dice: Random) -> bytes:
    codes = (EventCode.ALL_DISABLED, EventCode.STACKING, EventCode.READ, EventCode.CREDIT)
    events = tuple(_essp_event(code, dice) for code in dice.sample(codes, dice.randrange(3)))
    data = essp_messages.encode_answer(essp_messages.Polled(events))
    return essp.frame(Seal(_KEY).close(dice.randrange(1 << 32), data, dice.randbytes), flag=dice.random() < 0.5)


def _essp_event(code: EventCode, dice: Random) -> Event:
    return Event(code, bytes((dice.randrange(1, 9),)) if code in (EventCode.READ, EventCode.CREDIT) else b"")


def _essp_frame(raw: bytes) -> essp.Frame | None:
    begin = bytes((essp.STX,))
    body = raw[1:].replace(begin * 2, begin)
    good = essp.crc16(body[:-2]) == int.from_bytes(body[-2:], "little")
    good = good and raw[0] == essp.STX and begin not in raw[1:].replace(begin * 2, b"")
    good = good and body[0] & 0x7F == essp.VALIDATOR and body[1] == len(body) - 4 > 0
    return essp.Frame(bool(body[0] & 0x80), essp.VALIDATOR, body[2:-2], raw) if good else None


def _essp_decode(found: essp.Frame) -> object:
    _, data = Seal(_KEY).open(found.payload)
    return essp_messages.decode_answer(essp_messages.Command.POLL_WITH_ACK, data)


# --- ccTalk -----------------------------------------------------------------------------------------------------------


def _cctalk_said(checksum: cctalk.Checksum) -> Callable[[Random], bytes]:
    def said(dice: Random) -> bytes:
        pairs = tuple((dice.randrange(1, 9), dice.randrange(2)) for _ in range(_EVENT_SLOTS))
        header, data = cctalk_messages.encode_answer(cctalk_messages.EventBuffer(dice.randrange(1, 256), pairs))
        return cctalk.frame(cctalk.HOST, header, data, source=_BUS, checksum=checksum)

    return said


def _cctalk_frame(checksum: cctalk.Checksum) -> Callable[[bytes], cctalk.Frame | None]:
    simple = checksum is cctalk.Checksum.SIMPLE

    def frame(raw: bytes) -> cctalk.Frame | None:
        good = cctalk.is_whole(raw, checksum) and raw[0] == cctalk.HOST and raw[1] == len(raw) - 5
        good = good and (not simple or raw[2] == _BUS)
        return cctalk.Frame(raw[0], raw[2] if simple else None, raw[3], raw[4:-1], raw) if good else None

    return frame


def _cctalk_deframer(checksum: cctalk.Checksum) -> Callable[[], cctalk.Deframer]:
    return lambda: cctalk.Deframer(source=_BUS, checksum=checksum)


def _cctalk_decode(found: cctalk.Frame) -> object:
    try:
        return cctalk_messages.decode_answer(cctalk_messages.Header.NOTE_EVENTS, found.header, found.data)
    except cctalk_messages.MessageError:
        return None


def _cctalk(name: str, checksum: cctalk.Checksum) -> Codec:
    return Codec(
        name,
        _cctalk_said(checksum),
        _cctalk_deframer(checksum),
        _cctalk_frame(checksum),
        _cctalk_decode,
        5,
        260,
        (cctalk, cctalk_messages),
    )


CODECS = (
    Codec("ccnet", _ccnet_said, ccnet.Deframer, _ccnet_frame, _ccnet_decode, 6, 250, (ccnet, ccnet_messages)),
    Codec("id003", _id003_said, id003.Deframer, _id003_frame, _id003_decode, 5, 255, (id003, id003_messages)),
    Codec("essp", _essp_said, essp.Deframer, _essp_frame, _essp_decode, 6, 2 * 259 + 1, (essp, essp_messages)),
    _cctalk("cctalk", cctalk.Checksum.SIMPLE),
    _cctalk("cctalk-crc", cctalk.Checksum.CRC16),
)
