"""The cash desk: a deposit that nobody leads any more, and the next one."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Accepting,
    CashCommand,
    Completed,
    Refusal,
    Shut,
)
from guichet.ids import SessionId
from guichet.v1 import customer_pb2
from guichet.v1 import journal_pb2 as pb
from tests.kiosk.terminal.standing import (
    TAKEN,
    Rig,
)

ACCOUNT = customer_pb2.Account(account_id="ACC-1", masked_number="**** 4711", currency="EUR", product="Current")


def test_a_decided_deposit_of_an_earlier_life_closes_though_the_device_never_says_a_word(rig: Rig) -> None:
    rig.begin()
    rig.one_note()
    again = rig.restarted()
    try:
        again.desk.close_orphan()
        assert again.deposits[0].closed
        assert again.stated() == [[("CREDITED", 1, "2000 EUR")]]
    finally:
        again.journal.close()


def test_an_undecided_note_of_an_earlier_life_is_in_doubt_when_nobody_can_wait_any_longer(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    again = rig.restarted()
    try:
        again.desk.close_orphan()
        assert not again.deposits[0].closed
        again.desk.no_answer()
        assert again.stated() == [[("IN_DOUBT", 1, "2000 EUR")]]
    finally:
        again.journal.close()


def test_a_flow_that_ended_unexpectedly_leaves_a_deposit_that_closes_to_its_own_account(rig: Rig) -> None:
    first = rig.begin()
    rig.one_note()
    assert rig.desk.attended
    rig.desk.abandon()
    assert not rig.desk.attended
    assert rig.deposits[0].closed
    second = rig.open()
    rig.tell(Accepting())
    rig.escrowed()
    assert [deposit.closed for deposit in rig.deposits] == [True, False]
    assert [advice.deposit_id for advice in rig.advices()] == [first]
    assert rig.notes[-1].deposit_id == second


def test_a_second_deposit_is_not_opened_beside_the_first(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.desk.abandon()
    with pytest.raises(RuntimeError, match="still open"):
        rig.open()
    rig.stacked()
    assert rig.deposits[0].closed
    rig.open()
    assert len(rig.deposits) == 2


def test_nobody_elses_deposit_begins_before_all_is_known_of_what_came_in(rig: Rig) -> None:
    """A device that was silent tells of a note when its customer has gone already: it is not the next one's."""
    rig.begin()
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    with pytest.raises(RuntimeError, match="may not all be known"):
        rig.desk.open_deposit(SessionId("next"), ACCOUNT, TAKEN, "v1")
    assert rig.escrowed() == ["disable", "return"]
    rig.tell(Shut())
    rig.desk.open_deposit(SessionId("next"), ACCOUNT, TAKEN, "v1")
    assert rig.notes == []


def test_that_the_slot_was_shut_while_it_was_somebodys_is_not_enough_for_the_next_one(rig: Rig) -> None:
    rig.begin()
    rig.tell(Shut())
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    with pytest.raises(RuntimeError, match="may not all be known"):
        rig.desk.open_deposit(SessionId("next"), ACCOUNT, TAKEN, "v1")


def test_a_slot_that_did_not_hear_that_it_is_to_be_shut_is_told_again(rig: Rig) -> None:
    rig.begin()
    disabled = Completed(CashCommand.DISABLE, Refusal.NO_ANSWER)
    assert rig.tell(disabled) == [], "it is open for somebody"
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.tell(disabled) == ["disable"]
