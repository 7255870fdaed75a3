"""The first answer of a device that came back, gathered from as many polls as it takes to say it. Pure.

After a reset a device says first that it was reset and only later what became of a note, so what it says is waited for.
What is gathered: E1 the note went to the front, E2 to the box; EE a credit that waits to be acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from drivers.api.cash import Escrowed, Presence
from drivers.cash.essp.events import Event, EventCode
from drivers.cash.essp.knowledge import Knowledge
from drivers.cash.essp.messages import Polled
from drivers.cash.essp.states import BACK_AT_RESET, MONEY, MOVES, Where
from drivers.cash.essp.timing import Timing

# Since version 7 a device says at every poll that it is still initialising.
_SAYS_INITIALISING = 7
_RESTS_AFTER_INITIALISING = 2
# How often a reset that is told is answered with a new greeting before the device is taken at its word.
_GREETINGS = 3
_OF_BOX = frozenset({EventCode.BOX_REMOVED, EventCode.BOX_REPLACED})


@dataclass(frozen=True, slots=True)
class Found:
    """Where the note is. ``channel``: of a note in escrow or in the box, where the answer says it."""

    presence: Presence
    where: Where
    frame: bytes
    channel: int | None = None


@dataclass(slots=True)
class Arrival:
    """Polls since the device came back. ``events``: all that they said; ``found``: where the note is, once that is
    known; ``counted``: the counters were asked for after that; ``other``: a note in escrow that is not the one found.
    """

    timing: Timing
    events: list[Event] = field(default_factory=list[Event])
    found: Found | None = None
    counted: bool = False
    other: Escrowed | None = None
    _greetings: int = 0
    _reset: bool = False
    _initialised: bool = False
    _quiet_since: float | None = None
    _rests: int = 0

    @property
    def greeted(self) -> bool:
        """Whether the device has been greeted at all."""
        return self._greetings > 0

    def greets(self) -> None:
        """The device is greeted; what it counts is asked again."""
        self._greetings += 1
        self.counted = False

    @property
    def in_escrow(self) -> bool:
        """Whether there is a note in escrow, whatever is reported first."""
        return self.other is not None or (self.found is not None and self.found.where is Where.ESCROW)

    def held(self, payload: bytes) -> None:
        """HOLD says that there is a note in escrow, and not which."""
        if self.found is None:
            self.found = Found(Presence.IN_ESCROW, Where.ESCROW, payload)
        elif not self.in_escrow:
            self.other = Escrowed(0, None, payload, b"")

    def failed(self, payload: bytes) -> None:
        """The device cannot say: as far as anybody can tell, a jam."""
        self.found = self.found or Found(Presence.JAMMED, Where.NOWHERE, payload)

    def polled(self, answer: Polled, payload: bytes, known: Knowledge, now: float) -> bool:
        """One more poll was answered with ``payload``. Gives whether it says that the device was reset, which may have
        been after the last greeting: then version and key are agreed on anew.
        """
        found = self._hear(answer.events, payload, known.version, now)
        if answer.rest and found is not None and found.where is Where.NOWHERE and found.presence is not Presence.JAMMED:
            found = None  # It may say more than could be read.
        self.found = self.found or found
        channel = next((e.channel for e in reversed(answer.events) if e.code is EventCode.READ), 0)
        if channel and (self.found is None or self.found.presence is not Presence.IN_ESCROW):
            self.other = Escrowed(channel, known.values.get(channel), payload, known.table_hash)
        was_reset = any(event.code is EventCode.SLAVE_RESET for event in answer.events)
        return was_reset and self._greetings < _GREETINGS

    def _hear(self, events: tuple[Event, ...], frame: bytes, version: int, now: float) -> Found | None:
        """What one more poll says; None: not yet."""
        self.events += events
        codes = {event.code for event in events}
        self._reset |= EventCode.SLAVE_RESET in codes
        self._initialised |= EventCode.INITIALISING in codes
        found = _decided(events, frame)
        if found is not None:
            return found
        if not codes.isdisjoint({EventCode.INITIALISING, EventCode.JAM_RECOVERY, EventCode.SLAVE_RESET}):
            self._quiet_since, self._rests = None, 0
            return None
        if self._quiet_since is None:
            self._quiet_since = now
        self._rests += 1
        return Found(self._nothing_shown, Where.NOWHERE, frame) if self._is_over(version, now) else None

    @property
    def _nothing_shown(self) -> Presence:
        """What it means that nothing is shown: while the box is away, nobody can say where what is inside will end."""
        of_box = (event.code for event in reversed(self.events) if event.code in _OF_BOX)
        return Presence.MOVING if next(of_box, None) is EventCode.BOX_REMOVED else Presence.PATH_EMPTY

    def _is_over(self, version: int, now: float) -> bool:
        """Whether a device that shows nothing has nothing more to say. Below version 7 it does not say when it is done
        with a reset, which somebody else may have seen begin.
        """
        if version >= _SAYS_INITIALISING and not self._reset and not self._initialised:
            return True
        if self._initialised and self._rests >= _RESTS_AFTER_INITIALISING:
            return True
        return self._quiet_since is not None and now - self._quiet_since >= self.timing.waking


def _decided(events: Iterable[Event], frame: bytes) -> Found | None:
    """What decides, the surest first: a note in the box, one that went back, one in escrow, one that moves, a jam."""
    by_code = {event.code: event for event in events}
    money = [event for event in events if event.code in MONEY]
    codes = by_code.keys()
    if money:
        return Found(Presence.STACKED, Where.DECIDED, frame, money[0].channel or None)
    if codes & (BACK_AT_RESET | {EventCode.REJECTED}):
        return Found(Presence.RETURNABLE, Where.DECIDED, frame)
    if EventCode.READ in codes and (channel := by_code[EventCode.READ].channel):
        return Found(Presence.IN_ESCROW, Where.ESCROW, frame, channel)
    if codes & {EventCode.UNSAFE_JAM, EventCode.SAFE_JAM, EventCode.PATH_OPEN}:
        return Found(Presence.JAMMED, Where.NOWHERE, frame)
    if EventCode.REJECTING in codes:
        return Found(Presence.RETURNABLE, Where.RETURNING, frame)
    if EventCode.STACKING in codes:
        return Found(Presence.MOVING, Where.STACKING, frame)
    if EventCode.READ in codes:
        return Found(Presence.MOVING, Where.SCANNED, frame)
    return None


def is_at_rest(events: Iterable[Event]) -> bool:
    """Whether nothing moves and nothing waits, by one poll alone."""
    return all(event.code not in MOVES and event.code not in MONEY for event in events)
