"""What came of each cell and each fault, for each driver: computed once a run, for the tests and for the matrix."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from drivers.simulation.cash_device import Order
from drivers.transport.recording import Recording
from kiosk.journal.folds import NotePhase
from tests.conformance.cells import Result, play
from tests.conformance.people import Customer
from tests.conformance.rig import Rig
from tests.conformance.rows import Row, Then
from tests.conformance.subject import Subject
from tests.virtual_time import run_virtually

_SHUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Tally:
    """Notes of a scripted deposit. ``over``: every fault of the script has happened. ``served``: so was the next
    customer, who came afterwards. ``orders``: what its device heard. ``recordings``: of its lines.
    """

    box: int
    credited: int
    in_doubt: int
    found: int
    over: bool
    bytes_sent: int
    served: bool
    orders: frozenset[Order]
    recordings: tuple[Recording, ...]


@cache
def cell(subject: Subject, row: Row, then: Then) -> Result:
    """One cell of the start-up table."""
    with tempfile.TemporaryDirectory(prefix="cell-") as place:
        return run_virtually(play(subject, Path(place), row, then))


@cache
def scripted(subject: Subject, script: str) -> Tally:
    """The same as :func:`run_scripted`, once a run."""
    return run_scripted(subject, script)


def run_scripted(subject: Subject, script: str) -> Tally:
    """One deposit under a fault script; the paper counted (:meth:`tests.conformance.rig.Rig.conserve`)."""
    with tempfile.TemporaryDirectory(prefix="fault-") as place:
        return run_virtually(_scripted(subject, Path(place), script))


async def _scripted(subject: Subject, place: Path, script: str) -> Tally:
    path = place / "script"
    path.write_text(script + "\n", encoding="utf-8")
    rig = Rig(subject, place, path, record=True)
    rig.begin()
    await Customer(rig, subject.faces).deposit()
    # What fell into a device that is dark by now is known to nobody before it is back; of a note there is a record.
    await (rig.at_rest() if subject.escrow else rig.heard_again())
    rig.conserve()
    assert rig.recorder is not None
    tally = Tally(
        rig.paper().total(),
        rig.credited.total(),
        len(rig.fold.in_doubt),
        rig.notes_by(NotePhase.FOUND).total(),
        rig.device.script_is_over,
        rig.device.bytes_sent,
        await _next_customer_is_served(rig),
        frozenset(rig.conduct.orders),
        tuple(rig.recorder.recordings),
    )
    await rig.kill()
    return tally


async def _next_customer_is_served(rig: Rig) -> bool:
    before, face, end = rig.credited.total(), rig.subject.faces[-1], rig.now + _SHUT_SECONDS
    while not rig.desk.shut and rig.now < end:
        await rig.sleep(0.05)
    if not rig.desk.shut:
        return False
    await Customer(rig, (face,)).deposit()
    await rig.at_rest()
    rig.conserve()
    return rig.credited.total() == before + 1 and not rig.unrest
