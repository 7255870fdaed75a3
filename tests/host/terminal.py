"""A terminal as the host sees it: a key, signed advices, a chained journal, a PIN pad. No hardware, no kiosk code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from guichet.ids import DepositId, TerminalId, make_id
from guichet.journal.chain import Entry, next_entry
from guichet.journal.records import Fact, encode
from guichet.offline import pan_purpose
from guichet.pin import Key, Ksn, Pin, derive_pin_key, encode_pin_block
from guichet.sealing import HpkeSealer
from guichet.seams import Domain
from guichet.signing import EcdsaSigner
from guichet.v1 import customer_pb2, journal_pb2, money_pb2, offline_pb2, settlement_pb2
from guichet.v1 import terminal_link_pb2 as link
from guichet.v1.settlement_pb2 import (
    OUTCOME_CREDITED,
    OUTCOME_FOUND,
    OUTCOME_IN_DOUBT,
    OUTCOME_RETURNED,
    OUTCOME_WITHHELD,
)

__all__ = ["OUTCOME_CREDITED", "OUTCOME_FOUND", "OUTCOME_IN_DOUBT", "OUTCOME_RETURNED", "OUTCOME_WITHHELD"]

BOX_PERIOD = make_id(0, b"box period")
SERIAL = "SIM-0001"


def an_id(number: int) -> str:
    """The same id for the same number."""
    return make_id(1_700_000_000_000_000, number.to_bytes(10, "big"))


def deposit_id(number: int) -> str:
    """A deposit's id, never a note's."""
    return an_id(1_000_000 + number)


@dataclass(frozen=True)
class Note:
    """A note of an advice, by a number. ``minor`` units."""

    number: int
    minor: int = 2_000
    outcome: settlement_pb2.Outcome.ValueType = OUTCOME_CREDITED
    outcome_number: int = 1
    currency: str = "EUR"

    def message(self) -> settlement_pb2.NoteOutcome:
        return settlement_pb2.NoteOutcome(
            note_id=an_id(self.number),
            outcome_number=self.outcome_number,
            outcome=self.outcome,
            value=money_pb2.Money(minor=self.minor, currency=self.currency),
        )


@dataclass
class Pad:
    """A PIN pad: counts its key serial numbers."""

    initial: Key
    key_id: bytes
    counter: int = 0

    def block(self, pan: str, pin: str) -> tuple[bytes, bytes]:
        self.counter += 1
        ksn = Ksn(self.key_id, self.counter)
        block = encode_pin_block(derive_pin_key(self.initial, ksn), Pin(pin.encode()), pan.encode(), bytes(8))
        return block, ksn.encode()


@dataclass
class BenchTerminal:
    """A terminal's side of every contract."""

    name: TerminalId
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: bytes = b""
    authority: bytes = b""
    epoch: int = 1
    pad: Pad | None = None
    sealing_key: bytes = b""
    answer_key: bytes = b""
    limits_number: int = 1
    entries: list[Entry] = field(default_factory=list[Entry])

    @property
    def signer(self) -> EcdsaSigner:
        return EcdsaSigner(self.key)

    def csr(self, key: ec.EllipticCurvePrivateKey | None = None) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever")])
        request = x509.CertificateSigningRequestBuilder(name).sign(key or self.key, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode()

    # --- money

    def advice(
        self,
        deposit: int,
        notes: Sequence[Note],
        *,
        account: str,
        currency: str = "EUR",
        simulated: bool = True,
        closed_at_us: int = 1,
        place: int = 1_000_000,
        period: str = BOX_PERIOD,
        offline: offline_pb2.OfflineStart | None = None,
    ) -> link.SignedAdvice:
        content = settlement_pb2.DepositAdvice(
            terminal_id=self.name,
            deposit_id=deposit_id(deposit),
            session_id=an_id(999_999),
            account_id=account,
            currency=currency,
            box_period_id=period,
            device_serial=SERIAL,
            device_simulated=simulated,
            closed_at_us=closed_at_us,
            notes=[note.message() for note in notes],
            epoch=self.epoch,
            sequence=place,
            offline=offline,
        ).SerializeToString()
        return self.signed(content)

    def without_host(
        self,
        deposit: int,
        pan: str,
        started_at_us: int,
        *,
        number: int = 0,
        prefix: str = "",
        sealed_for: bytes | None = None,
    ) -> offline_pb2.OfflineStart:
        """How a deposit began that names a card, by the list of ``number`` or the terminal's; ``sealed_for`` another
        purpose than its own.
        """
        purpose = pan_purpose(DepositId(deposit_id(deposit))) if sealed_for is None else sealed_for
        return offline_pb2.OfflineStart(
            sealed_pan=HpkeSealer(self.sealing_key).seal(pan.encode(), purpose),
            card_masked=f"**** {pan[-4:]}",
            limits_number=number or self.limits_number,
            bin=prefix or pan[:6],
            currency="EUR",
            started_at_us=started_at_us,
            card_mark=7,
        )

    def signed(self, content: bytes) -> link.SignedAdvice:
        return link.SignedAdvice(content=content, signature=self.signer.sign(Domain.DEPOSIT_ADVICE, content))

    # --- journal

    def write(self, fact: Fact) -> Entry:
        last = self.entries[-1] if self.entries else None
        self.entries.append(next_entry(self.epoch, last, encode(self.name, 1, fact)))
        return self.entries[-1]

    def journal(self, entries: Sequence[Entry] | None = None) -> list[journal_pb2.JournalEntry]:
        return [
            journal_pb2.JournalEntry(
                epoch=entry.epoch,
                sequence=entry.sequence,
                previous_hash=entry.previous_hash,
                hash=entry.hash,
                record=entry.record,
            )
            for entry in (self.entries if entries is None else entries)
        ]

    def write_deposit(self, deposit: int, notes: Sequence[Note], account: str) -> int:
        """The journal of a deposit; gives the sequence of its deposit_closed."""
        opened = journal_pb2.DepositOpened(
            deposit_id=deposit_id(deposit), account_id=account, currency="EUR", box_period_id=BOX_PERIOD
        )
        self.write(opened)
        for note in notes:
            value = money_pb2.Money(minor=note.minor, currency=note.currency)
            name = an_id(note.number)
            self.write(journal_pb2.NoteEscrowed(note_id=name, deposit_id=deposit_id(deposit), value=value))
            self.write(_outcome(note))
        return self.write(journal_pb2.DepositClosed(deposit_id=deposit_id(deposit))).sequence

    # --- wires

    def credentials(self) -> grpc.ChannelCredentials:
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return grpc.ssl_channel_credentials(self.authority, pem, self.certificate)

    # --- customers

    def attempt(self, session: int, pan: str, pin: str, expiry: str = "3112") -> customer_pb2.AuthenticateRequest:
        assert self.pad is not None
        block, ksn = self.pad.block(pan, pin)
        return customer_pb2.AuthenticateRequest(
            session_id=an_id(session),
            sealed_pan=HpkeSealer(self.sealing_key).seal(pan.encode(), b"pan"),
            pin_block=block,
            pin_ksn=ksn,
            expiry=expiry,
        )


def _outcome(note: Note) -> Fact:
    name, number = an_id(note.number), note.outcome_number
    match note.outcome:
        case settlement_pb2.OUTCOME_CREDITED:
            return journal_pb2.NoteStacked(note_id=name, outcome_number=number)
        case settlement_pb2.OUTCOME_RETURNED:
            return journal_pb2.NoteReturned(note_id=name, outcome_number=number)
        case _:
            return journal_pb2.NoteInDoubt(note_id=name, outcome_number=number)
