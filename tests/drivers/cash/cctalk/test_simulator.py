"""``guichet-sim cctalk`` and ``cctalk-coin``: the devices that their command lines describe."""

from __future__ import annotations

import argparse
from types import ModuleType

from drivers.cash.cctalk import simulator, simulator_coin
from drivers.cash.cctalk.framing import Checksum
from drivers.simulation.notes import Vault
from guichet.money import parse_money


def options(*more: str, of: ModuleType = simulator) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    of.add_arguments(parser)
    return parser.parse_args(["--pty", "port", "--control", "hands", *more])


def test_the_default_tables_begin_at_1_and_hold_something_foreign() -> None:
    for table, foreign in ((simulator.default_table(), "20 USD"), (simulator_coin.default_table(), "0.25 USD")):
        assert min(table) == 1
        assert parse_money(foreign) in table.values()


def test_the_command_line_chooses_the_bus() -> None:
    for of in (simulator, simulator_coin):
        usual = of.make(Vault(None), options(of=of))
        assert (usual.checksum, usual.echo, usual.tells_power_up) == (Checksum.SIMPLE, False, True)
        other = of.make(Vault(None), options("--checksum", "crc16", "--echo", "--silent-start", of=of))
        assert (other.checksum, other.echo, other.tells_power_up) == (Checksum.CRC16, True, False)


def test_a_type_that_the_table_does_not_name_is_the_one_after_it() -> None:
    assert simulator.make(Vault(None), options()).unnamed_type == 9


def test_the_command_line_chooses_what_a_coins_credit_says() -> None:
    assert not simulator_coin.make(Vault(None), options(of=simulator_coin)).credits_are_values
    assert simulator_coin.make(Vault(None), options("--value-credits", of=simulator_coin)).credits_are_values
