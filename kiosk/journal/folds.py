"""What the journal amounts to: the open session, notes, deposits, the outbox, the box's counts. Pure.

A fold is a function of the records in their order and of nothing else; folding again from the start gives the same.
It forgets: when a session begins, what is done with goes, and only its counts stay. So it is as large as what is open,
not as what has ever been.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from hashlib import sha256

from drivers.api.cash import TroubleKind
from guichet.ids import AccountId, BoxPeriodId, DepositId, DeviceSerial, NoteId, SessionId
from guichet.journal.chain import Entry
from guichet.journal.records import Fact, from_wire
from guichet.money import Currency, Money, total
from guichet.offline import OfflineStart, start_of
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.offline import Card, Offline, TrustedTime, Use

BOX_REMOVED = TroubleKind.BOX_REMOVED.value
COUNTER_DISAGREES = "counter-disagrees"
"""Incidents that mean something for what comes after them."""


class NotePhase(Enum):
    """How far a note has come, by the last record about it."""

    ESCROWED = auto()
    RETURN_INTENDED = auto()
    STACK_INTENDED = auto()
    STACKED = auto()
    ACK_SENT = auto()
    CLEARED = auto()
    RETURNED = auto()
    IN_DOUBT = auto()
    FOUND = auto()


_UNDECIDED = frozenset({NotePhase.ESCROWED, NotePhase.RETURN_INTENDED, NotePhase.STACK_INTENDED})
# An answer after which a stacked event may be another note's than the last one's.
_MOVEMENT = frozenset({pb.DEVICE_PRESENCE_MOVING, pb.DEVICE_PRESENCE_IN_ESCROW, pb.DEVICE_PRESENCE_RETURNABLE})
_MAY_COME_IN = frozenset({NotePhase.ESCROWED, NotePhase.STACK_INTENDED, NotePhase.IN_DOUBT})
_IN_BOX = frozenset({NotePhase.STACKED, NotePhase.ACK_SENT, NotePhase.CLEARED})

Place = tuple[int, int]
"""Where a record stands: epoch and sequence. It alone orders records."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note's story so far. ``value`` is None only for a find of unknown value; ``doubted_at`` is what the device
    had said when it came to be in doubt; ``decided_at`` is the record of its last outcome; ``earlier`` are the outcomes
    before the last, by number. ``presented``: handed back, and nobody took it.
    """

    note_id: NoteId
    deposit_id: DepositId
    phase: NotePhase
    value: Money | None
    note_type: int
    device_serial: DeviceSerial
    box_period_id: BoxPeriodId
    counter_baseline: int | None = None
    outcome_number: int = 0
    doubted_at: pb.DevicePresence.ValueType = pb.DEVICE_PRESENCE_UNSPECIFIED
    decided_at: Place = (0, 0)
    earlier: tuple[tuple[int, NotePhase], ...] = ()
    presented: bool = False

    @property
    def undecided(self) -> bool:
        """No outcome yet."""
        return self.phase in _UNDECIDED

    @property
    def credited(self) -> bool:
        """In the box, for the customer."""
        return self.phase in _IN_BOX

    @property
    def open(self) -> bool:
        """The device may still have something to say about it."""
        return self.undecided or self.phase in (NotePhase.STACKED, NotePhase.ACK_SENT)


@dataclass(frozen=True, slots=True)
class Deposit:
    """One deposit. ``closed`` once its deposit_closed is written; ``offline``: how it began where the host was away."""

    deposit_id: DepositId
    session_id: SessionId
    account_id: AccountId
    account_masked: str
    currency: Currency
    box_period_id: BoxPeriodId
    device_serial: DeviceSerial
    device_simulated: bool
    notes: tuple[NoteId, ...] = ()
    closed: bool = False
    acceptance_opened: bool = False
    offline: OfflineStart | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """Signed bytes about a deposit that the host has not answered yet."""

    deposit_id: DepositId
    content: bytes
    signature: bytes
    attempts: int = 0

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content: its name."""
        return sha256(self.content).digest()


@dataclass(frozen=True, slots=True)
class BoxPeriod:
    """What goes into a cash box between two exchanges. ``device_serial`` is the module that holds it."""

    box_period_id: BoxPeriodId
    device_serial: DeviceSerial


@dataclass(slots=True)
class Fold:
    """The state after some records. :meth:`apply` is the only thing that changes it.

    ``box_was_out``: the cash box left its place in this period. ``count_due``: the device's counter disagreed with an
    outcome, and nobody has counted yet. A new period ends both. ``end_is_lost``: the journal was restored without its
    end, and the slot was not opened since, so what is stacked may be a note that the lost end accounts for.
    ``answers``: what the host said of each deposit, one SettlementAnswer in which a note's last answer counts.
    ``marks``: how far each device's events have been read that numbers them itself. ``simulated``: devices that said of
    themselves that they are no real ones. ``forgotten``: how many of the notes that are not here any more lie in the
    box that is in, by value and kind. ``offline``: what deposits without the host go by.
    """

    session: SessionId | None = None
    box_period: BoxPeriod | None = None
    notes: dict[NoteId, Note] = field(default_factory=dict[NoteId, Note])
    deposits: dict[DepositId, Deposit] = field(default_factory=dict[DepositId, Deposit])
    outbox: dict[bytes, Advice] = field(default_factory=dict[bytes, Advice])
    answers: dict[DepositId, bytes] = field(default_factory=dict[DepositId, bytes])
    marks: dict[DeviceSerial, int] = field(default_factory=dict[DeviceSerial, int])
    tables: dict[DeviceSerial, dict[int, Money]] = field(default_factory=dict[DeviceSerial, dict[int, Money]])
    table_hashes: dict[DeviceSerial, bytes] = field(default_factory=dict[DeviceSerial, bytes])
    simulated: set[DeviceSerial] = field(default_factory=set[DeviceSerial])
    forgotten: Counter[tuple[Money, NotePhase]] = field(default_factory=Counter[tuple[Money, NotePhase]])
    last_note: NoteId | None = None
    open_deposit_id: DepositId | None = None
    moved_since_cleared: bool = False
    box_was_out: bool = False
    count_due: bool = False
    end_is_lost: bool = False
    offline: Offline = field(default_factory=Offline)

    # --- questions --------------------------------------------------------------------------------------------------

    @property
    def open_note(self) -> Note | None:
        """The note that the device may still have something to say about; a validator has at most one."""
        note = self.notes.get(self.last_note) if self.last_note is not None else None
        return note if note is not None and note.open else None

    @property
    def last(self) -> Note | None:
        """The last note that was in the device's hands."""
        return self.notes.get(self.last_note) if self.last_note is not None else None

    @property
    def open_deposit(self) -> Deposit | None:
        """The deposit that is not closed; there is at most one."""
        return self.deposits.get(self.open_deposit_id) if self.open_deposit_id is not None else None

    def notes_of(self, deposit: DepositId) -> list[Note]:
        """A deposit's notes, in the order in which they came."""
        return [self.notes[note] for note in self.deposits[deposit].notes]

    @property
    def in_doubt(self) -> list[Note]:
        """Notes whose outcome cannot be known."""
        return [note for note in self.notes.values() if note.phase is NotePhase.IN_DOUBT]

    @property
    def at_rest(self) -> bool:
        """Nobody is served, no deposit is open, and no note is on its way."""
        return self.session is None and self.open_deposit_id is None and self.open_note is None

    @property
    def size(self) -> int:
        """How many things it remembers."""
        things = (self.notes, self.deposits, self.outbox, self.answers, self.offline.forgotten)
        return sum(len(remembered) for remembered in things)

    def value_decided_after(self, place: Place, currency: Currency) -> Money:
        """What the notes of ``currency`` are worth that are in the box, or may be, by records after ``place``. Without
        those that the host has answered, for what it has booked is safe with it, whatever becomes of the records.
        """
        advised = self._advised()
        values = (
            note.value
            for note in self.notes.values()
            if note.decided_at > place and _counted(note) and self._is_owed(note, advised)
        )
        return total((value for value in values if value is not None and value.currency == currency), currency)

    def box_counts(self) -> Counter[tuple[BoxPeriodId, Money, NotePhase]]:
        """Notes in the box that is in, by its period, value and kind: CLEARED for all that are credited, IN_DOUBT,
        FOUND.
        """
        if self.box_period is None:
            return Counter()
        period = self.box_period.box_period_id
        counts = self.forgotten.copy()
        for note in self.notes.values():
            if note.box_period_id == period and note.value is not None and _counted(note):
                counts[note.value, _kind(note)] += 1
        return Counter({(period, value, kind): count for (value, kind), count in counts.items()})

    def is_owed(self, note: Note) -> bool:
        """Whether the host has still to hear of ``note``, or to answer."""
        return self._is_owed(note, self._advised())

    def offline_uses(self, day: int) -> dict[Card, Use]:
        """What has been deposited without the host on ``day``, by card: all that lies in the box, or may."""
        uses = dict(self.offline.forgotten) if day == self.offline.day else {}
        for deposit in self.deposits.values():
            if deposit.offline is not None and deposit.offline.day == day:
                card = Card.of(deposit.offline)
                uses[card] = uses.get(card, Use()) + Use.of_deposit(self.used_by(deposit))
        return {card: use for card, use in uses.items() if use != Use()}

    def used_by(self, deposit: Deposit) -> int:
        """Minor units of its currency that are in the box by ``deposit``, may be, or are on their way there."""
        notes = (self.notes[note] for note in deposit.notes)
        values = (note.value for note in notes if note.credited or note.phase in _MAY_COME_IN)
        return sum(value.minor for value in values if value is not None and value.currency == deposit.currency)

    # --- forgetting -------------------------------------------------------------------------------------------------

    def _advised(self) -> set[DepositId]:
        return {advice.deposit_id for advice in self.outbox.values()}

    def _under(self, note: Note) -> DepositId:
        """Under which deposit the host is told of ``note``; a find that has none goes by its own name."""
        return note.deposit_id if note.deposit_id in self.deposits else DepositId(note.note_id)

    def _is_owed(self, note: Note, advised: set[DepositId]) -> bool:
        """The host has still to hear of it, or to answer. A find of unknown value is never told."""
        under = self._under(note)
        return note.value is not None and _counted(note) and (under in advised or under not in self.answers)

    def _forget(self) -> None:
        """Let go of the deposits, and the finds, that nothing can be said about any more: closed, answered, without an
        open note or one in doubt (a counter or an event may still decide it), and not the last note's.
        """
        advised = self._advised()
        held = advised | {deposit.deposit_id for deposit in self.deposits.values() if self._goes_on(deposit)}
        for note in self.notes.values():
            doubtful = note.open or note.phase is NotePhase.IN_DOUBT
            if doubtful or note.note_id == self.last_note or self._is_owed(note, advised):
                held.add(self._under(note))
        period = self.box_period.box_period_id if self.box_period is not None else None
        kept: dict[NoteId, Note] = {}
        for note in self.notes.values():
            if self._under(note) in held:
                kept[note.note_id] = note
            elif note.box_period_id == period and note.value is not None and _counted(note):
                self.forgotten[note.value, _kind(note)] += 1
        for name, deposit in self.deposits.items():
            if name not in held and deposit.offline is not None:
                self.offline.forget(deposit.offline, self.used_by(deposit))
        self.notes = kept
        self.deposits = {name: deposit for name, deposit in self.deposits.items() if name in held}
        self.answers = {name: answer for name, answer in self.answers.items() if name in held}

    def _goes_on(self, deposit: Deposit) -> bool:
        return not deposit.closed or (self.session is not None and deposit.session_id == self.session)

    # --- records ----------------------------------------------------------------------------------------------------

    def apply(self, entry: Entry, fact: Fact) -> None:
        """Take one more record into account."""
        match fact:
            case pb.SessionOpened():
                # Not before: after a restart the last customer may still be shown what became of the money.
                self._forget()
                self.session = SessionId(fact.session_id)
            case pb.SessionClosed():
                self.session = None
            case pb.BoxPeriodOpened():
                self.box_period = BoxPeriod(BoxPeriodId(fact.box_period_id), DeviceSerial(fact.device_serial))
                self.box_was_out, self.count_due = False, False
                self.forgotten.clear()
            case pb.DeviceAnswered():
                self.moved_since_cleared |= fact.presence in _MOVEMENT
            case pb.EventsRead():
                self.marks[DeviceSerial(fact.device_serial)] = fact.mark
            case pb.NoteTableRead():
                serial = DeviceSerial(fact.device_serial)
                self.tables[serial] = {kind.note_type: from_wire(kind.value) for kind in fact.types}
                self.table_hashes[serial] = fact.table_hash
            case pb.DepositOpened() | pb.AcceptanceOpened() | pb.DepositClosed():
                self._apply_deposit(fact)
            case pb.AdviceSigned() | pb.SettlementSent() | pb.Settled():
                self._apply_settlement(fact)
            case pb.Incident():
                self.box_was_out |= fact.code == BOX_REMOVED
                self.count_due |= fact.code == COUNTER_DISAGREES
            case pb.OfflineLimitsReceived():
                self.offline.limits = fact.content
            case pb.TimeTrusted():
                self.offline.trust(TrustedTime(fact.boot_id, fact.since_boot_us, fact.host_time_us))
            case pb.JournalRestored():
                self._goes_on_without_its_end()
            case pb.TerminalStarted():
                pass
            case _:
                self._apply_note(fact, (entry.epoch, entry.sequence))

    def _goes_on_without_its_end(self) -> None:
        """What came last is not here: whatever the device says may be of a note that nobody knows, and the box may be
        another. So nothing is the last note's any more, and a new period begins.
        """
        last = self.last
        if last is not None and last.credited:
            self._advance(last.note_id, NotePhase.CLEARED)
        self.last_note, self.moved_since_cleared = None, False
        self.box_was_out, self.end_is_lost = True, True
        self.offline.lost_its_end()

    def _apply_deposit(self, fact: pb.DepositOpened | pb.AcceptanceOpened | pb.DepositClosed) -> None:
        deposit_id = DepositId(fact.deposit_id)
        match fact:
            case pb.DepositOpened():
                offline = start_of(fact.offline) if fact.HasField("offline") else None
                self.deposits[deposit_id] = Deposit(
                    deposit_id,
                    SessionId(fact.session_id),
                    AccountId(fact.account_id),
                    fact.account_masked,
                    Currency(fact.currency),
                    BoxPeriodId(fact.box_period_id),
                    DeviceSerial(fact.device_serial),
                    fact.device_simulated,
                    offline=offline,
                )
                self.open_deposit_id = deposit_id
                if offline is not None:
                    self.offline.began(offline)
                if fact.device_simulated:
                    self.simulated.add(DeviceSerial(fact.device_serial))
            case pb.AcceptanceOpened():
                self.deposits[deposit_id] = replace(self.deposits[deposit_id], acceptance_opened=True)
                self.moved_since_cleared = True  # From here on another note may come in.
                self.end_is_lost = False  # And what comes in is none that the old disk knew.
            case pb.DepositClosed():
                self.deposits[deposit_id] = replace(self.deposits[deposit_id], closed=True)
                self.open_deposit_id = None if self.open_deposit_id == deposit_id else self.open_deposit_id

    def _apply_settlement(self, fact: pb.AdviceSigned | pb.SettlementSent | pb.Settled) -> None:
        match fact:
            case pb.AdviceSigned():
                advice = Advice(DepositId(fact.deposit_id), fact.content, fact.signature)
                self.outbox[advice.digest] = advice
            case pb.SettlementSent():
                if fact.advice_hash in self.outbox:
                    self.outbox[fact.advice_hash] = replace(self.outbox[fact.advice_hash], attempts=fact.attempt)
            case pb.Settled():
                if self.outbox.pop(fact.advice_hash, None) is None:
                    return
                deposit_id = DepositId(fact.deposit_id)
                # Messages one behind the other are one message (protobuf encoding, "last one wins"): of a note that
                # was answered again, the last answer is the last of its kind in it.
                self.answers[deposit_id] = self.answers.get(deposit_id, b"") + fact.answer

    def _apply_note(self, fact: Fact, place: Place) -> None:
        match fact:
            case pb.NoteEscrowed():
                self._new_note(fact)
            case pb.NoteFound():
                self._found(fact, place)
            case pb.StackIntended():
                baseline = fact.counter_baseline if fact.HasField("counter_baseline") else None
                self._advance(fact.note_id, NotePhase.STACK_INTENDED, baseline=baseline)
            case pb.ReturnIntended():
                self._advance(fact.note_id, NotePhase.RETURN_INTENDED)
            case pb.NoteStacked():
                self._decide(fact, NotePhase.STACKED, place)
            case pb.AckSent():
                self._advance(fact.note_id, NotePhase.ACK_SENT)
            case pb.NoteCleared():
                self._cleared(fact)
            case pb.NoteReturned():
                self._decide(fact, NotePhase.RETURNED, place)
            case pb.NoteInDoubt():
                self._decide(fact, NotePhase.IN_DOUBT, place)
            case pb.PresentedNotTaken():
                note = self.notes[NoteId(fact.note_id)]
                self.notes[note.note_id] = replace(note, presented=True)
            case _:
                raise ValueError(f"a fact that no fold knows: {fact.DESCRIPTOR.name}")

    def _new_note(self, fact: pb.NoteEscrowed) -> None:
        deposit = self.deposits[DepositId(fact.deposit_id)]
        note = Note(
            NoteId(fact.note_id),
            deposit.deposit_id,
            NotePhase.ESCROWED,
            from_wire(fact.value),
            fact.note_type,
            DeviceSerial(fact.device_serial),
            deposit.box_period_id,
        )
        self._add(note)

    def _found(self, fact: pb.NoteFound, place: Place) -> None:
        value = from_wire(fact.value) if fact.HasField("value") else None
        note = Note(
            NoteId(fact.note_id),
            DepositId(fact.candidate_deposit_id),
            NotePhase.FOUND,
            value,
            0,
            DeviceSerial(fact.device_serial),
            BoxPeriodId(fact.box_period_id),
            outcome_number=fact.outcome_number,
            decided_at=place,
        )
        self._add(note)

    def _cleared(self, fact: pb.NoteCleared) -> None:
        """The device is done with it. One in doubt stays so; it is only not the note any more that is asked about."""
        note_id = NoteId(fact.note_id)
        if self.notes[note_id].phase is not NotePhase.IN_DOUBT:
            self._advance(note_id, NotePhase.CLEARED)
            self.moved_since_cleared = False
        elif self.last_note == note_id:
            self.last_note = None

    def _add(self, note: Note) -> None:
        self.notes[note.note_id] = note
        self.last_note, self.moved_since_cleared = note.note_id, False
        deposit = self.deposits.get(note.deposit_id)
        if deposit is not None and not deposit.closed:
            self.deposits[deposit.deposit_id] = replace(deposit, notes=(*deposit.notes, note.note_id))

    def _advance(self, note_id: str, phase: NotePhase, *, baseline: int | None = None) -> None:
        note = self.notes[NoteId(note_id)]
        counter = note.counter_baseline if baseline is None else baseline
        self.notes[note.note_id] = replace(note, phase=phase, counter_baseline=counter)

    def _decide(self, fact: pb.NoteStacked | pb.NoteReturned | pb.NoteInDoubt, phase: NotePhase, place: Place) -> None:
        note = self.notes[NoteId(fact.note_id)]
        in_doubt = isinstance(fact, pb.NoteInDoubt)
        self.notes[note.note_id] = replace(
            note,
            phase=phase,
            outcome_number=fact.outcome_number,
            doubted_at=fact.presence if in_doubt else pb.DEVICE_PRESENCE_UNSPECIFIED,
            decided_at=place,
            earlier=_followed(note) if note.outcome_number else note.earlier,
        )


def _counted(note: Note) -> bool:
    """It lies in the box, or may."""
    return note.credited or note.phase in (NotePhase.IN_DOUBT, NotePhase.FOUND)


def _kind(note: Note) -> NotePhase:
    return NotePhase.CLEARED if note.credited else note.phase


def _followed(note: Note) -> tuple[tuple[int, NotePhase], ...]:
    """The outcomes of a note that is about to get another one."""
    return (*note.earlier, (note.outcome_number, note.phase))
