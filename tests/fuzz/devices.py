"""A simulated cash device, with a host that says anything and people who do anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.hands import Hands
from drivers.simulation.notes import Place
from drivers.simulation.script import parse
from tests.fuzz.decoder import Tape, must
from tests.fuzz.sizes import held

HANDS = (
    "insert 20 EUR", "insert 10 EUR", "insert unreadable", "insert unknown", "insert 1 EUR", "take", "state", "notes",
    "power off", "power on", "box removed", "box full", "box back", "box swapped BOX-2", "jam head", "jam transport",
    "jam box", "free", "cheat", "second", "fail", "not taken", "mute on", "mute off", "garbage 2", "lose 2",
    "slow 0.5", "slow 0", "pace 0.1", "fault power off 2", "fault mute 1", "fault noise 02 03 FC 7F 28",
    "fault box swapped B3", "fault slips", "fault unasked", "fault serial OTHER-1", "fault wrong crc 3", "help",
)  # fmt: skip
"""Lines of the control socket, each with its outcome somewhere in the device."""

SCRIPT = parse(
    "note 1 in stacking: noise 7F 7F 02\nnote 2 in escrow: power off 1\nnote 3: serial S-2\n"
    "before byte 200: wrong crc 2\nafter byte 300: power off 1\nat 20.3: box swapped B2\nat 20.3: box back\n"
    "ack 2: lose\nack 3: late 1\nack 4: repeat\n"
)
_INSIDE = (Place.HEAD, Place.ESCROW, Place.TRANSPORT)
_AGAIN = 16
_ANSWER_A_BYTE, _ANSWER = 64, 4096
_MOST_HELD = 16 * 1024


class Host(Protocol):
    """The other end of the device's line."""

    def request(self, choice: int) -> bytes:
        """The bytes of one of the requests that hosts make."""
        ...

    def wrap(self, payload: bytes) -> bytes:
        """A frame that the device must take for whole, with any payload."""
        ...

    def hear(self, answer: bytes) -> None:
        """What the device said."""
        ...


@dataclass(slots=True)
class Bench:
    """A device on the table."""

    device: SimulatedCash
    host: Host
    now: float = 100.0

    def receive(self, data: bytes) -> None:
        """From the host."""
        answer = self.device.receive(data, self.now)
        must(len(answer) <= _ANSWER_A_BYTE * len(data) + _ANSWER, "it answers without end")
        self.host.hear(answer)

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        self.host.hear(self.device.collect(self.now))

    def act(self, line: str) -> None:
        """Somebody does something; what cannot be done is refused."""
        if line.partition(" ")[0] == "wait":
            return  # It waits on a clock, which there is none of here.
        doing = Hands(self.device, lambda: self.now).act(line)
        with suppress(ValueError, StopIteration):
            doing.send(None)
        doing.close()

    def check(self) -> None:
        """Each piece of paper lies in one place, and those in the box are counted."""
        vault = self.device.vault
        places = Counter(note.place for note in vault.notes)
        must([note.number for note in vault.notes] == list(range(1, len(vault.notes) + 1)), "paper is lost")
        must(sum(places[place] for place in _INSIDE) <= 1, "two notes in one path")
        must(vault.counter == places[Place.BOX], "the counter is not what lies in the box")


def seeds(opening: tuple[int, ...], routine: tuple[int, ...]) -> Iterator[bytes]:
    """Days of a device, each with another mishap. ``opening``: the requests that open its slot, by number; ``routine``:
    those that see to a note.
    """
    opened = b"".join(bytes((3, request, 8, 8)) for request in opening)
    seen_to = b"".join(bytes((3, request, 8, 4)) for request in routine)
    for hand in range(len(HANDS)):
        with_a_note = opened + bytes((11, 0, 8, 8)) + seen_to + bytes((11, hand)) + seen_to + seen_to
        from_the_start = bytes((11, hand, 8, 8)) + opened + bytes((13, 13)) + b"insert 50 EUR" + seen_to
        yield bytes((hand,)) + (from_the_start if hand % 3 == 0 else with_a_note)


def check(make: Callable[[int], tuple[SimulatedCash, Host]], data: bytes) -> None:
    """The first byte chooses the device's options; then one thing after the other happens."""
    tape = Tape(data)
    bench = Bench(*make(tape.byte()))
    bench.wait(0.0)
    last = b""
    while tape.more:
        last = _happens(bench, tape, last)
    bench.check()


def _happens(bench: Bench, tape: Tape, last: bytes) -> bytes:
    match tape.byte() & 0x0F:
        case 0:
            last = tape.take(tape.byte())
            bench.receive(last)
        case 1 | 2:
            last = bench.host.wrap(tape.take(tape.byte() % 64))
            bench.receive(last)
        case 3 | 4 | 5 | 6 | 7:
            last = bench.host.request(tape.byte())
            bench.receive(last)
        case 8 | 9 | 10:
            bench.wait(tape.byte() / 16)
        case 11 | 12:
            bench.act(HANDS[tape.byte() % len(HANDS)])
        case 13:
            bench.act(tape.take(tape.byte() % 48).decode("utf-8", "replace"))
        case 14:
            bench.receive(last[: tape.byte()])
        case _:
            _storm(bench, last)
    return last


def _storm(bench: Bench, last: bytes) -> None:
    """The same again and again: nothing grows by it."""
    for _ in range(_AGAIN):
        bench.receive(last)
    must(held(bench.device) <= _MOST_HELD, "it keeps more and more")
