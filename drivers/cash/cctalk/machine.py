"""The host's side of ccTalk as a pure state machine: inputs and a time go in; bytes, events and a deadline come out.

The life of a connection: *knocking* until it is known who the device is, what it has to tell and where the note is;
that is *reported*, and nothing is done to the device until the caller has it on record and says proceed; *settling*
until all that it had to tell is told, no note moves and it is well; *reading* what its positions are worth; *running*.

What holds throughout (ccTalk generic specification 4.7; sheet sections 4, 6, 7 and 8):

* Events are read as often as one likes, and told one at a time: after one that the caller acknowledges, the next only
  when it has. So the number that is on record is never ahead of what is.
* Route STACK and RETURN are never sent again blindly. When their answer is lost, the events are read; where there are
  none, the time of escrow is started anew, which moves nothing and says whether the note is still there.
* A counter of 0, or inhibits as after power-up, mean that the device has begun anew: then everything does.
* A note that should go back and does not is left alone: to look for it would start the time of escrow anew, and at its
  end the device gives it back by itself.
* A device that says something, and nothing of use, is lost as a silent one is, and asked with pauses that grow.
"""

from __future__ import annotations

from drivers.api.cash import (
    Answered,
    CashCapabilities,
    CashCommand,
    Cleared,
    Escrowed,
    Passed,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Stacked,
    Trouble,
    TroubleKind,
)
from drivers.cash.cctalk.asking import Asking
from drivers.cash.cctalk.events import (
    UNKNOWN_NOTE,
    GivenBack,
    InBox,
    InEscrow,
    Inhibited,
    Judgement,
    Nothing,
    NotTaken,
    OfNote,
    Relieved,
    Reported,
    fault_trouble,
    judge,
)
from drivers.cash.cctalk.messages import EventBuffer, Request
from drivers.cash.cctalk.path import Path
from drivers.cash.cctalk.reader import News
from drivers.cash.cctalk.recall import First, Look, Unread, first_answer
from drivers.cash.cctalk.wire import Errand
from drivers.cash.connection import Phase
from drivers.cash.rest import Asides, Rest
from drivers.cash.steps import (
    Do,
    Recall,
)

_NO_EVENT = Trouble(TroubleKind.JAM, "no-event")
_KEPT = Trouble(TroubleKind.JAM, "escrow")


class Machine(Asking):
    """One connection to one device."""

    @property
    def capabilities(self) -> CashCapabilities:
        """What the device can do."""
        return self.role.capabilities

    def _begin_anew(self) -> None:
        super()._begin_anew()
        self._judged: Judgement | None = None

    # --- events: reading them ---------------------------------------------------------------------------------------

    def _read(self, buffer: EventBuffer, raw: bytes, now: float) -> None:
        news = self._events.read(buffer, raw)
        if news is News.AGAIN:
            self._poll_at, self._fresh = now, False
            return
        self._poll_at = now + self._pace()
        self._fresh = True
        match news:
            case News.FIRST:
                if (identity := self.known.identity) is not None and not self.known.asking:
                    self._out.append(Recall(identity.serial))
            case News.BEGAN_ANEW:
                self._begin_anew()
            case _ if self.phase is Phase.KNOCKING:
                if news is News.SOME and self._events.speaks_of_a_note:
                    self._path.is_clear()  # What escrow said before is not about that note.
                self._place(now)
            case _:
                self._go_on(raw, now)

    def _pace(self) -> float:
        wished = self.known.poll
        return self.timing.poll if self.timing.poll_is_fixed or wished is None else wished

    def _rested(self, ended: Rest[Request]) -> None:
        self._poll_at, self._look_at = ended.polled + self._pace(), ended.aside_at
        self._wire.errand = Errand.EVENTS if ended.last.header is self.role.events else Errand.QUESTION
        self.known.ask(ended.left)

    def _recalled(self, mark: int | None, now: float) -> None:
        if self.phase is Phase.KNOCKING and self._judged is None:
            self._judged = judge(mark, self._events.buffer.counter, restarted=self.known.restarted)
            self._events.meaning = self.known.meaning
            self._events.recall(self._judged)
            self._place(now)

    def _go_on(self, raw: bytes, now: float) -> None:
        """The events are read: what follows from them, and from time."""
        if self._orders.unconfirmed and self._events.speaks_of_a_note:
            self._complete()
        elif self._orders.unconfirmed and self._said_no:
            self._not_done(now)
        quiet = not self._events.waiting and not self._holding
        self._tell(now)
        if quiet and self.phase is Phase.SETTLING:
            self._settle(now)
        elif quiet and self.phase is Phase.RUNNING:
            self._idle(raw, now)

    # --- events: telling them ---------------------------------------------------------------------------------------

    def _place(self, now: float) -> None:
        """Report where the note is, or find out."""
        if self._judged is None:
            return
        waited = self._path.is_overdue(now, self.timing.event)
        events, escrow = self._events, self._path.escrow
        first = first_answer(self.role, self._judged, events.waiting, events.buffer, escrow, waited=waited)
        if isinstance(first, First):
            self._report_first(first, self._judged, now)
        elif first is Look.INSIDE:
            self._look_inside = True

    def _report_first(self, first: First, judged: Judgement, now: float) -> None:
        self._events.cover(first.covered)
        self.phase = Phase.REPORTED
        # What was forgotten may still lie in escrow.
        self._look_inside = first.presence is Presence.FORGOTTEN and self.role.capabilities.escrow
        self._holding = first.presence is Presence.STACKED
        self._path = Path()
        if first.presence in (Presence.IN_ESCROW, Presence.MOVING):
            self._path.comes(UNKNOWN_NOTE if first.note_type is None else first.note_type)
        if first.presence is Presence.MOVING:
            self._path.leaves(now)
        # A coin that fell as the power went is in no buffer, and where none had fallen before, no number shows it.
        shut = self._open_when_lost is False or (self._open_when_lost is None and judged.first_time)
        swallowed = not shut and self.known.restarted and not self.role.capabilities.escrow
        self._open_when_lost = False
        if judged.missed or swallowed:
            self._emit(Trouble(TroubleKind.EVENTS_MISSED))
        raw, identity = self._events.raw, self.known.identity
        self._emit(Answered(identity, first.presence, raw, first.note_type, mark=first.mark))

    def _acknowledge(self, now: float) -> None:
        self._holding = False
        self._tell(now)

    def _proceed(self, now: float) -> None:
        if self.phase is Phase.REPORTED:
            self.phase = Phase.SETTLING
            self._line.hurry(now + self.timing.quiet)
            self._tell(now)

    def _tell(self, now: float) -> None:
        """One after the other, as long as none waits to be acknowledged."""
        waiting = self._events.waiting
        while waiting and not self._holding and self.phase not in (Phase.KNOCKING, Phase.REPORTED):
            self._report(waiting.popleft(), now)

    def _report(self, event: Unread, now: float) -> None:
        known, mark = self.known, event.mark
        match event.meaning:
            case InEscrow(kind):
                self._path.comes(kind)
                self._look_at = now + self.timing.hold
                self._emit(Escrowed(kind, known.values.get(kind), event.raw, known.table_hash, mark))
            case InBox(kind):
                self._note_is_gone()
                value = known.values.get(kind) if kind is not None else None
                self._emit(Stacked(kind, value, event.raw, mark))
            case GivenBack():
                self._note_is_gone()
                self._emit(Returned(event.raw, mark))
            case NotTaken(reason):
                self._holding, self._clear_pending = mark is not None, True
                self._emit(Rejected(reason, mark))
            case Reported(trouble):
                self._trouble(trouble)
            case Relieved():
                self._health.may_be_well()
                known.check()
            case Inhibited():
                self._slot_is(is_open=False)
                if self.phase is Phase.RUNNING:  # Done only if it should be open when its turn comes.
                    self._orders.post(Do(CashCommand.ENABLE, own=True))
            case Nothing():
                pass
        if mark is not None and not isinstance(event.meaning, OfNote | NotTaken):
            self._emit(Passed(mark))

    def _note_is_gone(self) -> None:
        self._path.is_clear()
        self._holding = self._clear_pending = True

    def _trouble(self, trouble: Trouble) -> None:
        for told in self._health.begins(trouble):
            self._emit(told)
        if trouble.kind in (TroubleKind.JAM, TroubleKind.FAILURE):
            self._path.is_clear()  # Whoever hears of a jam has given up the note; an event may still come.
            if self._orders.unconfirmed:
                self._complete(Refusal.NO_ANSWER)
        if trouble.kind.stops_acceptance and self.phase in (Phase.READING, Phase.RUNNING):
            self.phase = Phase.SETTLING
            self.known.drop()
            self._slot_open = self._slot_wanted = False

    # --- at rest ----------------------------------------------------------------------------------------------------

    def _settle(self, now: float) -> None:
        """Nothing more is to be told: wait for a note that moves, then see whether the device is well."""
        if self._path.note is not None:
            if self._path.is_overdue(now, self.timing.event):
                self._miss(now, self._path.note)
        elif not self._look_inside and not self.known.asking and now >= self._health.check_at:
            self._health.check_at = now + self.timing.check
            self.known.check()

    def _idle(self, raw: bytes, now: float) -> None:
        """The events are read, as ``raw``, and nothing is in them that was not told."""
        if self._path.note is not None:
            self._wait_for_its_event(now, self._path.note)
            return
        if self._clear_pending:
            self._clear_pending = False
            self._emit(Cleared(None, self._slot_open))
        if not self._slot_open and not self._orders:
            self._tell_shut()
        if now >= self._look_at and not self.known.asking:
            self._look_at = now + self.timing.look_over
            self.known.ask(self.known.overview)
        if self._nothing_waits():
            self._line.wait_until(self._poll_at)
            poll, pause = self._wire.turn(Request(self.role.events), raw), max(self._pace(), self.timing.quiet)
            self.rest = self._wire.rest(poll, pause, now, self._asides(), self._look_at)

    def _nothing_waits(self) -> bool:
        return not (self.known.asking or self._orders or self._look_inside)

    def _asides(self) -> Asides[Request] | None:
        """The look at more than the events, where the last one is known, and found nothing."""
        questions = self.known.overview
        if not questions or any(question not in self._usual for question in questions):
            return None
        turns = [self._wire.turn(question, self._usual[question]) for question in questions]
        return Asides(turns, self.timing.quiet, self.timing.look_over)

    def _wait_for_its_event(self, now: float, note_type: int) -> None:
        """What became of a note that has left escrow, a device that began anew will never say; and no other either, if
        it has not said it for so long.
        """
        if self._path.is_overdue(now, self.timing.event):
            self._miss(now, note_type)
        elif self._path.is_overdue(now, self.timing.look_over) and now >= self._look_at and not self.known.asking:
            self._look_at = now + self.timing.look_over
            self.known.recognise()

    def _miss(self, now: float, note_type: int) -> None:
        """The event of a note has not come in good time. One that still lies in escrow though its own time there is
        over has to go back all the same, whoever has given it up: now and then it is tried again, which no time begins
        anew for.
        """
        kept = self._path.kept_at is not None
        self._trouble(_KEPT if kept else _NO_EVENT)
        if kept:
            self._path.comes(note_type)
            self._path.is_kept(now)
            self._orders.post(Do(CashCommand.RETURN, own=True))

    def _questions_may_be_done(self, now: float) -> None:
        known, health = self.known, self._health
        if known.asking:
            return
        match self.phase:
            case Phase.SETTLING:
                for told in health.checked(known.fault):
                    self._emit(told)
                if health.well and self._path.note is None and not self._events.waiting:
                    self.phase = Phase.READING
                    known.initialise()
            case Phase.READING if (identity := known.identity) is not None:
                known.read_table()
                self.phase = Phase.RUNNING
                self._slot_open = self._clear_pending = False
                self._usual.clear()
                self._look_at = now + self.timing.look_over
                self._emit(Ready(identity, known.values, known.table_hash, None))
            case Phase.RUNNING if known.restarted:
                self._begin_anew()
            case Phase.RUNNING:
                for told in health.status(known.status):
                    self._emit(told)
                if known.fault:
                    self._trouble(fault_trouble(known.fault))
                elif self._nothing_waits():
                    self._line.wait_until(self._poll_at)
            case _:
                pass
