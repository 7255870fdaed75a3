"""``guichet-sim ccnet``: the device that its command line describes."""

from __future__ import annotations

import argparse

from drivers.cash.ccnet.messages import encode_note_table
from drivers.cash.ccnet.simulator import add_arguments, default_table, make
from drivers.simulation.notes import Vault


def options(*more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["--pty", "port", "--control", "hands", *more])


def test_the_tables_first_type_is_not_0() -> None:
    assert min(default_table().values) == 2
    assert default_table() == encode_note_table(default_table().values)
    assert make(Vault(None), options()).unnamed_type == 10


def test_the_command_line_chooses_the_firmware() -> None:
    usual = make(Vault(None), options())
    assert (usual.forgets_count, usual.remembers_credit, usual.ack_within) == (False, False, None)
    other = make(Vault(None), options("--no-counter", "--remembers", "--strict"))
    assert (other.forgets_count, other.remembers_credit, other.ack_within) == (True, True, 0.01)
