"""What a fold amounts to at one entry, as bytes, so that a start need not read what came before it. Pure.

The records are the truth, and a snapshot only spares reading them: it is never the only place of anything. Its bytes
are the version in a line of its own, and JSON in which every field has its name. Equal folds have equal bytes, also in
the order in which they remember things.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from guichet.ids import AccountId, BoxPeriodId, DepositId, DeviceSerial, NoteId, SessionId
from guichet.money import Currency, Money
from guichet.offline import OfflineStart
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import Advice, BoxPeriod, Deposit, Fold, Note, NotePhase
from kiosk.journal.offline import Card, Offline, TrustedTime, Use

VERSION = 5
"""Whoever changes what a fold remembers, or what records come to in it, counts this up: a snapshot of another version
is not used, and the fold is made of the records again. Those before a journal's base are gone, so once a version was
released, :func:`decode` has to read its states for ever.
"""

_HEAD = b"%d\n"

T = TypeVar("T")


class SnapshotError(ValueError):
    """A state that cannot be read."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``state``: what all records come to, up to the entry of that place and hash, this one included."""

    epoch: int
    sequence: int
    hash: bytes
    state: bytes

    @property
    def is_of_this_version(self) -> bool:
        """Whether this software wrote it, or one that means the same by it."""
        return self.state.startswith(_HEAD % VERSION)


# --- to bytes -------------------------------------------------------------------------------------------------------


def encode(fold: Fold) -> bytes:
    """The state of ``fold``."""
    body = {
        "session": fold.session,
        "box_period": _box_period(fold.box_period),
        "notes": [_note(note) for note in fold.notes.values()],
        "deposits": [_deposit(deposit) for deposit in fold.deposits.values()],
        "outbox": [_advice(advice) for advice in fold.outbox.values()],
        "answers": [{"deposit": name, "answer": _text(answer)} for name, answer in fold.answers.items()],
        "marks": [{"device": serial, "mark": mark} for serial, mark in sorted(fold.marks.items())],
        "tables": [_table(serial, types) for serial, types in sorted(fold.tables.items())],
        "table_hashes": [{"device": serial, "hash": _text(of)} for serial, of in sorted(fold.table_hashes.items())],
        "simulated": sorted(fold.simulated),
        "forgotten": sorted((_count(*kind, count) for kind, count in fold.forgotten.items()), key=repr),
        "last_note": fold.last_note,
        "open_deposit": fold.open_deposit_id,
        "moved_since_cleared": fold.moved_since_cleared,
        "box_was_out": fold.box_was_out,
        "count_due": fold.count_due,
        "end_is_lost": fold.end_is_lost,
        "offline": _offline(fold.offline),
    }
    return _HEAD % VERSION + json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _box_period(period: BoxPeriod | None) -> dict[str, str] | None:
    return None if period is None else {"id": period.box_period_id, "device": period.device_serial}


def _note(note: Note) -> dict[str, object]:
    return {
        "id": note.note_id,
        "deposit": note.deposit_id,
        "phase": note.phase.name,
        "value": None if note.value is None else _money(note.value),
        "type": note.note_type,
        "device": note.device_serial,
        "box_period": note.box_period_id,
        "baseline": note.counter_baseline,
        "outcome": note.outcome_number,
        "doubted_at": note.doubted_at,
        "epoch": note.decided_at[0],
        "sequence": note.decided_at[1],
        "earlier": [{"outcome": number, "phase": phase.name} for number, phase in note.earlier],
        "presented": note.presented,
    }


def _deposit(deposit: Deposit) -> dict[str, object]:
    return {
        "id": deposit.deposit_id,
        "session": deposit.session_id,
        "account": deposit.account_id,
        "masked": deposit.account_masked,
        "currency": deposit.currency.code,
        "box_period": deposit.box_period_id,
        "device": deposit.device_serial,
        "simulated": deposit.device_simulated,
        "notes": list(deposit.notes),
        "closed": deposit.closed,
        "acceptance_opened": deposit.acceptance_opened,
        "offline": None if deposit.offline is None else _start(deposit.offline),
    }


def _start(start: OfflineStart) -> dict[str, object]:
    return {
        "sealed_pan": _text(start.sealed_pan),
        "card_masked": start.card_masked,
        "limits": start.limits_number,
        "bin": start.bin,
        "currency": start.currency.code,
        "started_at": start.started_at_us,
        "mark": start.card_mark,
    }


def _offline(offline: Offline) -> dict[str, object]:
    trusted = offline.trusted
    return {
        "limits": _text(offline.limits),
        "trusted": None if trusted is None else _trusted(trusted),
        "latest": offline.latest_us,
        "forgotten": [_use(card, use) for card, use in sorted(offline.forgotten.items())],
        "closed_day": offline.closed_day,
        "day_unknown": offline.day_unknown,
    }


def _trusted(trusted: TrustedTime) -> dict[str, object]:
    return {"boot": trusted.boot_id, "since_boot": trusted.since_boot_us, "host_time": trusted.host_time_us}


def _use(card: Card, use: Use) -> dict[str, object]:
    whose = {"bin": card.bin, "currency": card.currency, "mark": card.mark}
    return {**whose, "minor": use.minor, "deposits": use.deposits}


def _advice(advice: Advice) -> dict[str, object]:
    return {
        "deposit": advice.deposit_id,
        "content": _text(advice.content),
        "signature": _text(advice.signature),
        "attempts": advice.attempts,
    }


def _table(serial: DeviceSerial, types: Mapping[int, Money]) -> dict[str, object]:
    return {"device": serial, "types": [{"type": kind, "value": _money(value)} for kind, value in types.items()]}


def _count(value: Money, kind: NotePhase, count: int) -> dict[str, object]:
    return {"value": _money(value), "kind": kind.name, "count": count}


def _money(value: Money) -> dict[str, object]:
    return {"minor": value.minor, "currency": value.currency.code}


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")


# --- from bytes -----------------------------------------------------------------------------------------------------


def decode(state: bytes) -> Fold:
    """The fold whose state that is. Raises :class:`SnapshotError` for another version, and where a field is missing or
    is of another kind than :func:`encode` writes.
    """
    head, _, body = state.partition(b"\n")
    if head + b"\n" != _HEAD % VERSION:
        raise SnapshotError(f"of version {head[:10]!r}, not {VERSION}")
    try:
        return _fold(_Fields(json.loads(body)))
    except (ValueError, KeyError, RecursionError) as error:
        raise SnapshotError(f"not a state: {type(error).__name__}: {error}") from error


class _Fields:
    """One JSON object; each field is asked for by the kind that it must be of."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise SnapshotError(f"{type(value).__name__} where fields are due")
        self._fields = cast("dict[str, object]", value)

    def _of(self, name: str, kind: type[T]) -> T:
        value = self._fields[name]
        if type(value) is not kind:
            raise SnapshotError(f"{name} is a {type(value).__name__}")
        return value

    def text(self, name: str) -> str:
        return self._of(name, str)

    def number(self, name: str) -> int:
        return self._of(name, int)

    def flag(self, name: str) -> bool:
        return self._of(name, bool)

    def data(self, name: str) -> bytes:
        return b64decode(self._of(name, str), validate=True)

    def absent(self, name: str) -> bool:
        return self._fields[name] is None

    def phase(self, name: str) -> NotePhase:
        return NotePhase[self.text(name)]

    def fields(self, name: str) -> _Fields:
        return _Fields(self._fields[name])

    def money(self, name: str) -> Money:
        value = self.fields(name)
        return Money(value.number("minor"), Currency(value.text("currency")))

    def texts(self, name: str) -> list[str]:
        values = cast("list[object]", self._of(name, list))
        return [value if isinstance(value, str) else _refuse(name) for value in values]

    def each(self, name: str, read: Callable[[_Fields], T]) -> list[T]:
        return [read(_Fields(value)) for value in cast("list[object]", self._of(name, list))]


def _refuse(name: str) -> str:
    raise SnapshotError(f"{name} has something else than text")


def _fold(f: _Fields) -> Fold:
    advices = f.each("outbox", _read_advice)
    return Fold(
        session=None if f.absent("session") else SessionId(f.text("session")),
        box_period=None if f.absent("box_period") else _read_box_period(f.fields("box_period")),
        notes={note.note_id: note for note in f.each("notes", _read_note)},
        deposits={deposit.deposit_id: deposit for deposit in f.each("deposits", _read_deposit)},
        outbox={advice.digest: advice for advice in advices},
        answers=dict(f.each("answers", lambda a: (DepositId(a.text("deposit")), a.data("answer")))),
        marks=dict(f.each("marks", lambda m: (DeviceSerial(m.text("device")), m.number("mark")))),
        tables=dict(f.each("tables", _read_table)),
        table_hashes=dict(f.each("table_hashes", lambda h: (DeviceSerial(h.text("device")), h.data("hash")))),
        simulated={DeviceSerial(serial) for serial in f.texts("simulated")},
        forgotten=Counter(dict(f.each("forgotten", _read_count))),
        last_note=None if f.absent("last_note") else NoteId(f.text("last_note")),
        open_deposit_id=None if f.absent("open_deposit") else DepositId(f.text("open_deposit")),
        moved_since_cleared=f.flag("moved_since_cleared"),
        box_was_out=f.flag("box_was_out"),
        count_due=f.flag("count_due"),
        end_is_lost=f.flag("end_is_lost"),
        offline=_read_offline(f.fields("offline")),
    )


def _read_box_period(p: _Fields) -> BoxPeriod:
    return BoxPeriod(BoxPeriodId(p.text("id")), DeviceSerial(p.text("device")))


def _read_note(n: _Fields) -> Note:
    return Note(
        NoteId(n.text("id")),
        DepositId(n.text("deposit")),
        n.phase("phase"),
        None if n.absent("value") else n.money("value"),
        n.number("type"),
        DeviceSerial(n.text("device")),
        BoxPeriodId(n.text("box_period")),
        None if n.absent("baseline") else n.number("baseline"),
        n.number("outcome"),
        cast("pb.DevicePresence.ValueType", n.number("doubted_at")),
        (n.number("epoch"), n.number("sequence")),
        tuple(n.each("earlier", lambda e: (e.number("outcome"), e.phase("phase")))),
        n.flag("presented"),
    )


def _read_deposit(d: _Fields) -> Deposit:
    return Deposit(
        DepositId(d.text("id")),
        SessionId(d.text("session")),
        AccountId(d.text("account")),
        d.text("masked"),
        Currency(d.text("currency")),
        BoxPeriodId(d.text("box_period")),
        DeviceSerial(d.text("device")),
        d.flag("simulated"),
        tuple(NoteId(note) for note in d.texts("notes")),
        d.flag("closed"),
        d.flag("acceptance_opened"),
        None if d.absent("offline") else _read_start(d.fields("offline")),
    )


def _read_start(s: _Fields) -> OfflineStart:
    return OfflineStart(
        s.data("sealed_pan"),
        s.text("card_masked"),
        s.number("limits"),
        s.text("bin"),
        Currency(s.text("currency")),
        s.number("started_at"),
        s.number("mark"),
    )


def _read_offline(o: _Fields) -> Offline:
    return Offline(
        o.data("limits"),
        None if o.absent("trusted") else _read_trusted(o.fields("trusted")),
        o.number("latest"),
        dict(o.each("forgotten", _read_use)),
        o.number("closed_day"),
        o.flag("day_unknown"),
    )


def _read_trusted(t: _Fields) -> TrustedTime:
    return TrustedTime(t.text("boot"), t.number("since_boot"), t.number("host_time"))


def _read_use(u: _Fields) -> tuple[Card, Use]:
    return Card(u.text("bin"), u.text("currency"), u.number("mark")), Use(u.number("minor"), u.number("deposits"))


def _read_advice(a: _Fields) -> Advice:
    return Advice(DepositId(a.text("deposit")), a.data("content"), a.data("signature"), a.number("attempts"))


def _read_count(c: _Fields) -> tuple[tuple[Money, NotePhase], int]:
    return (c.money("value"), c.phase("kind")), c.number("count")


def _read_table(t: _Fields) -> tuple[DeviceSerial, dict[int, Money]]:
    return DeviceSerial(t.text("device")), dict(t.each("types", lambda one: (one.number("type"), one.money("value"))))
