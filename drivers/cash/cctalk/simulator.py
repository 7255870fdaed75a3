"""A ccTalk banknote validator, on a pty or a TCP port."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from drivers.cash.cctalk.framing import Checksum
from drivers.cash.cctalk.simulator_device import SimulatedBus, Validator
from drivers.simulation import cash_process
from drivers.simulation.notes import Vault
from guichet.money import Money, parse_money

_FACES = ("5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR", "200 EUR", "500 EUR", "20 USD")


def default_table() -> Mapping[int, Money]:
    """Euro notes and one foreign one, from type 1 on, which is where ccTalk begins to count."""
    return {1 + n: parse_money(face) for n, face in enumerate(_FACES)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this simulator."""
    cash_process.add_arguments(parser, serial="12345678")
    add_bus_arguments(parser)


def add_bus_arguments(parser: argparse.ArgumentParser) -> None:
    """What both ccTalk devices can be."""
    checksums = [checksum.value for checksum in Checksum]
    parser.add_argument("--checksum", choices=checksums, default=checksums[0], help="how frames are checked")
    parser.add_argument("--echo", action="store_true", help="the line gives the host its own bytes back")
    parser.add_argument("--silent-start", action="store_true", help="no event says what became of paper at power-up")


async def run(arguments: argparse.Namespace) -> None:
    """Be a bill validator until cancelled."""
    device = make(Vault.open(arguments.state), arguments)
    await cash_process.be("cctalk", device, arguments)


def make(vault: Vault, arguments: argparse.Namespace) -> Validator:
    """The device of the command line."""
    script = cash_process.script_of(arguments)
    device = Validator(vault, default_table(), arguments.serial[:12], arguments.pace, script)
    configure(device, arguments)
    return device


def configure(device: SimulatedBus, arguments: argparse.Namespace) -> None:
    """Set what both ccTalk devices can be."""
    device.checksum, device.echo = Checksum(arguments.checksum), arguments.echo
    device.tells_power_up = not arguments.silent_start
