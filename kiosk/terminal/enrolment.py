"""How this machine comes to be a terminal: a ticket from the host, a key that is made here and stays here."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from guichet.ids import TerminalId, check_terminal_id
from guichet.journal.chain import SEAL_KEY_BYTES
from guichet.limits import MAX_FORMER_CERTIFICATES
from guichet.signing import EcdsaSigner
from guichet.v1 import enrolment_pb2
from guichet.v1.enrolment_pb2_grpc import EnrolmentStub
from kiosk.journal.key import journal_file, key_file
from kiosk.journal.store import Writer

_SECONDS = 15.0


class EnrolmentError(Exception):
    """This machine could not be enrolled, or what it keeps of its enrolment cannot be read."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an engineer carries from the host to the kiosk; the CA in it is checked against the fingerprint."""

    address: str
    port: int
    enrol_port: int
    code: str
    authority_pem: str
    fingerprint: str

    def __repr__(self) -> str:
        return f"Ticket({self.address}, code ****)"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this terminal is and how it speaks to its host. The private key is a file of its own."""

    terminal_id: TerminalId
    epoch: int
    training: bool
    address: str
    port: int
    enrol_port: int
    authority_pem: str
    certificate_pem: str
    host_sealing_key: bytes
    host_signing_key: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        return f"Identity({self.terminal_id}, epoch {self.epoch})"

    @property
    def target(self) -> str:
        """Where the host takes sessions."""
        return f"{self.address}:{self.port}"

    @property
    def late_target(self) -> str:
        """Where it takes what was signed, without a session."""
        return f"{self.address}:{self.enrol_port}"

    @property
    def certificate_until_us(self) -> int:
        """When this terminal's certificate is over, microseconds since 1970."""
        certificate = x509.load_pem_x509_certificate(self.certificate_pem.encode())
        return int(certificate.not_valid_after_utc.timestamp()) * 1_000_000

    def writer(self, journal_key: bytes) -> Writer:
        """Writes this terminal's journal."""
        return Writer(self.terminal_id, self.epoch, journal_key)

    def signer(self) -> EcdsaSigner:
        """Signs as this terminal."""
        key = serialization.load_pem_private_key(self.key_pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise EnrolmentError("the terminal's key is not an elliptic-curve key")
        return EcdsaSigner(key)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """MTLS as this terminal, trusting only the host's own CA."""
        return grpc.ssl_channel_credentials(
            self.authority_pem.encode(), self.key_pem, self.certificate_pem.encode()
        )  # fmt: skip


def read_ticket(path: Path) -> Ticket:
    """The ticket in ``path``. Raises :class:`EnrolmentError`, also for a CA that is not the fingerprint's."""
    try:
        table = cast("dict[str, object]", json.loads(path.read_text(encoding="utf-8")))
        ticket = Ticket(
            str(table["address"]),
            int(str(table["port"])),
            int(str(table["enrol_port"])),
            str(table["code"]),
            str(table["authority_pem"]),
            str(table["fingerprint"]),
        )
        authority = x509.load_pem_x509_certificate(ticket.authority_pem.encode())
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise EnrolmentError(f"{path} is not an enrolment ticket: {error}") from error
    fingerprint = authority.fingerprint(hashes.SHA256()).hex()
    if fingerprint != ticket.fingerprint.replace(":", "").lower():
        raise EnrolmentError("the certificate authority in the ticket is not the one of its fingerprint")
    return ticket


async def enrol(ticket: Ticket, data: Path, description: str, *, again: bool = False) -> Identity:
    """Enrol with ``ticket`` and keep the result in ``data``. ``again``: a machine that is enrolled already gets a new
    key and a new epoch and goes on with its journal, so that nothing unsettled is left behind. Raises
    :class:`EnrolmentError`; the machine then keeps what it has.
    """
    enrolled = (data / "identity.json").exists()
    if enrolled and not again:
        raise EnrolmentError(f"{data} is enrolled already; --again gives it a new key and keeps its journal")
    if journal_file(data).exists() and not key_file(data).exists():
        raise EnrolmentError(f"{journal_file(data)} is there and its key is not: put back {key_file(data).name} first")
    former = load_identity(data) if enrolled else None
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "terminal")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    request = enrolment_pb2.EnrolRequest(
        code=ticket.code,
        csr_pem=csr.public_bytes(serialization.Encoding.PEM).decode(),
        description=description[:200],
        former_certificates=former_certificates(data, ticket),
    )
    credentials = grpc.ssl_channel_credentials(ticket.authority_pem.encode())
    async with grpc.aio.secure_channel(f"{ticket.address}:{ticket.enrol_port}", credentials) as channel:
        try:
            answer = await EnrolmentStub(channel).Enrol(request, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise EnrolmentError(f"the host says {error.code().name}: {error.details()}") from error
    if former is not None and former.terminal_id != answer.terminal_id:
        raise EnrolmentError(
            f"{data} is {former.terminal_id}'s, the ticket is for {answer.terminal_id}: its journal stays as it is"
        )
    if former is not None and former.training is not answer.training:
        mine, other = ("training", "live") if former.training else ("live", "training")
        raise EnrolmentError(f"{data} is enrolled for {mine}, the ticket is for {other}: its journal stays as it is")
    return _keep(ticket, answer, key, data)


def _keep(ticket: Ticket, answer: enrolment_pb2.EnrolResponse, key: ec.EllipticCurvePrivateKey, data: Path) -> Identity:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    identity = Identity(
        check_terminal_id(answer.terminal_id),
        answer.epoch,
        answer.training,
        ticket.address,
        ticket.port,
        ticket.enrol_port,
        ticket.authority_pem,
        answer.certificate_pem,
        answer.host_sealing_key,
        answer.host_signing_key,
        pem,
    )
    data.mkdir(parents=True, exist_ok=True)
    _make_journal_key(data)
    _write_secret(data / _key_name(answer.epoch), pem)
    _write_secret(data / _certificate_name(answer.epoch), answer.certificate_pem.encode())
    if answer.pin_initial_key:
        pin = {"key": answer.pin_initial_key.hex(), "key_id": answer.pin_key_id.hex()}
        _write_secret(data / "pin_key.json", json.dumps(pin).encode())
    kept = {name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(identity).items()}
    del kept["key_pem"]
    # Written last: only a whole enrolment counts as one.
    _write_secret(data / "identity.json", json.dumps(kept, indent=1).encode())
    return identity


def _make_journal_key(data: Path) -> None:
    """The key that the journal on this disk is sealed with. It is made once, and stays as long as the journal does."""
    if not key_file(data).exists():
        _write_secret(key_file(data), secrets.token_bytes(SEAL_KEY_BYTES))


def _key_name(epoch: int) -> str:
    """Each enrolment's key has a file of its own: until the new identity is whole, the old one still has its key."""
    return f"key-{epoch}.pem"


def _certificate_name(epoch: int) -> str:
    """Each enrolment's certificate stays: a host that comes back from a backup may have to be shown it."""
    return f"certificate-{epoch}.pem"


def former_certificates(data: Path, ticket: Ticket) -> list[str]:
    """The newest of those that this machine was given by the ticket's host, the newest last. Raises
    :class:`EnrolmentError` where one cannot be read.
    """
    authority = x509.load_pem_x509_certificate(ticket.authority_pem.encode())
    former: list[tuple[datetime, str]] = []
    for path in data.glob("certificate-*.pem"):
        try:
            pem = path.read_text(encoding="ascii")
            certificate = x509.load_pem_x509_certificate(pem.encode())
        except (OSError, ValueError) as error:
            raise EnrolmentError(f"{path} cannot be read: {error}; put it back, or move it away") from error
        if _is_of(authority, certificate):
            former.append((certificate.not_valid_after_utc, pem))
    return [pem for _until, pem in sorted(former)][-MAX_FORMER_CERTIFICATES:]


def _is_of(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _write_secret(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # What will be sealed with a key must not outlive it.
    finally:
        os.close(directory)


def load_identity(data: Path) -> Identity:
    """What :func:`enrol` kept. Raises :class:`EnrolmentError` where this machine is not enrolled."""
    try:
        table = cast("dict[str, str]", json.loads((data / "identity.json").read_text(encoding="utf-8")))
        return Identity(
            check_terminal_id(table["terminal_id"]),
            int(table["epoch"]),
            bool(table["training"]),
            table["address"],
            int(table["port"]),
            int(table["enrol_port"]),
            table["authority_pem"],
            table["certificate_pem"],
            bytes.fromhex(table["host_sealing_key"]),
            bytes.fromhex(table["host_signing_key"]),
            (data / _key_name(int(table["epoch"]))).read_bytes(),
        )
    except FileNotFoundError as error:
        raise EnrolmentError(f"{data} is not enrolled: run 'guichet-kiosk enrol'") from error
    except (KeyError, ValueError, TypeError) as error:
        raise EnrolmentError(f"{data}/identity.json cannot be read: {error}") from error
