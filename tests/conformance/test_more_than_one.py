"""What a kiosk has beside one device on one cable: cables that are pulled, two devices, drivers of others."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from drivers import registry
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from tests.conformance.choice import chosen
from tests.conformance.people import Customer
from tests.conformance.results import cell, scripted
from tests.conformance.rig import Rig
from tests.conformance.rows import Row, Then
from tests.conformance.subject import Subject
from tests.elsewhere import installed
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


# --- a driver of somebody else --------------------------------------------------------------------------------------


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver from outside of this package: its module, its simulator, its entry points, its subject."""
    (tmp_path / "acme_driver.py").write_text(
        "from drivers.cash.ccnet.driver import open_device\n"
        "from drivers.cash.ccnet.simulator import add_arguments, make\n"
        "from tests.conformance.subject import Subject\n"
        "ACME = Subject('acme', 'acme', 'acme_driver')\n"
        "__all__ = ['add_arguments', 'make', 'open_device']\n",
        encoding="utf-8",
    )
    installed(tmp_path, "acme-driver", {registry.GROUP: {"acme": "acme_driver:open_device"}})
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "acme_driver", raising=False)
    return tmp_path


def test_a_driver_from_outside_of_the_package_runs_through_the_suite(acme: Path) -> None:
    assert "acme" in registry.names()
    (subject,) = chosen(["acme_driver:ACME"])
    assert cell(subject, Row.STACK_SENT, Then.POWER_CUT_ON_THE_WAY).word() == "credited"
    tally = scripted(subject, "note 2 in stacking: power off 2")
    assert (tally.credited, tally.in_doubt, tally.over) == (4, 0, True)
