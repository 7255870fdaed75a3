"""A ccTalk coin acceptor, on a pty or a TCP port."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from drivers.cash.cctalk.simulator import add_bus_arguments, configure
from drivers.cash.cctalk.simulator_device import CoinAcceptor
from drivers.simulation import cash_process
from drivers.simulation.notes import Vault
from guichet.money import Money, parse_money

_FACES = ("0.05 EUR", "0.10 EUR", "0.20 EUR", "0.50 EUR", "1 EUR", "2 EUR", "0.25 USD")


def default_table() -> Mapping[int, Money]:
    """Euro coins and one foreign one."""
    return {1 + n: parse_money(face) for n, face in enumerate(_FACES)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this simulator."""
    cash_process.add_arguments(parser, serial="12345678")
    add_bus_arguments(parser)
    parser.add_argument("--value-credits", action="store_true", help="an event names a coin's value, not its position")


async def run(arguments: argparse.Namespace) -> None:
    """Be a coin acceptor until cancelled."""
    device = make(Vault.open(arguments.state), arguments)
    await cash_process.be("cctalk-coin", device, arguments)


def make(vault: Vault, arguments: argparse.Namespace) -> CoinAcceptor:
    """The device of the command line."""
    script = cash_process.script_of(arguments)
    device = CoinAcceptor(vault, default_table(), arguments.serial[:12], arguments.pace, script)
    configure(device, arguments)
    device.credits_are_values = arguments.value_credits
    return device
