"""A CCNET banknote validator, on a pty or a TCP port."""

from __future__ import annotations

import argparse

from drivers.cash.ccnet.messages import NoteTable, encode_note_table
from drivers.cash.ccnet.simulator_device import Validator
from drivers.simulation import cash_process
from drivers.simulation.notes import Vault
from guichet.money import parse_money

_FACES = ("5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR", "200 EUR", "500 EUR", "20 USD")
_FIRST_TYPE = 2


def default_table() -> NoteTable:
    """Euro notes and one foreign one, from type 2 on: the first type of a real table need not be 0 either."""
    return encode_note_table({_FIRST_TYPE + n: parse_money(face) for n, face in enumerate(_FACES)})


_ACK_SECONDS = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this simulator."""
    cash_process.add_arguments(parser, serial="SIM000000001")
    parser.add_argument("--no-counter", action="store_true", help="a firmware without the counter of stacked notes")
    parser.add_argument("--remembers", action="store_true", help="an unacknowledged event survives a power cut")
    parser.add_argument("--strict", action="store_true", help="an ACK later than 10 ms is none, as CCNET has it")


async def run(arguments: argparse.Namespace) -> None:
    """Be a validator until cancelled."""
    device = make(Vault.open(arguments.state), arguments)
    await cash_process.be("ccnet", device, arguments)


def make(vault: Vault, arguments: argparse.Namespace) -> Validator:
    """The device of the command line."""
    script = cash_process.script_of(arguments)
    device = Validator(vault, default_table(), arguments.serial[:12], arguments.pace, script)
    device.forgets_count, device.remembers_credit = arguments.no_counter, arguments.remembers
    device.ack_within = _ACK_SECONDS if arguments.strict else None
    return device
