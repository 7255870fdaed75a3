"""A terminal that comes back while the box is out: nobody can say where what is inside will end, least of all the host,
which decides by the journal whose doubt the count of a box may pay.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Place
from guichet.journal.records import decode
from guichet.v1 import journal_pb2 as pb
from host.claims.periods import Periods
from kiosk.journal.folds import NotePhase
from tests.conformance.cases import each_script
from tests.conformance.rig import Rig
from tests.conformance.subject import Subject
from tests.virtual_time import run_virtually


@each_script("slips")
def test_what_sticks_inside_is_not_called_returned_because_the_box_is_out(subject: Subject, script: str) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{script}-") as place:
        run_virtually(_slips_and_sticks_while_the_process_is_dead(subject, Path(place)))


async def _slips_and_sticks_while_the_process_is_dead(subject: Subject, place: Path) -> None:
    """The note was in escrow. The box is pulled before the terminal is back, and the jam freed by hand afterwards."""
    rig = Rig(subject, place)
    note = await rig.first_note_in_escrow(subject.faces[0], "jam in transport")
    await rig.kill()
    metal = rig.device.metal
    metal.slip(rig.now)
    await rig.sleep(3.0)
    rig.device.advance(rig.now)
    rig.device.change_box(Box.OUT, rig.now)
    rig.begin()
    await rig.sleep(20.0)
    assert metal.note is not None
    assert metal.note.place is Place.TRANSPORT
    rig.device.free_jam(rig.now)
    rig.device.change_box(Box.IN, rig.now)
    rig.device.cut_power(rig.now)
    rig.device.restore_power(rig.now)
    await rig.sleep(30.0)
    assert rig.fold.notes[note.note_id].phase is NotePhase.IN_DOUBT
    await rig.kill()


@each_script("slips")
def test_a_doubt_may_lie_in_the_box_that_was_put_in_while_the_terminal_was_away(subject: Subject, script: str) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{script}-") as place:
        run_virtually(_pushed_into_the_next_box(subject, Path(place)))


async def _pushed_into_the_next_box(subject: Subject, place: Path) -> None:
    """The note jams on its way to the box and is in doubt; the box is pulled while the process is dead, and the head
    pushes the note into another one.
    """
    rig = Rig(subject, place)
    note = await rig.first_note_in_escrow(subject.faces[0], "jam in transport")
    rig.desk.take()
    await rig.sleep(5.0)
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    await rig.kill()
    rig.device.change_box(Box.OUT, rig.now)
    rig.begin()
    await rig.sleep(10.0)
    rig.device.metal.mishaps.jam = None
    rig.device.change_box(Box.IN, rig.now, "NEW-BOX")
    rig.device.cut_power(rig.now)
    rig.device.restore_power(rig.now)
    await rig.sleep(30.0)
    assert [(one.place, one.box) for one in rig.vault.notes] == [(Place.BOX, "NEW-BOX")]
    periods = Periods()
    periods.add(decode(entry.record) for entry in rig.journal.entries(1))
    candidates = periods.candidates(note.note_id, rig.fold.notes[note.note_id].box_period_id)
    assert list(periods.found)[-1] in candidates
    await rig.kill()


@each_script("slips")
def test_a_box_that_is_out_for_a_moment_leaves_no_note_in_escrow(subject: Subject, script: str) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{script}-") as place:
        run_virtually(_out_for_a_moment(subject, Path(place)))


async def _out_for_a_moment(subject: Subject, place: Path) -> None:
    """Some devices give the note back as they begin anew, others wait to be told what to do with it."""
    rig = Rig(subject, place)
    note = await rig.first_note_in_escrow(subject.faces[0])
    rig.device.change_box(Box.OUT, rig.now)
    await rig.sleep(2.0)
    rig.device.change_box(Box.IN, rig.now)
    if rig.desk.view.ready:  # It has told of no box: a person still decides about the note in escrow.
        rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
    await rig.until(lambda: rig.fold.notes[note.note_id].phase is NotePhase.RETURNED, "the note to be back")
    # What this deposit had before lies in the period of the box that was pulled: it takes no more.
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    await rig.ready()
    assert rig.paper().total() == 0
    await rig.kill()
