"""What is printed: receipts of each kind, and no statement whose sums do not agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from drivers.api.cash import Presence
from drivers.api.document import Document, QrCode, Row, Text
from guichet.ids import SessionId
from guichet.money import Currency, parse_money
from guichet.offline import OfflineStart
from guichet.v1 import customer_pb2, screen_pb2
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import settlement_pb2 as settlement
from kiosk.terminal.flows.result import result_view
from kiosk.terminal.offline import Opening
from kiosk.terminal.paper import (
    Imprint,
    StatementError,
    assemble,
    deposit_receipt,
    receipt_code,
    statement_document,
    summarise,
)
from tests.kiosk.settlement.standing import stated
from tests.kiosk.terminal.standing import TAKEN, TEN, TWENTY, Rig, identity

IMPRINT = Imprint("GVA-0001", "2026-01-31 14:05 UTC", training=False)


def words(document: Document) -> list[str]:
    lines: list[str] = []
    for block in document.blocks:
        match block:
            case Text(text):
                lines.append(text)
            case Row(left, right):
                lines.append(f"{left}|{right}")
            case QrCode(content):
                lines.append("QR " + content.split("\n")[0])
            case _:
                pass
    return lines


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A deposit of three notes that is closed."""
    rig = Rig(tmp_path / "journal.db")
    rig.begin()
    rig.one_note(TWENTY, 8)
    rig.one_note(TEN, 9)
    rig.one_note(TWENTY, 10)
    return rig


START = OfflineStart(b"sealed", "**** 0010", 1, "476173", Currency("EUR"), 1, 7)


def test_a_deposit_that_began_without_the_host_names_its_card_and_its_whole_number(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "journal.db")
    rig.answered(Presence.PATH_EMPTY, who=identity())
    rig.ready()
    opening = Opening(parse_money("100 EUR"), lambda _: START)
    account = customer_pb2.Account(currency="EUR")
    deposit = rig.desk.open_deposit(SessionId("session"), account, TAKEN, "v1", opening)
    rig.desk.accept()
    rig.one_note(TWENTY)
    provisional = receipt(rig, None)
    assert provisional[1] == "PROVISIONAL RECEIPT"
    assert "Card|**** 0010" in provisional
    assert deposit in provisional
    assert not [line for line in provisional if line.startswith("Account")]
    assert any("It is booked to the account of this card" in line for line in provisional)
    booked = receipt(rig, answer_to(rig))
    assert booked[1] == "CASH DEPOSIT"
    assert "Card|**** 0010" in booked
    assert "Booked on|2026-01-31" in booked


def answer_to(rig: Rig) -> settlement.SettlementAnswer:
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    return stated(next(iter(rig.journal.fold.outbox.values())).content)


def receipt(rig: Rig, answer: settlement.SettlementAnswer | None, imprint: Imprint = IMPRINT) -> list[str]:
    deposit = rig.deposits[0]
    paper = summarise(deposit, rig.journal.fold.notes_of(deposit.deposit_id), answer)
    assert len(receipt_code(paper, imprint)) <= 300
    return words(deposit_receipt(paper, imprint))


def test_a_deposit_that_the_host_has_booked(rig: Rig) -> None:
    lines = receipt(rig, answer_to(rig))
    assert lines[:2] == ["Guichet", "CASH DEPOSIT"]
    assert "2 x 20.00 EUR|40.00 EUR" in lines
    assert "1 x 10.00 EUR|10.00 EUR" in lines
    assert lines.index("2 x 20.00 EUR|40.00 EUR") < lines.index("1 x 10.00 EUR|10.00 EUR")
    assert "Total|50.00 EUR" in lines
    assert ("Booked on|2026-01-31" in lines, "Value date|2026-02-01" in lines) == (True, True)
    assert "Account|**** 4711" in lines
    assert "Date|2026-01-31 14:05 UTC" in lines
    assert "QR GUICHET DEPOSIT" in lines
    assert not any("INQUIRY" in line or "PROVISIONAL" in line or "TRAINING" in line for line in lines)


def test_a_deposit_that_the_host_has_not_answered_is_provisional(rig: Rig) -> None:
    lines = receipt(rig, None)
    assert "PROVISIONAL RECEIPT" in lines
    assert "Total|50.00 EUR" in lines
    assert not any(line.startswith("Booked on") for line in lines)
    assert any("as soon as the bank can be reached" in line for line in lines)


def test_a_note_in_doubt_is_on_the_receipt_with_its_claim_and_not_in_the_total(rig: Rig) -> None:
    rig.escrowed(TEN)
    rig.desk.take()
    rig.desk.no_answer()
    answer = answer_to(rig)
    doubtful = answer.notes[-1]
    doubtful.booking, doubtful.claim_number = settlement.BOOKING_IN_DOUBT, "C-1234"
    lines = receipt(rig, answer)
    assert "NOTE UNDER INQUIRY" in lines
    assert "10.00 EUR|claim C-1234" in lines
    assert "Total|50.00 EUR" in lines
    assert not any("no claim number" in line for line in lines)


def test_a_note_in_doubt_that_the_host_has_not_answered_for_is_asked_by_its_deposit_s_number(rig: Rig) -> None:
    """A number that the host does not know would help nobody."""
    rig.escrowed(TEN)
    rig.desk.take()
    rig.desk.no_answer()
    lines = receipt(rig, None)
    number = rig.deposits[0].deposit_id[-8:].upper()
    assert f"Deposit|{number}" in lines
    assert "10.00 EUR|no claim number yet" in lines
    assert f"The bank has not given it a claim number yet. Ask by deposit {number}." in lines
    assert rig.notes[-1].note_id[-8:].upper() not in "\n".join(lines)


@pytest.mark.parametrize("answered", [True, False])
def test_the_screen_shows_the_claim_number_and_before_there_is_one_the_deposit_s(rig: Rig, *, answered: bool) -> None:
    rig.escrowed(TEN)
    rig.desk.take()
    rig.desk.no_answer()
    answer, deposit = answer_to(rig), rig.deposits[0]
    answer.notes[-1].booking, answer.notes[-1].claim_number = settlement.BOOKING_IN_DOUBT, "C-1234"
    paper = summarise(deposit, rig.journal.fold.notes_of(deposit.deposit_id), answer if answered else None)
    view = result_view(paper, IMPRINT, screen_pb2.DEPOSIT_STOP_UNSPECIFIED, screen_pb2.RECEIPT_STATE_OFFERED)
    numbers = [note.claim_number for note in view.in_doubt]
    assert numbers == (["C-1234"] if answered else [deposit.deposit_id[-8:].upper()])


def test_training_money_says_so(rig: Rig) -> None:
    lines = receipt(rig, None, Imprint("GVA-0001", "now", training=True))
    assert "TRAINING - NO REAL MONEY" in lines
    assert "QR GUICHET TRAINING DEPOSIT" in lines


def test_a_note_that_was_found_during_the_deposit_is_on_the_receipt_with_its_claim(tmp_path: Path) -> None:
    """The device stacked it unasked: it may be this customer's, and who asks for it must have a number."""
    rig = Rig(tmp_path / "journal.db")
    rig.begin()
    rig.one_note(TWENTY, 8)
    rig.answered(Presence.STACKED, TEN, 9, identity())
    rig.ready(9)
    before = receipt(rig, None)
    assert "10.00 EUR|no claim number yet" in before
    answer = answer_to(rig)
    (found,) = [note for note in answer.notes if note.value.minor == 1000]
    found.booking, found.claim_number = settlement.BOOKING_SUSPENSE, "C-78"
    lines = receipt(rig, answer)
    assert "10.00 EUR|claim C-78" in lines
    assert "Total|20.00 EUR" in lines
    assert any(line.startswith("This note is in the box.") for line in lines)


def test_a_note_that_the_host_put_into_suspense_is_on_the_receipt_with_its_claim(rig: Rig) -> None:
    """A blocked account, for one: the note is in the box, and not on the account."""
    answer = answer_to(rig)
    answer.notes[0].booking, answer.notes[0].claim_number = settlement.BOOKING_SUSPENSE, "C-77"
    assert any("C-77" in line for line in receipt(rig, answer))


# --- the statement --------------------------------------------------------------------------------------------------

Part = customer_pb2.StreamStatementResponse


def opening(balance: int, currency: str = "EUR") -> Part:
    part = Part()
    part.opening.account_masked, part.opening.holder, part.opening.statement_id = "**** 4711", "Anna", "stmt-00000001"
    part.opening.opening_balance.minor, part.opening.opening_balance.currency = balance, currency
    return part


def line(amount: int, balance: int, currency: str = "EUR") -> Part:
    part = Part()
    part.line.booking_date, part.line.text = "2026-01-30", "Groceries"
    part.line.amount.minor, part.line.amount.currency = amount, currency
    part.line.balance.minor, part.line.balance.currency = balance, currency
    return part


def closing(balance: int, total_in: int = 0, total_out: int = 0, currency: str = "EUR") -> Part:
    part = Part()
    part.closing.closing_balance.minor, part.closing.closing_balance.currency = balance, currency
    part.closing.total_in.minor, part.closing.total_in.currency = total_in, currency
    part.closing.total_out.minor, part.closing.total_out.currency = total_out, currency
    return part


def test_a_whole_statement_is_printed_with_its_lines_in_order() -> None:
    statement = assemble([opening(1000), line(500, 1500), line(-1700, -200), closing(-200, 500, 1700)])
    lines = words(statement_document(statement, IMPRINT))
    assert lines[:2] == ["Guichet", "ACCOUNT STATEMENT"]
    assert lines.index("Opening balance|10.00 EUR") < lines.index("2026-01-30 Groceries|5.00 EUR")
    assert lines.index("2026-01-30 Groceries|-17.00 EUR") < lines.index("Closing balance|-2.00 EUR")
    assert "Paid in|5.00 EUR" in lines


def test_a_statement_without_movements_is_one() -> None:
    assert assemble([opening(1000), closing(1000)]).lines == ()


@pytest.mark.parametrize(
    "parts",
    [
        [], [opening(0)], [closing(0)], [line(1, 1), closing(1)], [opening(0), line(1, 1)],
        [opening(0), opening(0), closing(0)], [opening(0), closing(0), closing(0)], [closing(0), opening(0)],
        [opening(0), Part(), closing(0)],
    ],
    ids=["nothing", "opening only", "closing only", "no opening", "no closing", "two openings", "two closings",
         "the wrong way round", "an empty part"],
)  # fmt: skip
def test_a_statement_with_parts_missing_is_refused(parts: Sequence[Part]) -> None:
    with pytest.raises(StatementError, match="not whole"):
        assemble(parts)


@pytest.mark.parametrize(
    "parts",
    [
        [opening(1000), line(500, 1501), closing(1501)],
        [opening(1000), line(500, 1500), closing(1501)],
        [opening(1000), closing(999)],
        [opening(1000), line(500, 1500), line(500, 1500), closing(1500)],
        [opening(1000), line(500, 1500, "USD"), closing(1500)],
        [opening(1000), line(500, 1500, "XXX"), closing(1500)],
        [opening(10**15), line(1, 10**15 + 1), closing(10**15 + 1)],
    ],
    ids=["a line's balance", "the closing balance", "no lines", "a line twice", "mixed currencies",
         "an unknown currency", "out of range"],
)  # fmt: skip
def test_a_statement_whose_sums_do_not_agree_is_refused(parts: Sequence[Part]) -> None:
    with pytest.raises(StatementError):
        assemble(parts)
