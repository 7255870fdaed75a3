"""What a validator's channels are worth: the answer to SETUP REQUEST (SSP manual GA138, command 05).

Unit type (1), firmware (4), country (3), multiplier (3, high byte first), n (1); n values, n securities; real
multiplier (3, high byte first), protocol version (1); from version 6 on, n country codes (3 each) and n values (4 each,
low byte first).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from guichet.money import Currency, Money, MoneyError

VALIDATOR_TYPES = frozenset({0x00, 0x06, 0x07, 0x0D})
"""Unit types that have a validator and answer in this form; hoppers and printers do not."""

_HEAD = 12
_MAX_CHANNELS = 24
_EXPANDED_FROM = 6


class MessageError(ValueError):
    """Bytes that are no message, or no answer to what was asked."""


@dataclass(frozen=True, slots=True)
class Setup:
    """``values`` by channel, from 1; a channel that is not in it has no value that can be told for sure. ``raw`` is
    the answer as it was sent, without its first byte.
    """

    unit_type: int
    firmware: str
    channels: int
    values: Mapping[int, Money]
    version: int
    raw: bytes = field(repr=False)


def decode_setup(raw: bytes) -> Setup:
    """The table in ``raw``. Raises :class:`MessageError` for one that is no validator's, or not as long as it says."""
    if len(raw) < _HEAD or raw[0] not in VALIDATOR_TYPES:
        raise MessageError(f"no validator's setup: {raw[:16].hex()}")
    count = raw[11]
    fixed = _HEAD + 2 * count + 4
    version = raw[fixed - 1] if len(raw) >= fixed else 0
    expanded = version >= _EXPANDED_FROM
    if count > _MAX_CHANNELS or len(raw) != fixed + (7 * count if expanded else 0):
        raise MessageError(f"a setup of {count} channels with {len(raw)} bytes")
    values: dict[int, Money] = {}
    for index in range(count):
        value = _value(raw, index, count, expanded=expanded)
        if value is not None:
            values[index + 1] = value
    return Setup(raw[0], raw[1:5].decode("ascii", "replace"), count, values, version, raw)


def _value(raw: bytes, index: int, count: int, *, expanded: bool) -> Money | None:
    """Minor units are value times real multiplier; the short value times the short multiplier, where that is not 0, is
    in major units.
    """
    short, multiplier = raw[_HEAD + index], int.from_bytes(raw[8:11], "big")
    real = int.from_bytes(raw[_HEAD + 2 * count : _HEAD + 2 * count + 3], "big")
    fixed = _HEAD + 2 * count + 4
    country = raw[fixed + 3 * index : fixed + 3 * index + 3] if expanded else raw[5:8]
    at = fixed + 3 * count + 4 * index
    full = int.from_bytes(raw[at : at + 4], "little") if expanded else short * multiplier
    try:
        currency = Currency(country.decode("ascii", "replace"))
        money = Money(full * real, currency)
    except MoneyError:
        return None
    # Two ways to say the same: it is believed where both do. A short value has no room for more than a byte.
    agrees = real == 10**currency.exponent and (full > 255 * multiplier or short * multiplier == full)
    return money if money.minor > 0 and (agrees or not multiplier) else None


def encode_setup(values: Mapping[int, Money], *, version: int = 8, firmware: str = "0333") -> Setup:
    """A table of whole major units, as a validator would hold it. Channels between the given ones have no value.
    Raises :class:`MessageError` for values that it cannot hold.
    """
    count = max(values, default=0)
    faces = [values.get(channel) for channel in range(1, count + 1)]
    if count > _MAX_CHANNELS or min(values, default=1) < 1:
        raise MessageError(f"no channels {sorted(values)}")
    majors = [_major(face) for face in faces]
    real = next((10**face.currency.exponent for face in faces if face is not None), 100)
    if any(face is not None and 10**face.currency.exponent != real for face in faces):
        raise MessageError("one real multiplier serves all channels")
    home = next((face.currency.code for face in faces if face is not None), "EUR").encode("ascii")
    short = 0 if max(majors, default=0) > 255 else 1
    raw = b"\x00" + firmware.encode("ascii")[:4].rjust(4, b"0") + home + short.to_bytes(3, "big") + bytes((count,))
    raw += bytes(major * short for major in majors) + b"\x02" * count + real.to_bytes(3, "big") + bytes((version,))
    if version >= _EXPANDED_FROM:
        raw += b"".join(face.currency.code.encode("ascii") if face is not None else home for face in faces)
        raw += b"".join(major.to_bytes(4, "little") for major in majors)
    return decode_setup(raw)


def _major(face: Money | None) -> int:
    if face is None:
        return 0
    major, rest = divmod(face.minor, 10**face.currency.exponent)
    if rest or not 0 < major < 2**31:
        raise MessageError(f"no channel is worth {face}")
    return major
