"""A worn belt: a note that goes to the box by itself before anybody has heard that it is in escrow. What tells of it
says hardly more than that something was stacked, and must not be taken for another note's word.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from drivers.simulation.script import parse
from guichet.money import parse_money
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from tests.conformance.cases import each_script
from tests.conformance.people import Customer
from tests.conformance.rig import Rig
from tests.conformance.subject import Subject
from tests.virtual_time import run_virtually


@each_script("slips")
def test_what_slips_while_nobody_looks_is_not_taken_for_the_last_note(subject: Subject, script: str) -> None:
    with tempfile.TemporaryDirectory(prefix="slips-") as place:
        run_virtually(_slips_while_the_process_is_dead(subject, Path(place), script))


async def _slips_while_the_process_is_dead(subject: Subject, place: Path, fault: str) -> None:
    """One note is in, the slot is open for the next one of the same value, and the process dies."""
    rig = Rig(subject, place)
    rig.begin()
    await rig.ready()
    await rig.next_customer()
    await rig.insert(subject.faces[0])
    await rig.take()
    rig.desk.accept()
    await rig.until(lambda: rig.device.accepts, "an open slot")
    await rig.kill()
    face = parse_money(subject.faces[0])
    rig.device.follow(*parse(f"note {rig.device.inserted + 1} in escrow: {fault}"))
    rig.device.insert(str(face), rig.device.type_of(face) or 0, rig.now)
    await rig.sleep(3.0)
    rig.begin()
    await rig.heard_again()
    rig.conserve()
    assert rig.paper() == {face: 2}
    await rig.kill()


@each_script("slips")
def test_a_doubt_of_the_first_one_is_not_paid_with_the_next_ones_note(subject: Subject, script: str) -> None:
    with tempfile.TemporaryDirectory(prefix="doubt-") as place:
        run_virtually(_doubt_and_a_note_that_slips(subject, Path(place), script))


async def _doubt_and_a_note_that_slips(subject: Subject, place: Path, fault: str) -> None:
    """The first one's note is handed back while the cable is out, and nobody hears of it. The next one's, of the same
    value, goes to the box before anybody has heard that it is in escrow.
    """
    rig = Rig(subject, place)
    first = await rig.first_note_in_escrow(subject.faces[0])
    rig.unplug()
    rig.desk.no_answer()
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    await rig.sleep(30.0)
    rig.plug()
    await rig.ready()
    rig.device.follow(*parse(f"note {rig.device.inserted + 1} in escrow: {fault}"))
    await Customer(rig, subject.faces[:1]).deposit()
    await rig.at_rest()
    rig.conserve()
    assert rig.paper().total() == 1
    assert rig.fold.notes[first.note_id].phase in (NotePhase.IN_DOUBT, NotePhase.RETURNED)
    await rig.kill()
