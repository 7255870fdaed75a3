"""From the ground: the lists are the host's own, and each deposit is booked to the account that was found for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from guichet.offline import OfflineError, parse_limits
from guichet.seams import Domain
from guichet.signing import BadSignature, verify
from host.ledger.evidence import Finding, readable_advices
from host.ledger.reading import KeptOutcome
from host.offline.schema import offline_deposits, offline_limits


def offline_stands(connection: Connection, host_key: bytes, kept: Sequence[KeptOutcome]) -> Iterator[Finding]:
    """What is wrong with lists and with deposits that began without the host. ``host_key``: the public signing key."""
    yield from _lists_stand(connection, host_key)
    d = offline_deposits.c
    rows = connection.execute(select(d.terminal_id, d.deposit_id, d.account_id)).all()
    found = {(terminal, deposit): account for terminal, deposit, account in rows}
    named = {name for name, advice in readable_advices(connection).items() if advice.offline is not None}
    for outcome in kept:
        account = found.get(outcome.deposit)
        if account is None and outcome.advice_hash in named:
            text = "is of a deposit whose advice names a card, and whose card that is was not kept"
            yield Finding("offline", f"note {outcome.settled.note.note_id}", text)
        if account is not None and outcome.settled.account_id != account:
            text = f"is booked to account {outcome.settled.account_id!r}, its deposit's card stands for {account!r}"
            yield Finding("offline", f"note {outcome.settled.note.note_id}", text)


def _lists_stand(connection: Connection, host_key: bytes) -> Iterator[Finding]:
    c = offline_limits.c
    for terminal, number, content, signature in connection.execute(
        select(c.terminal_id, c.number, c.content, c.signature).order_by(c.terminal_id, c.number)
    ):
        subject = f"offline limits {number} of {terminal}"
        try:
            verify(host_key, Domain.OFFLINE_LIMITS, content, signature)
            limits = parse_limits(content)
        except (BadSignature, OfflineError) as error:
            yield Finding("offline", subject, str(error))
            continue
        if (limits.terminal_id, limits.number) != (terminal, number):
            yield Finding("offline", subject, f"are list {limits.number} of {limits.terminal_id}")
