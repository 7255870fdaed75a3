"""The cash desk: intent before action, record before acknowledgement, and which notes are not taken."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Accepting,
    CashCommand,
    Completed,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Stacking,
)
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from kiosk.terminal.desk_view import Back, Stage
from tests.kiosk.terminal.standing import (
    DOLLARS,
    FIVE,
    SERIAL,
    TEN,
    TWENTY,
    VALUES,
    Rig,
    identity,
)

# --- the order of things --------------------------------------------------------------------------------------------


def test_a_deposit_of_one_note_is_written_and_done_in_the_only_right_order(rig: Rig) -> None:
    assert rig.answered(Presence.PATH_EMPTY, counter=7, who=identity()) == ["DeviceAnswered", "proceed"]
    assert rig.ready() == ["NoteTableRead", "BoxPeriodOpened"]
    assert rig.does(rig.open) == ["DepositOpened", "AcceptanceOpened", "enable"]
    assert rig.escrowed() == ["disable", "NoteEscrowed"]
    assert rig.does(rig.desk.take) == ["StackIntended", "stack"]
    assert rig.stacked() == ["NoteStacked", "acknowledge", "AckSent", "proceed"]
    assert rig.cleared(8) == ["NoteCleared"]
    assert rig.does(rig.desk.accept) == ["AcceptanceOpened", "enable"]
    closed = rig.does(lambda: rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER))
    assert closed == ["disable", "DepositClosed", "AdviceSigned"]
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR")]]
    assert rig.phases == [NotePhase.CLEARED]
    intended = rig.records("StackIntended")[0]
    assert isinstance(intended, pb.StackIntended)
    assert intended.counter_baseline == 7


def test_the_advice_says_all_of_the_deposit_and_where_it_rests(rig: Rig) -> None:
    deposit = rig.begin()
    rig.one_note(TWENTY, 8)
    rig.one_note(TEN, 9)
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    advice = rig.advices()[0]
    assert (advice.terminal_id, advice.deposit_id, advice.session_id) == ("GVA-0001", deposit, "session")
    assert (advice.account_id, advice.currency, advice.device_serial) == ("ACC-1", "EUR", SERIAL)
    assert advice.device_simulated
    closed_at = 1 + next(n for n, fact in enumerate(rig.facts) if isinstance(fact, pb.DepositClosed))
    assert (advice.epoch, advice.sequence) == (1, closed_at)
    assert advice.box_period_id == rig.deposits[0].box_period_id
    assert [note.value.minor for note in advice.notes] == [2000, 1000]


def test_what_stands_in_the_journal_when_the_device_acts_is_enough(rig: Rig) -> None:
    """Nothing that is written after the call matters: the process may die inside it."""
    rig.begin()
    rig.escrowed()
    rig.cash.dies_at = "stack"
    with pytest.raises(BaseException, match=r"^$"):
        rig.desk.take()
    assert rig.facts[-1].DESCRIPTOR.name == "StackIntended"
    rig.cash.dies_at = "acknowledge"
    with pytest.raises(BaseException, match=r"^$"):
        rig.stacked()
    assert rig.facts[-1].DESCRIPTOR.name == "NoteStacked"


def test_a_return_is_intended_before_it_is_done_and_recorded_before_it_is_acknowledged(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    done = rig.does(lambda: rig.desk.give_back(pb.RETURN_REASON_CUSTOMER))
    assert done == ["ReturnIntended", "return"]
    assert rig.desk.view.back is Back.ASKED
    assert rig.returned() == ["NoteReturned", "proceed", "acknowledge"]
    assert rig.cleared(7) == []
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.advices() == [], "a deposit with nothing in the box settles nothing"
    assert rig.deposits[0].closed


# --- a note that is not taken ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "back", "reason"),
    [
        (FIVE, Back.NOT_ACCEPTED, pb.RETURN_REASON_NOT_ACCEPTED),
        (DOLLARS, Back.OTHER_CURRENCY, pb.RETURN_REASON_OTHER_CURRENCY),
    ],
)
def test_a_note_that_this_deposit_does_not_take_goes_back_at_once(
    rig: Rig, kind: int, back: Back, reason: pb.ReturnReason.ValueType
) -> None:
    rig.begin()
    assert rig.escrowed(kind) == ["disable", "NoteEscrowed", "ReturnIntended", "return"]
    assert rig.desk.view.back is back
    intended = rig.records("ReturnIntended")[0]
    assert isinstance(intended, pb.ReturnIntended)
    assert intended.reason == reason
    assert rig.does(rig.desk.take) == [], "it cannot be stacked any more"


def test_a_note_of_no_known_value_goes_back_without_a_record(rig: Rig) -> None:
    rig.begin()
    assert rig.escrowed(9) == ["disable", "return"]
    assert rig.notes == []


def test_a_note_without_a_deposit_goes_back(rig: Rig) -> None:
    rig.answered(Presence.PATH_EMPTY, who=identity())
    rig.ready()
    assert rig.escrowed() == ["disable", "return"]
    assert rig.returned() == ["proceed", "acknowledge"]
    assert rig.notes == []


def test_a_note_that_comes_after_the_deposit_was_closed_goes_back(rig: Rig) -> None:
    rig.begin()
    rig.desk.close_deposit(pb.DEPOSIT_END_TIMEOUT)
    assert rig.escrowed() == ["disable", "return"]
    assert rig.notes == []


def test_the_slot_stays_shut_while_a_note_is_open(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    assert rig.does(rig.desk.accept) == []
    rig.desk.take()
    assert rig.does(rig.desk.accept) == []
    rig.stacked()
    assert rig.does(rig.desk.accept) == [], "not before the device is done with it"
    rig.cleared()
    assert rig.does(rig.desk.accept) == ["AcceptanceOpened", "enable"]
    assert rig.does(rig.desk.accept) == ["enable"], "on record once, however often the device must be told"


def test_taking_and_giving_back_need_a_note_in_escrow(rig: Rig) -> None:
    rig.begin()
    assert rig.does(rig.desk.take) == []
    assert rig.does(lambda: rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)) == []
    rig.escrowed()
    rig.desk.take()
    assert rig.does(rig.desk.take) == []
    assert rig.does(lambda: rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)) == []


def test_a_note_that_is_announced_twice_is_one_note_and_goes_back(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    assert rig.escrowed() == ["disable", "ReturnIntended", "return", "proceed"]
    assert len(rig.notes) == 1
    rig.returned()
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.phases == [NotePhase.RETURNED]


# --- a deposit ------------------------------------------------------------------------------------------------------


def test_a_deposit_needs_a_device_that_is_ready(rig: Rig) -> None:
    with pytest.raises(RuntimeError, match="ready"):
        rig.open()
    assert rig.facts == []


def test_a_deposit_is_not_closed_while_a_note_is_undecided(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    assert rig.desk.undecided
    assert rig.does(lambda: rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)) == []
    rig.stacked()
    assert not rig.desk.undecided
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR")]]
    assert rig.does(lambda: rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)) == [], "once"


def test_another_note_table_is_put_on_record_and_the_same_one_is_not(rig: Rig) -> None:
    rig.ready()
    assert "NoteTableRead" not in rig.ready()
    assert "NoteTableRead" in rig.tell(Ready(identity(), {FIVE: VALUES[FIVE]}, b"other hash", 7))
    assert rig.desk.values == frozenset({VALUES[FIVE]})


def test_the_view_follows_the_slot(rig: Rig) -> None:
    seen: list[Stage] = []
    rig.desk.on_change(lambda: seen.append(rig.desk.view.stage))
    rig.begin()
    rig.tell(Completed(CashCommand.ENABLE))
    rig.tell(Accepting())
    rig.escrowed()
    assert rig.desk.view.note == VALUES[TWENTY]
    rig.desk.take()
    rig.tell(Stacking())
    rig.stacked()
    rig.cleared(enabled=True)
    rig.tell(Rejected("optical"))
    assert rig.desk.view.back is Back.NOT_RECOGNISED
    rig.does(rig.desk.close_slot)
    assert rig.log[-1] == "disable"
    assert [stage for stage, before in zip(seen, [None, *seen], strict=False) if stage is not before] == [
        Stage.CLOSED, Stage.OPEN, Stage.DRAWING_IN, Stage.ESCROW, Stage.STACKING, Stage.CLEARING, Stage.OPEN,
        Stage.RETURNING,
    ]  # fmt: skip


def test_a_slot_that_the_device_did_not_open_is_not_shown_as_open(rig: Rig) -> None:
    rig.begin()
    rig.tell(Completed(CashCommand.ENABLE, Refusal.NO_ANSWER))
    assert rig.desk.view.stage is Stage.CLOSED
