"""``guichet-sim id003``: the device that its command line describes."""

from __future__ import annotations

import argparse

import pytest

from drivers.cash.id003.messages import State, encode_note_table
from drivers.cash.id003.simulator import add_arguments, default_table, make
from drivers.simulation.hands import Hands
from drivers.simulation.notes import Vault


def options(*more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["--pty", "port", "--control", "hands", *more])


def test_the_command_line_chooses_the_firmware() -> None:
    usual = make(Vault(None), options()).firmware
    assert (usual.recovers, usual.remembers_credit, usual.shows_transients, usual.knows_serial) == (
        True, False, True, True,
    )  # fmt: skip
    assert usual.ack_patience is None
    other = make(
        Vault(None),
        options("--no-recovery", "--remembers", "--no-transients", "--no-serial", "--ack-patience", "60", "--silent"),
    ).firmware
    assert (usual.says_invalid, other.says_invalid) == (True, False)
    assert (other.recovers, other.remembers_credit, other.shows_transients, other.knows_serial) == (
        False, True, False, False,
    )  # fmt: skip
    assert other.ack_patience == 60


def test_a_memory_of_a_credit_is_there_when_the_process_begins_again() -> None:
    vault = Vault(None, memory={"unacknowledged": 1})
    assert make(vault, options("--remembers")).state is State.POWER_UP_NOTE_IN_STACKER
    assert make(vault, options()).state is State.POWER_UP
    assert vault.memory == {}


def test_the_default_table_has_its_first_slot_empty_and_one_foreign_note() -> None:
    table = default_table()
    assert min(table.values) == 0x62
    assert [str(value) for value in table.values.values()][-1] == "20.00 USD"
    assert table == encode_note_table(table.values)
    assert make(Vault(None), options()).unnamed_type == 0x61


@pytest.mark.parametrize(
    ("what", "kind"), [("20", 0x64), ("20 USD", 0x69), ("unknown", 0x61), ("unreadable", 0), ("7 GBP", 0)]
)  # fmt: skip
async def test_any_paper_can_be_inserted(what: str, kind: int) -> None:
    device = make(Vault(None), options())
    for at, sent in enumerate(["FC05402B15", "FC07C000002DB5", "FC06C30004D6"]):
        device.receive(bytes.fromhex(sent), float(at))
    assert await Hands(device, lambda: 3.0).act(f"insert {what}") == "note 1"
    assert device.vault.notes[0].note_type == kind
    device.advance(3.4)
    assert device.state is (State.ESCROW if kind else State.REJECTING)
