"""A JCM ID-003 banknote validator, on a pty or a TCP port."""

from __future__ import annotations

import argparse

from drivers.cash.id003.messages import NoteTable, encode_note_table
from drivers.cash.id003.simulator_device import Firmware, Validator
from drivers.simulation import cash_process
from drivers.simulation.notes import Vault
from guichet.money import parse_money

_FACES = ("5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR", "200 EUR", "500 EUR", "20 USD")
_FIRST_CODE = 0x62


def default_table() -> NoteTable:
    """Euro notes and one foreign one, from 62h on: the first slot is empty, as in the published capture."""
    return encode_note_table({_FIRST_CODE + n: parse_money(face) for n, face in enumerate(_FACES)})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this simulator."""
    cash_process.add_arguments(parser, serial="SIM000000001")
    parser.add_argument("--no-recovery", action="store_true", help="a firmware without the power-recovery option")
    parser.add_argument("--remembers", action="store_true", help="an unacknowledged event survives a power cut")
    parser.add_argument("--no-transients", action="store_true", help="STACKING and STACKED are never seen")
    parser.add_argument("--no-serial", action="store_true", help="a firmware without the serial-number command")
    parser.add_argument("--silent", action="store_true", help="says nothing to a command that it does not know")
    parser.add_argument("--ack-patience", type=float, metavar="SECONDS", help="hangs when acknowledged later than this")


async def run(arguments: argparse.Namespace) -> None:
    """Be a validator until cancelled."""
    device = make(Vault.open(arguments.state), arguments)
    await cash_process.be("id003", device, arguments)


def make(vault: Vault, arguments: argparse.Namespace) -> Validator:
    """The device of the command line."""
    script = cash_process.script_of(arguments)
    firmware = Firmware(
        recovers=not arguments.no_recovery,
        remembers_credit=arguments.remembers,
        shows_transients=not arguments.no_transients,
        knows_serial=not arguments.no_serial,
        says_invalid=not arguments.silent,
        ack_patience=arguments.ack_patience,
    )
    return Validator(vault, default_table(), arguments.serial[:12], arguments.pace, script, firmware)
