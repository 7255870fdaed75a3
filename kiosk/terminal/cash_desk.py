"""The cash desk: the one place where a note's story is written, in step with the device that moves it.

Every event of the cash module arrives here synchronously. The order is always the same: decide, put it on record, and
only then let the device go on (intent before action, record before acknowledgement). What a flow or a screen wants to
know it reads from :attr:`CashDesk.view`; it never talks to the device itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import EllipsisType

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCommand,
    CashEvent,
    CashModule,
    Cleared,
    Completed,
    Escrowed,
    Lost,
    Passed,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Shut,
    Stacked,
    Stacking,
    Trouble,
    TroubleKind,
)
from guichet.ids import DepositId, DeviceSerial, SessionId
from guichet.journal.records import to_wire
from guichet.money import Money
from guichet.v1 import customer_pb2
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.faults import JournalError
from kiosk.journal.folds import BOX_REMOVED, COUNTER_DISAGREES, Deposit, Note, NotePhase
from kiosk.terminal.count_check import CountCheck
from kiosk.terminal.desk_view import Back, DeskView, Stage
from kiosk.terminal.note_book import PRESENCES, NoteBook, Read, cell_name
from kiosk.terminal.offline import Opening
from kiosk.terminal.recovery import Action, LastRecord, Outcome, decide
from kiosk.terminal.situation import KnownDevice, column_of, situation_of

RETURN_TRIES = 4
"""So often a device is told to give a note back before it counts as stuck: a hand may shut the mouth for a while."""

NOT_TAKEN = "note-not-taken"
STUCK = "movement-stuck"
BOX_EXCHANGED = "box-exchanged"
"""Faults that the desk itself finds: a note that nobody takes out of the mouth; one that never arrives; a box, or a
device, that the open deposit's notes did not go into, so that it takes no more of them.
"""


class CashDesk:
    """One cash module and its part of the journal."""

    def __init__(self, cash: CashModule, book: NoteBook) -> None:
        self._cash = cash
        self._book = book
        self._device = KnownDevice(cash.capabilities)
        self._count = CountCheck(book, self._device)
        self._live: DepositId | None = None
        self._denominations: frozenset[Money] = frozenset()
        self._most: Money | None = None
        self._shut = False
        self._kept = 0
        self._listeners: list[Callable[[], None]] = []
        self.view = DeskView()
        cash.subscribe(self._handle)
        cash.remember_by(self._last_mark)

    def _last_mark(self, serial: DeviceSerial) -> int | None:
        return self._book.fold.marks.get(serial)

    def on_change(self, listener: Callable[[], None]) -> None:
        """``listener`` is called whenever :attr:`view` or the journal may have changed."""
        self._listeners.append(listener)

    @property
    def values(self) -> frozenset[Money]:
        """Every value that the device's table names."""
        return frozenset(self._device.values.values())

    @property
    def asks_first(self) -> bool:
        """Whether a note waits in escrow to be decided about; what takes without asking keeps to no limit."""
        return self._device.capabilities.escrow

    @property
    def left(self) -> Money | None:
        """How much the live deposit may still take; None where it has no limit."""
        deposit = self._live_deposit()
        if deposit is None or self._most is None:
            return None
        return self._most - Money(self._book.fold.used_by(deposit), self._most.currency)

    @property
    def shut(self) -> bool:
        """Whether the slot is shut and all that came in is known. Until then nobody else's deposit may begin: a device
        that was silent for a while may still tell of what the one before put in.
        """
        return self._shut

    def ask_whether_shut(self) -> None:
        """Have the device say anew that it is :attr:`shut`: what it said long ago is not about what came in since."""
        self._shut = False
        self._cash.disable()

    # --- what a flow does -------------------------------------------------------------------------------------------

    def open_deposit(
        self,
        session: SessionId,
        account: customer_pb2.Account,
        denominations: frozenset[Money],
        config_version: str,
        opening: Opening | None = None,
    ) -> DepositId:
        """Begin a deposit to ``account``, of notes among ``denominations``; by ``opening`` where the host is away. The
        device must be ready, the slot :attr:`shut`, and no other deposit open.
        """
        if not self.view.ready or self._device.identity is None:
            raise RuntimeError("a deposit needs a cash module that is ready")
        if self._book.fold.open_deposit is not None:
            raise RuntimeError("another deposit is still open")
        if not self._shut:
            raise RuntimeError("what came in before may not all be known yet")
        self._live = self._book.open_deposit(session, account, self._device.identity, config_version, opening)
        self._most = opening.most if opening is not None else None
        self._denominations = denominations
        return self._live

    def accept(self) -> None:
        """Open the slot for the next note, if what it needs can surely be recorded; else the slot stays shut.

        Raises :class:`kiosk.journal.store.JournalError` when the journal fails now.
        """
        deposit = self._live_deposit()
        if deposit is None or not self.view.ready or self._book.fold.open_note is not None:
            return
        if not self._book.journal.can_take_a_note():
            return
        self._book.slot_opens(deposit, self._denominations, self._device)
        self._shut = False
        self._cash.enable()

    def close_slot(self) -> None:
        """Take no further note; one that is on its way is finished."""
        self._cash.disable()

    def take(self) -> None:
        """Stack the note in escrow: the intent first."""
        note = self._book.fold.open_note
        if note is not None and note.phase is NotePhase.ESCROWED:
            self._guarded(lambda: self._intend_stack(note))

    def give_back(self, reason: pb.ReturnReason.ValueType) -> None:
        """Return the note in escrow."""
        note = self._book.fold.open_note
        if note is not None and note.phase is NotePhase.ESCROWED:
            self._change(back=Back.ASKED if reason == pb.RETURN_REASON_CUSTOMER else Back.NOT_ACCEPTED)
            self._guarded(lambda: self._intend_return(note, reason))

    @property
    def attended(self) -> bool:
        """A flow leads the deposit that is open."""
        return self._live is not None

    def close_orphan(self) -> None:
        """A deposit of an earlier life whose notes are all decided closes to its own account, now."""
        self._guarded(lambda: None)

    def abandon(self) -> None:
        """Nobody leads the live deposit any more: it closes to its own account as soon as its last note is decided."""
        if self._live is not None:
            self._live = None
            self._cash.disable()
            self._guarded(lambda: None)

    @property
    def undecided(self) -> bool:
        """A note's outcome is still to come; the deposit cannot be closed."""
        note = self._book.fold.open_note
        return note is not None and note.undecided

    def no_answer(self) -> None:
        """The device has been silent for as long as anyone can wait: the start-up table says what that means."""
        self._guarded(lambda: self._resolve(Presence.NO_ANSWER, None, Read(), restart=True))

    @property
    def keeps_note(self) -> bool:
        """The device was told to give the note back, and says that it still lies in escrow."""
        return self._kept > 0

    def return_again(self) -> None:
        """Have it try once more; where it has kept the note too often, the note counts as stuck."""
        if self._kept >= RETURN_TRIES:
            self._kept = 0
            self._guarded(self._stuck)
        elif self._kept:
            self._cash.return_note()

    def not_taken(self) -> None:
        """A note has been in the mouth for as long as anyone can wait. It is the customer's, and anyone can take it;
        unless the device keeps it.
        """
        if self.view.stage is Stage.RETURNING:
            self._guarded(self._stuck if self.keeps_note else self._presented)

    def _presented(self) -> None:
        note = self._book.fold.open_note
        if note is not None and note.phase is NotePhase.RETURN_INTENDED:
            self._book.presented(note)
        self._book.incident(NOT_TAKEN, "a note lies in the mouth", note)
        self._change(ready=False, fault=NOT_TAKEN, note=None)

    def stuck(self) -> None:
        """A note moves for longer than any movement takes: as good as a jam, until the device says more."""
        self._guarded(self._stuck)

    def _stuck(self) -> None:
        self._book.incident(STUCK, f"in {self.view.stage.name.lower()}", self._book.fold.open_note)
        self._resolve(Presence.JAMMED, None, Read())
        self._change(ready=False, fault=STUCK)

    def close_deposit(self, end: pb.DepositEnd.ValueType) -> None:
        """Close the open deposit, unless a note of it is still undecided. Raises
        :class:`kiosk.journal.store.JournalError`; the deposit then closes after the next start.
        """
        deposit = self._book.fold.open_deposit
        if deposit is None or self.undecided:
            return
        if self._live == deposit.deposit_id:
            self._live = None
        self._shut = False  # A device may say for a moment after ENABLE that it is shut; it says so again now.
        self._cash.disable()
        self._book.close_deposit(deposit, end)
        if self.view.fault == BOX_EXCHANGED:
            self._take_up()
        else:
            self._begin_period_if_due(box_is_in=self.view.ready)

    def box_was_exchanged(self, text: str) -> bool:
        """Somebody says, in ``text``, that the box was exchanged while nobody could see it leave. Gives whether that is
        on record now: not in mid-deposit, nor while a note may still go into one box or the other. Raises
        :class:`kiosk.journal.store.JournalError`.
        """
        fold = self._book.fold
        if fold.open_deposit is not None or (fold.last is not None and fold.last.open):
            return False
        self._book.incident(BOX_REMOVED, text, None)
        if self.view.ready or self.view.fault == COUNTER_DISAGREES:
            self._take_up()
        return True

    # --- what the device says ---------------------------------------------------------------------------------------

    def _handle(self, event: CashEvent) -> None:
        self._guarded(lambda: self._on(event))

    def _guarded(self, work: Callable[[], None]) -> None:
        """What cannot be recorded is not acknowledged, and no further note is let in."""
        try:
            work()
            self._close_orphan()
        except JournalError:
            self._change(ready=False, fault="journal")
            self._cash.disable()
            note = self._book.fold.open_note
            # Also a note that could not be put on record at all. Not one whose stacking is on record and under way.
            if note is None or note.phase is not NotePhase.STACK_INTENDED:
                self._cash.return_note()
        for listener in self._listeners:
            listener()

    def _on(self, event: CashEvent) -> None:
        match event:
            case Answered():
                self._answered(event)
            case Ready():
                self._ready(event)
            case Escrowed():
                self._escrowed(event)
            case Stacked():
                self._stacked(event)
            case Returned(frame, mark):
                self._kept = 0
                self._resolve(Presence.RETURNABLE, None, self._read(frame, mark))
                self._cash.acknowledge()
            case Cleared(counter, enabled):
                self._device.counter = counter
                self._path_is_empty(Stage.OPEN if enabled else Stage.CLOSED)
            case Shut():
                self._shut = True
            case Completed(command, refused):
                self._completed(command, refused)
            case Accepting():
                self._device.moved_after = self._book.fold.last_note
                self._change(stage=Stage.DRAWING_IN, back=Back.NONE)
            case Stacking():
                self._change(stage=Stage.STACKING)
            case Rejected(_, mark):
                if not self.undecided:  # A driver of somebody else may tell it late: it is about the one before then.
                    self._change(stage=Stage.RETURNING, back=Back.NOT_RECOGNISED)
                self._book.read(self._read(b"", mark))
                if mark is not None:
                    self._cash.acknowledge()
            case Trouble():
                self._trouble(event)
            case Passed(mark):
                self._book.read(self._read(b"", mark))
            case Lost(code):
                self._kept = 0  # What it does with the note nobody can ask it now.
                self._change(ready=False, stage=Stage.CLOSED, fault=code)

    def _answered(self, event: Answered) -> None:
        self._kept = 0
        self._count.comes_back()
        period, presence = self._book.fold.box_period, column_of(self._book.fold, event)
        self._device.identity = event.identity or self._device.identity
        if event.identity is None or not event.identity.numbered:
            self._device.unproved_for = self._book.fold.last_note
        self._device.capabilities = self._cash.capabilities
        self._device.counter = event.stacked_counter
        self._book.record(
            pb.DeviceAnswered(
                device="cash",
                device_serial=event.identity.serial if event.identity else "",
                presence=PRESENCES[presence],
                frame=event.frame,
                stacked_counter=event.stacked_counter,
            )
        )
        self._change(ready=False, stage=Stage.CLOSED, fault="")
        another = event.identity is not None and period is not None and event.identity.serial != period.device_serial
        if another and not self._cash.capabilities.escrow:
            lost = "another device answers: nobody can ask the one before what fell into it"
            self._book.incident(TroubleKind.EVENTS_MISSED.value, lost, self._book.fold.open_note)
        if presence is Presence.STACKED and event.mark is not None:
            self._clear_last()  # Its number is not on record, so it is another one's event.
        if presence is Presence.OTHER_DEVICE and event.presence is Presence.STACKED:
            self._decide(presence, None, Read(), restart=True)
            self._close_orphan()
            presence = Presence.STACKED  # What it holds is a note of its own box, which nobody has on record.
        if presence is Presence.STACKED and event.identity is not None and self._period_is_due(box_is_in=False):
            # Also in mid-deposit: that one's notes lie in the other device, and it takes no more of them.
            self._book.begin_period(event.identity, self._device.counter)
        self._resolve(presence, event.note_type, self._read(event.frame, event.mark), restart=True)

    def _ready(self, event: Ready) -> None:
        self._device.identity, self._device.counter = event.identity, event.stacked_counter
        if event.identity.numbered:
            self._device.unproved_for = None  # Its count is that of the device that had the note, or it is another one.
        self._device.values, self._device.table_hash = event.values, event.table_hash
        self._shut = True
        serial = event.identity.serial
        if self._book.fold.table_hashes.get(serial) != event.table_hash:
            types = [pb.NoteTypeValue(note_type=kind, value=to_wire(value)) for kind, value in event.values.items()]
            self._book.record(pb.NoteTableRead(device_serial=serial, table_hash=event.table_hash, types=types))
        self._path_is_empty(Stage.CLOSED)
        self._count.ready()
        self._take_up()

    def _take_up(self) -> None:
        """The device is ready: for deposits, or why not."""
        self._begin_period_if_due(box_is_in=True)
        deposit = self._book.fold.open_deposit
        if self._period_is_due(box_is_in=True) or (deposit is not None and self._lies_elsewhere(deposit)):
            self._change(ready=False, fault=BOX_EXCHANGED)
        elif self._book.fold.count_due:
            self._change(ready=False, fault=COUNTER_DISAGREES)
        else:
            self._change(ready=self._book.journal.failure is None, fault="")

    def _path_is_empty(self, stage: Stage) -> None:
        self._kept = 0
        note = self._book.fold.last
        if note is not None and (note.undecided or note.phase is NotePhase.IN_DOUBT):
            self._resolve(Presence.PATH_EMPTY, None, Read())
            note = self._book.fold.last
        if note is not None and note.phase in (NotePhase.STACKED, NotePhase.ACK_SENT):
            self._book.record(pb.NoteCleared(note_id=note.note_id, stacked_counter=self._device.counter))
            self._count.cleared(note)
            if self._book.fold.count_due:
                self._change(ready=False, fault=COUNTER_DISAGREES)
        if self.view.fault in (NOT_TAKEN, STUCK):
            self._take_up()
        self._change(stage=stage, note=None)

    def _escrowed(self, event: Escrowed) -> None:
        self._clear_last()
        self._kept = 0
        deposit, last, device = self._taking_deposit(), self._book.fold.last, self._device.identity
        self._cash.disable()
        if last is not None and last.undecided:
            # A validator holds one note: this is the one on record, announced again, or that one is not there any more.
            self._resolve(Presence.IN_ESCROW, event.note_type, self._read(event.frame, event.mark))
            return
        if deposit is None or event.value is None or device is None:
            # Nothing about it can be recorded as money: whatever it is, it goes back.
            self._device.moved_after = self._book.fold.last_note
            self._book.read(self._read(b"", event.mark))
            self._change(stage=Stage.RETURNING, back=Back.NOT_ACCEPTED, note=None)
            self._cash.return_note()
            return
        self._book.escrowed(deposit, device, event.value, event)
        self._change(stage=Stage.ESCROW, note=event.value, back=Back.NONE)
        self._turn_away(deposit, event.value)

    def _clear_last(self) -> None:
        """Another note is here: the device is done with the last one."""
        last = self._book.fold.last
        if last is not None and last.phase in (NotePhase.STACKED, NotePhase.ACK_SENT):
            self._book.record(pb.NoteCleared(note_id=last.note_id))

    def _stacked(self, event: Stacked) -> None:
        if event.mark is not None:
            self._clear_last()  # An event with a number of its own is never a repeat.
        deposit, device = self._taking_deposit(), self._device
        unasked = not device.capabilities.escrow
        mine = deposit is not None and event.value is not None and event.value.currency == deposit.currency
        if unasked and mine and deposit is not None and event.value is not None and device.identity is not None:
            self._book.taken(deposit, device.identity, event.value, event, device.table_hash)
            self._act(Action.ACKNOWLEDGE)
            return
        self._resolve(Presence.STACKED, event.note_type, self._read(event.frame, event.mark))
        device.counter = None  # It counts one more now; the next Cleared says how many.

    def _turn_away(self, deposit: Deposit, value: Money) -> None:
        """A note that this deposit does not take goes back at once; so does one that would go into another box than
        those before it.
        """
        note, left = self._book.fold.open_note, self.left
        over, elsewhere = left is not None and left.minor < 0, self._lies_elsewhere(deposit)
        if note is None or (value in self._denominations and not over and not elsewhere):
            return
        if value.currency != deposit.currency:
            self._change(back=Back.OTHER_CURRENCY)
            self._intend_return(note, pb.RETURN_REASON_OTHER_CURRENCY)
        elif value in self._denominations and over:
            self._change(back=Back.LIMIT)
            self._intend_return(note, pb.RETURN_REASON_LIMIT)
        else:
            self._change(back=Back.NOT_ACCEPTED)
            self._intend_return(note, pb.RETURN_REASON_NOT_ACCEPTED)

    def _intend_stack(self, note: Note) -> None:
        self._book.record(pb.StackIntended(note_id=note.note_id, counter_baseline=self._device.counter))
        self._change(stage=Stage.STACKING)
        self._cash.stack()

    def _intend_return(self, note: Note, reason: pb.ReturnReason.ValueType) -> None:
        self._book.record(pb.ReturnIntended(note_id=note.note_id, reason=reason))
        self._change(stage=Stage.RETURNING)
        self._cash.return_note()

    def _completed(self, command: CashCommand, refused: Refusal | None) -> None:
        if refused is Refusal.NOT_DONE and command is CashCommand.STACK:
            self._resolve(Presence.IN_ESCROW, None, Read())
        elif refused is Refusal.NOT_DONE and command is CashCommand.RETURN:
            self._kept += 1
            self._change(stage=Stage.RETURNING)
        elif command is CashCommand.RETURN and refused is None:
            self._kept = 0
        elif command is CashCommand.ENABLE and refused is None:
            self._change(stage=Stage.OPEN)
        elif command is CashCommand.DISABLE and refused is None and self.view.stage is Stage.OPEN:
            self._change(stage=Stage.CLOSED)
        elif command is CashCommand.DISABLE and refused is Refusal.NO_ANSWER and self._live is None:
            self._cash.disable()  # Until it is shut, nobody else's deposit can begin.

    def _trouble(self, trouble: Trouble) -> None:
        code = trouble.code
        if trouble.over:
            self._change(fault="" if self.view.fault == code else self.view.fault)
            return
        self._book.incident(code, "reported by the device", self._book.fold.open_note)
        if trouble.kind in (TroubleKind.JAM, TroubleKind.FAILURE):
            self._resolve(Presence.JAMMED, None, Read())
        if trouble.kind.stops_acceptance:
            note = self._book.fold.open_note
            if note is not None and note.phase is NotePhase.ESCROWED:
                # Nobody will decide about it now, and a device may keep it in escrow and wait for that.
                self._intend_return(note, pb.RETURN_REASON_RECOVERY)
            self._change(ready=False, stage=Stage.CLOSED, fault=code)

    # --- the start-up table at work ---------------------------------------------------------------------------------

    def _resolve(self, presence: Presence, note_type: int | None, read: Read, *, restart: bool = False) -> None:
        """Decide by the table, write it down, then let the device do what follows."""
        self._act(self._decide(presence, note_type, read, restart=restart))

    def _decide(self, presence: Presence, note_type: int | None, read: Read, *, restart: bool) -> Action:
        note = self._book.fold.last
        situation = situation_of(self._book.fold, self._device, presence, note_type, counted_now=restart)
        decision = decide(situation)
        if decision.incident:
            about = note if situation.last is not LastRecord.NONE else None  # The last one is done with.
            self._book.incident(cell_name(situation), f"outcome: {decision.outcome.name.lower()}", about)
        own = replace(read, mark=None) if decision.found else read  # Its event is read once the find is on record.
        if note is not None:
            self._book.decided(note, situation, decision, own, restart=restart)
        else:
            self._book.read(own)
        if decision.found:
            if situation.last is LastRecord.STACKED:
                self._clear_last()
            self._book.found(self._device.identity, note_type, read)
        elif decision.outcome is Outcome.UNCHANGED and presence is Presence.STACKED:
            self._count.taken_for_repeat(note_type, read)
        if situation.presence in (Presence.IN_ESCROW, Presence.OTHER_NOTE):
            self._clear_last()  # A note in escrow is another one: the device is done with what is decided.
        return decision.action

    def _read(self, frame: bytes, mark: int | None) -> Read:
        identity = self._device.identity
        return Read(frame, identity.serial if identity is not None else "", mark)

    def _act(self, action: Action) -> None:
        note = self._book.fold.last
        match action:
            case Action.ACKNOWLEDGE:
                self._cash.acknowledge()
                if note is not None and note.phase is NotePhase.STACKED:
                    self._book.record(pb.AckSent(note_id=note.note_id))
                self._change(stage=Stage.CLEARING)
                self._cash.proceed()
            case Action.RETURN:
                if note is not None and note.phase in (NotePhase.ESCROWED, NotePhase.STACK_INTENDED):
                    intended = pb.ReturnIntended(note_id=note.note_id, reason=pb.RETURN_REASON_RECOVERY)
                    self._book.record(intended)
                self._cash.return_note()
                self._cash.proceed()
            case Action.PROCEED | Action.FINISH | Action.STOP:
                self._cash.proceed()
            case Action.ASK_AGAIN:
                pass  # The supervisor keeps asking for as long as the terminal runs.

    # --- small things -----------------------------------------------------------------------------------------------

    def _close_orphan(self) -> None:
        """A deposit of an earlier life closes to its own account as soon as its last note is decided."""
        deposit = self._book.fold.open_deposit
        if self._book.journal.failure is not None:
            return  # The next start closes it; to try at every event would only disturb the device.
        if deposit is not None and deposit.deposit_id != self._live and not self.undecided:
            self.close_deposit(pb.DEPOSIT_END_RESTART)

    def _begin_period_if_due(self, *, box_is_in: bool) -> None:
        """A box that was out is only known to be back, and the next one's period begun, when the device is ready; and
        not in mid-deposit, which has its notes in the one before.
        """
        identity = self._device.identity
        if identity is not None and self._book.fold.open_deposit is None and self._period_is_due(box_is_in=box_is_in):
            self._book.begin_period(identity, self._device.counter)

    def _period_is_due(self, *, box_is_in: bool) -> bool:
        """What comes in from now on would lie in another box than that of the period on record, or may."""
        fold, identity = self._book.fold, self._device.identity
        another = fold.box_period is None or (identity is not None and fold.box_period.device_serial != identity.serial)
        return another or (fold.box_was_out and box_is_in)

    def _lies_elsewhere(self, deposit: Deposit) -> bool:
        """Another box is in than the one with the notes of ``deposit``, or may be."""
        period = self._book.fold.box_period
        return self._period_is_due(box_is_in=True) or (
            period is not None and period.box_period_id != deposit.box_period_id
        )

    def _taking_deposit(self) -> Deposit | None:
        """The live deposit, once the slot was opened for it: what was drawn in before is not known to be its own."""
        deposit = self._live_deposit()
        return deposit if deposit is not None and deposit.acceptance_opened else None

    def _live_deposit(self) -> Deposit | None:
        return self._book.fold.deposits.get(self._live) if self._live is not None else None

    def _change(
        self,
        *,
        ready: bool | None = None,
        stage: Stage | None = None,
        fault: str | None = None,
        back: Back | None = None,
        note: Money | EllipsisType | None = ...,
    ) -> None:
        view = self.view
        self.view = replace(
            view,
            ready=view.ready if ready is None else ready,
            stage=view.stage if stage is None else stage,
            fault=view.fault if fault is None else fault,
            note=view.note if isinstance(note, EllipsisType) else note,
            back=view.back if back is None else back,
        )
