"""``guichet-sim essp``: the device that its command line describes."""

from __future__ import annotations

import argparse

from drivers.cash.essp import simulator
from drivers.simulation.notes import Vault


def test_the_table_of_the_command_line_names_euro_notes_and_one_foreign_one() -> None:
    values = [str(value) for value in simulator.default_table().values.values()]
    assert values[0] == "5.00 EUR"
    assert values[6:] == ["500.00 EUR", "20.00 USD"]


def test_the_command_line_makes_the_device_that_it_describes() -> None:
    parser = argparse.ArgumentParser()
    simulator.add_arguments(parser)
    options = ["--highest-version", "6", "--no-counter", "--remembers", "--forgets-channel", "--early-credit"]
    arguments = parser.parse_args(["--pty", "p", "--control", "c", "--serial", "77", *options])
    device = simulator.make(Vault(None), arguments)
    assert (device.number, device.highest_version) == (77, 6)
    assert (device.forgets_count, device.remembers_credit, device.forgets_channel, device.early_credit) == (True,) * 4
