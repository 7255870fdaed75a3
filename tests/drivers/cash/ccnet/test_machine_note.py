"""The host's side of CCNET: a note from the mouth to the box."""

from __future__ import annotations

import pytest

from drivers.api.cash import CashCommand, Cleared, Completed, Escrowed, Ready, Rejected, Returned, Stacked, Stacking
from drivers.cash.ccnet.framing import frame
from drivers.cash.ccnet.messages import Command, State
from drivers.simulation.notes import Place, Vault
from tests.drivers.cash.ccnet.virtual import TABLE, TWENTY, UNKNOWN_TYPE, Bench, bench, device, trouble
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN


@row("sequence: accept with escrow", "80 escrow", "81 stacked")
def test_a_note_is_accepted_through_escrow_into_the_box() -> None:
    b = bench()
    escrowed = b.escrowed(TWENTY)
    assert escrowed.value == TABLE.values[TWENTY]
    assert escrowed.frame[3:5] == b"\x80\x04"
    assert escrowed.table_hash == b.heard(Ready)[0].table_hash
    assert b.places() == [Place.ESCROW]
    b.told.clear()
    b.command(STACK)
    b.cleared()
    kinds = [type(event) for event in b.told]
    assert kinds == [Completed, Stacking, Stacked, Cleared]
    assert b.heard(Stacked)[0].note_type == TWENTY
    assert b.heard(Stacked)[0].value == TABLE.values[TWENTY]
    assert b.heard(Cleared) == [Cleared(1, enabled=True)]
    assert b.places() == [Place.BOX]
    assert b.commands(Command.STACK) == [Command.STACK]


@row("sequence: time-out", "82 returned")
def test_a_note_that_nobody_decides_about_comes_back_by_the_device_itself() -> None:
    b = bench()
    b.escrowed()
    b.cleared()
    assert b.heard(Returned)
    assert b.commands(Command.STACK, Command.RETURN) == []
    assert b.places() == [Place.HAND]


@row("sequence: reject")
@pytest.mark.parametrize(("readable", "kind", "reason"), [(False, TWENTY, "identification"), (True, 9, "inhibited")])
def test_a_note_that_is_not_recognised_is_rejected_with_a_reason(readable: bool, kind: int, reason: str) -> None:
    b = bench()
    b.enabled()
    b.insert(kind, readable=readable)
    assert b.until(Rejected) == Rejected(reason)
    b.cleared()
    assert not b.heard(Escrowed)
    assert b.places() == [Place.HAND]


def test_a_type_that_the_table_does_not_name_comes_to_escrow_without_a_value() -> None:
    b = bench()
    assert b.escrowed(UNKNOWN_TYPE).value is None
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


def test_a_reason_without_a_name_is_told_by_its_number() -> None:
    b = bench()
    b.enabled()
    b.insert(readable=False)

    def other_reason(data: bytes) -> bytes:
        return frame(b"\x1c\x7e") if data[3:4] == b"\x1c" else data

    b.from_device = other_reason
    assert b.until(Rejected) == Rejected("reason-7e")


@row("46 pause", "1A holding")
@pytest.mark.parametrize("between", [State.PAUSE, State.BUSY, State.HOLDING])
def test_a_note_that_stays_in_escrow_is_announced_once_whatever_comes_between(between: State) -> None:
    """A second note pushed in behind it, for one: the device says PAUSE and then ESCROW again."""
    b = bench()
    b.escrowed()
    trouble(b.device, between, b.now)
    if between is State.BUSY:
        b.device.show(between, 3)
    b.run(0.6)
    b.device.show(None)
    b.run(1.0)
    assert len(b.heard(Escrowed)) == 1
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


@row("5B counter of stacked notes")
def test_the_counter_wraps_at_its_end() -> None:
    b = Bench(device(Vault(None, counter=65535)))
    assert b.ready().stacked_counter == 65535
    b.escrowed()
    b.command(STACK)
    assert b.cleared().stacked_counter == 0
