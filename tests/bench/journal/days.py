"""A terminal's ordinary days as records: one deposit of four notes a session, answered before the card is out."""

from __future__ import annotations

from hashlib import sha256

from guichet.ids import TerminalId
from guichet.journal.records import Fact
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import money_pb2
from kiosk.journal.store import Writer

WRITER = Writer(TerminalId("BENCH-01"), 1, bytes(range(32)))
DEVICE = "SIM000000001"
_EUR_20 = money_pb2.Money(minor=2000, currency="EUR")
_NOTES = 4
_FRAME = bytes(16)
# As long as they are: an advice of four notes, the host's answer, and an ECDSA signature.
_ADVICE, _ANSWER, _SIGNATURE = bytes(420), bytes(560), bytes(71)

Transactions = list[list[Fact]]


class Standing:
    """The wall clock stands still; nothing measured here reads another."""

    def wall_us(self) -> int:
        """Some day."""
        return 1_700_000_000_000_000

    def monotonic(self) -> float:
        """No time passes."""
        return 0.0


def new_box() -> list[Fact]:
    """What comes before the first session."""
    return [pb.TerminalStarted(), pb.BoxPeriodOpened(box_period_id="period", device_serial=DEVICE)]


def session(number: int) -> Transactions:
    """One session, by transactions."""
    name, deposit = f"session-{number:022}", f"deposit-{number:022}"
    advice = _ADVICE + number.to_bytes(8, "big")
    digest = sha256(advice).digest()
    notes = [part for note in range(_NOTES) for part in _note(f"note-{number:022}-{note}", deposit)]
    return [
        [pb.SessionOpened(session_id=name, card_masked="**** 1234")],
        [
            pb.DepositOpened(
                deposit_id=deposit, session_id=name, account_id="account", account_masked="**** 4711", currency="EUR",
                box_period_id="period", device_serial=DEVICE, device_simulated=True, config_version="1",
            )
        ],
        [pb.AcceptanceOpened(deposit_id=deposit, denominations=[500, 1000, 2000])],
        *notes,
        [
            pb.DepositClosed(deposit_id=deposit),
            pb.AdviceSigned(deposit_id=deposit, content=advice, signature=_SIGNATURE),
        ],
        [pb.SettlementSent(deposit_id=deposit, attempt=1, advice_hash=digest)],
        [pb.Settled(deposit_id=deposit, answer=_ANSWER, signature=_SIGNATURE, advice_hash=digest)],
        [pb.SessionClosed(session_id=name)],
    ]  # fmt: skip


def _note(note: str, deposit: str) -> Transactions:
    return [
        [
            pb.NoteEscrowed(
                note_id=note, deposit_id=deposit, value=_EUR_20, note_type=4, frame=_FRAME, note_table_hash=bytes(32),
                device_serial=DEVICE,
            )
        ],
        [pb.StackIntended(note_id=note, counter_baseline=1)],
        [pb.NoteStacked(note_id=note, evidence=pb.EVIDENCE_EVENT, frame=_FRAME, outcome_number=1)],
        [pb.AckSent(note_id=note)],
        [pb.NoteCleared(note_id=note, stacked_counter=2)],
    ]  # fmt: skip
