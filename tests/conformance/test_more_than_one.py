"""What a kiosk has beside one device on one cable: cables that are pulled, and two devices."""

from __future__ import annotations

import tempfile
from pathlib import Path

from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from tests.conformance.people import Customer
from tests.conformance.rig import Rig
from tests.conformance.subject import Subject
from tests.virtual_time import run_virtually


def test_a_cable_that_is_pulled_in_mid_deposit_and_put_back_loses_nothing(subject: Subject) -> None:
    async def day(place: Path, seconds: float) -> None:
        rig = Rig(subject, place)
        rig.begin()
        rig.at(seconds, rig.unplug)
        rig.at(seconds + 4.0, rig.plug)
        await Customer(rig, subject.faces).deposit()
        await rig.at_rest()
        rig.conserve()
        assert rig.fold.in_doubt == []
        # A coin that fell while nobody listened is found, with the deposit as its candidate.
        assert rig.credited + rig.notes_by(NotePhase.FOUND) == rig.paper()
        assert subject.escrow is False or rig.credited == rig.paper()
        assert any(isinstance(fact, pb.DepositClosed) for fact in rig.facts())
        await rig.kill()

    for seconds in (2.0, 3.0, 4.5, 6.0, 7.5):
        with tempfile.TemporaryDirectory(prefix="cable-") as place:
            run_virtually(day(Path(place), seconds))


def test_two_devices_at_once_do_not_know_of_each_other(subject: Subject) -> None:
    async def day(first: Path, second: Path) -> None:
        rigs = [Rig(subject, first), Rig(subject, second)]
        for rig in rigs:
            rig.begin()
        rigs[1].at(3.0, lambda: rigs[1].device.cut_power(rigs[1].now))
        await Customer(rigs[0], subject.faces).deposit()
        await rigs[0].at_rest()
        rigs[0].conserve()
        assert rigs[0].credited == rigs[0].paper()
        assert rigs[0].paper().total() >= len(subject.faces) - 1
        assert rigs[1].paper().total() == 0
        for rig in rigs:
            await rig.kill()

    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        run_virtually(day(Path(first), Path(second)))
