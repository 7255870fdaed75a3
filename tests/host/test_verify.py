"""The books are checked from the ground, and one altered byte is found."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from guichet.v1 import journal_pb2
from guichet.v1 import settlement_pb2 as pb
from guichet.v1.terminal_link_pb2 import SignedAdvice
from host.journal.intake import parse_batch
from host.journal.records import keep_batch
from host.ledger.evidence import Finding
from host.ledger.kinds import ClaimReason
from host.ledger.overview import open_claims
from host.ledger.reconcile import Counts, reconcile
from host.ledger.verify import verify_books
from tests.host.bench import ANNA, BORIS, Bench
from tests.host.terminal import (
    OUTCOME_CREDITED,
    OUTCOME_IN_DOUBT,
    OUTCOME_RETURNED,
    BenchTerminal,
    Note,
    an_id,
    deposit_id,
)
from tests.host.test_settlement import answer, balances, moved, settle

NOTES = (Note(1, 2_000), Note(2, 5_000), Note(3, 1_000, OUTCOME_RETURNED), Note(4, 1_000, OUTCOME_IN_DOUBT))


def findings(bench: Bench) -> tuple[Finding, ...]:
    with bench.engine.begin() as connection:
        return verify_books(connection, bench.host.keys.signer.public_key()).findings


def checks(bench: Bench) -> set[str]:
    return {finding.check for finding in findings(bench)}


def replicate(bench: Bench, terminal: BenchTerminal) -> None:
    with bench.engine.begin() as connection:
        keep_batch(connection, terminal.name, parse_batch(terminal.journal()), bench.clock.now_us)


def deposit(bench: Bench, notes: tuple[Note, ...] = NOTES) -> BenchTerminal:
    """A deposit in the journal, replicated, and settled."""
    terminal = bench.enrol("T-1")
    place = terminal.write_deposit(1, notes, ANNA)
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, notes, account=ANNA, place=place))
    return terminal


def unguarded(connection: Connection, table: str) -> None:
    """What somebody with the database file in hand can do."""
    for action in ("update", "delete"):
        connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{action}"))


def corrupt(bench: Bench, table: str, statement: str) -> None:
    with bench.engine.begin() as connection:
        unguarded(connection, table)
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        result = connection.execute(text(statement))
        assert result.rowcount == 1


def test_good_books_are_good(bench: Bench) -> None:
    deposit(bench)
    assert findings(bench) == ()


@pytest.mark.parametrize(
    ("table", "statement", "check"),
    [
        ("postings", "UPDATE postings SET amount_minor = 999 WHERE account_id = 'training/in-doubt/EUR'", "balance"),
        ("postings", "DELETE FROM postings WHERE account_id = 'training/in-doubt/EUR'", "balance"),
        ("postings", "UPDATE postings SET amount_minor = -amount_minor WHERE posting_no = 1", "balance"),
        ("note_outcomes", "UPDATE note_outcomes SET value_minor = 9000 WHERE value_minor = 5000", "posting"),
        ("note_outcomes", "UPDATE note_outcomes SET transaction_id = NULL WHERE value_minor = 5000", "posting"),
        ("note_outcomes", "DELETE FROM note_outcomes WHERE value_minor = 5000", "posting"),
        ("advices", "UPDATE advices SET answer = CAST(answer || x'00' AS BLOB)", "answer"),
        ("advices", "UPDATE advices SET answer_signature = x'00'", "answer"),
        ("advices", "UPDATE advices SET signature = x'00'", "advice"),
        (
            "journal_entries",
            "UPDATE journal_entries SET record = zeroblob(9) WHERE sequence = 2",
            "journal",
        ),
        ("journal_entries", "DELETE FROM journal_entries WHERE sequence = 3", "journal"),
        ("journal_entries", "UPDATE journal_entries SET record = record || 'text' WHERE sequence = 2", "unreadable"),
        ("note_outcomes", "UPDATE note_outcomes SET currency = 'XXX' WHERE value_minor = 5000", "unreadable"),
        ("note_outcomes", "UPDATE note_outcomes SET account_id = 'mallory' WHERE value_minor = 5000", "advice"),
        ("note_outcomes", "UPDATE note_outcomes SET box_period_id = 'other' WHERE value_minor = 5000", "advice"),
        ("note_outcomes", "UPDATE note_outcomes SET device_serial = 'other' WHERE value_minor = 5000", "advice"),
        ("note_outcomes", "UPDATE note_outcomes SET deposit_id = 'other' WHERE value_minor = 5000", "advice"),
        ("claims", "UPDATE claims SET closed_at_us = 1", "claim"),
        ("claims", "DELETE FROM claims", "claim"),
    ],
)
def test_one_alteration_is_found(bench: Bench, table: str, statement: str, check: str) -> None:
    deposit(bench)
    corrupt(bench, table, statement)
    assert check in checks(bench)


def test_two_postings_that_balance_each_other_are_found(bench: Bench) -> None:
    deposit(bench)
    cash = "training/cash-in-terminal/T-1/EUR"
    with bench.engine.begin() as connection:
        unguarded(connection, "postings")
        for account, change in ((ANNA, -1_000), (cash, 1_000)):
            query = text(
                "UPDATE postings SET amount_minor = amount_minor + :change WHERE posting_no = "
                "(SELECT MAX(posting_no) FROM postings WHERE account_id = :account)"
            )
            connection.execute(query, {"change": change, "account": account})
    assert checks(bench) == {"posting"}


def test_a_credit_that_went_to_another_account_than_its_advice_names_is_found(bench: Bench) -> None:
    """Outcome and posting agree with each other, and both with somebody else than the depositor."""
    deposit(bench)
    with bench.engine.begin() as connection:
        for table in ("note_outcomes", "postings"):
            unguarded(connection, table)
        moved_to = {"mallory": BORIS, "anna": ANNA}
        connection.execute(text("UPDATE note_outcomes SET account_id = :mallory WHERE account_id = :anna"), moved_to)
        connection.execute(text("UPDATE postings SET account_id = :mallory WHERE account_id = :anna "
                                "AND amount_minor = 7000"), moved_to)  # fmt: skip
    assert checks(bench) == {"advice"}


def test_the_database_itself_refuses_to_change_what_was_posted(bench: Bench) -> None:
    deposit(bench)
    for statement in (
        "UPDATE postings SET amount_minor = 1",
        "DELETE FROM postings",
        "UPDATE transactions SET text = ''",
        "DELETE FROM note_outcomes",
        "UPDATE advices SET answer = x''",
        "DELETE FROM journal_entries",
        "DELETE FROM audit_log",
    ):
        with bench.engine.begin() as connection:
            connection.execute(text("INSERT INTO audit_log VALUES (NULL, 1, 'a', 'b', 'c', 'd', 'e')"))
            with pytest.raises(IntegrityError, match="append-only"):
                connection.execute(text(statement))


INSERT = "INSERT INTO postings (transaction_id, ledger, account_id, currency, amount_minor) VALUES "
CLOSE = (
    "INSERT INTO transactions (transaction_id, ledger, kind, business_date, value_date, booked_at_us, text) "
    "VALUES ('t', 'training', 'transfer', '2026-01-01', '2026-01-01', 1, '')"
)


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        ((f"{INSERT} ('t', 'training', '{ANNA}', 'EUR', 5)", CLOSE), "does not sum to zero"),
        ((f"{INSERT} ('t', 'training', '{ANNA}', 'EUR', 5), ('t', 'training', '{BORIS}', 'EUR', -5)",), "FOREIGN KEY"),
        ((f"{INSERT} ('t', 'live', '{ANNA}', 'EUR', 5)",), "FOREIGN KEY"),
        ((f"{INSERT} ('t', 'training', '{ANNA}', 'USD', 5)",), "FOREIGN KEY"),
        ((f"{INSERT} ('t', 'training', '{ANNA}', 'EUR', 0)",), "CHECK"),
        ((CLOSE, f"{INSERT} ('t', 'training', '{ANNA}', 'EUR', 5)"), "is closed"),
    ],
    ids=["out of balance", "never closed", "another ledger", "another currency", "zero", "after closing"],
)
def test_the_database_itself_refuses_a_transaction_that_cannot_be(
    bench: Bench, statements: tuple[str, ...], reason: str
) -> None:
    def post() -> None:
        with bench.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    with pytest.raises(IntegrityError, match=reason):
        post()


def test_a_note_that_the_journal_tells_otherwise_is_found(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    place = terminal.write_deposit(1, (Note(1, 2_000), Note(2, 5_000, OUTCOME_RETURNED)), ANNA)
    replicate(bench, terminal)
    lies = [Note(1, 5_000), Note(2, 5_000, OUTCOME_CREDITED), Note(3, 2_000)]
    answer(bench, terminal.advice(1, lies, account=ANNA, place=place))
    found = [finding for finding in findings(bench) if finding.check == "journal"]
    assert {finding.subject for finding in found} == {f"note {an_id(number)}" for number in (1, 2, 3)}


def test_a_note_that_the_advice_leaves_out_is_found(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    place = terminal.write_deposit(1, NOTES, ANNA)
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, NOTES[:3], account=ANNA, place=place))
    (finding,) = findings(bench)
    assert (finding.check, finding.subject) == ("journal", f"note {an_id(4)}")


def test_what_the_journal_has_not_brought_yet_is_no_finding(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    answer(bench, terminal.advice(1, NOTES, account=ANNA, place=10))
    assert findings(bench) == ()


def test_reconciliation_puts_the_books_beside_the_journal(bench: Bench) -> None:
    terminal = deposit(bench)
    with bench.engine.begin() as connection:
        lines = reconcile(connection)
    assert [(line.pile.minor, line.host, line.agrees) for line in lines] == [
        (1_000, Counts(in_doubt=1), True),
        (2_000, Counts(credited=1), True),
        (5_000, Counts(credited=1), True),
    ]
    assert (lines[0].host.certain, lines[0].host.possible) == (0, 1)
    terminal.write_deposit(2, (Note(9, 2_000),), ANNA)
    replicate(bench, terminal)
    with bench.engine.begin() as connection:
        differing = [line for line in reconcile(connection) if not line.agrees]
    assert [(line.host.credited, line.journal.credited) for line in differing] == [(1, 2)]


def test_an_advice_without_notes_is_answered_and_books_nothing(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    empty: SignedAdvice = terminal.advice(1, [], account=ANNA)
    (first,), (again,) = settle(bench, empty), settle(bench, empty)
    assert first == again
    assert isinstance(answer(bench, empty), pb.SettlementAnswer)
    assert findings(bench) == ()


# --- one deposit, one advice a currency ------------------------------------------------------------------------------

EUROS = (Note(1, 2_000), Note(2, 1_000, OUTCOME_RETURNED))
DOLLARS = (
    Note(3, 10_000, currency="USD"),
    Note(4, 5_000, OUTCOME_IN_DOUBT, currency="USD"),
    Note(5, 500, OUTCOME_RETURNED, currency="USD"),
)


def two_currencies(bench: Bench) -> tuple[BenchTerminal, SignedAdvice, SignedAdvice]:
    """A deposit to a EUR account that dollars came into, in the journal; an advice for each, not yet sent."""
    terminal = bench.enrol("T-1")
    place = terminal.write_deposit(1, (*EUROS, *DOLLARS), ANNA)
    euros = terminal.advice(1, EUROS, account=ANNA, place=place)
    dollars = terminal.advice(1, DOLLARS, account=ANNA, currency="USD", place=place)
    return terminal, euros, dollars


@pytest.mark.parametrize("dollars_first", [False, True], ids=["euros first", "dollars first"])
def test_a_deposit_of_two_currencies_is_two_advices_each_with_its_answer_and_its_books(
    bench: Bench, *, dollars_first: bool
) -> None:
    terminal, euros, dollars = two_currencies(bench)
    before = balances(bench)
    replicate(bench, terminal)
    advices = (dollars, euros) if dollars_first else (euros, dollars)
    answers = {signed.content: answer(bench, signed) for signed in advices}
    assert [note.booking for note in answers[euros.content].notes] == [pb.BOOKING_CUSTOMER, pb.BOOKING_NOTHING]
    said = answers[dollars.content].notes
    assert [note.booking for note in said] == [pb.BOOKING_SUSPENSE, pb.BOOKING_IN_DOUBT, pb.BOOKING_NOTHING]
    assert [bool(note.claim_number) for note in said] == [True, True, False]
    assert moved(bench, before) == {
        "training/cash-in-terminal/T-1/EUR": -2_000,
        ANNA: 2_000,
        "training/cash-in-terminal/T-1/USD": -10_000,
        "training/suspense/USD": 10_000,
        "training/cash-unconfirmed/T-1/USD": -5_000,
        "training/in-doubt/USD": 5_000,
    }
    assert findings(bench) == ()
    with bench.engine.begin() as connection:
        assert [(line.pile.currency, line.pile.minor, line.agrees) for line in reconcile(connection)] == [
            ("EUR", 2_000, True),
            ("USD", 5_000, True),
            ("USD", 10_000, True),
        ]
        reasons = {claim.note_id: claim.reason for claim in open_claims(connection)}
    assert reasons == {an_id(3): ClaimReason.ACCOUNT_UNUSABLE, an_id(4): ClaimReason.IN_DOUBT}


def test_both_advices_of_a_deposit_in_one_batch_are_booked_alike(bench: Bench) -> None:
    terminal, euros, dollars = two_currencies(bench)
    replicate(bench, terminal)
    first = settle(bench, euros, dollars)
    assert settle(bench, dollars, euros) == (first[1], first[0])
    assert first[0] != first[1]
    assert findings(bench) == ()


def test_a_note_of_another_currency_that_no_advice_tells_of_is_found(bench: Bench) -> None:
    terminal, euros, _ = two_currencies(bench)
    replicate(bench, terminal)
    answer(bench, euros)
    found = {(finding.check, finding.subject) for finding in findings(bench)}
    # What was given back settles nothing: for it alone no advice is signed.
    assert found == {("journal", f"note {an_id(3)}"), ("journal", f"note {an_id(4)}")}


def test_an_advice_that_the_journal_holds_and_that_is_still_on_its_way_is_no_finding(bench: Bench) -> None:
    terminal, euros, dollars = two_currencies(bench)
    for signed in (euros, dollars):
        content, signature = signed.content, signed.signature
        terminal.write(journal_pb2.AdviceSigned(deposit_id=deposit_id(1), content=content, signature=signature))
    terminal.write(journal_pb2.AdviceSigned(deposit_id=deposit_id(2), content=b"\xff", signature=b""))
    replicate(bench, terminal)
    answer(bench, euros)
    assert findings(bench) == ()
    answer(bench, dollars)
    assert findings(bench) == ()


@pytest.mark.parametrize("records_behind", [1, 2])
def test_what_a_note_came_to_after_its_deposit_was_settled_is_not_left_out(bench: Bench, records_behind: int) -> None:
    """Its advice comes right behind it; until so many records are here, it may be in the next batch."""
    terminal = bench.enrol("T-1")
    doubt = Note(1, 2_000, OUTCOME_IN_DOUBT)
    place = terminal.write_deposit(1, (doubt,), ANNA)
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, (doubt,), account=ANNA, place=place))
    terminal.write(journal_pb2.NoteReturned(note_id=an_id(1), outcome_number=2))
    for _ in range(records_behind):
        terminal.write(journal_pb2.EventsRead(device_serial="S-1", mark=1))
    replicate(bench, terminal)
    found = [finding.text for finding in findings(bench)]
    assert found == (["outcome 2 was left out of the deposit's advices"] if records_behind == 2 else [])


def test_a_note_of_another_currency_that_was_in_doubt_before_it_was_returned_is_not_left_out(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    terminal.write_deposit(1, (*EUROS, DOLLARS[1]), ANNA)
    place = terminal.write(journal_pb2.NoteReturned(note_id=an_id(4), outcome_number=2)).sequence
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, EUROS, account=ANNA, place=place))
    found = findings(bench)
    assert {finding.subject for finding in found} == {f"note {an_id(4)}"}
    assert all("outcome 2 was left out" in finding.text for finding in found)
