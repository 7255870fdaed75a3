"""The host's side of ID-003: a note from the mouth to the box."""

from __future__ import annotations

import pytest

from drivers.api.cash import CashCommand, Cleared, Completed, Escrowed, Ready, Rejected, Returned, Stacked, Stacking
from drivers.cash.id003.framing import frame
from drivers.cash.id003.messages import Command, State, encode_note_table
from drivers.cash.id003.simulator_device import Firmware
from drivers.simulation.notes import Place
from guichet.money import parse_money
from tests.drivers.cash.id003.virtual import TABLE, TWENTY, UNKNOWN_TYPE, Bench, bench, device
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN
FAST, SLOW = Firmware(shows_transients=True), Firmware(shows_transients=False)


@row("7.2 accept, escrow, stack", "13 escrow", "14 stacking", "15 vend valid", "16 stacked", "STACK-2, never STACK-1")
@pytest.mark.parametrize("firmware", [FAST, SLOW], ids=["14 and 16 seen", "14 and 16 skipped"])
def test_sequence_7_2_accept_escrow_stack(firmware: Firmware) -> None:
    b = bench(firmware)
    escrowed = b.escrowed(TWENTY)
    assert escrowed.value == TABLE.values[TWENTY]
    assert (escrowed.note_type, escrowed.frame.hex()) == (0x64, "fc0613641dac")
    assert escrowed.table_hash == b.heard(Ready)[0].table_hash
    assert b.places() == [Place.ESCROW]
    b.told.clear()
    b.polled.clear()
    b.command(STACK)
    b.cleared()
    kinds = [type(event) for event in b.told]
    assert kinds == ([Completed, Stacking, Stacked, Cleared] if firmware is FAST else [Completed, Stacked, Cleared])
    assert b.heard(Stacked) == [Stacked(None, None, bytes.fromhex("FC05150310"))]
    assert b.heard(Cleared) == [Cleared(None, enabled=True)]
    assert b.places() == [Place.BOX]
    assert b.requests()[-2:] == ["42", "50"], "STACK-2, never STACK-1, and one ACK"
    assert (State.STACKING in b.polled) is (State.STACKED in b.polled) is (firmware is FAST)


@row("15 with a byte")
def test_a_vend_valid_that_carries_a_byte_is_told_without_a_type() -> None:
    """One description has a denomination there; no capture has. What is not sure is not told."""
    b = bench()
    b.escrowed()
    b.from_device = lambda data: frame(b"\x15\x63") if data[2:3] == b"\x15" else data
    b.command(STACK)
    stacked = b.until(Stacked)
    assert (stacked.note_type, stacked.value) == (None, None)
    b.cleared()


@row("7.3 return", "18 returning")
def test_sequence_7_3_return() -> None:
    b = bench()
    b.escrowed()
    b.command(RETURN)
    b.until_state(State.RETURNING)
    b.cleared()
    assert [event.frame[2] for event in b.heard(Returned)] == [0x18]
    assert not b.heard(Stacked)
    assert b.places() == [Place.HAND]
    assert b.requests()[-1] == "43"


@row("7.3 return")
def test_a_return_of_which_nothing_was_seen_ends_with_an_empty_path() -> None:
    """In the capture 43 is followed by 11 at once: there is no event for it."""
    b = bench()
    b.escrowed()
    b.device.metal.stage_seconds = 0.01
    b.command(RETURN)
    b.cleared()
    assert b.heard(Completed)[-1] == Completed(RETURN)
    assert not b.heard(Returned)
    assert not b.heard(Stacked)


@row("7.4 reject", "17 rejecting")
def test_sequence_7_4_a_note_that_nobody_decides_about_comes_back_by_the_device_itself_with_17_79() -> None:
    b = bench()
    began = b.escrowed()
    at = b.now
    b.until_state(State.REJECTING)
    assert 9.5 < b.now - at < 11
    b.cleared()
    assert [event.frame.hex(" ")[6:11] for event in b.heard(Returned)] == ["17 79"]
    assert not b.heard(Rejected), "it had come to escrow: it was not rejected"
    assert not b.commands(Command.STACK_2, Command.RETURN)
    assert b.places() == [Place.HAND]
    assert began.note_type == TWENTY


@row("7.4 reject")
@pytest.mark.parametrize(
    ("readable", "kind", "reason"), [(False, TWENTY, "identification"), (True, 9, "identification")]
)
def test_sequence_7_4_a_note_that_is_not_recognised_is_rejected_with_a_reason(
    readable: bool, kind: int, reason: str
) -> None:
    b = bench()
    b.enabled()
    b.insert(kind, readable=readable)
    assert b.until(Rejected) == Rejected(reason)
    b.cleared()
    assert not b.heard(Escrowed)
    assert not b.heard(Returned)
    assert b.places() == [Place.HAND]


def test_a_reason_without_a_name_is_told_by_its_number() -> None:
    b = bench()
    b.enabled()
    b.insert(readable=False)
    b.from_device = lambda data: frame(b"\x17\x7a") if data[2:3] == b"\x17" else data
    assert b.until(Rejected) == Rejected("reason-7a")


def test_a_type_that_the_table_does_not_name_comes_to_escrow_without_a_value() -> None:
    b = bench()
    assert b.escrowed(UNKNOWN_TYPE).value is None
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


@row("escrow code 6F is a ticket")
def test_a_ticket_comes_to_escrow_without_a_value() -> None:
    b = bench()
    b.enabled()
    b.from_device = lambda data: frame(b"\x13\x6f0123") if data[2:3] == b"\x13" else data
    b.insert()
    escrowed = b.until(Escrowed)
    assert (escrowed.note_type, escrowed.value) == (0x6F, None)


@row("escrow codes are the firmware's own")
def test_escrow_codes_are_those_of_the_table_that_was_read() -> None:
    """USD 61 is a dollar in one firmware and nothing in another: no constant table is right."""
    validator = device()
    validator.table = encode_note_table({0x61: parse_money("1 USD"), 0x64: parse_money("10 USD")})
    b = Bench(validator)
    assert b.escrowed(0x64).value == parse_money("10 USD")


def test_a_note_that_is_held_stays_the_same_one() -> None:
    b = bench()
    b.escrowed()
    b.device.receive(frame(b"\x44"), b.now)
    b.until_state(State.HOLDING)
    b.run(1)
    assert len(b.heard(Escrowed)) == 1
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


@pytest.mark.parametrize("between", [State.PAUSE, State.BUSY, State.HOLDING, State.CHEATED])
def test_a_note_that_stays_in_escrow_is_announced_once_whatever_comes_between(between: State) -> None:
    b = bench()
    b.escrowed()
    b.device.show(between)
    b.run(0.6)
    b.device.show(None)
    b.run(1.0)
    assert len(b.heard(Escrowed)) == 1
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]
