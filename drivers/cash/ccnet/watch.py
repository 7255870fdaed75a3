"""What the caller has been told of the note that is inside, and what that makes of the device's next words. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api.cash import Accepting, CashEvent, Escrowed, Rejected, Returned, Stacked, Stacking
from drivers.cash.ccnet.framing import Frame
from drivers.cash.ccnet.knowledge import Knowledge
from drivers.cash.ccnet.messages import REJECT_REASONS, PollAnswer, State
from drivers.cash.ccnet.states import IN_ESCROW, LEAVES_ESCROW_ALONE


class NoteWatch:
    """One note at a time. ``clear_pending``: one was here, and that the path is empty again has still to be told."""

    def __init__(self) -> None:
        self.clear_pending = False
        self._announced: PollAnswer | None = None

    def reported(self, answer: PollAnswer) -> None:
        """A device that came back was reported to say so."""
        self._announced = answer if answer.state in IN_ESCROW else None

    def follow(self, answer: PollAnswer, found: Frame, known: Knowledge, *, changed: bool) -> Iterator[CashEvent]:
        """What ``answer`` tells of it. A stacked or returned one is told at each poll until that is acknowledged."""
        note_type = answer.detail or 0
        if answer.state not in LEAVES_ESCROW_ALONE:
            self._announced = None
        match answer.state:
            case State.STACKED:
                self.clear_pending = True
                yield Stacked(note_type, known.values.get(note_type), found.raw)
            case State.RETURNED:
                self.clear_pending = True
                yield Returned(found.raw)
            case State.ACCEPTING if changed:
                self.clear_pending = True
                yield Accepting()
            case State.ESCROW if changed and self._announced != answer:
                self._announced, self.clear_pending = answer, True
                yield Escrowed(note_type, known.values.get(note_type), found.raw, known.table_hash)
            case State.STACKING if changed:
                self.clear_pending = True
                yield Stacking()
            case State.REJECTING if changed:
                self.clear_pending = True
                yield Rejected(REJECT_REASONS.get(answer.detail or 0, f"reason-{answer.detail or 0:02x}"))
            case _:
                pass
