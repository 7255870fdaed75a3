"""The cells of the start-up table, as things that happen: how far a note's record had come when the terminal died, and
what became of the device before the next life began.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from drivers.simulation.mechanism import Spot, Step
from guichet.journal.records import Fact
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import Note, NotePhase
from tests.conformance.people import Engineer
from tests.conformance.rig import Dead, Rig
from tests.conformance.rows import Row
from tests.conformance.subject import Subject

PATIENCE = 40.0
_COMES_TO_REST = 30.0
_DRAWN_IN = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """What happens between two lives of the terminal. ``certain``: a device that counts its notes still knows all of it
    afterwards. ``powered``: so does one that does not, as it never lost its power.
    """

    name: str
    happen: Callable[[Rig], Awaitable[None]]
    certain: bool = True
    powered: bool = False


async def _nothing(rig: Rig) -> None:
    await rig.sleep(0.01)


async def _half_a_minute(rig: Rig) -> None:
    await rig.sleep(30.0)


async def _power_cut(rig: Rig) -> None:
    rig.device.cut_power(rig.now)
    await rig.sleep(2.0)
    rig.device.restore_power(rig.now)


async def _power_cut_on_the_way(rig: Rig) -> None:
    await rig.sleep(rig.device.metal.stage_seconds / 2)
    await _power_cut(rig)


async def _power_cut_at_rest(rig: Rig) -> None:
    await rig.sleep(30.0)
    await _power_cut(rig)


async def _jam(rig: Rig) -> None:
    rig.device.jam(Spot.TRANSPORT)
    await rig.sleep(5.0)


async def _another_device(rig: Rig) -> None:
    rig.device.cut_power(rig.now)
    rig.swap_device()


async def _silence(rig: Rig) -> None:
    rig.device.cut_power(rig.now)


async def _another_note(rig: Rig) -> None:
    """The device comes to rest. Then its head draws in a note that somebody holds to the slot, though it is shut."""
    await rig.sleep(_COMES_TO_REST)
    rig.push_unasked(rig.subject.faces[0])
    await rig.sleep(_DRAWN_IN)


async def _another_note_and_back(rig: Rig) -> None:
    await _another_note(rig)
    await rig.sleep(_COMES_TO_REST)


EVENTS = (
    Event("the device goes on", _nothing, powered=True),
    Event("half a minute passes", _half_a_minute, powered=True),
    Event("its power is cut at once", _power_cut),
    Event("its power is cut half a movement later", _power_cut_on_the_way),
    Event("its power is cut when it has come to rest", _power_cut_at_rest),
    Event("a note that moves to the box sticks", _jam, certain=False),
    Event("another device stands in its place", _another_device, certain=False),
    Event("it does not answer", _silence, certain=False),
    Event("it draws in another note by itself", _another_note, certain=False),
    Event("it does, and nobody comes for it", _another_note_and_back, certain=False),
)


def _is(kind: type[Fact]) -> Callable[[Fact], bool]:
    return lambda fact: isinstance(fact, kind)


async def die_in(rig: Rig, row: Row) -> None:
    """A deposit with one note, and the terminal's death at ``row``."""
    await rig.next_customer()
    if row is Row.NO_NOTE:
        await rig.kill()
        return
    journal = rig.journal
    match row:
        case Row.ESCROWED:
            journal.dies_after = _is(pb.NoteEscrowed)
        case Row.RETURN_INTENDED:
            journal.dies_after = _is(pb.ReturnIntended)
        case Row.STACK_INTENDED:
            journal.dies_after = _is(pb.StackIntended)
        case Row.EVENT_HEARD:
            journal.dies_before = _is(pb.NoteStacked)
        case Row.STACKED:
            journal.dies_after = _is(pb.NoteStacked)
        case Row.ACK_SENT:
            journal.dies_after = _is(pb.AckSent)
        case Row.CLEARED:
            journal.dies_after = _is(pb.NoteCleared)
        case _:
            pass
    await _one_note(rig, row)
    await rig.kill()


async def _one_note(rig: Rig, row: Row) -> None:
    await rig.insert(rig.subject.faces[0])
    if row is Row.ESCROWED or not rig.subject.escrow:
        await rig.until(lambda: rig.dead, f"the death at {row.value}")
        return
    await rig.escrowed()
    try:
        if row in (Row.RETURN_INTENDED, Row.RETURN_SENT):
            rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
        else:
            rig.desk.take()
    except Dead:
        return
    if row is Row.RETURN_SENT:
        await rig.until(lambda: rig.device.metal.step is Step.RETURNING, "the way back")
    elif row is Row.STACK_SENT:
        await rig.until(lambda: rig.device.metal.step is Step.STACKING, "the way to the box")
    else:
        await rig.until(lambda: rig.dead, f"the death at {row.value}")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a cell. ``presences``: what the device answered first, in each life after the death."""

    presences: tuple[str, ...]
    phase: NotePhase | None
    was_in_doubt: bool
    in_box: bool

    def word(self) -> str:
        """For the matrix."""
        if self.phase is None:
            return "-"
        if self.phase is NotePhase.CLEARED:
            return "credited" if not self.was_in_doubt else "in doubt, then credited"
        return {NotePhase.RETURNED: "returned", NotePhase.IN_DOUBT: "in doubt", NotePhase.FOUND: "found"}.get(
            self.phase, self.phase.name.lower()
        )


async def play(subject: Subject, place: Path, row: Row, event: Event) -> Result:
    """One cell: a first note in peace, the death, the event, the next life until all rests; the paper counted."""
    rig = Rig(subject, place)
    rig.begin()
    await rig.ready()
    await rig.deposit(subject.faces[-1])
    await rig.ready()
    await die_in(rig, row)
    await event.happen(rig)
    rig.begin()
    await _come_to_rest(rig)
    rig.conserve()
    last = _the_note(rig)
    facts = rig.facts()
    doubted = last is not None and any(
        isinstance(fact, pb.NoteInDoubt) and fact.note_id == last.note_id for fact in facts
    )
    presences = tuple(
        pb.DevicePresence.Name(fact.presence).removeprefix("DEVICE_PRESENCE_").lower().replace("_", " ")
        for fact in facts
        if isinstance(fact, pb.DeviceAnswered)
    )
    in_box = rig.paper().total() > 1
    await rig.kill()
    return Result(presences[1:], last.phase if last is not None else None, doubted, in_box)


def _the_note(rig: Rig) -> Note | None:
    notes = list(rig.fold.notes.values())
    return notes[1] if len(notes) > 1 else None


async def _come_to_rest(rig: Rig) -> None:
    """As long as a person would wait; then what nobody knows is in doubt, and an engineer comes."""
    began, engineer = rig.now, Engineer(rig)
    while rig.now - began < 4 * PATIENCE:
        waited = rig.now - began
        if rig.desk.view.ready and not rig.desk.undecided and rig.fold.open_deposit is None and rig.settled():
            return
        if waited > PATIENCE and not rig.desk.view.ready:
            rig.desk.no_answer()
        if waited > 1.5 * PATIENCE:
            engineer.look()
        await rig.sleep(0.1)
    raise AssertionError(f"{rig.subject.name}: no rest; {rig.desk.view}, {rig.told[-6:]}")
