"""The note book: writes what the cash desk decides into the journal, and signs what the host is to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from drivers.api.cash import Escrowed, Presence, Stacked
from drivers.api.device import DeviceIdentity
from guichet.ids import AccountId, BoxPeriodId, DepositId, DeviceSerial, NoteId, SessionId, TerminalId
from guichet.journal.records import Fact, to_wire
from guichet.money import Currency, Money
from guichet.offline import start_message
from guichet.seams import Clock, Domain, Ids, Signer
from guichet.v1 import customer_pb2
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import settlement_pb2 as settlement
from kiosk.journal.folds import Deposit, Fold, Note, NotePhase
from kiosk.journal.store import Journal
from kiosk.settlement.advice import advice_bytes, in_advices, last_outcome, outcomes, settles_something
from kiosk.terminal.offline import Opening
from kiosk.terminal.recovery import Decision, LastRecord, Outcome, Situation
from kiosk.terminal.situation import KnownDevice, is_of_another

PRESENCES: Mapping[Presence, pb.DevicePresence.ValueType] = {
    Presence.PATH_EMPTY: pb.DEVICE_PRESENCE_PATH_EMPTY,
    Presence.IN_ESCROW: pb.DEVICE_PRESENCE_IN_ESCROW,
    Presence.RETURNABLE: pb.DEVICE_PRESENCE_RETURNABLE,
    Presence.OTHER_NOTE: pb.DEVICE_PRESENCE_OTHER_NOTE,
    Presence.MOVING: pb.DEVICE_PRESENCE_MOVING,
    Presence.STACKED: pb.DEVICE_PRESENCE_STACKED,
    Presence.JAMMED: pb.DEVICE_PRESENCE_JAMMED,
    Presence.OTHER_DEVICE: pb.DEVICE_PRESENCE_OTHER_DEVICE,
    Presence.NO_ANSWER: pb.DEVICE_PRESENCE_NO_ANSWER,
    Presence.FORGOTTEN: pb.DEVICE_PRESENCE_FORGOTTEN,
}
"""What a device said, as records have it."""


@dataclass(frozen=True, slots=True)
class Read:
    """What came from the device: the event as it was on the wire and, where the device numbers its events, which."""

    frame: bytes = b""
    serial: str = ""
    mark: int | None = None


class NoteBook:
    """The money's part of the journal. Every method raises :class:`kiosk.journal.store.JournalError` when nothing can
    be written; nothing has happened to the device then.
    """

    def __init__(self, terminal: TerminalId, journal: Journal, clock: Clock, ids: Ids, signer: Signer) -> None:
        self._terminal = terminal
        self._clock = clock
        self._ids = ids
        self._signer = signer
        self.journal = journal

    @property
    def fold(self) -> Fold:
        """What the journal amounts to now."""
        return self.journal.fold

    def record(self, *facts: Fact) -> None:
        """Write ``facts`` in one transaction; nothing where there are none."""
        if facts:
            self.journal.append(*facts)

    def read(self, read: Read) -> None:
        """Something came from the device that nothing else is written about: how far its events have been read."""
        self.record(*self._marked(read))

    def incident(self, code: str, text: str, note: Note | None) -> None:
        """Something that a person should look at."""
        self.record(pb.Incident(code=code, device="cash", text=text, note_id=note.note_id if note else ""))

    # --- deposits ---------------------------------------------------------------------------------------------------

    def open_deposit(
        self,
        session: SessionId,
        account: customer_pb2.Account,
        device: DeviceIdentity,
        config_version: str,
        opening: Opening | None = None,
    ) -> DepositId:
        """A new deposit to ``account``, into the box that is in; by ``opening``, where the host is away and the account
        has no more than its currency.
        """
        period = self.fold.box_period
        if period is None:
            raise RuntimeError("no box period is open")
        deposit_id = DepositId(self._ids.new())
        self.record(
            pb.DepositOpened(
                deposit_id=deposit_id,
                session_id=session,
                account_id=account.account_id,
                account_masked=account.masked_number,
                currency=Currency(account.currency).code,
                box_period_id=period.box_period_id,
                config_version=config_version,
                device_serial=device.serial,
                device_simulated=device.simulated,
                offline=start_message(opening.start(deposit_id)) if opening is not None else None,
            )
        )
        return deposit_id

    def slot_opens(self, deposit: Deposit, denominations: frozenset[Money], device: KnownDevice) -> None:
        """Another note may come in from here on: what the device tells later is not about one that it is done with. A
        doubt is over for the device then, unless that is another one, or numbers what it tells.
        """
        last, facts = self.fold.last, list[Fact]()
        says_no_more = not (device.capabilities.marks or is_of_another(device, last))
        if last is not None and last.phase is NotePhase.IN_DOUBT and says_no_more:
            facts.append(pb.NoteCleared(note_id=last.note_id, stacked_counter=device.counter))
        if not (deposit.acceptance_opened and self.fold.moved_since_cleared):
            accepted = sorted(value.minor for value in denominations)
            facts.append(pb.AcceptanceOpened(deposit_id=deposit.deposit_id, denominations=accepted))
        self.record(*facts)

    def close_deposit(self, deposit: Deposit, end: pb.DepositEnd.ValueType) -> None:
        """Close it and sign its advices, one a currency, in one transaction."""
        closed = pb.DepositClosed(deposit_id=deposit.deposit_id, end=end)
        stated = outcomes(self.fold.notes_of(deposit.deposit_id))
        self.record(closed, *self._signed(deposit, stated))

    def begin_period(self, device: DeviceIdentity, counter: int | None) -> None:
        """A cash box is in, and what goes into it from here on belongs together."""
        period = BoxPeriodId(self._ids.new())
        opened = pb.BoxPeriodOpened(box_period_id=period, device_serial=device.serial, stacked_counter=counter)
        self.record(opened)

    # --- notes ------------------------------------------------------------------------------------------------------

    def escrowed(self, deposit: Deposit, device: DeviceIdentity, value: Money, event: Escrowed) -> None:
        """A note of ``deposit`` lies in escrow."""
        escrowed = self._escrowed(deposit, device, value, event.note_type, event.frame, event.table_hash)
        self.record(escrowed, *self._marked(Read(event.frame, device.serial, event.mark)))

    def taken(self, deposit: Deposit, device: DeviceIdentity, value: Money, event: Stacked, table_hash: bytes) -> None:
        """A coin of ``deposit`` went straight to the box: which one, and that it is there, in one transaction."""
        escrowed = self._escrowed(deposit, device, value, event.note_type or 0, event.frame, table_hash)
        stacked = pb.NoteStacked(
            note_id=escrowed.note_id, evidence=pb.EVIDENCE_EVENT, frame=event.frame, outcome_number=1
        )
        self.record(escrowed, stacked, *self._marked(Read(event.frame, device.serial, event.mark)))

    def _escrowed(
        self, deposit: Deposit, device: DeviceIdentity, value: Money, note_type: int, frame: bytes, table_hash: bytes
    ) -> pb.NoteEscrowed:
        return pb.NoteEscrowed(
            note_id=self._ids.new(),
            deposit_id=deposit.deposit_id,
            value=to_wire(value),
            note_type=note_type,
            frame=frame,
            note_table_hash=table_hash,
            device_serial=device.serial,
        )

    def presented(self, note: Note) -> None:
        """It was handed back and nobody took it: it is out of the machine's hands, and decided."""
        number = note.outcome_number + 1
        returned = pb.NoteReturned(note_id=note.note_id, evidence=pb.EVIDENCE_PATH, outcome_number=number)
        self.record(pb.PresentedNotTaken(note_id=note.note_id), returned)

    def decided(self, note: Note, situation: Situation, decision: Decision, read: Read, *, restart: bool) -> None:
        """Write the outcome of ``decision``, a new numbered one that follows the note's last, and in the same
        transaction what the host is to know of it and how far the device's events have been read.
        """
        frame, marked = read.frame, self._marked(read)
        number = note.outcome_number + 1
        evidence = _evidence(situation, restart=restart)
        fact: Fact
        match decision.outcome:
            case Outcome.CREDITED:
                phase = NotePhase.STACKED
                fact = pb.NoteStacked(note_id=note.note_id, evidence=evidence, frame=frame, outcome_number=number)
            case Outcome.RETURNED:
                phase = NotePhase.RETURNED
                fact = pb.NoteReturned(note_id=note.note_id, evidence=evidence, frame=frame, outcome_number=number)
            case Outcome.IN_DOUBT:
                phase = NotePhase.IN_DOUBT
                fact = pb.NoteInDoubt(
                    note_id=note.note_id,
                    reason=cell_name(situation),
                    outcome_number=number,
                    presence=PRESENCES[situation.presence],
                )
            case _:
                self.record(*marked)
                return
        deposit = self.fold.deposits.get(note.deposit_id)
        decided = replace(note, phase=phase, outcome_number=number)
        if deposit is None:
            deposit = _ownerless(decided, simulated=self._simulated(None, note.device_serial))
        elif not deposit.closed:
            self.record(fact, *marked)
            return
        self.record(fact, *marked, *self._signed(deposit, last_outcome(decided)))

    def found(self, device: DeviceIdentity | None, note_type: int | None, read: Read) -> None:
        """A note is in the box that no open note accounts for. During a deposit it is that one's candidate; otherwise
        it is advised of under its own number, in the same transaction. Where the journal has lost its end, that may
        account for it: then its value is not said, so that no paper is in the books twice, and a person looks.
        """
        marked = self._marked(read)
        period = self.fold.box_period
        serial = device.serial if device is not None else (period.device_serial if period is not None else None)
        table = self.fold.tables.get(serial, {}) if serial is not None else {}
        value = table.get(note_type) if note_type is not None else None
        if self.fold.end_is_lost and value is not None:
            text = f"{value} was stacked; what the old disk wrote last, and this one has not, may account for it"
            marked = [*marked, pb.Incident(code="found-or-known", device="cash", text=text)]
            value = None
        candidate = self.fold.open_deposit
        if candidate is not None and serial is not None and candidate.device_serial != serial:
            candidate = None  # Its notes are in another device's box.
        fact = pb.NoteFound(
            note_id=self._ids.new(),
            value=to_wire(value) if value is not None else None,
            frame=read.frame,
            device_serial=serial or "",
            box_period_id=period.box_period_id if period is not None else "",
            candidate_deposit_id=candidate.deposit_id if candidate is not None else "",
            outcome_number=1,
        )
        if candidate is not None or value is None:
            self.record(fact, *marked)
            return
        note = _found_note(fact, value)
        deposit = _ownerless(note, simulated=self._simulated(device, note.device_serial))
        self.record(fact, *marked, *self._signed(deposit, last_outcome(note)))

    # --- what the host is to know -----------------------------------------------------------------------------------

    def _simulated(self, device: DeviceIdentity | None, serial: str) -> bool:
        """Whether a note lies in a simulator. One that holds an event cannot say who it is: its deposits do."""
        if device is not None:
            return device.simulated
        return serial in self.fold.simulated

    def _signed(
        self, deposit: Deposit, stated: Mapping[Currency, list[settlement.NoteOutcome]]
    ) -> list[pb.AdviceSigned]:
        """The advices of what the first record of the transaction to come says, where they settle something."""
        last = self.journal.last
        place = (self.journal.epoch, (last.sequence if last is not None else 0) + 1)
        advices: list[pb.AdviceSigned] = []
        for currency, notes in ((currency, part) for currency, all_ in stated.items() for part in in_advices(all_)):
            if settles_something(notes):
                content = advice_bytes(self._terminal, deposit, currency, notes, self._clock.wall_us(), place)
                signature = self._signer.sign(Domain.DEPOSIT_ADVICE, content)
                advices.append(pb.AdviceSigned(deposit_id=deposit.deposit_id, content=content, signature=signature))
        return advices

    def _marked(self, read: Read) -> list[pb.EventsRead]:
        if read.mark is None:
            return []
        return [pb.EventsRead(device_serial=read.serial, mark=read.mark)]


def cell_name(situation: Situation) -> str:
    """The cell of the start-up table as a stable word, such as ``stack-intended-path-empty``."""
    return f"{situation.last.name}-{situation.presence.name}".lower().replace("_", "-")


def _evidence(situation: Situation, *, restart: bool) -> pb.Evidence.ValueType:
    match situation.presence:
        case Presence.STACKED:
            return pb.EVIDENCE_EVENT_AFTER_RESTART if restart else pb.EVIDENCE_EVENT
        case Presence.PATH_EMPTY | Presence.OTHER_NOTE if situation.last in (
            LastRecord.STACK_INTENDED,
            LastRecord.IN_DOUBT,
        ):
            return pb.EVIDENCE_COUNTER
        case _:
            return pb.EVIDENCE_PATH


def _found_note(fact: pb.NoteFound, value: Money) -> Note:
    """The find as the fold will have it."""
    return Note(
        NoteId(fact.note_id),
        DepositId(""),
        NotePhase.FOUND,
        value,
        0,
        DeviceSerial(fact.device_serial),
        BoxPeriodId(fact.box_period_id),
        outcome_number=fact.outcome_number,
    )


def _ownerless(note: Note, *, simulated: bool) -> Deposit:
    """What stands for the deposit of a find that has none: it is named after the note, and no account is."""
    if note.value is None:
        raise ValueError("a find of unknown value is an incident, not an advice")
    return Deposit(
        DepositId(note.note_id),
        SessionId(""),
        AccountId(""),
        "",
        note.value.currency,
        note.box_period_id,
        note.device_serial,
        simulated,
    )
