"""Tickets and what is kept of an enrolment: refused clearly, secret, and whole or not at all."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from guichet.limits import MAX_FORMER_CERTIFICATES
from guichet.seams import Domain
from guichet.signing import verify
from guichet.v1 import enrolment_pb2
from guichet.v1.enrolment_pb2_grpc import EnrolmentServicer, add_EnrolmentServicer_to_server
from kiosk.terminal.enrolment import (
    EnrolmentError,
    Identity,
    enrol,
    former_certificates,
    load_identity,
    read_ticket,
)

CA_KEY = ec.generate_private_key(ec.SECP256R1())


def authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=7_300))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256())


CA = authority(CA_KEY)
TICKET = {
    "address": "127.0.0.1",
    "port": 7443,
    "enrol_port": 7444,
    "code": "ABCD-EFGH",
    "authority_pem": CA.public_bytes(serialization.Encoding.PEM).decode(),
    "fingerprint": CA.fingerprint(hashes.SHA256()).hex(),
}


def ticket(tmp_path: Path, **change: object) -> Path:
    path = tmp_path / "ticket.json"
    path.write_text(json.dumps({k: v for k, v in {**TICKET, **change}.items() if v is not None}))
    return path


def test_a_ticket_is_read_and_prints_its_code_as_stars(tmp_path: Path) -> None:
    read = read_ticket(ticket(tmp_path))
    assert (read.address, read.port, read.enrol_port, read.code) == ("127.0.0.1", 7443, 7444, "ABCD-EFGH")
    assert "ABCD" not in repr(read)


def test_a_fingerprint_may_be_written_as_people_write_it(tmp_path: Path) -> None:
    digits = CA.fingerprint(hashes.SHA256()).hex().upper()
    read_ticket(ticket(tmp_path, fingerprint=":".join(digits[i : i + 2] for i in range(0, 64, 2))))


@pytest.mark.parametrize(
    "change",
    [
        {"code": None},
        {"port": "x"},
        {"authority_pem": "junk"},
        {"address": None},
        {"fingerprint": None},
        {"enrol_port": []},
    ],
    ids=str,
)
def test_a_ticket_that_is_none_is_refused_by_its_name(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(EnrolmentError, match=r"ticket\.json is not an enrolment ticket"):
        read_ticket(ticket(tmp_path, **change))


@pytest.mark.parametrize("content", ["", "[]", "5", "{"])
def test_a_file_that_is_no_ticket_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ticket.json"
    path.write_text(content)
    with pytest.raises(EnrolmentError, match="not an enrolment ticket"):
        read_ticket(path)
    with pytest.raises(EnrolmentError, match="not an enrolment ticket"):
        read_ticket(tmp_path / "none.json")


def test_an_authority_that_is_not_the_fingerprints_is_refused(tmp_path: Path) -> None:
    other = authority(ec.generate_private_key(ec.SECP256R1())).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(EnrolmentError, match="not the one of its fingerprint"):
        read_ticket(ticket(tmp_path, authority_pem=other))


async def test_a_machine_that_is_enrolled_is_not_enrolled_again_unasked(tmp_path: Path) -> None:
    (tmp_path / "identity.json").write_text("{}")
    with pytest.raises(EnrolmentError, match="enrolled already"):
        await enrol(read_ticket(ticket(tmp_path)), tmp_path, "")


async def test_a_host_that_cannot_be_reached_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with pytest.raises(EnrolmentError, match="the host says UNAVAILABLE"):
        await enrol(read_ticket(ticket(tmp_path, enrol_port=1)), data, "a kiosk")
    assert not data.exists()


def given(key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate, days: int) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "T-1")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    builder = x509.CertificateBuilder(issuer.subject, name, public, days, begin, begin + timedelta(days=days))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_a_host_is_shown_the_certificates_that_it_gave_the_newest_last_and_no_others(tmp_path: Path) -> None:
    another = ec.generate_private_key(ec.SECP256R1())
    ours = [given(CA_KEY, CA, days) for days in range(1, MAX_FORMER_CERTIFICATES + 3)]
    for epoch, pem in enumerate([*reversed(ours), given(another, CA, 99)], 1):
        (tmp_path / f"certificate-{epoch}.pem").write_text(pem)
    assert former_certificates(tmp_path, read_ticket(ticket(tmp_path))) == ours[2:]


async def test_a_former_certificate_that_cannot_be_read_stops_an_enrolment(tmp_path: Path) -> None:
    (tmp_path / "certificate-4.pem").write_text("junk")
    with pytest.raises(EnrolmentError, match=r"certificate-4\.pem cannot be read: .*; put it back, or move it away"):
        await enrol(read_ticket(ticket(tmp_path)), tmp_path, "")


class Office(EnrolmentServicer):
    """A host that enrols whoever comes, as ``answer`` has it."""

    def __init__(self, answer: enrolment_pb2.EnrolResponse) -> None:
        self.answer, self.asked = answer, list[enrolment_pb2.EnrolRequest]()

    async def Enrol(self, request: enrolment_pb2.EnrolRequest, context: object) -> enrolment_pb2.EnrolResponse:
        self.asked.append(request)
        return self.answer


@asynccontextmanager
async def open_office(answer: enrolment_pb2.EnrolResponse) -> AsyncGenerator[tuple[Office, int]]:
    """It, and its port."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "office")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(CA.subject, name, key.public_key(), 7)
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(here, critical=False)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificate = builder.sign(CA_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    server, office = grpc.aio.server(), Office(answer)
    add_EnrolmentServicer_to_server(office, server)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pem, certificate)]))
    await server.start()
    try:
        yield office, port
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("training", "terminal", "words"),
    [
        (False, "GVA-0001", "is enrolled for training, the ticket is for live: its journal stays as it is"),
        (True, "GVA-0002", "is GVA-0001's, the ticket is for GVA-0002: its journal stays as it is"),
        (True, "GVA-0001", ""),
    ],
)
async def test_a_machine_stays_whose_it_is_and_in_its_ledger(
    tmp_path: Path, *, training: bool, terminal: str, words: str
) -> None:
    kept(tmp_path)
    former = given(CA_KEY, CA, 3)
    (tmp_path / "certificate-3.pem").write_text(former)
    before = (tmp_path / "identity.json").read_text()
    answer = enrolment_pb2.EnrolResponse(
        terminal_id=terminal, certificate_pem="c", epoch=4, training=training, host_sealing_key=bytes(32)
    )
    async with open_office(answer) as (office, port):
        where = read_ticket(ticket(tmp_path, enrol_port=port))
        if words:
            with pytest.raises(EnrolmentError, match=words):
                await enrol(where, tmp_path, "", again=True)
            assert (tmp_path / "identity.json").read_text() == before
        else:
            assert (await enrol(where, tmp_path, "", again=True)).epoch == 4
            assert (tmp_path / "certificate-4.pem").read_text() == "c"
    assert [list(request.former_certificates) for request in office.asked] == [[former]]


KEY = ec.generate_private_key(ec.SECP256R1())
KEY_PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
IDENTITY = {
    "terminal_id": "GVA-0001", "epoch": 3, "training": True, "address": "bank", "port": 7443, "enrol_port": 7444,
    "authority_pem": "a", "certificate_pem": "c", "host_sealing_key": "00" * 32, "host_signing_key": "01",
}  # fmt: skip


def kept(tmp_path: Path, **change: object) -> Path:
    (tmp_path / "key-3.pem").write_bytes(KEY_PEM)
    (tmp_path / "identity.json").write_text(
        json.dumps({k: v for k, v in {**IDENTITY, **change}.items() if v is not None})
    )
    return tmp_path


def test_what_was_kept_is_read_and_signs(tmp_path: Path) -> None:
    identity = load_identity(kept(tmp_path))
    assert (identity.terminal_id, identity.epoch, identity.training) == ("GVA-0001", 3, True)
    assert (identity.target, identity.late_target) == ("bank:7443", "bank:7444")
    signature = identity.signer().sign(Domain.DEPOSIT_ADVICE, b"x")
    verify(identity.signer().public_key(), Domain.DEPOSIT_ADVICE, b"x", signature)
    assert "PRIVATE" not in repr(identity)


async def test_a_journal_without_its_key_is_not_given_another_one(tmp_path: Path) -> None:
    (kept(tmp_path) / "journal.db").touch()
    with pytest.raises(EnrolmentError, match=r"is there and its key is not: put back journal\.key"):
        await enrol(read_ticket(ticket(tmp_path)), tmp_path, "a kiosk", again=True)
    assert not (tmp_path / "journal.key").exists()


@pytest.mark.parametrize(
    "change",
    [{"epoch": None}, {"epoch": "x"}, {"terminal_id": "../x"}, {"host_sealing_key": "zz"}, {"port": []}],
    ids=str,
)
def test_a_damaged_identity_is_a_clear_error(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(EnrolmentError, match="cannot be read"):
        load_identity(kept(tmp_path, **change))


def test_a_machine_that_is_not_enrolled_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EnrolmentError, match="guichet-kiosk enrol"):
        load_identity(tmp_path)
    kept(tmp_path)
    (tmp_path / "key-3.pem").unlink()
    with pytest.raises(EnrolmentError, match="not enrolled"):
        load_identity(tmp_path)


def test_a_key_of_another_kind_does_not_sign(tmp_path: Path) -> None:
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    kept(tmp_path)
    (tmp_path / "key-3.pem").write_bytes(pem)
    identity: Identity = load_identity(tmp_path)
    with pytest.raises(EnrolmentError, match="elliptic-curve"):
        identity.signer()


def test_what_is_kept_is_for_the_owner_only(tmp_path: Path) -> None:
    from kiosk.terminal.enrolment import _write_secret  # pyright: ignore[reportPrivateUsage]

    _write_secret(tmp_path / "key.pem", KEY_PEM)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]
