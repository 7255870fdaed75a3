"""Rule 9: no deposit begins without the host but by limits that it has signed. Each question gives what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.simulation.bank import HostClock
from tests.simulation.book import Alone, Book
from tests.simulation.kiosk import Kiosk

_DAY_US = 86_400_000_000
_CLOCK_SECONDS = 20


def began(kiosk: Kiosk, book: Book, fact: Any) -> Iterator[str]:
    """By a limit of the newest list, for this card, before the list was over."""
    start, card = fact.offline, kiosk.last_card
    limits = book.limits.limits if book.limits is not None and book.limits.number == start.limits_number else ()
    mine = [one for one in limits if (one.bin, one.currency) == (start.bin, fact.currency)]
    if card is None or not mine or not card.pan.startswith(start.bin.encode()):
        yield f"9: {kiosk.name}: deposit {fact.deposit_id} began without the host by no limit of its list"
        return
    if book.limits is not None and start.started_at_us >= book.limits.expires_at_us:
        yield f"9: {kiosk.name}: deposit {fact.deposit_id} began by limits that were over"
    if fact.account_id or not start.sealed_pan or card.pan in start.SerializeToString():
        yield f"7: {kiosk.name}: deposit {fact.deposit_id} began without the host, and its card is not sealed"
    book.ever.alone[fact.deposit_id] = Alone(card.pan, mine[0], start.started_at_us // _DAY_US)


def began_now(kiosk: Kiosk, book: Book, clock: HostClock | None, fact: Any) -> Iterator[str]:
    """At a time that this boot of the machine has from the host."""
    if book.booted != kiosk.boot.boot_id():
        yield f"9: {kiosk.name}: deposit {fact.deposit_id} began in a boot that has no time from the host"
    if clock is not None and not clock.jumped:
        off = (fact.offline.started_at_us - clock.wall_us()) / 1_000_000
        if not -_CLOCK_SECONDS <= off <= _CLOCK_SECONDS:
            yield f"9: {kiosk.name}: deposit {fact.deposit_id} began at a time that is off by {off:.0f} s"


def within_limits(kiosk: Kiosk, book: Book, one: Alone) -> Iterator[str]:
    """What may go into the box by the day's deposits without the host, this note included."""
    of_bin = {name: other for name, other in book.alone.items() if (other.day, other.limit) == (one.day, one.limit)}
    of_card = {name for name, other in of_bin.items() if other.pan == one.pan}
    notes = [note for note in book.notes.values() if note.intended and note.state != "returned" and note.face]
    taken = Counter[str]()
    for note in notes:
        if note.deposit in of_bin and note.face is not None and note.face[1] == one.limit.currency:
            taken[note.deposit] += note.face[0]
    card = sum(taken[name] for name in of_card)
    if card > one.limit.per_card_day_minor:
        yield f"9: {kiosk.name}: a card deposits {card} in a day without the host"
    if taken.total() > one.limit.per_terminal_day_minor:
        yield f"9: {kiosk.name}: {taken.total()} is deposited in a day without the host"
    if sum(taken[name] > 0 for name in of_card) > one.limit.deposits_per_card_day:
        yield f"9: {kiosk.name}: a card makes {len(of_card)} deposits in a day without the host"
