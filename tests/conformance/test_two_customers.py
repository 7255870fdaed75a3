"""A device that is silent while one customer's money goes in, and speaks when the next one is there."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from drivers.api.cash import Shut
from drivers.simulation.script import parse_fault
from guichet.ids import DepositId
from guichet.money import parse_money
from guichet.v1 import journal_pb2 as pb
from tests.conformance.people import Customer
from tests.conformance.rig import Rig
from tests.conformance.subject import Subject
from tests.virtual_time import run_virtually


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3.0, 6.0])
def test_what_the_first_one_put_in_is_not_the_next_ones(subject: Subject, seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="two-") as place:
        run_virtually(_two_customers(subject, Path(place), seconds))


def test_that_the_slot_is_shut_is_told_once_each_time(subject: Subject) -> None:
    with tempfile.TemporaryDirectory(prefix="shut-") as place:
        run_virtually(_opened_and_shut(subject, Path(place)))


@pytest.mark.parametrize("seconds", [0.3, 3.0])
def test_what_a_shut_slot_draws_in_is_not_the_next_ones(subject: Subject, seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="unasked-") as place:
        run_virtually(_drawn_in_between_two(subject, Path(place), seconds))


def test_what_is_drawn_in_before_the_slot_is_opened_is_nobodys(subject: Subject) -> None:
    with tempfile.TemporaryDirectory(prefix="unasked-") as place:
        run_virtually(_drawn_in_before_the_slot_is_opened(subject, Path(place)))


async def _drawn_in_between_two(subject: Subject, place: Path, seconds: float) -> None:
    """``seconds`` for one movement of paper; the next customer is there when the head is done with the note, and the
    device has not said a word of it.
    """
    rig = Rig(subject, place)
    rig.begin()
    await Customer(rig, subject.faces[:1]).deposit()
    await rig.until(lambda: rig.desk.shut, "a slot that is shut")
    rig.device.metal.stage_seconds = seconds
    rig.push_unasked(subject.faces[-1])
    rig.device.act(parse_fault(f"mute {seconds + 0.2}"), rig.now)
    await rig.sleep(seconds + 0.1)
    rig.device.metal.stage_seconds = 0.3
    await Customer(rig, subject.faces[:1]).deposit()
    await rig.at_rest()
    rig.conserve()
    assert rig.credited == {parse_money(subject.faces[0]): 2}
    assert rig.paper().total() == (2 if subject.escrow else 3)
    await rig.kill()


async def _drawn_in_before_the_slot_is_opened(subject: Subject, place: Path) -> None:
    rig = Rig(subject, place)
    rig.begin()
    await rig.ready()
    await rig.next_customer()
    rig.push_unasked(subject.faces[0])
    await rig.sleep(5.0)
    assert not rig.credited
    assert rig.paper().total() == (0 if subject.escrow else 1)
    rig.desk.accept()
    await Customer(rig, subject.faces[:1]).goes_on()
    rig.conserve()
    assert rig.credited.total() == 1
    await rig.kill()


async def _opened_and_shut(subject: Subject, place: Path) -> None:
    rig = Rig(subject, place)
    rig.begin()
    await rig.until(lambda: rig.desk.shut and rig.desk.view.ready, "a device that is ready")
    for times in (1, 2, 3):
        await rig.sleep(3.0)
        assert len([event for event in rig.told if isinstance(event, Shut)]) == times
        rig.open_deposit()
        rig.desk.accept()
        await rig.until(lambda: rig.device.accepts, "an open slot")
        await rig.sleep(3.0)
        assert len([event for event in rig.told if isinstance(event, Shut)]) == times, "it is open"
        rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    await rig.kill()


async def _two_customers(subject: Subject, place: Path, seconds: float) -> None:
    rig = Rig(subject, place)
    rig.begin()
    await Customer(rig, subject.faces[:1]).deposit()
    before = set(rig.fold.deposits)
    first = await _leaves_a_note_behind(rig, seconds)
    await Customer(rig, ()).deposit()
    (second,) = set(rig.fold.deposits) - before - {first}
    await (rig.at_rest() if subject.escrow else rig.heard_again())
    rig.conserve()
    assert [note.value for note in rig.fold.notes.values() if note.deposit_id == second] == []
    await rig.kill()


async def _leaves_a_note_behind(rig: Rig, seconds: float) -> DepositId:
    """Puts one in just as the device falls silent, sees nothing happen, and goes."""
    await rig.next_customer()
    rig.desk.accept()
    await rig.until(lambda: rig.device.accepts, "an open slot")
    face = parse_money(rig.subject.faces[0])
    rig.device.act(parse_fault(f"mute {seconds}"), rig.now)
    rig.device.insert(str(face), rig.device.type_of(face) or 0, rig.now)
    await rig.sleep(0.3)
    deposit = rig.fold.open_deposit
    assert deposit is not None
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    return deposit.deposit_id
