"""What happens to a terminal in its days, as the records of it: deposits, doubts, finds, exchanges of the
box, answers that come at once, late, or not yet.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from hashlib import sha256

from guichet.journal.records import Fact
from guichet.offline import DAY_US
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import money_pb2, offline_pb2

DENOMINATIONS = ((500, "EUR"), (1000, "EUR"), (2000, "EUR"), (2000, "USD"))

Together = list[Fact]
"""Records of one transaction."""


class Story:
    """One terminal's days, from one seed. ``closed``: the deposits of which nothing is to come but answers and
    decisions of doubts.
    """

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._offline_dice = random.Random(f"{seed}/offline")
        self._restored_dice = random.Random(f"{seed}/restored")
        self._host_time_us = 20_000 * DAY_US
        self._number = 0
        self._period = ""
        self._unanswered: list[pb.AdviceSigned] = []
        self._doubts: list[tuple[str, str]] = []
        self._to_clear: str | None = None

    def days(self, sessions: int) -> Iterator[Together]:
        """So many sessions, and what lies between them."""
        yield self._new_box()
        for _ in range(sessions):
            yield from self._session()
            yield from self._between()

    def _name(self, kind: str) -> str:
        self._number += 1
        return f"{kind}{self._number}"

    def _new_box(self) -> Together:
        self._period = self._name("period")
        serial = self._dice.choice(("REAL", "SIM"))
        types = [pb.NoteTypeValue(note_type=1, value=money_pb2.Money(minor=500, currency="EUR"))]
        return [
            pb.Incident(code="box-removed"),
            pb.NoteTableRead(device_serial=serial, table_hash=b"hash", types=types),
            pb.BoxPeriodOpened(box_period_id=self._period, device_serial=serial),
        ]

    def _session(self) -> Iterator[Together]:
        session = self._name("session")
        yield [pb.SessionOpened(session_id=session)]
        for _ in range(self._dice.choice((0, 1, 1, 1, 2))):
            yield from self._deposit(session)
        if self._dice.random() < 0.8:
            yield from self._answers()
        if self._dice.random() < 0.1:
            yield [pb.TerminalStarted()]
            yield [pb.DeviceAnswered(presence=pb.DEVICE_PRESENCE_MOVING)]
        yield [pb.SessionClosed(session_id=session)]

    def _between(self) -> Iterator[Together]:
        if self._dice.random() < 0.3:
            yield from self._answers()
        if self._doubts and self._dice.random() < 0.2:
            yield self._decided()
        if self._dice.random() < 0.05:
            yield self._find()
        if self._dice.random() < 0.05:
            yield from self._cleared()
            if self._restored_dice.random() < 0.5:
                yield [pb.JournalRestored(entries=self._number)]
            yield self._new_box()
        if self._offline_dice.random() < 0.2:
            yield [pb.OfflineLimitsReceived(content=b"limits %d" % self._number, signature=b"s")]
            yield [pb.TimeTrusted(boot_id="boot", since_boot_us=self._number, host_time_us=self._host_time_us)]
        yield [pb.EventsRead(device_serial="REAL", mark=self._number)]

    def _deposit(self, session: str) -> Iterator[Together]:
        deposit, dice, device = self._name("deposit"), self._dice, self._dice.choice(("REAL", "SIM"))
        yield [
            pb.DepositOpened(
                deposit_id=deposit, session_id=session, account_id="a", account_masked="**** 1", currency="EUR",
                box_period_id=self._period, device_serial=device, device_simulated=device == "SIM",
                offline=self._without_host(),
            )
        ]  # fmt: skip
        yield [pb.AcceptanceOpened(deposit_id=deposit)]
        told = False
        for _ in range(dice.choice((0, 1, 2, 3, 6))):
            yield from self._cleared()
            note, end = self._name("note"), dice.random()
            if end < 0.05:
                yield [self._found(note, deposit)]
                told = True
                continue
            minor, currency = dice.choice(DENOMINATIONS)
            value = money_pb2.Money(minor=minor, currency=currency)
            yield [pb.NoteEscrowed(note_id=note, deposit_id=deposit, value=value, note_type=1, device_serial="REAL")]
            if end < 0.2:
                yield [pb.ReturnIntended(note_id=note)]
                yield [pb.NoteReturned(note_id=note, outcome_number=1)]
                continue
            told = True
            yield [pb.StackIntended(note_id=note, counter_baseline=3)]
            if end < 0.3:
                yield [pb.NoteInDoubt(note_id=note, outcome_number=1, presence=pb.DEVICE_PRESENCE_JAMMED)]
                self._doubts.append((note, deposit))
                continue
            yield [pb.NoteStacked(note_id=note, outcome_number=1), pb.AckSent(note_id=note)]
            self._to_clear = note
        closed = pb.DepositClosed(deposit_id=deposit)
        yield [closed, self._advice(deposit)] if told else [closed]

    def _without_host(self) -> offline_pb2.OfflineStart | None:
        """How a deposit began, in one of three; a day has some ten of them."""
        dice = self._offline_dice
        if dice.random() > 0.35:
            return None
        self._host_time_us += dice.randrange(DAY_US // 5)
        return offline_pb2.OfflineStart(
            sealed_pan=b"sealed", card_masked="**** 1234", limits_number=1, bin=dice.choice(("476173", "54133300")),
            currency="EUR", started_at_us=self._host_time_us, card_mark=dice.randrange(4),
        )  # fmt: skip

    def _cleared(self) -> Iterator[Together]:
        """The device is done with the last note: it says so late."""
        if self._to_clear is not None:
            yield [pb.NoteCleared(note_id=self._to_clear)]
            self._to_clear = None

    def _found(self, note: str, deposit: str = "", *, known: bool | None = None) -> pb.NoteFound:
        known = self._dice.random() < 0.7 if known is None else known
        value = money_pb2.Money(minor=500, currency="EUR") if known else None
        return pb.NoteFound(
            note_id=note, value=value, box_period_id=self._period, candidate_deposit_id=deposit, outcome_number=1
        )

    def _find(self) -> Together:
        note = self._name("note")
        found = self._found(note)
        self._to_clear = None
        return [found, self._advice(note)] if found.HasField("value") else [found]

    def _decided(self) -> Together:
        note, deposit = self._doubts.pop(self._dice.randrange(len(self._doubts)))
        self._to_clear = None
        if self._dice.random() < 0.5:
            return [pb.NoteReturned(note_id=note, outcome_number=2), self._advice(deposit)]
        return [
            pb.NoteStacked(note_id=note, outcome_number=2), self._advice(deposit),
            pb.AckSent(note_id=note), pb.NoteCleared(note_id=note),
        ]  # fmt: skip

    def _advice(self, deposit: str) -> pb.AdviceSigned:
        advice = pb.AdviceSigned(deposit_id=deposit, content=self._name(deposit).encode(), signature=b"s")
        self._unanswered.append(advice)
        return advice

    def _answers(self) -> Iterator[Together]:
        waiting, self._unanswered = self._unanswered, []
        for advice in waiting:
            digest = sha256(advice.content).digest()
            yield [pb.SettlementSent(deposit_id=advice.deposit_id, attempt=1, advice_hash=digest)]
            if self._dice.random() < 0.1:
                self._unanswered.append(advice)
            else:
                yield [pb.Settled(deposit_id=advice.deposit_id, answer=b"answer", advice_hash=digest)]
