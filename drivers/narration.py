"""Tells in words what goes over a line, for the engineer who looks at it. Pure.

A protocol's narrator is beside its codec (``drivers/cash/ccnet/narrator.py``) and is found by its driver's name in the
entry-point group ``guichet.narrators``, so a driver from elsewhere can bring its own. It reads what passes and takes no
part in it: whatever comes, it has words for it and raises nothing.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from guichet.money import Money

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

GROUP = "guichet.narrators"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Saying:
    """A frame, or bytes that are none, and what they say."""

    raw: bytes
    words: str


class Narrator(Protocol):
    """Follows one connection from its beginning, or from wherever the recording begins."""

    def opened(self, entropy: bytes) -> None:
        """The connection was opened with this randomness, which keys may have come from."""
        ...

    def missed(self, count: int) -> None:
        """So many reads and writes went by unseen here."""
        ...

    def sent(self, data: bytes) -> list[Saying]:
        """What these bytes to the device complete."""
        ...

    def received(self, data: bytes) -> list[Saying]:
        """What these bytes from the device complete."""
        ...


MakeNarrator = Callable[[Mapping[str, str]], Narrator]
"""What an entry point names; it is given the driver's options. One that it cannot read it takes as not given."""


class HexNarrator:
    """For a line that nobody has words for."""

    def __init__(self, options: Mapping[str, str]) -> None:
        del options

    def opened(self, entropy: bytes) -> None:
        """Nothing follows from it."""

    def missed(self, count: int) -> None:
        """Nothing follows from it."""

    def sent(self, data: bytes) -> list[Saying]:
        """The bytes."""
        return [Saying(data, "")]

    def received(self, data: bytes) -> list[Saying]:
        """The bytes."""
        return [Saying(data, "")]


def narrator_maker(driver: str) -> MakeNarrator:
    """What makes narrators of ``driver``'s lines; of one that has none, :class:`HexNarrator`, and so of one whose
    narrator cannot be loaded, after a warning: bytes are better than no trace.
    """
    for point in entry_points(group=GROUP, name=driver):
        try:
            return cast("MakeNarrator", point.load())
        except (ImportError, AttributeError) as error:
            _log.warning("no words for %s: its narrator %s cannot be loaded: %s", driver, point.value, error)
    return HexNarrator


def narrator_for(driver: str, options: Mapping[str, str]) -> Narrator:
    """A narrator of a line of ``driver``'s."""
    return narrator_maker(driver)(options)


# --- lines with frames ------------------------------------------------------------------------------------------------


class Whole(Protocol):
    """A frame as a codec finds it."""

    @property
    def raw(self) -> bytes:
        """All of its bytes."""
        ...


class Scrap(Whole, Protocol):
    """Bytes that are no part of a good frame."""

    @property
    def damaged(self) -> bool:
        """Whether they looked like a whole frame but for the checksum."""
        ...


Found = TypeVar("Found", bound=Whole)
Found_co = TypeVar("Found_co", bound=Whole, covariant=True)


class Deframer(Protocol[Found_co]):
    """What finds a codec's frames."""

    def feed(self, data: bytes) -> Sequence[Found_co | Scrap]:
        """What ``data`` completes."""
        ...


class FrameNarrator(ABC, Generic[Found]):
    """A :class:`Narrator` of a line with frames of the type ``kind``; a protocol says what a frame means."""

    def __init__(self, kind: type[Found], outward: Deframer[Found], inward: Deframer[Found]) -> None:
        self._kind = kind
        self._outward = outward
        self._inward = inward

    def opened(self, entropy: bytes) -> None:
        """Nothing follows from it, where a protocol has no keys."""

    def missed(self, count: int) -> None:
        """Nothing follows from it: the next frame is found by itself."""

    def sent(self, data: bytes) -> list[Saying]:
        """The host's frames."""
        return [self._saying(found, self.question) for found in self._outward.feed(data)]

    def received(self, data: bytes) -> list[Saying]:
        """The device's frames."""
        return [self._saying(found, self.answer) for found in self._inward.feed(data)]

    def _saying(self, found: Found | Scrap, words: Callable[[Found], str]) -> Saying:
        if isinstance(found, self._kind):
            return Saying(found.raw, words(found))
        damaged = getattr(found, "damaged", False) is True
        return Saying(found.raw, "DAMAGED FRAME" if damaged else "NOISE")

    @abstractmethod
    def question(self, found: Found) -> str:
        """What the host says."""

    @abstractmethod
    def answer(self, found: Found) -> str:
        """What the device says."""


# --- words ------------------------------------------------------------------------------------------------------------


Heard = TypeVar("Heard")


def words_of(decode: Callable[[], Heard], error: type[Exception]) -> str:
    """What ``decode`` gives, in words; where it raises the codec's own ``error``, that."""
    try:
        return describe(decode())
    except error as unreadable:
        return f"UNREADABLE: {unreadable}"


def describe(value: object) -> str:
    """A message in words, from its own names: ``PollAnswer(State.ESCROW, 2)`` is "escrow, detail 2", and
    ``SerialNumber(1873452)`` is "serial number 1873452".
    """
    match value:
        case Enum():
            return value.name.lower().replace("_", " ")
        case bytes():
            return value.hex(" ").upper()
        case Mapping():
            pairs = cast("Mapping[object, object]", value)
            return ", ".join(f"{describe(key)}: {describe(each)}" for key, each in pairs.items()) or "none"
        case Set():
            return _numbers(sorted(cast("Set[int]", value)))
        case tuple():
            return _sequence(cast("tuple[object, ...]", value))
        case _ if is_dataclass(value) and not isinstance(value, type | Money):
            return _record(value)
        case _:
            return str(value)


def printable(text: str) -> str:
    """``text`` for somebody's screen: what a device or a file says may not command the terminal that shows it."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def _sequence(values: tuple[object, ...]) -> str:
    if all(isinstance(each, int) for each in values):
        return "/".join(describe(each) for each in values)
    return "; ".join(describe(each) for each in values) or "none"


def _record(value: DataclassInstance) -> str:
    """Its name and its fields; a state or command that comes first says more than the name. What does not show in the
    repr (raw bytes that others were read from), and what is as it is where nothing is said, is left out.
    """
    held = [(each, getattr(value, each.name)) for each in fields(value) if each.repr]
    shown = [(each.name, said) for each, said in held if said not in (None, "", b"", frozenset(), each.default)]
    if held and isinstance(held[0][1], Enum):
        rest = [f"{_plain(name)} {describe(said)}" for name, said in shown if name != held[0][0].name]
        return ", ".join([describe(held[0][1]), *rest])
    if len(held) == 1:
        return f"{_spaced(type(value).__name__)} {describe(held[0][1])}"
    rest = [f"{_plain(name)} {describe(said)}" for name, said in shown]
    return f"{_spaced(type(value).__name__)} {', '.join(rest)}".rstrip()


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _spaced(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _numbers(numbers: list[int]) -> str:
    """``1-4, 7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs) or "none"
