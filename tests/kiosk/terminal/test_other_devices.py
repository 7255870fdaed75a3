"""What a device that came back may say of a note that another one had; also where nobody can tell the two apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.api.cash import Presence
from guichet.ids import NO_SERIAL, DeviceSerial
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from kiosk.terminal.cash_desk import BOX_EXCHANGED
from kiosk.terminal.recovery import EventOf
from kiosk.terminal.situation import KnownDevice, situation_of
from tests.kiosk.terminal.standing import OTHER_SERIAL, SERIAL, TEN, TWENTY, Rig, identity

BASELINE = 7


def of(serial: DeviceSerial, path: Path) -> Rig:
    """A deposit is open, at a device with that serial number."""
    rig = Rig(path / "journal.db")
    rig.answered(Presence.PATH_EMPTY, counter=BASELINE, who=identity(serial))
    rig.ready(BASELINE, serial)
    rig.open()
    return rig


def escrowed(rig: Rig) -> None:
    rig.escrowed(TWENTY)


def return_intended(rig: Rig) -> None:
    rig.escrowed(TWENTY)
    rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)


def stack_intended(rig: Rig) -> None:
    rig.escrowed(TWENTY)
    rig.desk.take()


@pytest.mark.parametrize("arrive", [escrowed, return_intended, stack_intended])
def test_no_event_of_a_device_with_another_serial_number_is_our_notes(
    tmp_path: Path, arrive: Callable[[Rig], None]
) -> None:
    """By itself, whatever was made of the device's coming before."""
    rig = of(SERIAL, tmp_path)
    arrive(rig)
    other = KnownDevice(rig.cash.capabilities, identity(OTHER_SERIAL))
    assert situation_of(rig.journal.fold, other, Presence.STACKED, TWENTY).event_of is EventOf.ANOTHER
    rig.journal.close()


# --- no serial number -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counter", [None, BASELINE, BASELINE + 1, BASELINE + 2])
@pytest.mark.parametrize("presence", [Presence.PATH_EMPTY, Presence.FORGOTTEN])
@pytest.mark.parametrize("arrive", [escrowed, return_intended, stack_intended])
@pytest.mark.parametrize("dies", [False, True], ids=["cable", "restart"])
def test_the_empty_path_of_a_device_without_a_serial_number_proves_nothing(
    tmp_path: Path, dies: bool, arrive: Callable[[Rig], None], presence: Presence, counter: int | None
) -> None:
    """Whatever it counts: another one may stand there, and the note have left with the one before."""
    rig = of(NO_SERIAL, tmp_path)
    arrive(rig)
    rig = rig.restarted() if dies else rig

    rig.answered(presence, counter=counter, who=identity(NO_SERIAL))
    rig.ready(counter, NO_SERIAL)

    assert rig.phases == [NotePhase.IN_DOUBT]
    rig.journal.close()


def test_what_a_device_without_a_serial_number_holds_is_the_notes_own(tmp_path: Path) -> None:
    rig = of(NO_SERIAL, tmp_path)
    stack_intended(rig)
    rig = rig.restarted()
    rig.answered(Presence.STACKED, TWENTY, BASELINE + 1, identity(NO_SERIAL))
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR")]]
    rig.journal.close()


@pytest.mark.parametrize("presence", [Presence.IN_ESCROW, Presence.RETURNABLE])
def test_a_note_that_a_device_without_a_serial_number_shows_goes_back(tmp_path: Path, presence: Presence) -> None:
    rig = of(NO_SERIAL, tmp_path)
    stack_intended(rig)
    rig = rig.restarted()
    rig.answered(presence, None, BASELINE, identity(NO_SERIAL))
    rig.returned()
    assert rig.phases == [NotePhase.RETURNED]
    rig.journal.close()


def test_the_count_of_a_device_without_a_serial_number_holds_as_long_as_it_stays(tmp_path: Path) -> None:
    rig = of(NO_SERIAL, tmp_path)
    stack_intended(rig)
    rig.cleared(BASELINE + 1)
    assert rig.phases == [NotePhase.CLEARED]
    rig.one_note(counter=BASELINE + 2)
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR"), ("CREDITED", 1, "2000 EUR")]]
    rig.journal.close()


def test_a_device_without_a_serial_number_begins_no_new_box_period_at_every_start(tmp_path: Path) -> None:
    rig = of(NO_SERIAL, tmp_path)
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    rig = rig.restarted()
    rig.answered(Presence.PATH_EMPTY, counter=BASELINE, who=identity(NO_SERIAL))
    rig.ready(BASELINE, NO_SERIAL)
    assert len(rig.records("BoxPeriodOpened")) == 1
    assert rig.desk.view.ready
    rig.journal.close()


# --- another serial number ------------------------------------------------------------------------------------------


def test_a_device_that_is_back_after_another_is_heard_of_its_own_note(tmp_path: Path) -> None:
    """An engineer tries another unit, and puts the first one back, which holds the event of the note in doubt."""
    rig = of(SERIAL, tmp_path)
    stack_intended(rig)
    rig = rig.restarted()
    rig.answered(Presence.PATH_EMPTY, counter=0, who=identity(OTHER_SERIAL))
    rig.ready(0, OTHER_SERIAL)
    assert rig.phases == [NotePhase.IN_DOUBT]

    told = rig.answered(Presence.STACKED, TWENTY, BASELINE + 1, identity())

    assert "acknowledge" in told
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")], [("CREDITED", 2, "2000 EUR")]]
    rig.ready(BASELINE + 1)
    assert len(rig.records("BoxPeriodOpened")) == 3
    rig.journal.close()


@pytest.mark.parametrize("kind", [TEN, TWENTY])
def test_an_event_that_another_device_holds_is_a_find_in_its_own_box(tmp_path: Path, kind: int) -> None:
    """Nobody has its note on record, and until it is acknowledged the device does nothing more. It is not the note that
    the device before it had.
    """
    rig = of(SERIAL, tmp_path)
    stack_intended(rig)
    rig = rig.restarted()

    told = rig.answered(Presence.STACKED, kind, 1, identity(OTHER_SERIAL))

    assert rig.phases == [NotePhase.IN_DOUBT, NotePhase.FOUND]
    assert told.index("NoteFound") < told.index("acknowledge") < told.index("proceed")
    periods = [fact for fact in rig.records("BoxPeriodOpened") if isinstance(fact, pb.BoxPeriodOpened)]
    (found,) = [fact for fact in rig.records("NoteFound") if isinstance(fact, pb.NoteFound)]
    assert periods[-1].device_serial == found.device_serial == OTHER_SERIAL
    assert (found.box_period_id, found.candidate_deposit_id) == (periods[-1].box_period_id, "")
    rig.journal.close()


def test_an_event_that_another_device_holds_is_not_of_the_deposit_that_is_open(tmp_path: Path) -> None:
    rig = of(SERIAL, tmp_path)
    rig.one_note(counter=BASELINE + 1)
    rig.answered(Presence.STACKED, TEN, 1, identity(OTHER_SERIAL))
    (found,) = [fact for fact in rig.records("NoteFound") if isinstance(fact, pb.NoteFound)]
    periods = [fact for fact in rig.records("BoxPeriodOpened") if isinstance(fact, pb.BoxPeriodOpened)]
    assert (found.device_serial, found.candidate_deposit_id) == (OTHER_SERIAL, "")
    assert (periods[-1].device_serial, found.box_period_id) == (OTHER_SERIAL, periods[-1].box_period_id)
    rig.ready(1, OTHER_SERIAL)
    assert (rig.desk.view.ready, rig.desk.view.fault) == (False, BOX_EXCHANGED), (
        "it takes no more notes of that deposit"
    )
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    assert (rig.desk.view.ready, len(rig.records("BoxPeriodOpened"))) == (True, 2)
    rig.journal.close()


# --- another note ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "phase"),
    [
        (None, NotePhase.IN_DOUBT),
        (BASELINE, NotePhase.RETURNED),
        (BASELINE + 1, NotePhase.CLEARED),
        (BASELINE + 2, NotePhase.IN_DOUBT),
    ],
)
def test_another_note_in_escrow_is_not_the_one_that_was_to_be_stacked(
    tmp_path: Path, counter: int | None, phase: NotePhase
) -> None:
    """Somebody pushed it in while nobody looked. It goes back; of ours the path is empty, and the count decides."""
    rig = of(SERIAL, tmp_path)
    stack_intended(rig)
    rig = rig.restarted()

    told = rig.answered(Presence.IN_ESCROW, TEN, counter, identity())
    assert told.index("return") < told.index("proceed")
    rig.returned()

    assert rig.phases == [phase]
    assert rig.deposits[0].closed
    rig.journal.close()


@pytest.mark.parametrize("presence", [Presence.IN_ESCROW, Presence.RETURNABLE])
def test_a_note_of_the_same_type_is_another_where_one_more_was_counted(tmp_path: Path, presence: Presence) -> None:
    rig = of(SERIAL, tmp_path)
    stack_intended(rig)
    rig = rig.restarted()
    rig.answered(presence, TWENTY, BASELINE + 1, identity())
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR")]]
    rig.returned()
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR")]], "it is the other note that came back"
    rig.journal.close()


@pytest.mark.parametrize("presence", [Presence.IN_ESCROW, Presence.RETURNABLE])
@pytest.mark.parametrize("counter", [0, BASELINE - 1])
def test_a_count_that_began_anew_does_not_make_another_note_of_it(
    tmp_path: Path, presence: Presence, counter: int
) -> None:
    rig = of(SERIAL, tmp_path)
    stack_intended(rig)
    rig = rig.restarted()
    rig.answered(presence, TWENTY, counter, identity())
    rig.returned()
    assert rig.phases == [NotePhase.RETURNED]
    rig.journal.close()


def test_the_other_note_is_found_where_it_is_stacked_after_all(tmp_path: Path) -> None:
    rig = of(SERIAL, tmp_path)
    stack_intended(rig)
    rig = rig.restarted()
    rig.answered(Presence.IN_ESCROW, TEN, BASELINE + 1, identity())
    rig.stacked(TEN)
    assert rig.phases == [NotePhase.CLEARED, NotePhase.FOUND]
    rig.journal.close()


def test_another_note_that_comes_to_escrow_in_the_same_life_is_not_the_one_on_record(tmp_path: Path) -> None:
    rig = of(SERIAL, tmp_path)
    stack_intended(rig)
    rig.escrowed(TEN)
    rig.returned()
    assert rig.phases == [NotePhase.IN_DOUBT], "nobody has counted since"
    rig.journal.close()
