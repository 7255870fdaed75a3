"""Which cells of the start-up table a run has reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from itertools import product

from drivers.api.cash import Presence
from kiosk.terminal import cash_desk
from kiosk.terminal.recovery import LastRecord, Situation, decide

_UNDECIDED = (LastRecord.ESCROWED, LastRecord.RETURN_INTENDED, LastRecord.STACK_INTENDED)
CELLS = tuple(
    f"{row.name} / {column.name}"
    for row, column in product(LastRecord, Presence)
    if column is not Presence.OTHER_NOTE or row in _UNDECIDED
)
"""Where no note is undecided, what is in escrow is no other note than the one on record."""


@contextmanager
def watched_cells(reached: Counter[str]) -> Generator[None]:
    """Count the cells that the cash desks ask for, as long as this lasts. What they are told is the table's own."""

    def decide_and_count(situation: Situation) -> object:
        reached[f"{situation.last.name} / {situation.presence.name}"] += 1
        return decide(situation)

    setattr(cash_desk, "decide", decide_and_count)  # noqa: B010 - the desk's own name for it
    try:
        yield
    finally:
        setattr(cash_desk, "decide", decide)  # noqa: B010
