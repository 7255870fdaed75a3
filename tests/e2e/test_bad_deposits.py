"""Notes, lines and devices that misbehave in mid-deposit: what the customer sees, and where every note ends up."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from guichet.v1 import journal_pb2 as journal
from tests.e2e.whole_kiosk import PACE, Books, Kiosk

NOTHING = Books(Counter(), Counter(), Counter())


def one(value: str) -> Books:
    """One note more in the box, and credited."""
    return Books(Counter({value: 1}), Counter({value: 1}), Counter())


# --- notes that are not taken ---------------------------------------------------------------------------------------


NOT_TAKEN = {
    "unreadable": "It could not be read.",
    "unknown": "Notes like the last one are not taken here.",
    "20 USD": "The last note was of another currency.",
    "500 EUR": "Notes like the last one are not taken here.",
}


def test_notes_that_are_not_taken_come_back_each_with_its_reason(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.sign_in()
    kiosk.begin_deposit()
    for note, words in NOT_TAKEN.items():
        kiosk.person.insert(note)
        kiosk.person.wait_until(lambda seen: not seen.says("Insert"), f"{note} to be seen")
        assert kiosk.to_open_slot().says(words), note
    kiosk.person.touch("cancel")
    assert kiosk.person.wait_view("deposit_result").says("Nothing was deposited")
    kiosk.leave()
    assert kiosk.books().since(before) == NOTHING


def test_the_customer_can_have_a_note_back_while_it_is_in_escrow(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.person.insert("50 EUR")
    kiosk.person.wait_until(lambda seen: "give_back" in seen.controls, "the way back to be offered")
    kiosk.person.touch("give_back")
    kiosk.person.wait_until(lambda seen: seen.says("given back, as you asked"), "the note to come back")
    kiosk.to_open_slot()
    kiosk.person.touch("cancel")
    kiosk.person.wait_view("deposit_result")
    kiosk.leave()
    assert kiosk.books().since(before) == NOTHING


def test_a_note_that_nobody_takes_back_does_not_hold_what_is_in_the_box(kiosk: Kiosk) -> None:
    before, presented = kiosk.books(), len(kiosk.facts(journal.PresentedNotTaken))
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.person.insert("20 EUR")
    kiosk.sees_total("€20")
    kiosk.stack.tell("cash", "wait idling")
    kiosk.stack.tell("cash", "not taken")
    kiosk.person.insert("50 EUR")
    kiosk.person.wait_until(lambda seen: "give_back" in seen.controls, "the way back to be offered")
    kiosk.person.touch("give_back")
    assert kiosk.person.wait_view("deposit_result").says("The note slot stopped")
    assert len(kiosk.facts(journal.PresentedNotTaken)) == presented + 1
    kiosk.stack.tell("cash", "take")
    kiosk.leave()
    kiosk.until(kiosk.in_service, "the slot to work again")
    assert kiosk.books().since(before) == one("20.00 EUR")


# --- the customer goes ----------------------------------------------------------------------------------------------


def test_a_card_taken_out_while_a_note_is_drawn_in_gives_the_note_back_and_closes_the_deposit(kiosk: Kiosk) -> None:
    before, deposits = kiosk.books(), len(kiosk.facts(journal.DepositOpened))
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.stack.tell("cash", "pace 1.2")
    kiosk.person.insert("50 EUR")
    kiosk.leave()
    assert len(kiosk.facts(journal.DepositOpened)) == len(kiosk.facts(journal.DepositClosed)) == deposits + 1
    assert kiosk.facts(journal.NoteReturned)
    assert kiosk.books().since(before) == NOTHING


def test_a_card_taken_out_while_a_note_is_stacked_credits_it(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.stack.tell("cash", "pace 1.2")
    kiosk.person.insert("50 EUR")
    kiosk.stack.tell("cash", "wait stacking")
    kiosk.leave()
    assert kiosk.facts(journal.DepositOpened)[-1].deposit_id == kiosk.facts(journal.DepositClosed)[-1].deposit_id
    assert kiosk.books().since(before) == one("50.00 EUR")


# --- the line and the validator -------------------------------------------------------------------------------------


def test_noise_and_silence_on_the_line_while_notes_are_stacked_cost_nothing(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.sign_in()
    kiosk.begin_deposit()
    for note, disturbance, total in (("20 EUR", "garbage 6", "€20"), ("10 EUR", "lose 1", "€30")):
        kiosk.person.insert(note)
        kiosk.stack.tell("cash", "wait stacking")
        kiosk.stack.tell("cash", disturbance)
        kiosk.sees_total(total)
    assert kiosk.finish().says("€30")
    kiosk.leave()
    both = Counter({"20.00 EUR": 1, "10.00 EUR": 1})
    assert kiosk.books().since(before) == Books(both, both, Counter())


def test_a_power_cut_of_the_validator_with_a_note_on_its_way_credits_it_once(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.stack.tell("cash", "pace 1")
    kiosk.person.insert("100 EUR")
    kiosk.stack.tell("cash", "wait stacking")
    kiosk.stack.tell("cash", "power off")
    kiosk.until(lambda: not kiosk.works("cash"), "the terminal to miss its validator")
    kiosk.stack.tell("cash", f"pace {PACE}")
    kiosk.stack.tell("cash", "power on")
    seen = kiosk.person.wait_view("deposit_result")
    assert seen.says("€100")
    assert seen.says("The note slot stopped, which ended the deposit.")
    kiosk.leave()
    assert kiosk.books().since(before) == one("100.00 EUR")


def test_a_jam_puts_the_note_in_doubt_with_a_claim_number_that_both_ends_show(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.person.insert("20 EUR")
    kiosk.sees_total("€20")
    kiosk.stack.tell("cash", "jam")
    kiosk.person.insert("50 EUR")
    seen = kiosk.person.wait_view("deposit_result")
    assert seen.says("€20")
    assert seen.says("One note could not be confirmed")
    claim = json.loads(kiosk.host("operator", "in-doubt", "--json").stdout)[-1]
    assert claim["value_minor"] == 5000
    assert seen.says(claim["claim_number"])
    kiosk.person.touch("receipt")
    kiosk.person.wait_until(lambda seen: seen.says("Your receipt is printed"), "the receipt")
    receipt = max(kiosk.stack.paper.glob("*.txt")).read_text(encoding="utf-8")
    assert re.search(rf"50\.00 EUR\s+claim {claim['claim_number']}", receipt)
    kiosk.person.take_card()
    # Until an engineer has been inside, no note is taken; everything else works.
    seen = kiosk.person.wait_view("attract")
    assert seen.says("Not available just now")
    kiosk.stack.tell("cash", "free")
    kiosk.until(kiosk.in_service, "deposits to be possible again")
    notes = json.loads(kiosk.stack.tell("cash", "notes"))["notes"]
    assert [note["face"] for note in notes if note["place"] == "custody"] == ["50.00 EUR"]
    expected = one("20.00 EUR")
    assert kiosk.books().since(before) == Books(expected.box, expected.credited, Counter({"50.00 EUR": 1}))


@pytest.mark.parametrize("trouble", ["full", "out"])
def test_a_box_that_is_full_or_out_takes_deposits_off_the_list_and_nothing_else(kiosk: Kiosk, trouble: str) -> None:
    kiosk.stack.tell("cash", f"box {trouble}")
    try:
        kiosk.person.wait_until(lambda seen: seen.name == "attract" and seen.says("Not available"), "no deposits")
        seen = kiosk.sign_in()
        assert "deposit" not in seen.controls
        assert "statement" in seen.controls
        kiosk.leave()
    finally:
        kiosk.stack.tell("cash", "box swapped BOX-1")
    kiosk.until(kiosk.in_service, "deposits to be possible again")


# --- paper ----------------------------------------------------------------------------------------------------------


def test_without_paper_the_customer_is_asked_before_the_first_note_and_gets_a_code(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.stack.tell("printer", "paper out")
    kiosk.sign_in()
    kiosk.person.touch("deposit")
    seen = kiosk.person.wait_view("notice")
    assert seen.says("No note has been taken yet")
    assert seen.says("There will be no paper receipt.")
    kiosk.person.touch("back")
    kiosk.person.wait_view("menu")
    kiosk.person.touch("deposit")
    kiosk.person.wait_view("notice")
    kiosk.person.touch("continue")
    assert kiosk.to_open_slot().says("No paper: your receipt will be a code on the screen.")
    kiosk.person.insert("5 EUR")
    kiosk.sees_total("€5")
    seen = kiosk.finish()
    assert seen.says("this code is your receipt")
    assert "receipt" not in seen.controls
    kiosk.leave()
    assert kiosk.books().since(before) == one("5.00 EUR")


def test_paper_that_ends_in_the_receipt_leaves_the_receipt_on_the_screen(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.person.insert("10 EUR")
    kiosk.sees_total("€10")
    kiosk.finish()
    kiosk.stack.tell("printer", "lines 3 then paper out")
    kiosk.person.touch("receipt")
    seen = kiosk.person.wait_until(lambda seen: seen.says("this code is your receipt"), "the code")
    assert seen.says("€10")
    kiosk.leave()
    assert kiosk.books().since(before) == one("10.00 EUR")


# --- the host -------------------------------------------------------------------------------------------------------


def test_without_its_host_a_deposit_does_not_begin(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.sign_in()
    kiosk.stack.pull_cables()
    kiosk.until(lambda: not kiosk.connected(), "the terminal to miss its host")
    kiosk.person.touch("deposit")
    seen = kiosk.person.wait_until(lambda seen: seen.name in ("accounts", "notice"), "accounts or a notice")
    if seen.name == "accounts":
        kiosk.person.touch(seen.controls[0])
        seen = kiosk.person.wait_view("notice")
    assert seen.says("Our bank system does not answer just now.")
    kiosk.person.touch("back")
    kiosk.person.wait_view("menu")
    kiosk.person.take_card()
    assert kiosk.person.wait_view("out_of_service").says("Code host")
    kiosk.stack.plug_cables_in()
    kiosk.person.wait_view("attract")
    assert kiosk.books().since(before) == NOTHING


def test_a_statement_whose_host_goes_away_is_said_to_have_failed(kiosk: Kiosk) -> None:
    kiosk.sign_in()
    kiosk.person.touch("statement")
    accounts = kiosk.person.wait_view("accounts")
    kiosk.stack.pull_cables()
    kiosk.person.touch(accounts.controls[0])
    assert kiosk.person.wait_view("notice").says("Your statement could not be fetched.")
    kiosk.person.touch("back")
    kiosk.person.wait_view("menu")
    kiosk.stack.plug_cables_in()
    kiosk.until(kiosk.connected, "the host to be back")
    kiosk.person.touch("statement")
    kiosk.person.touch(kiosk.person.wait_view("accounts").controls[0])
    assert kiosk.person.wait_view("statement").says("Your statement")
