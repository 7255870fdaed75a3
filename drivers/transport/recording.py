"""What went over a line, as values and as text. Pure.

A recording is a text file, one moment a line, so that it can be read, searched, cut and kept in a test:

    guichet wire recording 1
    {"device": "cash", "driver": "ccnet", "address": "/dev/guichet/cash", "options": {}, "began_us": 1790000000000000}
    103.25 ! opened 0102...
    103.25 > 02 03 06 33 DA 81
    103.27 < 02 03 06 10 43 C7

First the monotonic time in seconds, exactly as the driver read it, then a :class:`Mark`, then bytes or words. The
second line is the header; who the device is stands there or, where it was learnt later, in a line of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TextIO, cast

from drivers.api.device import DeviceIdentity
from guichet.ids import DeviceSerial

TITLE = "guichet wire recording 1"
_YEAR_10000_US = 253_402_300_800_000_000
MAX_LINE = 1 << 20
"""Characters. No line is longer: what one read brings is 4 KiB at most, what is written at once is kept in pieces."""
MOST_SECONDS = 1e12
"""No monotonic clock says more, and a microsecond can still be told at this distance."""


class BadRecording(ValueError):
    """A text that is no recording; it says which line and why."""


class NotPlayable(Exception):
    """A recording that is one, but with which nothing can be compared: something is missing in it."""


class Diverged(Exception):
    """What happens is not what was recorded; the text says where and what."""


class Mark(Enum):
    """What a moment is.

    SENT and RECEIVED are bytes to and from the device. STEP says what a driver's machine was given, where the driver
    tells: with it a recording can be replayed exactly. IDENTITY: the device has said who it is. GAP: moments are
    missing here. CLOSED: the line was given up, or went.
    """

    SENT = ">"
    RECEIVED = "<"
    STEP = "!"
    IDENTITY = "="
    GAP = "~"
    CLOSED = "."


_WITH_BYTES = frozenset({Mark.SENT, Mark.RECEIVED})
_WITHHELD = "withheld "


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, ``at`` so many monotonic seconds. ``data`` of SENT and RECEIVED, ``text`` of the others.

    ``withheld``: how many bytes there were that must not be kept, in place of ``data``.
    """

    at: float
    mark: Mark
    data: bytes = b""
    text: str = ""
    withheld: int = 0


@dataclass(frozen=True, slots=True)
class Header:
    """Whose line it was. ``began_us``: wall time, microseconds of the epoch. Options that are keys are stars."""

    device: str
    driver: str
    address: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    began_us: int = 0
    identity: DeviceIdentity | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole recording."""

    header: Header
    moments: tuple[Moment, ...]

    @property
    def identity(self) -> DeviceIdentity | None:
        """Who the device said it was, first."""
        if self.header.identity is not None:
            return self.header.identity
        told = (moment for moment in self.moments if moment.mark is Mark.IDENTITY)
        return next((identity_of(moment) for moment in told), None)

    @property
    def whole(self) -> bool:
        """Whether nothing is missing in it and nothing is withheld."""
        return not any(moment.mark is Mark.GAP or moment.withheld for moment in self.moments)


def without_keys(options: Mapping[str, str]) -> dict[str, str]:
    """``options`` with stars for every one whose name says that it is a key."""
    return {name: "****" if "key" in name else value for name, value in options.items()}


# --- identity ---------------------------------------------------------------------------------------------------------


def identity_moment(at: float, identity: DeviceIdentity) -> Moment:
    """The device has said who it is."""
    return Moment(at, Mark.IDENTITY, text=_identity_text(identity))


def identity_of(moment: Moment) -> DeviceIdentity:
    """What an IDENTITY moment says. Raises :class:`BadRecording`."""
    return _identity(_object(moment.text))


def _identity_text(identity: DeviceIdentity) -> str:
    return json.dumps(_identity_object(identity), ensure_ascii=True)


def _identity_object(identity: DeviceIdentity) -> dict[str, str | bool]:
    return {
        "driver": identity.driver,
        "model": identity.model,
        "serial": str(identity.serial),
        "firmware": identity.firmware,
        "simulated": identity.simulated,
    }


def _identity(values: Mapping[str, object]) -> DeviceIdentity:
    simulated = values.get("simulated")
    if not isinstance(simulated, bool):
        raise BadRecording("an identity says whether it is simulated")
    serial = DeviceSerial(_text(values, "serial"))
    return DeviceIdentity(_text(values, "driver"), _text(values, "model"), serial, _text(values, "firmware"), simulated)


def _text(values: Mapping[str, object], key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str):
        raise BadRecording(f"{key} is missing, or no text")
    return value


# --- text -------------------------------------------------------------------------------------------------------------


def head_lines(header: Header) -> tuple[str, str]:
    """The first two lines."""
    values: dict[str, object] = {
        "device": header.device,
        "driver": header.driver,
        "address": header.address,
        "options": without_keys(header.options),
        "began_us": header.began_us,
    }
    if header.identity is not None:
        values["identity"] = _identity_object(header.identity)
    return TITLE, json.dumps(values, ensure_ascii=True)


def moment_line(moment: Moment) -> str:
    """One moment."""
    if moment.withheld:
        rest = f"{_WITHHELD}{moment.withheld}"
    elif moment.mark in _WITH_BYTES:
        rest = moment.data.hex(" ").upper()
    else:
        rest = moment.text
    return f"{moment.at!r} {moment.mark.value} {rest}".rstrip()


def to_text(recording: Recording) -> str:
    """All of it."""
    lines = (*head_lines(recording.header), *(moment_line(moment) for moment in recording.moments))
    return "".join(f"{line}\n" for line in lines)


def lines_of(file: TextIO) -> Iterator[str]:
    """The lines of ``file``, of which none is read further than a line may be long. Raises :class:`BadRecording`."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise BadRecording(f"a line of more than {MAX_LINE} characters")
        yield line


def from_lines(lines: Iterable[str]) -> Recording:
    """Read a recording. Raises :class:`BadRecording`. A last line that was cut off in the middle, as a power cut leaves
    it, is an error too: cut it away.
    """
    numbered = enumerate(lines, start=1)
    header = _read_header(numbered)
    moments: list[Moment] = []
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            moments.append(moment_of(line))
        except BadRecording as error:
            raise BadRecording(f"line {number}: {error}") from error
    return Recording(header, tuple(moments))


def _read_header(lines: Iterator[tuple[int, str]]) -> Header:
    if next(lines, (1, ""))[1].strip() != TITLE:
        raise BadRecording(f"line 1: a recording begins with {TITLE!r}")
    try:
        return header_of(next(lines, (2, ""))[1])
    except BadRecording as error:
        raise BadRecording(f"line 2: {error}") from error


def header_of(line: str) -> Header:
    """What the second line says. Raises :class:`BadRecording`."""
    values = _object(line)
    options, began_us, identity = values.get("options"), values.get("began_us"), values.get("identity")
    if not isinstance(options, dict) or type(began_us) is not int:
        raise BadRecording("a header has options and began_us")
    if not 0 <= began_us < _YEAR_10000_US:
        raise BadRecording(f"began_us is no time: {began_us}")
    return Header(
        _text(values, "device"),
        _text(values, "driver"),
        _text(values, "address"),
        {str(name): str(value) for name, value in cast("dict[object, object]", options).items()},
        began_us,
        _identity(cast("dict[str, object]", identity)) if isinstance(identity, dict) else None,
    )


def moment_of(line: str) -> Moment:
    """What one line says. Raises :class:`BadRecording`."""
    if len(line) > MAX_LINE:
        raise BadRecording(f"a line of {len(line)} characters")
    time, _, rest = line.strip().partition(" ")
    sign, _, text = rest.partition(" ")
    try:
        at, mark = float(time), Mark(sign)
    except ValueError:
        raise BadRecording(f"expected a time and one of {' '.join(m.value for m in Mark)}: {line[:40]!r}") from None
    if not abs(at) <= MOST_SECONDS:  # Nor is nan.
        raise BadRecording(f"no time: {time[:40]}")
    if mark is Mark.IDENTITY:
        _identity(_object(text))
    if mark not in _WITH_BYTES:
        return Moment(at, mark, text=text)
    return _with_bytes(at, mark, text)


def _with_bytes(at: float, mark: Mark, text: str) -> Moment:
    if text.startswith(_WITHHELD):
        count = text.removeprefix(_WITHHELD)
        if not (count.isascii() and count.isdecimal()) or not int(count[:9]) > 0:
            raise BadRecording(f"withheld bytes are counted: {text[:40]!r}")
        return Moment(at, mark, withheld=int(count[:9]))
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise BadRecording(f"not hexadecimal: {text[:40]!r}") from None
    if not data:
        raise BadRecording(f"no bytes: {mark.value}")
    return Moment(at, mark, data)


def _object(text: str) -> Mapping[str, object]:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRecording(f"expected a JSON object: {text[:40]!r}") from None
    if not isinstance(value, dict):
        raise BadRecording(f"expected a JSON object: {text[:40]!r}")
    return cast("dict[str, object]", value)
