"""Checking the books from the ground: nothing here trusts what another part of the host concluded.

A finding is something that must not be. What a journal has not brought yet is not one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from host.claims.checks import counts_stand, proposals_stand, resolutions_stand
from host.claims.schema import box_counts, claims
from host.journal.records import epochs_held
from host.ledger.booking import Place, Settled, before, legs
from host.ledger.evidence import Finding, against_journals, answers_stand, chains_hold, told_by_advices
from host.ledger.kinds import TransactionKind
from host.ledger.reading import KeptOutcome, by_deposit, kept_outcomes
from host.ledger.schema import accounts, advices, note_outcomes, postings, resolutions, transactions
from host.offline.evidence import offline_stands


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and what was found."""

    counted: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Nothing was found."""
        return not self.findings


def verify_books(connection: Connection, answer_key: bytes) -> Report:
    """Check everything. ``answer_key``: the host's public signing key as :mod:`guichet.signing` takes it."""
    findings = [*_guarded(lambda: transactions_balance(connection)), *_guarded(lambda: ledgers_apart(connection))]
    try:
        kept = list(kept_outcomes(connection))
    except _UNREADABLE as error:
        return Report(_counted(connection), (*findings, _unreadable(error)))
    checks: tuple[Callable[[], Iterable[Finding]], ...] = (
        lambda: postings_as_settled(connection, kept),
        lambda: claims_kept(connection, kept),
        lambda: answers_stand(connection, answer_key, kept),
        lambda: told_by_advices(connection, kept),
        lambda: counts_stand(connection, answer_key),
        lambda: proposals_stand(connection, answer_key),
        lambda: resolutions_stand(connection, answer_key, kept),
        lambda: chains_hold(connection),
        lambda: against_journals(connection, answer_key, kept),
        lambda: offline_stands(connection, answer_key, kept),
    )
    findings += [finding for check in checks for finding in _guarded(check)]
    return Report(_counted(connection), tuple(findings))


# What reading raises where a row no longer holds what its column should: other bytes, another word, another currency.
_UNREADABLE = (SQLAlchemyError, LookupError, ValueError)


def _guarded(check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """A check's findings. A row that cannot even be read is one, and must not hide what the other checks find."""
    try:
        return list(check())
    except _UNREADABLE as error:
        return [_unreadable(error)]


def _unreadable(error: Exception) -> Finding:
    return Finding("unreadable", "a row", f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")


def _counted(connection: Connection) -> dict[str, int]:
    tables = {
        "transactions": transactions,
        "postings": postings,
        "advices": advices,
        "note outcomes": note_outcomes,
        "box counts": box_counts,
        "resolutions": resolutions,
    }
    counted = {
        name: connection.execute(select(func.count()).select_from(table)).scalar_one() for name, table in tables.items()
    }
    return counted | {"journals": len(epochs_held(connection))}


def transactions_balance(connection: Connection) -> Iterator[Finding]:
    """Every transaction has postings, and they sum to zero per currency."""
    p, total = postings.c, func.sum(postings.c.amount_minor)
    sums = select(p.transaction_id, p.currency, total).group_by(p.transaction_id, p.currency)
    for transaction, currency, minor in connection.execute(sums.having(total != 0)):
        yield Finding("balance", f"transaction {transaction}", f"sums to {minor} minor units of {currency}, not zero")
    known = select(transactions.c.transaction_id)
    posted = select(p.transaction_id).distinct()
    for (transaction,) in connection.execute(known.where(transactions.c.transaction_id.not_in(posted))):
        yield Finding("balance", f"transaction {transaction}", "has no postings")
    for (transaction,) in connection.execute(posted.where(p.transaction_id.not_in(known))):
        yield Finding("balance", f"transaction {transaction}", "has postings and is none")


def ledgers_apart(connection: Connection) -> Iterator[Finding]:
    """No posting lies in another ledger or currency than its account, or in another ledger than its transaction."""
    p, a, t = postings.c, accounts.c, transactions.c
    query = select(p.posting_no, p.account_id).select_from(postings)
    query = query.outerjoin(accounts, a.account_id == p.account_id)
    query = query.outerjoin(transactions, t.transaction_id == p.transaction_id)
    wrong = or_(a.account_id.is_(None), a.ledger != p.ledger, a.currency != p.currency, t.ledger != p.ledger)
    for number, account in connection.execute(query.where(wrong)):
        yield Finding("ledger", f"posting {number}", f"lies in another ledger or currency than account {account}")


def postings_as_settled(connection: Connection, kept: Sequence[KeptOutcome]) -> Iterator[Finding]:
    """Each deposit's transaction has exactly the postings that its notes' outcomes make, worked out anew."""
    expected = _expected(kept)
    posted = _posted(connection)
    for transaction in sorted(expected.keys() | posted.keys()):
        wanted, found = expected.get(transaction, {}), posted.get(transaction, {})
        for account in sorted(wanted.keys() | found.keys()):
            if wanted.get(account, 0) != found.get(account, 0):
                text = f"posted {found.get(account, 0)} on {account}, the notes make {wanted.get(account, 0)}"
                yield Finding("posting", f"transaction {transaction}", text)
    known = by_deposit(kept)
    for outcome in kept:
        pair = (outcome.settled, before(outcome.settled, known[outcome.deposit]))
        if outcome.transaction_id is None and legs([pair], outcome.place):
            yield Finding("posting", f"note {outcome.settled.note.note_id}", "is booked by no transaction")


def _expected(kept: Sequence[KeptOutcome]) -> dict[str, dict[str, int]]:
    known = by_deposit(kept)
    groups: dict[tuple[str, Place], list[tuple[Settled, Settled | None]]] = {}
    for outcome in kept:
        if outcome.transaction_id is not None:
            pair = (outcome.settled, before(outcome.settled, known[outcome.deposit]))
            groups.setdefault((outcome.transaction_id, outcome.place), []).append(pair)
    return {transaction: legs(pairs, place) for (transaction, place), pairs in groups.items()}


def _posted(connection: Connection) -> dict[str, dict[str, int]]:
    p = postings.c
    query = select(p.transaction_id, p.account_id, p.amount_minor).join_from(
        postings, transactions, p.transaction_id == transactions.c.transaction_id
    )
    posted: dict[str, dict[str, int]] = {}
    for transaction, account, minor in connection.execute(query.where(transactions.c.kind != TransactionKind.TRANSFER)):
        sums = posted.setdefault(transaction, {})
        sums[account] = sums.get(account, 0) + minor
    return posted


def claims_kept(connection: Connection, kept: Sequence[KeptOutcome]) -> Iterator[Finding]:
    """A note whose last outcome left the customer without the money has an open claim, every other has none."""
    c = claims.c
    rows = connection.execute(select(c.terminal_id, c.deposit_id, c.note_id).where(c.closed_at_us.is_(None))).all()
    open_claims = {(row[0], row[1], row[2]) for row in rows}
    last = {(*outcome.deposit, outcome.settled.note.note_id): outcome for outcome in kept}
    for key, outcome in last.items():
        if bool(outcome.settled.claim_number) != (key in open_claims):
            state = "has no open claim" if outcome.settled.claim_number else "is settled and its claim is open"
            yield Finding("claim", f"note {key[2]}", f"{outcome.settled.note.outcome.value}, and it {state}")
