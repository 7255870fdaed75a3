"""Journal records: building and reading the bytes that are stored once and never serialised again."""

from __future__ import annotations

from google.protobuf.message import DecodeError, Message

from guichet.ids import TerminalId
from guichet.limits import MAX_RECORD_BYTES
from guichet.money import Currency, Money
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import money_pb2

SCHEMA = 1

Fact = (
    pb.TerminalStarted | pb.BoxPeriodOpened | pb.DeviceAnswered | pb.Incident | pb.NoteTableRead | pb.EventsRead
    | pb.OfflineLimitsReceived | pb.TimeTrusted | pb.JournalRestored
    | pb.SessionOpened | pb.SessionClosed
    | pb.DepositOpened | pb.AcceptanceOpened | pb.DepositClosed | pb.SettlementSent | pb.Settled | pb.AdviceSigned
    | pb.NoteEscrowed | pb.StackIntended | pb.NoteStacked | pb.AckSent | pb.NoteCleared
    | pb.ReturnIntended | pb.NoteReturned | pb.NoteInDoubt | pb.NoteFound | pb.PresentedNotTaken
)  # fmt: skip
"""What a record can say. Each is described in guichet/v1/journal.proto."""

# The oneof's field for each message type, read from the schema so that there is one list of facts, not two.
_FIELD_OF = {
    field.message_type.full_name: field.name
    for field in pb.JournalRecord.DESCRIPTOR.oneofs_by_name["fact"].fields
    if field.message_type is not None
}


class RecordError(ValueError):
    """Bytes that are not a journal record, or a record that breaks its bounds."""


def encode(terminal: TerminalId, recorded_at_us: int, fact: Fact) -> bytes:
    """The bytes of one record. Raises :class:`RecordError` for one over 32 KiB."""
    record = pb.JournalRecord(terminal_id=terminal, recorded_at_us=recorded_at_us, schema=SCHEMA)
    body: Message = getattr(record, _FIELD_OF[fact.DESCRIPTOR.full_name])
    body.CopyFrom(fact)
    body.SetInParent()
    data = record.SerializeToString()
    if len(data) > MAX_RECORD_BYTES:
        raise RecordError(f"a record of {len(data)} bytes is over {MAX_RECORD_BYTES}")
    return data


def decode(data: bytes) -> pb.JournalRecord:
    """The record in ``data``. Raises :class:`RecordError` for anything that is not one of this schema."""
    if len(data) > MAX_RECORD_BYTES:
        raise RecordError(f"a record of {len(data)} bytes is over {MAX_RECORD_BYTES}")
    record = pb.JournalRecord()
    try:
        record.ParseFromString(data)
    except DecodeError as error:
        raise RecordError("not a journal record") from error
    if record.schema != SCHEMA:
        raise RecordError(f"schema {record.schema} is not {SCHEMA}")
    if record.WhichOneof("fact") is None:
        raise RecordError("a record that says nothing this version knows")
    return record


def fact_of(record: pb.JournalRecord) -> Fact:
    """What ``record`` says."""
    name = record.WhichOneof("fact")
    if name is None:
        raise RecordError("a record that says nothing this version knows")
    fact: Fact = getattr(record, name)
    return fact


def to_wire(money: Money) -> money_pb2.Money:
    """An amount as a message."""
    return money_pb2.Money(minor=money.minor, currency=money.currency.code)


def from_wire(money: money_pb2.Money) -> Money:
    """An amount from a message. Raises :class:`guichet.money.MoneyError`."""
    return Money(money.minor, Currency(money.currency))
