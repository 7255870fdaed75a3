"""Counted failures: after too many within a window, a bucket answers no more until the window is over."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from host.store.schema import attempts

_MINUTE_US = 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``failures`` within ``window_us`` microseconds of the first of them."""

    failures: int
    window_us: int


WRONG_CODES = Limit(failures=10, window_us=10 * _MINUTE_US)
WRONG_PASSWORDS = Limit(failures=5, window_us=15 * _MINUTE_US)


def exhausted(connection: Connection, bucket: str, limit: Limit, now_us: int) -> bool:
    """Whether ``bucket`` has had its failures and must wait."""
    query = select(attempts.c.failures, attempts.c.since_us).where(attempts.c.bucket == bucket)
    row = connection.execute(query).first()
    if row is None:
        return False
    failures, since_us = row
    return failures >= limit.failures and now_us - since_us < limit.window_us


def failed(connection: Connection, bucket: str, limit: Limit, now_us: int) -> None:
    """Count one failure; a window that is over begins anew."""
    over = attempts.c.since_us <= now_us - limit.window_us
    connection.execute(delete(attempts).where(attempts.c.bucket == bucket, over))
    statement = insert(attempts).values(bucket=bucket, failures=1, since_us=now_us)
    statement = statement.on_conflict_do_update(
        index_elements=[attempts.c.bucket], set_={"failures": attempts.c.failures + 1}
    )
    connection.execute(statement)


def succeeded(connection: Connection, bucket: str) -> None:
    """Forget the failures of ``bucket``."""
    connection.execute(delete(attempts).where(attempts.c.bucket == bucket))
