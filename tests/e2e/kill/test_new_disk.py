"""A terminal whose disk is gone goes on from the host's copy; one whose cable is gone sends a file."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from guichet.journal.chain import Entry
from guichet.journal.records import decode, fact_of
from guichet.v1.journal_pb2 import JournalRestored
from kiosk.journal.file import JournalFile
from kiosk.journal.key import load_key
from kiosk.journal.store import read_stopped
from kiosk.workbench.processes import tool
from kiosk.workbench.stack import Stack
from tests.e2e.kill.support import (
    Nursery,
    agree,
    an_account,
    booked,
    credited_minor,
    host_and_cash,
    in_the_box,
)


def ran(*words: str, status: int = 0) -> str:
    done = subprocess.run(words, check=False, capture_output=True, timeout=60, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def enrol(stack: Stack, *more: str, status: int = 0) -> str:
    ticket, config = str(stack.base / "ticket.json"), str(stack.base / "host.toml")
    ran(tool("guichet-host"), "enrol", "--terminal", "K001", "--training", "--ticket", ticket, "--config", config)
    words = ("enrol", "--ticket", ticket, "--data", str(stack.base / "kiosk"), *more)
    return ran(tool("guichet-kiosk"), *words, status=status)


NEW_PERIOD: dict[str, object] = {"credited": [], "in_doubt": [], "open": False, "passed": []}
"""What a life begins with whose journal was restored: of the box that is in it knows nothing, for it may be another."""


def restored_of(entries: list[Entry]) -> JournalRestored:
    last = entries[-1]
    return JournalRestored(entries=len(entries), last_epoch=last.epoch, last_sequence=last.sequence)


def test_a_new_disk_goes_on_from_the_hosts_copy_and_uses_no_place_again(run_dir: Path) -> None:
    """The old one died with its deposit's advice signed and not sent; the new one sends it."""
    with host_and_cash(run_dir / "disk") as stack:
        account, data = an_account(stack), stack.base / "kiosk"
        nursery = Nursery(stack, account)
        try:
            agree(stack, account, nursery.begin("before send advice"))
            assert nursery.go_on("go") == {"ended": -9}
            lost = read_stopped(data / "journal.db")
            assert booked(stack) == Counter()
            shutil.rmtree(data)
            said = enrol(stack)
            assert "enrolled as K001, epoch 2" in said
            restored = read_stopped(data / "journal.db")
            *held, told = restored
            assert f"restored {len(held)} entries from the host" in said
            assert held == lost[: len(held)]
            assert ((told.epoch, told.sequence), fact_of(decode(told.record))) == ((2, 1), restored_of(held))
            assert ran(tool("guichet-kiosk"), "journal", "verify", "--config", str(stack.config)).startswith(
                f"{len(restored)} entries, chain intact, every seal is this terminal's"
            )
            assert nursery.begin("") == NEW_PERIOD
            assert booked(stack) == in_the_box(stack) == {"20.00 EUR": 1, "50.00 EUR": 1}
            assert credited_minor(stack, account) == 7_000
            assert nursery.go_on("stop") == {"ended": 0}
            now = read_stopped(data / "journal.db")
            assert now[: len(restored)] == restored
            assert {entry.epoch for entry in now[len(restored) :]} == {2}
        finally:
            nursery.close()


def test_a_host_from_a_backup_is_told_of_the_enrolment_that_it_has_lost(run_dir: Path) -> None:
    """The backup is of before the monthly enrolment, with whose key the deposit was signed since."""
    with host_and_cash(run_dir / "backup") as stack:
        account, host = an_account(stack), stack.base / "host"
        nursery = Nursery(stack, account)
        try:
            nursery.begin("")
            assert nursery.go_on("stop") == {"ended": 0}
            stack.host.stop()
            backup = {file.name: file.read_bytes() for file in host.glob("host.db*")}
            stack.start_host()
            assert "enrolled as K001, epoch 2" in enrol(stack, "--again")
            agree(stack, account, nursery.begin("before send advice"))
            assert nursery.go_on("go") == {"ended": -9}
            stack.host.stop()
            for file in host.glob("host.db*"):
                file.unlink()
            for name, content in backup.items():
                (host / name).write_bytes(content)
            stack.start_host()
            assert "enrolled as K001, epoch 3" in enrol(stack, "--again")
            assert booked(stack) == Counter()
            assert nursery.begin("")["open"] is False
            assert booked(stack) == in_the_box(stack) == {"20.00 EUR": 1, "50.00 EUR": 1}
            assert credited_minor(stack, account) == 7_000
            assert nursery.go_on("stop") == {"ended": 0}
        finally:
            nursery.close()


def test_a_damaged_journal_is_made_whole_by_the_hosts_copy(run_dir: Path) -> None:
    """Salvaged with a gap, it is no journal; with what the host holds it is, and its last entries are its own."""
    with host_and_cash(run_dir / "whole") as stack:
        account, data = an_account(stack), stack.base / "kiosk"
        nursery = Nursery(stack, account)
        try:
            agree(stack, account, nursery.begin("before send advice"))
            assert nursery.go_on("go") == {"ended": -9}
            journal, salvaged = data / "journal.db", stack.base / "salvaged.db"
            before = read_stopped(journal)
            file = JournalFile.open(journal, load_key(data / "journal.key"))
            file.goes_on()
            file.close()
            content = bytearray(journal.read_bytes())
            begin = content.index(before[8].hash) // 4096 * 4096
            content[begin : begin + 4096] = bytes(4096)
            damaged = stack.base / "damaged.db"
            damaged.write_bytes(content)
            key = ("--key", str(data / "journal.key"))
            said = ran(
                tool("guichet-kiosk"), "journal", "salvage", "--file", str(damaged), *key, "--out", str(salvaged),
                status=1,
            )  # fmt: skip
            assert "MISSING" in said
            config = ("--config", str(stack.config))
            restore = (tool("guichet-kiosk"), "journal", "restore", *config, "--from", str(salvaged))
            assert "move it and its log away first" in ran(*restore, status=1)
            journal.unlink()
            assert "this enrolment writes 1: enrol again" in ran(*restore, status=1)
            said = enrol(stack, "--again", status=1)
            assert "its journal is not here" in said
            assert "that were salvaged; what is written now is epoch 2" in ran(*restore)
            *whole, told = read_stopped(journal)
            assert whole == before
            file, host = stack.base / "salvaged.export", str(stack.base / "host.toml")
            export = (tool("guichet-kiosk"), "journal", "export", *config, "--from", str(salvaged), "--out", str(file))
            assert json.loads(ran(*export, "--json"))["entries"] == len(read_stopped(salvaged)) < len(before)
            take_in = (tool("guichet-host"), "operator", "take-in", str(file), "--config", host, "--json")
            taken = json.loads(ran(*take_in, status=1))
            assert (taken["settled"], len(taken["wrong"])) == (1, 1), "what has a gap is settled all the same"
            assert fact_of(decode(told.record)) == restored_of(whole)
            assert nursery.begin("") == NEW_PERIOD
            assert booked(stack) == in_the_box(stack) == {"20.00 EUR": 1, "50.00 EUR": 1}
            assert credited_minor(stack, account) == 7_000
            assert nursery.go_on("stop") == {"ended": 0}
        finally:
            nursery.close()


def test_what_a_terminal_without_a_line_has_signed_comes_to_the_host_as_a_file(run_dir: Path) -> None:
    with host_and_cash(run_dir / "file") as stack:
        account = an_account(stack)
        nursery = Nursery(stack, account)
        try:
            agree(stack, account, nursery.begin("before send advice"))
            assert nursery.go_on("go") == {"ended": -9}
            file, config = stack.base / "export", str(stack.base / "host.toml")
            export = (tool("guichet-kiosk"), "journal", "export", "--config", str(stack.config), "--out", str(file))
            told = json.loads(ran(*export, "--json"))
            assert told["entries"] == len(read_stopped(stack.base / "kiosk" / "journal.db"))
            assert "is there already; nothing was written" in ran(*export, status=2)
            take_in = (tool("guichet-host"), "operator", "take-in", str(file), "--config", config, "--json")
            taken = json.loads(ran(*take_in))
            assert (taken["settled"], taken["refused"], taken["wrong"]) == (1, [], [])
            assert booked(stack) == in_the_box(stack) == {"20.00 EUR": 1, "50.00 EUR": 1}
            assert json.loads(ran(*take_in))["settled"] == 0
            assert "the books are good" in ran(tool("guichet-host"), "verify", "--config", config)
            agree(stack, account, nursery.begin(""))
            assert booked(stack) == {"20.00 EUR": 1, "50.00 EUR": 1}
            assert nursery.go_on("stop") == {"ended": 0}
        finally:
            nursery.close()
