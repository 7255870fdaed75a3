"""Days and times for people, from the clock that was passed in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from guichet.seams import Clock


def today(clock: Clock) -> date:
    """The day by the terminal's wall clock, UTC."""
    return _moment(clock).date()


def days_ago(clock: Clock, days: int) -> date:
    """The day ``days`` before today."""
    return today(clock) - timedelta(days=days)


def stamp(clock: Clock) -> str:
    """``2026-01-31 14:05 UTC``: what a receipt says of the time."""
    return _moment(clock).strftime("%Y-%m-%d %H:%M UTC")


def expired(expiry: str, clock: Clock) -> bool:
    """Whether a card's YYMM lies before this month. The host decides; this only spares the customer a PIN."""
    year_month = month_of(clock.wall_us())
    return len(expiry) == 4 and expiry.isdecimal() and expiry < year_month


def month_of(wall_us: int) -> str:
    """The month of a moment, in microseconds since 1970, as a card has it: YYMM."""
    return datetime.fromtimestamp(wall_us / 1_000_000, UTC).strftime("%y%m")


def _moment(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.wall_us() / 1_000_000, UTC)
