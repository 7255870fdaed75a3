"""``guichet-host verify``: check the books from the ground. Exit status 1 where anything is found."""

from __future__ import annotations

import argparse

from host.assembly import system_seams
from host.commands.common import add_data_arguments, config_of, print_json, reading
from host.ledger.verify import verify_books
from host.pki.keys import open_keys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_data_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print findings as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print what was looked at and what was found."""
    config = config_of(arguments)
    with reading(config) as connection:
        answer_key = open_keys(config.keys, system_seams().random).signer.public_key()
        report = verify_books(connection, answer_key)
    if arguments.json:
        findings = [{"check": f.check, "subject": f.subject, "text": f.text} for f in report.findings]
        print_json({"good": report.good, "counted": dict(report.counted), "findings": findings})
        return 0 if report.good else 1
    print("looked at " + ", ".join(f"{count} {name}" for name, count in report.counted.items()))
    for finding in report.findings:
        print(f"FOUND  {finding.check}: {finding.subject}: {finding.text}")
    print("the books are good" if report.good else f"{len(report.findings)} found: the books are NOT good")
    return 0 if report.good else 1
