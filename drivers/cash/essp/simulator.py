"""An ITL SSP and eSSP banknote validator, on a pty or a TCP port."""

from __future__ import annotations

import argparse

from drivers.cash.essp.notetable import Setup, encode_setup
from drivers.cash.essp.simulator_device import Validator
from drivers.simulation import cash_process
from drivers.simulation.notes import Vault
from guichet.money import parse_money

_FACES = ("5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR", "200 EUR", "500 EUR", "20 USD")


def default_table() -> Setup:
    """Euro notes and one foreign one, from channel 1 on."""
    return encode_setup({1 + n: parse_money(face) for n, face in enumerate(_FACES)})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this simulator."""
    cash_process.add_arguments(parser, serial="1873452")
    parser.add_argument("--highest-version", type=int, choices=(6, 7, 8), default=8, help="protocol version (8)")
    parser.add_argument("--no-counter", action="store_true", help="a firmware without counters")
    parser.add_argument("--remembers", action="store_true", help="an unacknowledged event survives a power cut, as E2")
    parser.add_argument("--forgets-channel", action="store_true", help="E1 and E2 say channel 0 after a power cut")
    parser.add_argument("--early-credit", action="store_true", help="EE comes while the note still moves")


async def run(arguments: argparse.Namespace) -> None:
    """Be a validator until cancelled."""
    device = make(Vault.open(arguments.state), arguments)
    await cash_process.be("essp", device, arguments)


def make(vault: Vault, arguments: argparse.Namespace) -> Validator:
    """The device of the command line."""
    script = cash_process.script_of(arguments)
    device = Validator(vault, default_table(), arguments.serial, arguments.pace, script)
    device.highest_version = arguments.highest_version
    device.forgets_count, device.remembers_credit = arguments.no_counter, arguments.remembers
    device.forgets_channel, device.early_credit = arguments.forgets_channel, arguments.early_credit
    return device
