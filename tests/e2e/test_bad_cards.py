"""Cards and PINs that are not as they should be: what the customer sees, and that nothing goes on."""

from __future__ import annotations

import sqlite3

import pytest

from guichet.v1 import journal_pb2 as journal
from tests.e2e.whole_kiosk import ANNA_PIN, BORIS_PIN, WRONG_PIN, Kiosk


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("unreadable", "We could not read your card."),
        ("contradictory", "We could not read your card."),
        ("mute", "We could not read your card."),
        ("expired", "This card has expired."),
        ("blocked", "This card is blocked."),
    ],
)
def test_a_card_that_cannot_be_used_is_refused_before_the_pin(kiosk: Kiosk, card: str, words: str) -> None:
    kiosk.person.card(card)
    seen = kiosk.person.wait_view("notice")
    assert seen.says(words)
    assert seen.says("Your money has not moved")
    kiosk.person.touch("done")
    seen = kiosk.person.wait_view("goodbye")
    assert seen.says("Please take your card")
    kiosk.leave()


def test_a_card_of_another_bank_is_refused_by_the_host(kiosk: Kiosk) -> None:
    kiosk.person.card("unknown")
    kiosk.person.wait_view("pin")
    kiosk.person.pin(ANNA_PIN)
    seen = kiosk.person.wait_view("notice")
    assert seen.says("This card cannot be used here.")
    kiosk.leave()


def test_a_wrong_pin_three_times_blocks_the_card_and_the_right_one_does_not_open_it_again(kiosk: Kiosk) -> None:
    person = kiosk.person
    person.card("boris")
    person.wait_view("pin")
    try:
        for words in ("2 more tries", "one more try"):
            person.pin(WRONG_PIN)
            person.wait_until(lambda seen, words=words: seen.name == "pin" and seen.says(words), words)
        person.pin(WRONG_PIN)
        assert person.wait_view("notice").says("The PIN was wrong too many times.")
        kiosk.leave()

        person.card("boris")
        person.wait_view("pin")
        person.pin(BORIS_PIN)
        seen = person.wait_view("notice")
        assert seen.says("this card is now blocked")
        assert not seen.says("Hello")
        kiosk.leave()
    finally:
        _the_branch_unblocks(kiosk, "%0011")
    kiosk.sign_in("boris", BORIS_PIN)


def _the_branch_unblocks(kiosk: Kiosk, masked: str) -> None:
    with sqlite3.connect(kiosk.stack.base / "host" / "host.db", timeout=10) as database:
        changed = database.execute("UPDATE cards SET wrong_tries = 0 WHERE masked LIKE ?", (masked,)).rowcount
    database.close()
    assert changed == 1


def test_a_right_pin_after_a_wrong_one_gives_all_tries_back(kiosk: Kiosk) -> None:
    person = kiosk.person
    for _ in range(2):
        person.card("anna")
        person.wait_view("pin")
        person.pin(WRONG_PIN)
        person.wait_until(lambda seen: seen.name == "pin" and seen.says("2 more tries"), "two more tries")
        person.pin(ANNA_PIN)
        person.wait_view("menu")
        kiosk.leave()


def test_cancel_at_the_pin_pad_ends_the_session(kiosk: Kiosk) -> None:
    kiosk.person.card("anna")
    kiosk.person.wait_view("pin")
    kiosk.stack.tell("pinpad", "press 12")
    kiosk.stack.tell("pinpad", "cancel")
    assert kiosk.person.wait_view("goodbye").says("Please take your card")
    kiosk.leave()
    assert not kiosk.facts(journal.DepositOpened) or kiosk.facts(journal.SessionClosed)


def test_a_card_that_is_taken_out_while_the_pin_is_typed_ends_the_session_and_the_entry(kiosk: Kiosk) -> None:
    kiosk.person.card("anna")
    kiosk.person.wait_view("pin")
    kiosk.stack.tell("pinpad", "press 12")
    kiosk.leave()
    kiosk.until(lambda: '"entering": false' in kiosk.stack.tell("pinpad", "state"), "the pad to end the entry")
    opened, closed = kiosk.facts(journal.SessionOpened), kiosk.facts(journal.SessionClosed)
    assert opened[-1].session_id == closed[-1].session_id
    assert closed[-1].end == journal.SESSION_END_CUSTOMER
    # What was typed for the last card does not count for the next.
    kiosk.sign_in()
