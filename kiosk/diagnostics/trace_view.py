"""A recording for an engineer's eyes: names and hex side by side, what repeats itself told once. Pure."""

from __future__ import annotations

import json
import re
import textwrap
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from drivers.api.device import DeviceIdentity
from drivers.cash.replay import BYTES, TICK
from drivers.narration import Narrator, Saying, narrator_for, printable
from drivers.transport.recording import TITLE, Header, Mark, Moment, header_of, identity_of, moment_of

_HEX_BYTES = 16
_HEX_WIDTH = _HEX_BYTES * 3 - 1
_WORDS_WIDTH = 58
_LONGEST_CYCLE = 6
_OPENED = "opened"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to show: seconds since the recording began, what it is, bytes and words."""

    at: float
    mark: Mark
    raw: bytes
    words: str


class Reading:
    """Makes entries of a recording's lines, one after the other. Raises
    :class:`drivers.transport.recording.BadRecording` for a line that is none. ``given``: options of the driver that
    recordings do not tell, such as a key.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = given or {}
        self._expects_header = False
        self._narrator: Narrator = narrator_for("", {})
        self._zero: float | None = None
        self.header: Header | None = None

    def read(self, line: str) -> list[Entry] | Header:
        """What ``line`` brings: a header, where another connection begins, or entries, often none."""
        if line.strip() == TITLE:
            self._expects_header = True
            return []
        if self._expects_header:
            self._expects_header, self._zero = False, None
            self.header = header_of(line)
            self._narrator = narrator_for(self.header.driver, {**self.header.options, **self._given})
            return self.header
        moment = moment_of(line)
        if self._zero is None:
            self._zero = moment.at
        at = moment.at - self._zero
        return [Entry(at, moment.mark, saying.raw, saying.words) for saying in self._sayings(moment)]

    def _sayings(self, moment: Moment) -> list[Saying]:
        match moment.mark:
            case Mark.SENT | Mark.RECEIVED if moment.withheld:
                return [Saying(b"", f"{'*' * 4} {moment.withheld} bytes that are not kept")]
            case Mark.SENT:
                return self._narrator.sent(moment.data)
            case Mark.RECEIVED:
                return self._narrator.received(moment.data)
            case Mark.STEP:
                return self._step(moment.text)
            case Mark.IDENTITY:
                return [Saying(b"", f"device: {identity_words(identity_of(moment))}")]
            case Mark.GAP:
                count = moment.text.split(" ", 1)[0]
                self._narrator.missed(int(count) if re.fullmatch("[0-9]{1,9}", count) else 0)
                return [Saying(b"", f"GAP: {moment.text}")]
            case Mark.CLOSED:
                return [Saying(b"", "closed")]

    def _step(self, text: str) -> list[Saying]:
        word, _, rest = text.partition(" ")
        if word == _OPENED:
            self._open(rest)
            return [Saying(b"", _OPENED)]
        return [] if text in (TICK, BYTES) else [Saying(b"", text)]

    def _open(self, entropy: str) -> None:
        try:
            self._narrator.opened(bytes.fromhex(entropy))
        except ValueError:
            self._narrator.opened(b"")


def identity_words(identity: DeviceIdentity) -> str:
    """Who a device is."""
    simulated = " (simulated)" if identity.simulated else ""
    return " ".join(filter(None, (identity.model, identity.serial, identity.firmware))) + simulated


# --- for eyes ---------------------------------------------------------------------------------------------------------


class Folding:
    """Leaves out what says the same as the two rounds before it: a poll and its answer, some hundred times."""

    def __init__(self) -> None:
        self._shown: deque[tuple[Mark, str]] = deque(maxlen=2 * _LONGEST_CYCLE)
        self._cycle: tuple[tuple[Mark, str], ...] = ()
        self._held: list[Entry] = []
        self._rounds = 0

    def fold(self, entry: Entry) -> Iterator[Entry | int]:
        """What is to be shown now; a number says how many rounds have been left out."""
        if self._cycle:
            if self._cycle[len(self._held)] == _key(entry):
                self._held.append(entry)
                if len(self._held) == len(self._cycle):
                    self._held, self._rounds = [], self._rounds + 1
                return
            yield from self.rest()
        yield entry
        self._shown.append(_key(entry))
        self._cycle = self._find_cycle()

    def rest(self) -> Iterator[Entry | int]:
        """What was held back, at the end."""
        if self._rounds:
            yield self._rounds
        yield from self._held
        self._shown.clear()
        self._cycle, self._held, self._rounds = (), [], 0

    def _find_cycle(self) -> tuple[tuple[Mark, str], ...]:
        shown = list(self._shown)
        for length in range(2, _LONGEST_CYCLE + 1):
            last = tuple(shown[-length:])
            if len(shown) >= 2 * length and last == tuple(shown[-2 * length : -length]):
                return last
        return ()


def _key(entry: Entry) -> tuple[Mark, str]:
    return entry.mark, entry.words or entry.raw.hex()


def header_line(header: Header) -> str:
    """Whose line it is, and since when."""
    began = datetime.fromtimestamp(header.began_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    who = f", {identity_words(header.identity)}" if header.identity is not None else ""
    return printable(f"{header.device}: {header.driver} at {header.address}{who}, from {began} UTC")


def entry_lines(entry: Entry) -> list[str]:
    """One entry: the time, the way, the bytes and beside them the words."""
    hexes = [entry.raw[at : at + _HEX_BYTES].hex(" ").upper() for at in range(0, len(entry.raw), _HEX_BYTES)]
    words = textwrap.wrap(printable(entry.words), _WORDS_WIDTH) or [""]
    lines: list[str] = []
    for number in range(max(len(hexes), len(words))):
        left = f"{entry.at:10.3f}  {entry.mark.value}" if number == 0 else " " * 13
        bytes_here = hexes[number] if number < len(hexes) else ""
        words_here = words[number] if number < len(words) else ""
        lines.append(f"{left}  {bytes_here:{_HEX_WIDTH}}  {words_here}".rstrip())
    return lines


def rounds_line(rounds: int) -> str:
    """So many rounds were left out."""
    return f"{'':13}  ... the same {rounds} {'time' if rounds == 1 else 'times'} more"


# --- for scripts ------------------------------------------------------------------------------------------------------


def header_json(header: Header) -> str:
    """Whose line it is, as one line of JSON."""
    return json.dumps({
        "device": header.device, "driver": header.driver, "address": header.address, "began_us": header.began_us
    })  # fmt: skip


def entry_json(entry: Entry) -> str:
    """One entry, as one line of JSON."""
    return json.dumps({
        "at": round(entry.at, 6), "what": entry.mark.name.lower(), "hex": entry.raw.hex(), "words": entry.words
    })  # fmt: skip
