"""What the start-up table is asked: the row and the column that journal and device amount to now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.api.cash import Answered, CashCapabilities, Presence
from drivers.api.device import DeviceIdentity
from guichet.ids import NoteId
from guichet.money import Money
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import Fold, Note, NotePhase
from kiosk.terminal.recovery import Count, EventOf, LastRecord, Situation

_ROWS: Mapping[NotePhase, LastRecord] = {
    NotePhase.ESCROWED: LastRecord.ESCROWED,
    NotePhase.RETURN_INTENDED: LastRecord.RETURN_INTENDED,
    NotePhase.STACK_INTENDED: LastRecord.STACK_INTENDED,
    NotePhase.STACKED: LastRecord.STACKED,
    NotePhase.ACK_SENT: LastRecord.STACKED,
    NotePhase.IN_DOUBT: LastRecord.IN_DOUBT,
}
_DECIDED = frozenset({LastRecord.STACKED, LastRecord.IN_DOUBT})
# What was counted with a stacked event that may be another note's may be that one, and after a jam hands were inside.
_COUNT_PROVES_NOTHING = frozenset({pb.DEVICE_PRESENCE_STACKED, pb.DEVICE_PRESENCE_JAMMED})


@dataclass(slots=True)
class KnownDevice:
    """What the cash module has said of itself. ``moved_after``: the last note on record when another was drawn in;
    ``unproved_for``: the last note on record when a device without a serial number came back, which may be another one.
    """

    capabilities: CashCapabilities
    identity: DeviceIdentity | None = None
    counter: int | None = None
    values: Mapping[int, Money] = field(default_factory=dict[int, Money])
    table_hash: bytes = b""
    moved_after: NoteId | None = None
    unproved_for: NoteId | None = None


def row_of(note: Note | None) -> LastRecord:
    """What the journal last says of ``note``, as the table's row."""
    return _ROWS.get(note.phase, LastRecord.NONE) if note is not None else LastRecord.NONE


def situation_of(
    fold: Fold, device: KnownDevice, presence: Presence, note_type: int | None, *, counted_now: bool = False
) -> Situation:
    """The last note's row, ``presence``'s column, and what else the cell depends on. ``note_type``: of a stacked event
    or a note in escrow; ``counted_now``: the device's count came with the answer, and not before it.
    """
    note, row, count = fold.last, row_of(fold.last), count_of(fold, device, fold.last)
    if note is not None and note.undecided and presence in (Presence.IN_ESCROW, Presence.RETURNABLE):
        another_type = note_type is not None and note_type != note.note_type
        if another_type or has_gone_on(device, note, count):
            presence, count = Presence.OTHER_NOTE, count if counted_now else Count.UNKNOWN
    if presence is Presence.STACKED and row in _DECIDED and is_of_another(device, note):
        row = LastRecord.NONE  # It says nothing about our note, and a note lies in its box.
    event_of = EventOf.UNTOLD
    if presence is Presence.STACKED:
        event_of = _event_of(fold, device, row, note_type, counted_now=counted_now)
    return Situation(row, presence, event_of, count)


def column_of(fold: Fold, answer: Answered) -> Presence:
    """The column for what a device says that came back. Of a note that another device had it knows nothing, and holds
    an event of its own. A device without a serial number, or one that does not say it, may be another one: its empty
    path proves nothing, where a note that it shows, or an event that it holds, does.
    """
    note, identity, presence = fold.last, answer.identity, answer.presence
    if note is not None and (note.undecided or note.phase is NotePhase.IN_DOUBT):
        elsewhere = identity is not None and identity.serial != note.device_serial
        unproved = identity is None or not identity.numbered
        shows_nothing = presence in (Presence.PATH_EMPTY, Presence.FORGOTTEN)
        return Presence.OTHER_DEVICE if elsewhere or (unproved and shows_nothing) else presence
    elsewhere = (
        identity is not None and fold.box_period is not None and identity.serial != fold.box_period.device_serial
    )
    return Presence.OTHER_DEVICE if elsewhere and presence is not Presence.STACKED else presence


def is_of_another(device: KnownDevice, note: Note | None) -> bool:
    """Whether the device that answers is known not to be the one that had ``note``."""
    return note is not None and device.identity is not None and device.identity.serial != note.device_serial


def has_gone_on(device: KnownDevice, note: Note, count: Count) -> bool:
    """Whether the device has counted on since ``note`` was sent to the box, where its ``count`` says anything. One that
    counts less has begun anew, and says nothing.
    """
    now, before = device.counter, note.counter_baseline
    return count in (Count.ONE_MORE, Count.OTHER) and now is not None and before is not None and now > before


def _event_of(fold: Fold, device: KnownDevice, row: LastRecord, note_type: int | None, *, counted_now: bool) -> EventOf:
    """Whose a stacked event is: the last note's, where it is of its type, or the protocol says none, and comes from its
    device. One without a type says nothing of a note that was not to be stacked.
    """
    note, names_type = fold.last, device.capabilities.names_type
    if row is LastRecord.NONE or note is None:
        ours = _is_repeat(fold, device, note_type, counted_now=counted_now)
    else:
        if note_type is None and (names_type or row is LastRecord.ESCROWED):
            return EventOf.UNTOLD
        ours = not is_of_another(device, note) and (note_type is None or note_type == note.note_type)
        if ours and note.phase is NotePhase.IN_DOUBT and note.doubted_at == pb.DEVICE_PRESENCE_STACKED:
            # Such an event has left it in doubt: said again, it proves no more; under another number, it is another's.
            return EventOf.ANOTHER if device.capabilities.marks else EventOf.UNTOLD
    return EventOf.OURS if ours else EventOf.ANOTHER


def _is_repeat(fold: Fold, device: KnownDevice, note_type: int | None, *, counted_now: bool) -> bool:
    """Whether a stacked event is that of the last note once more, with which the device was done: that lies in the box,
    and the count says so or nothing has moved since.
    """
    note = fold.last
    unnamed = note_type is None and not device.capabilities.names_type
    if note is None or is_of_another(device, note):
        return False
    count = count_of(fold, device, note) if counted_now else Count.UNKNOWN
    moved = fold.moved_since_cleared or device.moved_after == note.note_id
    if device.capabilities.marks or count is Count.OTHER or (moved and count is not Count.ONE_MORE):
        return False
    if note.phase is NotePhase.FOUND:
        known = fold.tables.get(note.device_serial, {}).get(note_type) if note_type is not None else None
        return unnamed or note.value == known
    return note.phase is NotePhase.CLEARED and (unnamed or note.note_type == note_type)


def count_of(fold: Fold, device: KnownDevice, note: Note | None) -> Count:
    """What the counter says, where it may say anything: same device and box period, a known baseline, and no doubt
    that has another cause than a note that went unseen.
    """
    modulus = device.capabilities.counter_modulus
    if note is None or modulus is None or note.doubted_at in _COUNT_PROVES_NOTHING:
        return Count.UNKNOWN
    period, identity = fold.box_period, device.identity
    now, before = device.counter, note.counter_baseline
    same_device = identity is not None and identity.serial == note.device_serial and device.unproved_for != note.note_id
    # Once the box was out, what is counted may be of the next period, also before that has begun.
    same_period = period is not None and period.box_period_id == note.box_period_id and not fold.box_was_out
    if now is None or before is None or not same_device or not same_period:
        return Count.UNKNOWN
    match (now - before) % modulus:
        case 0:
            # No description says of each counter that it outlives a power cut: one that is at 0 may have begun anew.
            return Count.SAME if now else Count.UNKNOWN
        case 1:
            return Count.ONE_MORE
        case _:
            return Count.OTHER
