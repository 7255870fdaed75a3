"""An ACME validator, on a pty or a TCP port."""

from __future__ import annotations

import argparse

from drivers.simulation import cash_process
from drivers.simulation.notes import Vault
from guichet.money import parse_money
from tests.conformance.acme.simulator_device import Device

_FACES = ("5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR", "20 USD")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this simulator."""
    cash_process.add_arguments(parser, serial="ACME-000001")


async def run(arguments: argparse.Namespace) -> None:
    """Be a device until cancelled."""
    await cash_process.be("acme", make(Vault.open(arguments.state), arguments), arguments)


def make(vault: Vault, arguments: argparse.Namespace) -> Device:
    """The device of the command line."""
    values = {1 + number: parse_money(face) for number, face in enumerate(_FACES)}
    return Device(vault, values, arguments.serial, arguments.pace, cash_process.script_of(arguments))
