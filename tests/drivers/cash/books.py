"""A caller with books: the start-up table itself, with nothing on record but what survives its death."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.api.cash import (
    Answered,
    CashCommand,
    CashEvent,
    Cleared,
    Completed,
    Escrowed,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Stacked,
    Trouble,
    TroubleKind,
)
from drivers.cash.steps import Acknowledge, Do, Input, Proceed
from kiosk.terminal.recovery import Action, Count, EventOf, LastRecord, Outcome, Situation, decide
from tests.drivers.cash.bench import AnyBench

UNDECIDED = (LastRecord.ESCROWED, LastRecord.RETURN_INTENDED, LastRecord.STACK_INTENDED)


@dataclass(slots=True)
class Books:
    """``row`` and ``kind``: the last note on record. The counts are of notes; ``doubts`` of those still in doubt.
    ``dies_at``: the process dies when it is told that many events from now, with the last of them not on record.
    ``names_type``: whether a stacked event says which note it is of. ``baseline``: the device's own count when the
    last note was to be stacked, of ``modulus`` and ``count`` now. ``numbered``: no event comes twice under one number,
    so that a stacked event after another is another note's; else it is the same one until the device is done with it.
    """

    names_type: bool = True
    numbered: bool = False
    modulus: int | None = None
    baseline: int | None = None
    count: int | None = None
    row: LastRecord = LastRecord.NONE
    kind: int | None = None
    mark: int | None = None
    credited: int = 0
    found: int = 0
    returned: int = 0
    doubts: int = 0
    dies_at: int | None = None
    dead: bool = False
    posts: list[Input] = field(default_factory=list[Input])

    def handle(self, event: CashEvent) -> list[Input]:
        """What the caller does about ``event``, as the cash desk would."""
        if self.dies_at is not None:
            self.dies_at -= 1
            self.dead |= self.dies_at <= 0
        if self.dead:
            return []
        self.posts = []
        self._on(event)
        return self.posts

    def intend(self, command: CashCommand) -> list[Input]:
        """Stack or return the note in escrow: the intent is on record first."""
        if self.row is not LastRecord.ESCROWED or self.dead:
            return []
        self.baseline = self.count
        self.row = LastRecord.STACK_INTENDED if command is CashCommand.STACK else LastRecord.RETURN_INTENDED
        return [Do(command)]

    def _on(self, event: CashEvent) -> None:
        match event:
            case Answered(_, presence, _, note_type, count, mark):
                self.count = count
                self._resolve(presence, note_type, mark)
            case Escrowed():
                self._escrowed(event)
            case Stacked(note_type, _, _, mark):
                if self.numbered:
                    self._done()
                self._resolve(Presence.STACKED, note_type, mark)
            case Returned(_, mark):
                self._resolve(Presence.RETURNABLE, None, mark)
                self.posts.append(Acknowledge())
            case Rejected(_, mark) if mark is not None:
                self.mark = mark
                self.posts.append(Acknowledge())
            case Cleared(stacked_counter=count) | Ready(stacked_counter=count):
                self.count = count
                self._done()
                if self.row in UNDECIDED or self.row is LastRecord.IN_DOUBT:
                    self._resolve(Presence.PATH_EMPTY, None, None)
            case Trouble(kind, _, False) if kind in (TroubleKind.JAM, TroubleKind.FAILURE):
                self.baseline = None  # What is taken out by hand is not counted, and did not go back either.
                self._resolve(Presence.JAMMED, None, None)
            case Completed(CashCommand.STACK, Refusal.NOT_DONE):
                self._resolve(Presence.IN_ESCROW, None, None)
            case Completed(CashCommand.RETURN, Refusal.NOT_DONE):
                self.posts.append(Do(CashCommand.RETURN))
            case _:
                pass

    def _counted(self) -> Count:
        if self.baseline is None or self.count is None or self.modulus is None:
            return Count.UNKNOWN
        more = (self.count - self.baseline) % self.modulus
        return {0: Count.SAME, 1: Count.ONE_MORE}.get(more, Count.OTHER)

    def _escrowed(self, event: Escrowed) -> None:
        self._done()
        self.posts.append(Do(CashCommand.DISABLE))
        if self.row in UNDECIDED:
            self._resolve(Presence.IN_ESCROW, None, event.mark)
            return
        self.mark = event.mark if event.mark is not None else self.mark
        if event.value is None:
            self.posts.append(Do(CashCommand.RETURN))
        else:
            self.row, self.kind = LastRecord.ESCROWED, event.note_type

    def _done(self) -> None:
        if self.row is LastRecord.STACKED:
            self.row = LastRecord.NONE

    def _resolve(self, presence: Presence, note_type: int | None, mark: int | None) -> None:
        decision = decide(Situation(self.row, presence, self._event_of(note_type), self._counted()))
        self.mark = mark if mark is not None else self.mark
        was_in_doubt = self.row is LastRecord.IN_DOUBT
        match decision.outcome:
            case Outcome.CREDITED:
                self.credited, self.row = self.credited + 1, LastRecord.STACKED
                self.doubts -= was_in_doubt
            case Outcome.RETURNED:
                self.returned, self.row = self.returned + 1, LastRecord.NONE
                self.doubts -= was_in_doubt
            case Outcome.IN_DOUBT:
                self.doubts, self.row = self.doubts + 1, LastRecord.IN_DOUBT
            case Outcome.UNCHANGED | Outcome.UNDECIDED:
                pass
        if decision.found:
            self.found, self.row = self.found + 1, LastRecord.NONE
        self._act(decision.action)

    def _event_of(self, note_type: int | None) -> EventOf:
        if self.row is not LastRecord.NONE and note_type is None and self.names_type:
            return EventOf.UNTOLD
        named = note_type == self.kind or not self.names_type
        return EventOf.OURS if self.row is not LastRecord.NONE and named else EventOf.ANOTHER

    def _act(self, action: Action) -> None:
        if action is Action.ACKNOWLEDGE:
            self.posts.append(Acknowledge())
        if action is Action.RETURN:
            if self.row in (LastRecord.ESCROWED, LastRecord.STACK_INTENDED):
                self.row = LastRecord.RETURN_INTENDED
            self.posts.append(Do(CashCommand.RETURN))
        if action is not Action.ASK_AGAIN:
            self.posts.append(Proceed())


def keep_books(bench: AnyBench) -> Books:
    """A caller with books for this bench, from now on."""
    able = bench.machine.capabilities
    books = Books(able.names_type, able.marks, able.counter_modulus)
    bench.desk = books.handle
    return books


def intend(bench: AnyBench, books: Books, command: CashCommand) -> None:
    """The caller decides about the note in escrow."""
    for happened in books.intend(command):
        bench.step(happened)
