"""The cells of the start-up table, as things that happen: how far a note's record had come when the terminal died, and
what became of the device before the next life began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drivers.simulation.mechanism import Spot, Step
from drivers.simulation.notes import Place
from drivers.simulation.script import Fault, What
from guichet.journal.records import Fact
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import Note, NotePhase
from tests.conformance.people import Engineer
from tests.conformance.rig import Dead, Rig
from tests.conformance.rows import IN_DOUBT, Row, Then
from tests.conformance.subject import Subject
from tests.start_up_table import watched_cells

PATIENCE = 40.0
_COMES_TO_REST = 40.0
_DRAWN_IN = 1.0


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


async def _slips(rig: Rig) -> None:
    """What is held, or goes back, slips towards the box, and the next life begins meanwhile."""
    rig.device.advance(rig.now)
    rig.device.metal.slip(rig.now)
    await _nothing(rig)


async def _slips_into_the_box(rig: Rig) -> None:
    await _slips(rig)
    await rig.sleep(_COMES_TO_REST)


async def _fails(rig: Rig) -> None:
    """An engineer switches it off and on in the end."""
    rig.device.act(What(Fault.FAIL), rig.now)
    await _nothing(rig)


async def _another_note_comes(rig: Rig) -> None:
    """The device comes to rest. Then its head draws in a note that somebody holds to the slot, though it is shut."""
    await rig.sleep(_COMES_TO_REST)
    rig.push_unasked(rig.subject.faces[1])
    await _nothing(rig)


async def _another_note(rig: Rig) -> None:
    await _another_note_comes(rig)
    await rig.sleep(_DRAWN_IN)


async def _another_stacked(rig: Rig) -> None:
    await _another_note(rig)
    await _slips_into_the_box(rig)


async def _one_more(rig: Rig) -> None:
    await rig.sleep(_COMES_TO_REST)
    rig.push_unasked(rig.subject.faces[0])
    await rig.sleep(_DRAWN_IN)


async def _one_more_going_back(rig: Rig) -> None:
    await _one_more(rig)
    rig.device.advance(rig.now)
    rig.device.metal.give_back(rig.now)
    await _nothing(rig)


async def _one_more_gone_back(rig: Rig) -> None:
    await _one_more(rig)
    await rig.sleep(_COMES_TO_REST)


async def _one_more_stacked(rig: Rig) -> None:
    await _one_more(rig)
    await _slips_into_the_box(rig)


HAPPENS: Mapping[Then, Callable[[Rig], Awaitable[None]]] = {
    Then.GOES_ON: _nothing,
    Then.HALF_A_MINUTE: _half_a_minute,
    Then.POWER_CUT: _power_cut,
    Then.POWER_CUT_ON_THE_WAY: _power_cut_on_the_way,
    Then.POWER_CUT_AT_REST: _power_cut_at_rest,
    Then.SLIPS: _slips,
    Then.HAS_SLIPPED: _slips_into_the_box,
    Then.STICKS: _jam,
    Then.FAILS: _fails,
    Then.ANOTHER_DEVICE: _another_device,
    Then.SILENCE: _silence,
    Then.ANOTHER_COMES: _another_note_comes,
    Then.ANOTHER_IN_ESCROW: _another_note,
    Then.ANOTHER_STACKED: _another_stacked,
    Then.ONE_MORE: _one_more,
    Then.ONE_MORE_GOING_BACK: _one_more_going_back,
    Then.ONE_MORE_GONE_BACK: _one_more_gone_back,
    Then.ONE_MORE_STACKED: _one_more_stacked,
}


def _is(kind: type[Fact]) -> Callable[[Fact], bool]:
    return lambda fact: isinstance(fact, kind)


async def die_in(rig: Rig, row: Row) -> None:
    """A deposit with one note, and the terminal's death at ``row``."""
    await rig.next_customer()
    if row is Row.NO_NOTE:
        await rig.kill()
        return
    journal = rig.journal
    if row in IN_DOUBT:
        await _come_to_doubt(rig, row)
        return
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
    if row is Row.ACKNOWLEDGED:
        before = rig.device.acknowledgements
        rig.desk.take()
        await rig.until(lambda: rig.device.acknowledgements > before, "an acknowledgement")
        return
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


async def _come_to_doubt(rig: Rig, row: Row) -> None:
    """The line goes right after the decision, or once the note moves; nobody waits for it, and the terminal dies."""
    await rig.insert(rig.subject.faces[0])
    await rig.escrowed()
    rig.desk.take()
    if row is Row.DOUBT_SENT:
        await rig.until(lambda: rig.device.metal.step is Step.STACKING, "the way to the box")
    rig.unplug()
    await rig.until(lambda: not rig.desk.view.ready, "a line that is missed")
    rig.desk.no_answer()
    assert rig.fold.in_doubt
    await rig.kill()
    rig.plug()


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a cell. ``reached``: what was asked of the start-up table after the death; ``in_box``: the note lies
    there; ``another``: so does one that nobody put in; ``incidents``: codes of what a person should look at.
    """

    reached: frozenset[str]
    phase: NotePhase | None
    was_in_doubt: bool
    in_box: bool
    another: bool
    incidents: tuple[str, ...]

    def word(self) -> str:
        """For the matrix."""
        if self.phase is None:
            return "-"
        words = {NotePhase.CLEARED: "credited", NotePhase.IN_DOUBT: "in doubt"}
        word = words.get(self.phase, self.phase.name.lower())
        return f"in doubt, then {word}" if self.was_in_doubt and self.phase is not NotePhase.IN_DOUBT else word


async def play(subject: Subject, place: Path, row: Row, then: Then) -> Result:
    """A first note in peace, the death, what happens then, the next life until all rests; the paper counted."""
    rig = Rig(subject, place)
    rig.begin()
    await rig.ready()
    await rig.deposit(subject.faces[-1])
    await rig.ready()
    await die_in(rig, row)
    vault, number = rig.vault, rig.device.inserted
    await HAPPENS[then](rig)
    reached = Counter[str]()
    with watched_cells(reached):
        rig.begin()
        await _come_to_rest(rig)
        rig.conserve(hidden=subject.hides(row, then), mistaken=subject.mistakes(row, then))
        last, facts, lying = _the_note(rig), rig.facts(), rig.paper().total()
        await rig.kill()
    doubted = last is not None and any(
        isinstance(fact, pb.NoteInDoubt) and fact.note_id == last.note_id for fact in facts
    )
    in_box = row is not Row.NO_NOTE and vault.notes[number - 1].place is Place.BOX
    return Result(
        frozenset(reached),
        last.phase if last is not None else None,
        doubted,
        in_box,
        lying > 1 + in_box,
        tuple(fact.code for fact in facts if isinstance(fact, pb.Incident)),
    )


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
