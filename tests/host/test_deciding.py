"""Two operators decide a claim: one proposes, another confirms, and nothing is booked before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from guichet.seams import Domain
from guichet.v1 import journal_pb2
from guichet.v1 import settlement_pb2 as pb
from guichet.v1 import terminal_link_pb2 as link
from host.claims.box import Obstacle, Verdict
from host.claims.deciding import Decided, DecisionError, Wish, decide_claim
from host.claims.records import Decision, Proposal
from host.claims.schema import claim_confirmations, claim_proposals
from host.claims.views import ClaimState, Source, find_claims, list_claims
from host.console.operators import Action, TooManyFailures, add_operator, prove
from host.ledger.kinds import Booking, Outcome
from host.ledger.reconcile import reconcile
from host.ledger.resolving import NotInDoubt, Ruling
from host.ledger.schema import resolutions, transactions
from tests.host.bench import ANNA, Bench
from tests.host.boxes import (
    NEXT_PERIOD,
    THIRD_PERIOD,
    count,
    exchanged,
    exchanged_box,
    incident_codes,
    key_of,
    number_of,
    opened,
    path_is_empty,
    replicate,
)
from tests.host.terminal import BOX_PERIOD, OUTCOME_FOUND, OUTCOME_IN_DOUBT, BenchTerminal, Note, an_id
from tests.host.test_settlement import CASH, IN_DOUBT, UNCONFIRMED, answer, balances, moved
from tests.host.test_verify import corrupt, findings

NOTES = (Note(1), Note(2, outcome=OUTCOME_IN_DOUBT), Note(3, outcome=OUTCOME_IN_DOUBT))
PASSWORD = "correct horse battery"
CREDITED, NOT_FOUND = Outcome.CREDITED, Outcome.NOT_FOUND


@pytest.fixture(autouse=True)
def people(bench: Bench) -> None:
    """Three operators."""
    with bench.engine.begin() as connection:
        for name in ("olga", "pavel", "rita"):
            add_operator(connection, name, PASSWORD, bench.host.seams.random, bench.clock.now_us)


def decide(bench: Bench, by: str, outcome: Outcome = CREDITED, note: int = 2, reason: str = "seen on film") -> Decided:
    """An operator says what is to become of a note."""
    host = bench.host
    with bench.engine.begin() as connection:
        wish = Wish(number_of(note), outcome, reason, by)
        return decide_claim(connection, wish, host.keys.signer, host.resolver, host.now_us())


def state(bench: Bench, note: int = 2) -> ClaimState:
    with bench.engine.begin() as connection:
        (claim,) = find_claims(connection, number_of(note))
    return claim.state


def agrees(bench: Bench) -> bool:
    with bench.engine.begin() as connection:
        return all(line.agrees for line in reconcile(connection))


def test_a_proposal_books_nothing(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    before = balances(bench)
    assert decide(bench, "olga").resolved is None
    assert moved(bench, before) == {}
    assert (state(bench), state(bench, 3)) == (ClaimState.PROPOSED, ClaimState.OPEN)
    assert findings(bench) == ()


def test_another_operator_confirms_and_it_is_booked_with_both_names_reasons_and_times(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    count(bench, {"20 EUR": 2})
    before = balances(bench)
    decide(bench, "olga", reason="the film shows it")
    bench.clock.now_us += 60_000_000
    resolved = decide(bench, "pavel", reason="I saw it, too").resolved
    assert resolved is not None
    assert moved(bench, before) == {UNCONFIRMED: 2_000, IN_DOUBT: -2_000, CASH: -2_000, ANNA: 2_000}
    decision = resolved.resolution.decision
    assert decision is not None
    said = decision.proposal
    assert (said.proposed_by, said.reason, decision.confirmed_by, decision.reason) == (
        "olga", "the film shows it", "pavel", "I saw it, too",
    )  # fmt: skip
    assert decision.confirmed_at_us - said.proposed_at_us == 60_000_000
    with bench.engine.begin() as connection:
        (claim,) = find_claims(connection, number_of(2))
        linked = connection.execute(
            select(transactions.c.resolution_no).where(transactions.c.resolution_no.is_not(None))
        )
        assert linked.scalars().all() == connection.execute(select(resolutions.c.resolution_no)).scalars().all()
    assert (claim.state, claim.outcomes[-1].source) == (ClaimState.CREDITED, Source.OPERATORS)
    assert claim.outcomes[-1].said == "olga and pavel"
    assert findings(bench) == ()
    assert agrees(bench)


def test_not_found_takes_the_doubt_s_postings_back(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    count(bench, {"20 EUR": 1})
    before = balances(bench)
    decide(bench, "olga", NOT_FOUND)
    resolved = decide(bench, "pavel", NOT_FOUND).resolved
    assert resolved is not None
    assert (resolved.settled.note.outcome_number, resolved.settled.booking) == (2, Booking.NOTHING)
    assert moved(bench, before) == {UNCONFIRMED: 2_000, IN_DOUBT: -2_000}
    assert (state(bench), state(bench, 3)) == (ClaimState.NOT_FOUND, ClaimState.OPEN)
    assert findings(bench) == ()
    assert agrees(bench)


@pytest.mark.parametrize("outcome", [CREDITED, NOT_FOUND])
def test_who_proposed_it_cannot_confirm_it(bench: Bench, outcome: Outcome) -> None:
    exchanged_box(bench, NOTES)
    before = balances(bench)
    decide(bench, "olga", outcome)
    with pytest.raises(DecisionError, match="another operator"):
        decide(bench, "olga", outcome)
    assert moved(bench, before) == {}
    assert state(bench) is ClaimState.PROPOSED


def test_the_database_itself_refuses_who_confirms_his_own_proposal(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    decide(bench, "olga")
    values = {"proposal_no": 1, "reason": "x", "confirmed_by": "olga", "confirmed_at_us": 1}
    with bench.engine.begin() as connection, pytest.raises(IntegrityError, match="cannot confirm"):
        connection.execute(claim_confirmations.insert().values(values))


def test_whoever_wants_something_else_proposes_it_anew_and_only_the_last_proposal_stands(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    before = balances(bench)
    decide(bench, "olga", CREDITED)
    assert decide(bench, "pavel", NOT_FOUND).resolved is None
    assert decide(bench, "rita", CREDITED).resolved is None, "what Olga proposed stands no more"
    assert moved(bench, before) == {}
    assert decide(bench, "olga", CREDITED).resolved is not None
    with bench.engine.begin() as connection:
        proposed = select(claim_proposals.c.proposed_by, claim_proposals.c.outcome).order_by(
            claim_proposals.c.proposal_no
        )
        assert connection.execute(proposed).all() == [("olga", CREDITED), ("pavel", NOT_FOUND), ("rita", CREDITED)]
    assert findings(bench) == ()


def test_a_note_that_is_not_in_the_box_is_credited_by_nobody(bench: Bench) -> None:
    """Two doubts, one piece over: one of them can be credited, and then the other not any more."""
    exchanged_box(bench, NOTES)
    count(bench, {"20 EUR": 2})
    for name in ("olga", "pavel"):
        decide(bench, name, CREDITED, 2)
    with pytest.raises(DecisionError, match=r"no piece of 20\.00 EUR is over"):
        decide(bench, "olga", CREDITED, 3)
    for name in ("olga", "pavel"):
        decide(bench, name, NOT_FOUND, 3)
    with bench.engine.begin() as connection:
        assert list_claims(connection) == ()
    assert findings(bench) == ()
    assert agrees(bench)


def test_once_one_claim_is_not_found_the_count_covers_the_other_and_closes_it(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    count(bench, {"20 EUR": 2})
    before = balances(bench)
    decide(bench, "olga", NOT_FOUND, 2)
    (other,) = decide(bench, "pavel", NOT_FOUND, 2).also
    assert (other.resolution.key, other.resolution.count_number) == (key_of(3), 1)
    assert moved(bench, before) == {UNCONFIRMED: 4_000, IN_DOUBT: -4_000, CASH: -2_000, ANNA: 2_000}
    assert findings(bench) == ()
    assert agrees(bench)


def test_a_note_that_is_settled_is_resolved_by_nobody(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    for note in (1, 77):
        with bench.engine.begin() as connection, pytest.raises(NotInDoubt, match="nothing to resolve"):
            bench.host.resolver.resolve(connection, [Ruling(key_of(note), CREDITED, BOX_PERIOD, count_number=1)])


def test_a_count_between_proposal_and_confirmation_is_heard(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    decide(bench, "olga", CREDITED)
    count(bench, {"20 EUR": 1})
    with pytest.raises(DecisionError, match="no piece"):
        decide(bench, "pavel", CREDITED)


def late_deposit(bench: Bench) -> tuple[BenchTerminal, link.SignedAdvice]:
    """A box with a note in doubt, and one of a deposit whose advice is still on its way."""
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    first = terminal.write_deposit(1, NOTES[1:2], ANNA)
    second = terminal.write_deposit(2, (Note(11),), ANNA)
    path_is_empty(terminal)
    exchanged(terminal, NEXT_PERIOD)
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, NOTES[1:2], account=ANNA, place=first))
    return terminal, terminal.advice(2, [Note(11)], account=ANNA, place=second)


@pytest.mark.parametrize("outcome", [CREDITED, NOT_FOUND])
def test_nobody_decides_while_a_note_that_lies_there_is_not_settled(bench: Bench, outcome: Outcome) -> None:
    """One piece, and it is the note whose advice is on its way: nobody else gets it."""
    _, late = late_deposit(bench)
    count(bench, {"20 EUR": 1})
    before = balances(bench)
    with pytest.raises(DecisionError, match="wait for its settlement"):
        decide(bench, "olga", outcome)
    answer(bench, late)
    assert moved(bench, before) == {CASH: -2_000, ANNA: 2_000}
    with pytest.raises(DecisionError, match="no piece"):
        decide(bench, "olga", CREDITED)
    for name in ("olga", "pavel"):
        decide(bench, name, NOT_FOUND)
    assert findings(bench) == ()
    assert agrees(bench)


def test_a_decision_that_credits_more_than_was_counted_before_it_is_found(bench: Bench) -> None:
    """Two operators stand behind it, the host signed it, and the box still holds one piece."""
    _, late = late_deposit(bench)
    count(bench, {"20 EUR": 1})
    past_the_box(bench)
    assert findings(bench) == ()
    answer(bench, late)
    assert [finding.text for finding in findings(bench)] == [
        "1 x 20.00 EUR were counted, 2 are credited, found or withheld"
    ]


def past_the_box(bench: Bench) -> None:
    """A decision that looked at no count."""
    proposal, signer = Proposal(number_of(2), CREDITED, "film", "olga", 1), bench.host.keys.signer
    with bench.engine.begin() as connection:
        said = {"claim_number": number_of(2), "outcome": CREDITED, "reason": "film", "proposed_by": "olga"}
        signature = signer.sign(Domain.CLAIM_PROPOSAL, proposal.content())
        connection.execute(claim_proposals.insert().values(**said, proposed_at_us=1, signature=signature))
        confirmed = {"proposal_no": 1, "reason": "film", "confirmed_by": "pavel", "confirmed_at_us": 1}
        connection.execute(claim_confirmations.insert().values(confirmed))
        decision = Decision(1, proposal, "film", "pavel", 1)
        bench.host.resolver.resolve(connection, [Ruling(key_of(2), CREDITED, BOX_PERIOD, decision=decision)])


def test_what_the_terminal_credits_itself_after_a_decision_is_not_held_against_it(bench: Bench) -> None:
    terminal = exchanged_box(bench, NOTES)
    count(bench, {"20 EUR": 2})
    for name in ("olga", "pavel"):
        decide(bench, name)
    bench.clock.now_us += 1
    place = terminal.write(journal_pb2.NoteStacked(note_id=an_id(3), outcome_number=2)).sequence
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, [Note(3, outcome_number=2)], account=ANNA, place=place))
    assert findings(bench) == ()
    assert not agrees(bench), "the box has fewer pieces than the books"


@pytest.mark.parametrize("outcome", [CREDITED, NOT_FOUND])
def test_nobody_decides_before_every_box_in_which_the_note_may_lie_is_out(bench: Bench, outcome: Outcome) -> None:
    terminal = exchanged_box(bench, NOTES[1:2], spans=True)
    before = balances(bench)
    with pytest.raises(DecisionError, match="has not ended"):
        decide(bench, "olga", outcome)
    exchanged(terminal, THIRD_PERIOD)
    with pytest.raises(DecisionError, match="has not ended"):
        decide(bench, "olga", outcome)  # that it is out has not come here yet
    replicate(bench, terminal)
    assert moved(bench, before) == {}
    assert decide(bench, "olga", outcome).resolved is None
    assert decide(bench, "pavel", outcome).resolved is not None
    assert findings(bench) == ()


def test_persons_decide_beside_a_conflict(bench: Bench) -> None:
    """Nobody can settle what was refused: the other claim does not wait for it for ever."""
    terminal = exchanged_box(bench, NOTES)
    for name in ("olga", "pavel"):
        decide(bench, name, NOT_FOUND)
    place = terminal.write(journal_pb2.NoteStacked(note_id=an_id(2), outcome_number=2)).sequence
    replicate(bench, terminal)
    with pytest.raises(DecisionError, match="wait for its settlement"):
        decide(bench, "olga", CREDITED, 3)
    answer(bench, terminal.advice(1, [Note(2, outcome_number=2)], account=ANNA, place=place))
    made, resolved = count(bench, {"20 EUR": 2})
    assert (made.lines[0].verdict, made.lines[0].obstacle, resolved) == (Verdict.PERSONS, Obstacle.CONFLICT, ())
    assert incident_codes(bench) == ["settlement-conflict", "count-undecided"]
    for name in ("olga", "pavel"):
        decide(bench, name, CREDITED, 3)
    assert state(bench, 3) is ClaimState.CREDITED
    assert findings(bench) == ()


def test_a_doubt_that_spans_two_boxes_is_credited_where_a_piece_is_left(bench: Bench) -> None:
    terminal = exchanged_box(bench, NOTES[:2], spans=True)
    exchanged(terminal, THIRD_PERIOD)
    replicate(bench, terminal)
    count(bench, {"20 EUR": 1})
    decide(bench, "olga")
    resolved = decide(bench, "pavel").resolved
    assert resolved is not None
    assert resolved.resolution.box_period_id == NEXT_PERIOD
    assert resolved.settled.box_period_id == BOX_PERIOD, "a note keeps its own, as its terminal tells it"
    assert findings(bench) == ()


def test_what_cannot_be_decided_is_refused_and_nothing_is_kept(bench: Bench) -> None:
    terminal = exchanged_box(bench, NOTES)
    answer(bench, terminal.advice(1, [Note(4, outcome=OUTCOME_FOUND)], account=ANNA))
    count(bench, {"20 EUR": 4})
    cases = ((2, "is closed"), (4, "not in doubt"), (77, "there is no claim"))
    for note, reason in cases:
        with pytest.raises(DecisionError, match=reason):
            decide(bench, "olga", NOT_FOUND, note)
    for reason in ("", "  ", "two\nlines", "x" * 401):
        with pytest.raises(DecisionError, match="a reason has"):
            decide(bench, "olga", reason=reason)
    with pytest.raises(DecisionError, match="nothing that persons decide"):
        decide(bench, "olga", Outcome.RETURNED)
    with bench.engine.begin() as connection:
        assert connection.execute(select(claim_proposals)).all() == []


def test_what_the_terminal_has_decided_itself_is_not_decided_by_persons(bench: Bench) -> None:
    terminal = exchanged_box(bench, NOTES)
    place = terminal.write(journal_pb2.NoteReturned(note_id=an_id(2), outcome_number=2)).sequence
    replicate(bench, terminal)
    with pytest.raises(DecisionError, match="wait for its settlement"):
        decide(bench, "olga", NOT_FOUND)
    answer(
        bench, terminal.advice(1, [Note(2, outcome=pb.OUTCOME_RETURNED, outcome_number=2)], account=ANNA, place=place)
    )
    with pytest.raises(DecisionError, match="is closed"):
        decide(bench, "olga", NOT_FOUND)
    assert state(bench) is ClaimState.RETURNED


def test_a_terminal_that_credits_later_what_was_not_found_is_a_conflict(bench: Bench) -> None:
    terminal = exchanged_box(bench, NOTES)
    for name in ("olga", "pavel"):
        decide(bench, name, NOT_FOUND)
    before = balances(bench)
    place = terminal.write(journal_pb2.NoteStacked(note_id=an_id(2), outcome_number=2)).sequence
    replicate(bench, terminal)
    (said,) = answer(bench, terminal.advice(1, [Note(2, outcome_number=2)], account=ANNA, place=place)).notes
    assert said.booking == pb.BOOKING_CONFLICT
    assert moved(bench, before) == {}
    assert incident_codes(bench) == ["settlement-conflict"]
    assert findings(bench) == ()


@pytest.mark.parametrize(
    ("table", "statement", "check"),
    [
        ("claim_proposals", "UPDATE claim_proposals SET reason = 'none'", "decision"),
        ("claim_proposals", "UPDATE claim_proposals SET proposed_by = 'rita'", "decision"),
        ("claim_proposals", "UPDATE claim_proposals SET outcome = 'credited'", "resolution"),
        ("claim_proposals", "UPDATE claim_proposals SET proposed_by = 'pavel'", "resolution"),
        ("claim_confirmations", "UPDATE claim_confirmations SET reason = 'none'", "resolution"),
        ("claim_confirmations", "UPDATE claim_confirmations SET confirmed_by = 'rita'", "resolution"),
        ("claim_confirmations", "UPDATE claim_confirmations SET confirmed_at_us = 7", "resolution"),
    ],
)
def test_a_tampered_decision_is_found(bench: Bench, table: str, statement: str, check: str) -> None:
    exchanged_box(bench, NOTES)
    for name in ("olga", "pavel"):
        decide(bench, name, NOT_FOUND)
    assert findings(bench) == ()
    corrupt(bench, table, statement)
    assert check in {finding.check for finding in findings(bench)}


def test_a_decision_of_one_operator_is_found_even_if_it_is_signed(bench: Bench) -> None:
    """Whoever has the host's key can sign it; it was still not decided by two."""
    exchanged_box(bench, NOTES)
    decide(bench, "olga", NOT_FOUND)
    resolved = decide(bench, "pavel", NOT_FOUND).resolved
    assert resolved is not None
    assert resolved.resolution.decision is not None
    alone = replace(resolved.resolution, decision=replace(resolved.resolution.decision, confirmed_by="olga"))
    with bench.engine.begin() as connection:
        for table in ("claim_confirmations", "resolutions"):
            connection.execute(text(f"DROP TRIGGER {table}_no_update"))
        connection.execute(text("UPDATE claim_confirmations SET confirmed_by = 'olga'"))
        signature = bench.host.keys.signer.sign(Domain.CLAIM_RESOLUTION, alone.content())
        connection.execute(text("UPDATE resolutions SET signature = :signature"), {"signature": signature})
    assert [finding.text for finding in findings(bench)] == ["was not decided by two operators"]


def test_what_was_decided_stays(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    for name in ("olga", "pavel"):
        decide(bench, name)
    with bench.engine.begin() as connection:
        for table in (claim_proposals, claim_confirmations):
            for statement in (table.delete(), table.update().values(reason="")):
                with pytest.raises(IntegrityError, match="append-only"):
                    connection.execute(statement)


def test_a_claim_is_found_by_the_deposit_that_a_provisional_receipt_names(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    with bench.engine.begin() as connection:
        (claim,) = find_claims(connection, number_of(2).lower())
        by_deposit = find_claims(connection, claim.deposit_id[-8:].upper())
        assert find_claims(connection, "%") == find_claims(connection, "________") == ()
    assert {one.claim_number for one in by_deposit} == {number_of(2), number_of(3)}


def test_who_decides_shows_to_be_an_operator_and_guessing_is_slowed_down(bench: Bench) -> None:
    action = Action("olga", "decide claim", "X", "", "command line")
    with bench.engine.begin() as connection:
        assert prove(connection, action, PASSWORD, bench.clock.now_us)
        for _ in range(5):
            assert not prove(connection, action, "wrong password", bench.clock.now_us)
        with pytest.raises(TooManyFailures):
            prove(connection, action, PASSWORD, bench.clock.now_us)
        kept = connection.execute(text("SELECT actor, action, result FROM audit_log")).all()
    assert kept == [("olga", "decide claim", "refused")] * 5
