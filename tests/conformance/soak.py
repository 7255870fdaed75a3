"""Thousands of notes through one driver, with a fault every twenty, from a seed: ``python -m tests.conformance.soak``.

After every deposit the paper is counted against the journal. A deposit that fails is named by its seed. With ``--cuts``
the device's power is cut before and after each single byte that it sends in a deposit, one deposit a cut.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from drivers.simulation.script import OnAck, Rule, parse, parse_fault
from guichet.journal.records import Fact
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from tests.conformance import choice
from tests.conformance.people import Customer
from tests.conformance.results import run_scripted, scripted
from tests.conformance.rig import Dead, Rig
from tests.conformance.subject import Subject
from tests.virtual_time import run_virtually

NOTES_A_DEPOSIT = 5
DEPOSITS_A_RIG = 40
NOTES_A_FAULT = 20

_FAULTS = (
    "power off 2", "power off 20", "mute 3", "mute 12", "lose 1", "lose 4", "wrong crc 1", "wrong crc 4",
    "noise 7F FC 02 03 28 55", "jam in head", "jam in transport", "jam in box", "box full", "box removed", "cheat",
    "second note", "fail", "not taken", "slips", "late 1.5", "late 6", "late 9", "mouth shut 5", "mouth shut 60",
    "unasked", "unknown denomination", "box swapped BOX", "serial SOAK", "ack lose", "ack repeat", "ack late 0.4",
    "ack late 3",
)  # fmt: skip
_NAMED = ("box swapped", "serial")
_DEATHS: tuple[type[Fact], ...] = (
    pb.NoteEscrowed, pb.StackIntended, pb.ReturnIntended, pb.NoteStacked, pb.AckSent, pb.NoteCleared, pb.DepositClosed,
)  # fmt: skip


@dataclass(slots=True)
class Count:
    """What a soak amounts to. ``doubts``: by the fault that came last before the note."""

    notes: int = 0
    credited: int = 0
    in_doubt: int = 0
    found: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])

    def __str__(self) -> str:
        doubts = f"{self.in_doubt} in doubt ({1000 * self.in_doubt / max(1, self.notes):.1f} of 1000)"
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return f"{self.notes} notes, {self.credited} credited, {doubts}, {self.found} found; faults: {faults}"


def soak(subject: Subject, notes: int, seed: int) -> Count:
    """Put in ``notes``; raises AssertionError where books and paper part."""
    count, block = Count(), 0
    while count.notes < notes:
        with tempfile.TemporaryDirectory(prefix="soak-") as place:
            run_virtually(_block(subject, Path(place), random.Random(f"{seed}/{block}"), count, notes))
        block += 1
    return count


async def _block(subject: Subject, place: Path, dice: random.Random, count: Count, notes: int) -> None:
    """One machine, from new, for some deposits."""
    rig = Rig(subject, place)
    rig.begin()
    for _ in range(DEPOSITS_A_RIG):
        if count.notes >= notes:
            break
        await _deposit(rig, dice, count, [dice.choice(subject.faces) for _ in range(NOTES_A_DEPOSIT)])
        if not subject.escrow:
            # What fell into a device that has gone dark since is known to nobody before it is back.
            await rig.heard_again()
        rig.conserve()
    await rig.at_rest()
    rig.conserve()
    count.credited += rig.credited.total()
    count.in_doubt += len(rig.fold.in_doubt)
    count.found += rig.notes_by(NotePhase.FOUND).total()
    await rig.kill()


async def _deposit(rig: Rig, dice: random.Random, count: Count, faces: list[str]) -> None:
    count.notes += len(faces)
    if dice.random() < NOTES_A_DEPOSIT / NOTES_A_FAULT:
        _arrange(rig, dice, count)
    with suppress(Dead):  # In the customer's own call; the life that follows recovers.
        await Customer(rig, faces).deposit()
    if rig.dead or rig.journal.dies_after is not None:
        await rig.kill()
        await rig.sleep(dice.choice((0.05, 1.0, 15.0)))
        rig.begin()


def cuts(subject: Subject, show: Callable[[int, int], None]) -> Count:
    """A deposit for each byte that the device sends, its power cut before the byte, and one with the cut after it;
    raises AssertionError where books and paper part, or where more than the one note is in doubt. ``show`` is told how
    many of all bytes are done.
    """
    count = Count()
    sent = scripted(subject, "").bytes_sent
    for byte in range(1, sent):
        for when in ("before", "after"):
            tally = run_scripted(subject, f"{when} byte {byte}: power off 3")
            assert tally.over, f"{subject.name}, {when} byte {byte}: the power was never cut"
            assert tally.in_doubt <= 1, f"{subject.name}, {when} byte {byte}: {tally.in_doubt} notes in doubt"
            count.notes += len(subject.faces)
            count.credited += tally.credited
            count.in_doubt += tally.in_doubt
            count.found += tally.found
            count.faults[f"cut {when} a byte"] += 1
        show(byte, sent)
    return count


def _arrange(rig: Rig, dice: random.Random, count: Count) -> None:
    """A fault at some moment of the next deposit: of the device, or the terminal's death."""
    if dice.random() < 0.3:
        kind = dice.choice(_DEATHS)
        count.faults[f"death after {kind.DESCRIPTOR.name}"] += 1
        rig.journal.dies_after = lambda fact: isinstance(fact, kind)
        return
    fault = dice.choice(_FAULTS)
    count.faults[fault] += 1
    number = count.faults[fault]
    rig.at(rig.now + dice.uniform(0.5, 15.0), lambda: _strike(rig, f"{fault}-{number}" if _is_named(fault) else fault))


def _is_named(fault: str) -> bool:
    """Another box, or another device, each time."""
    return fault.startswith(_NAMED)


def _strike(rig: Rig, fault: str) -> None:
    device, (when, _, what) = rig.device, fault.partition(" ")
    if when == "ack":
        device.follow(Rule(OnAck(device.acknowledgements + 1), parse(f"ack 1: {what}")[0].what))
    else:
        device.act(parse_fault(fault), rig.now)


def _show(done: int, of: int) -> None:
    """Where somebody looks, now and then."""
    if sys.stderr.isatty() and done % 20 == 0:
        print(f"\r{done} of {of} bytes ", end="", file=sys.stderr, flush=True)


def _count(word: str) -> int:
    if not (word.isdecimal() and int(word)):
        raise argparse.ArgumentTypeError(f"at least 1, not {word!r}")
    return int(word)


def main(argv: Sequence[str] | None = None) -> int:
    """The command. 0: every note is accounted for; 2: no such driver."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.soak", description=__doc__)
    parser.add_argument("--notes", type=_count, default=10_000, help="notes a driver (10000)")
    parser.add_argument("--seed", type=int, default=1, help="the run's seed (1)")
    parser.add_argument("--driver", action="append", default=[], help="only this one; may be given again")
    choice.add_arguments(parser)
    parser.add_argument("--cuts", action="store_true", help="cut the device's power at each byte instead")
    arguments = parser.parse_args(argv)
    try:
        subjects = choice.chosen(arguments.subject, arguments.driver)
    except choice.NoSuchSubjectError as error:
        print(error, file=sys.stderr)
        return 2
    for subject in subjects:
        began = time.monotonic()
        if arguments.cuts:
            print(f"{subject.name}, a cut at every byte: ", end="", flush=True)
            count = cuts(subject, _show)
        else:
            print(f"{subject.name}, seed {arguments.seed}: ", end="", flush=True)
            count = soak(subject, arguments.notes, arguments.seed)
        print(f"{count}; {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
