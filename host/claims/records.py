"""What is kept of counts, proposals and resolutions, and the bytes of each that the host signs. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from guichet.money import Money
from host.claims.box import Line, NoteKey, Pieces
from host.ledger.kinds import Outcome

Content: TypeAlias = "str | int | Sequence[Content] | None"

_FORM = 1
_WITH_OBSTACLES = 2
_WITH_SUBJECT = 2
"""Of the signed bytes: they are never rendered otherwise under the same number."""


@dataclass(frozen=True, slots=True)
class BoxCount:
    """One count of a period's box. ``number`` counts from 1; it replaces the one before. ``witness`` may be empty.
    ``lines`` have the books beside it as they stood at that moment.
    """

    terminal_id: str
    box_period_id: str
    number: int
    counted_by: str
    witness: str
    counted_at_us: int
    lines: tuple[Line, ...]

    @property
    def pieces(self) -> dict[Money, int]:
        """What was there, without denominations of which nothing was."""
        return {line.value: line.pieces for line in self.lines if line.pieces}

    def as_pieces(self, ordinal: int) -> Pieces:
        """The count as a decision takes it."""
        return Pieces(self.box_period_id, ordinal, self.pieces)

    def content(self) -> bytes:
        """What the host signs of it."""
        head = (self.terminal_id, self.box_period_id, self.number, self.counted_by, self.witness, self.counted_at_us)
        form = _WITH_OBSTACLES if any(line.obstacle is not None for line in self.lines) else _FORM
        return _rendered("box count", *head, [_line(line, form) for line in self.lines], form=form)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an operator proposes to decide about a claim in doubt: CREDITED or NOT_FOUND."""

    claim_number: str
    outcome: Outcome
    reason: str
    proposed_by: str
    proposed_at_us: int

    def content(self) -> bytes:
        """What the host signs of it."""
        return _rendered("proposal", *_proposal(self))


@dataclass(frozen=True, slots=True)
class Decision:
    """A proposal that another operator confirmed."""

    proposal_no: int
    proposal: Proposal
    reason: str
    confirmed_by: str
    confirmed_at_us: int


@dataclass(frozen=True, slots=True)
class Subject:
    """What a resolution is about, as the doubt before it has it: the account, empty where there is none, and the value
    of the note.
    """

    account_id: str
    value: Money


@dataclass(frozen=True, slots=True)
class Resolution:
    """Why the host gave a note in doubt its next outcome: a count, or a decision. ``box_period_id``: in whose box the
    note lies. ``subject`` is None where an earlier version signed it without.
    """

    key: NoteKey
    outcome_number: int
    outcome: Outcome
    box_period_id: str
    count_number: int | None
    decision: Decision | None
    resolved_at_us: int
    subject: Subject | None

    def content(self) -> bytes:
        """What the host signs of it, with both operators' words where they decided."""
        key, decision = self.key, self.decision
        said: Content = None
        if decision is not None:
            confirmed = (decision.reason, decision.confirmed_by, decision.confirmed_at_us)
            said = [decision.proposal_no, *_proposal(decision.proposal), *confirmed]
        about: tuple[Content, ...] = ()
        if self.subject is not None:
            value = self.subject.value
            about = (self.subject.account_id, value.currency.code, value.minor)
        return _rendered(
            "resolution", key.terminal_id, key.deposit_id, key.note_id, self.outcome_number, self.outcome.value,
            self.box_period_id, self.count_number, said, self.resolved_at_us, *about,
            form=_WITH_SUBJECT if about else _FORM,
        )  # fmt: skip


def _proposal(proposal: Proposal) -> tuple[Content, ...]:
    said = (proposal.claim_number, proposal.outcome.value, proposal.reason)
    return (*said, proposal.proposed_by, proposal.proposed_at_us)


def _line(line: Line, form: int) -> Content:
    books = (line.credited, line.found, line.withheld, line.in_doubt, line.unsettled)
    said = (line.value.currency.code, line.value.minor, line.pieces, *books, line.verdict.value)
    return said if form == _FORM else (*said, None if line.obstacle is None else line.obstacle.value)


def _rendered(kind: str, *said: Content, form: int = _FORM) -> bytes:
    return json.dumps([f"guichet {kind}", form, *said], separators=(",", ":")).encode("ascii")
