"""What dies comes back, and the money is never in doubt because of it."""

from __future__ import annotations

import json
import signal
from collections import Counter

from guichet.v1 import journal_pb2 as journal
from kiosk.journal.store import read_stopped
from tests.e2e.whole_kiosk import OFFSCREEN, SIZE, Books, Kiosk


def one(value: str) -> Books:
    return Books(Counter({value: 1}), Counter({value: 1}), Counter())


def test_a_screen_that_was_killed_shows_the_same_view_again_and_the_deposit_goes_on(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.person.insert("5 EUR")
    seen = kiosk.sees_total("€5")
    kiosk.stack.process("screen").kill()
    kiosk.stack.start_screen(SIZE, environment=OFFSCREEN)
    assert kiosk.person.wait_view("deposit") == seen
    assert kiosk.finish().says("€5")
    kiosk.leave()
    assert kiosk.books().since(before) == one("5.00 EUR")


def test_devices_that_died_are_found_again_by_themselves_and_pass_their_tests(kiosk: Kiosk) -> None:
    names = ("cash", "pinpad", "printer")
    for name in names:
        kiosk.stack.process(name).kill()
    for name in names:
        kiosk.until(lambda name=name: not kiosk.works(name), f"the terminal to miss its {name}")
    assert kiosk.person.wait_view("out_of_service").says("Code pin-pad")
    kiosk.stack.start_again([kiosk.stack.process(name) for name in names])
    kiosk.until(kiosk.in_service, "all devices to be back")
    kiosk.person.wait_view("attract")
    done = kiosk.diag()
    assert done.returncode == 0, done.stdout
    assert "BAD" not in done.stdout


def test_a_smart_card_service_that_was_restarted_reads_cards_again(kiosk: Kiosk) -> None:
    stack, card = kiosk.stack, kiosk.stack.process("card")
    old = f"127.0.0.1:{stack.pcscd.port}"
    card.stop()
    stack.pcscd.stop()
    assert kiosk.person.wait_view("out_of_service").says("Code card-reader")
    stack.pcscd.start()
    new = f"127.0.0.1:{stack.pcscd.port}"
    card.command = [new if word == old else word for word in card.command]
    card.start()
    card.wait_for(stack.control("card").exists, "control socket")
    kiosk.until(kiosk.in_service, "the reader to be back")
    kiosk.sign_in()
    kiosk.leave()


def test_a_host_that_was_killed_and_started_again_is_found_again(kiosk: Kiosk) -> None:
    kiosk.stack.host.kill()
    assert kiosk.person.wait_view("out_of_service").says("Code host")
    kiosk.stack.start_host()
    kiosk.until(kiosk.in_service, "the host to be back")
    kiosk.person.wait_view("attract")


def test_an_orderly_stop_waits_for_the_customer_and_the_note(kiosk: Kiosk) -> None:
    before, stack = kiosk.books(), kiosk.stack
    kiosk.sign_in()
    kiosk.begin_deposit()
    stack.tell("cash", "pace 1")
    kiosk.person.insert("10 EUR")
    stack.tell("cash", "wait stacking")
    stack.terminal.signal(signal.SIGTERM)
    assert kiosk.sees_total("€10")
    assert kiosk.finish().says("€10")
    kiosk.person.touch("done")
    kiosk.person.wait_view("menu")
    assert stack.terminal.running
    kiosk.person.take_card()
    kiosk.until(lambda: not stack.terminal.running, "the terminal to end")
    stack.start_terminal()
    assert kiosk.books().since(before) == one("10.00 EUR")


def test_a_hurried_stop_waits_for_the_note(kiosk: Kiosk) -> None:
    before, stack = kiosk.books(), kiosk.stack
    kiosk.sign_in()
    kiosk.begin_deposit()
    stack.tell("cash", "pace 2")
    kiosk.person.insert("10 EUR")
    stack.tell("cash", "wait stacking")
    stack.terminal.signal(signal.SIGINT)
    kiosk.until(lambda: not stack.terminal.running, "the terminal to end")
    notes = json.loads(stack.tell("cash", "notes"))["notes"]
    assert notes[-1]["place"] == "box"
    last = [
        journal.JournalRecord.FromString(entry.record) for entry in read_stopped(stack.base / "kiosk" / "journal.db")
    ]
    assert "note_stacked" in [record.WhichOneof("fact") for record in last[-4:]]
    stack.start_terminal()
    # She still stands there and is told; then the session is over.
    assert kiosk.person.wait_view("deposit_result").says("€10")
    kiosk.leave()
    assert kiosk.books().since(before) == one("10.00 EUR")
