"""A terminal's box periods by its replicated journal, and which notes may lie in the box of another. Pure.

A note that came in while a box was in belongs to that box's period. It may lie in the next box instead where it was
undecided while the boxes were exchanged: the head may push into the new box what stuck in it before. That is worked out
so. A note is *under way* from note_escrowed until note_stacked or note_returned; stacked while its box is out, until
the next box_period_opened, for it can be in either. In doubt it stays under way, until the
path is known to be empty while its own box is still in: the doubt itself says so (path empty), acceptance is opened,
another note is escrowed, or a note is cleared. That a cash module answers at a start that its path is empty is no such
thing: its box may have been out before it was asked. The box is in until the incident
``box-removed``; where there is none, until box_period_opened. Every note that is under way at box_period_opened of the
same cash module may lie in both boxes. That record comes after the module was ready again, so a doubt goes no further;
a note without any outcome stays under way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from guichet.ids import NO_SERIAL
from guichet.v1 import journal_pb2 as pb

BOX_REMOVED = "box-removed"
"""The terminal's word for a cash box that left its place."""


@dataclass(frozen=True, slots=True)
class BoxPeriod:
    """What went into one cash box. The moments are those of the terminal's clock, in microseconds since 1970: evidence
    for people. ``ended_at_us`` is None while its box is in, as far as the journal is here. ``exchanged``: a box was
    seen to leave before it ended; where none was, as with a new disk or another cash module before the same box, its
    box can be that of the next period, too.
    """

    box_period_id: str
    device_serial: str
    opened_at_us: int
    ended_at_us: int | None = None
    exchanged: bool = False


@dataclass(frozen=True, slots=True)
class _UnderWay:
    device_serial: str
    doubtful: bool = False
    stacked: bool = False


class Periods:
    """The periods of one terminal, folded from its records in order. ``found``: in the order of the journal."""

    def __init__(self) -> None:
        self.found: dict[str, BoxPeriod] = {}
        self._also: dict[str, frozenset[str]] = {}
        self._under_way: dict[str, _UnderWay] = {}
        self._current: str | None = None
        self._box_is_out = False

    def candidates(self, note_id: str, own: str) -> frozenset[str]:
        """The periods in whose box the note may lie: ``own`` and those that it was under way into."""
        return self._also.get(note_id, frozenset()) | {own}

    def ordinal(self, period: str) -> int:
        """The place of a period among the terminal's, from 0. Raises KeyError for one that it does not have."""
        return {name: index for index, name in enumerate(self.found)}[period]

    def joined(self) -> frozenset[str]:
        """The periods that may share their box with a neighbour: no box was seen to leave between the two."""
        return frozenset(name for pair in self.unseen_exchanges() for name in pair)

    def unseen_exchanges(self) -> tuple[tuple[str, str], ...]:
        """The periods between which no box was seen to leave, each with the one after it."""
        return tuple(pair for pair in pairwise(self.found) if not self.found[pair[0]].exchanged)

    def was_out(self, period: str) -> None:
        """Its box was out before the next period began, though the journal does not say so."""
        self.found[period] = replace(self.found[period], exchanged=True)

    def end(self, at_us: int) -> None:
        """Its terminal says nothing more: the box that was in is out, wherever that is."""
        if self._current is not None:
            self.found[self._current] = replace(self.found[self._current], ended_at_us=at_us, exchanged=True)

    def add(self, records: Iterable[pb.JournalRecord]) -> None:
        """Take records into account, in the order of the journal."""
        for record in records:
            self._apply(record)

    def _apply(self, record: pb.JournalRecord) -> None:
        match record.WhichOneof("fact"):
            case "box_period_opened":
                self._opened(record.box_period_opened, record.recorded_at_us)
            case "incident":
                self._box_is_out |= record.incident.code == BOX_REMOVED
            case "note_escrowed":
                self._path_is_empty()
                self._under_way[record.note_escrowed.note_id] = _UnderWay(record.note_escrowed.device_serial)
            case "note_in_doubt":
                self._doubted(record.note_in_doubt)
            case "note_stacked":
                self._stacked(record.note_stacked.note_id)
            case "note_returned":
                self._under_way.pop(record.note_returned.note_id, None)
            case "acceptance_opened" | "note_cleared":
                self._path_is_empty()
            case _:
                return

    def _doubted(self, fact: pb.NoteInDoubt) -> None:
        note = self._under_way.get(fact.note_id)
        if note is None:
            return
        self._under_way[fact.note_id] = replace(note, doubtful=True)
        if fact.presence == pb.DEVICE_PRESENCE_PATH_EMPTY:
            self._path_is_empty()

    def _stacked(self, note_id: str) -> None:
        """While the box is out nobody knows whether it went in before, or into the next."""
        note = self._under_way.pop(note_id, None)
        if note is not None and self._box_is_out:
            self._under_way[note_id] = replace(note, doubtful=False, stacked=True)

    def _path_is_empty(self) -> None:
        """What was in doubt is in the box or gone, if its box is still in: afterwards the new one may have it."""
        if not self._box_is_out:
            self._under_way = {name: note for name, note in self._under_way.items() if not note.doubtful}

    def _opened(self, fact: pb.BoxPeriodOpened, at_us: int) -> None:
        before = self._current
        if before is not None and before != fact.box_period_id:
            self.found[before] = replace(self.found[before], ended_at_us=at_us, exchanged=self._box_is_out)
        self._current, self._box_is_out = fact.box_period_id, False
        self.found.setdefault(fact.box_period_id, BoxPeriod(fact.box_period_id, fact.device_serial, at_us))
        for name, note in self._under_way.items():
            if _same(note.device_serial, fact.device_serial):
                self._also[name] = self._also.get(name, frozenset()) | {fact.box_period_id}
        undecided = {name: note for name, note in self._under_way.items() if not note.doubtful and not note.stacked}
        self._under_way = undecided


def _same(one: str, other: str) -> bool:
    """Whether two serial numbers can be of one device; what is not known can be any."""
    return one == other or not {"", NO_SERIAL}.isdisjoint((one, other))
