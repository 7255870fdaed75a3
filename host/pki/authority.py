"""The host's certificate authority: its own root, the server's certificate, and those of terminals."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from guichet.ids import IdError, TerminalId, check_terminal_id
from guichet.signing import public_bytes
from host.pki.files import kept_secret
from host.pki.keys import load_signing_key, new_signing_key

TERMINAL_URI = "guichet:terminal:"
"""What stands before a terminal's id in its certificate's subject alternative name."""

EPOCH_URI = "guichet:epoch:"
"""What stands there before the epoch that was given with it."""

LEDGER_URI = "guichet:ledger:"
"""And before the name of the terminal's ledger."""

# A terminal's clock may be hours off. A certificate that is a day old when it is made works all the same.
_BACKDATED = timedelta(days=1)
_AUTHORITY_LIFE = timedelta(days=20 * 365)
_SERVER_LIFE = timedelta(days=397)
_SERVER_RENEWED_BEFORE = timedelta(days=30)
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class BadRequest(ValueError):
    """A certificate request that cannot be granted. The text says why."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A terminal's certificate, and the ``epoch`` that was given with it. Times are microseconds since 1970: it is good
    from a day before ``issued_at_us``; ``serial`` is hexadecimal.
    """

    pem: bytes
    serial: str
    epoch: int
    public_key: bytes
    not_before_us: int
    not_after_us: int

    @property
    def issued_at_us(self) -> int:
        """When it was given."""
        return self.not_before_us + microseconds_of(_BACKDATED)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose a certificate is: a terminal's, in its ledger, which never changes, in one of its epochs."""

    terminal_id: TerminalId
    ledger: str
    epoch: int

    @property
    def names(self) -> x509.SubjectAlternativeName:
        """As it says so."""
        said = ((TERMINAL_URI, self.terminal_id), (LEDGER_URI, self.ledger), (EPOCH_URI, str(self.epoch)))
        return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(prefix + text) for prefix, text in said])


def moment(wall_us: int) -> datetime:
    """``wall_us`` as X.509 has it: whole seconds, UTC."""
    return datetime.fromtimestamp(wall_us // 1_000_000, UTC)


def microseconds(when: datetime) -> int:
    """Microseconds since 1970 of an aware ``when``."""
    return microseconds_of(when - datetime(1970, 1, 1, tzinfo=UTC))


def microseconds_of(span: timedelta) -> int:
    """Whole microseconds."""
    return span // timedelta(microseconds=1)


def serial_of(certificate: x509.Certificate) -> str:
    """A certificate's serial number as the host stores it."""
    return f"{certificate.serial_number:040x}"


def terminal_of(certificate: x509.Certificate) -> TerminalId:
    """Whose certificate it is. Raises :class:`BadRequest` where it names no terminal."""
    try:
        return check_terminal_id(_named(certificate, TERMINAL_URI))
    except (x509.ExtensionNotFound, ValueError, IdError) as error:
        raise BadRequest("a certificate of no terminal") from error


def _named(certificate: x509.Certificate, prefix: str) -> str:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    (uri,) = [uri for uri in uris if uri.startswith(prefix)]
    return uri.removeprefix(prefix)


class Authority:
    """The authority over one data directory. Its key is a file that only its owner reads."""

    def __init__(self, directory: Path, wall_us: int) -> None:
        """Opens what is under ``directory`` and makes what is missing."""
        self._directory = directory
        self._key = load_signing_key(kept_secret(directory / "authority.key", new_signing_key))
        root = directory / "authority.pem"
        if not root.exists():
            root.write_bytes(self._new_root(moment(wall_us)))
        self.pem = root.read_bytes()
        self._root = x509.load_pem_x509_certificate(self.pem)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the root's DER, 64 hexadecimal digits: what the terminal checks before it trusts this host."""
        return self._root.fingerprint(hashes.SHA256()).hex()

    def server_credentials(self, names: Sequence[str], wall_us: int) -> tuple[bytes, bytes]:
        """Key and certificate (PEM) of the server for ``names`` (DNS names and addresses), renewed where need be."""
        key_pem = kept_secret(self._directory / "server.key", new_signing_key)
        path = self._directory / "server.pem"
        wanted = x509.SubjectAlternativeName([_general_name(name) for name in names])
        if not path.exists() or not _still_fits(path.read_bytes(), wanted, moment(wall_us)):
            key = load_signing_key(key_pem)
            builder = self._builder(names[0], key.public_key(), moment(wall_us), _SERVER_LIFE)
            builder = builder.add_extension(wanted, critical=False)
            path.write_bytes(self._sign(builder, ExtendedKeyUsageOID.SERVER_AUTH).public_bytes(Encoding.PEM))
        return key_pem, path.read_bytes()

    def issue(self, csr_pem: str, bearer: Bearer, wall_us: int, life_us: int) -> Issued:
        """A certificate of ``bearer`` for the key in ``csr_pem``; the names in the request are ignored.

        Raises :class:`BadRequest` for what is no request, is not signed by its own key, or is not on P-256.
        """
        key = _requested_key(csr_pem)
        life = timedelta(microseconds=life_us)
        builder = self._builder(bearer.terminal_id, key, moment(wall_us), life)
        builder = builder.add_extension(bearer.names, critical=False)
        return _issued(self._sign(builder, ExtendedKeyUsageOID.CLIENT_AUTH), bearer.epoch, key)

    def issued_before(self, pem: str, terminal: TerminalId, ledger: str) -> Issued:
        """What this authority once gave to ``terminal`` in ``ledger``, however long ago. Raises :class:`BadRequest` for
        anything that it did not.
        """
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
            certificate.verify_directly_issued_by(self._root)
            owner, epoch = terminal_of(certificate), int(_named(certificate, EPOCH_URI))
            its_ledger, key = _named(certificate, LEDGER_URI), certificate.public_key()
        except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature) as error:
            raise BadRequest("a former certificate that this host did not give") from error
        if owner != terminal or not isinstance(key, ec.EllipticCurvePublicKey):
            raise BadRequest(f"a former certificate of {owner}, not of {terminal}")
        if its_ledger != ledger:
            raise BadRequest(
                f"{terminal} was enrolled for the {its_ledger} ledger: make a code for that, or another name"
            )
        return _issued(certificate, epoch, key)

    def _new_root(self, now: datetime) -> bytes:
        public = self._key.public_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Guichet host authority")])
        builder = x509.CertificateBuilder(name, name, public, x509.random_serial_number())
        builder = builder.not_valid_before(now - _BACKDATED).not_valid_after(now + _AUTHORITY_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _builder(
        self, common_name: str, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
    ) -> x509.CertificateBuilder:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = x509.CertificateBuilder(self._root.subject, subject, key, x509.random_serial_number())
        return builder.not_valid_before(now - _BACKDATED).not_valid_after(now + life)

    def _sign(self, builder: x509.CertificateBuilder, purpose: x509.ObjectIdentifier) -> x509.Certificate:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage("digital_signature"), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        return builder.add_extension(identifier, critical=False).sign(self._key, hashes.SHA256())


def _issued(certificate: x509.Certificate, epoch: int, key: ec.EllipticCurvePublicKey) -> Issued:
    return Issued(
        pem=certificate.public_bytes(Encoding.PEM),
        serial=serial_of(certificate),
        epoch=epoch,
        public_key=public_bytes(key),
        not_before_us=microseconds(certificate.not_valid_before_utc),
        not_after_us=microseconds(certificate.not_valid_after_utc),
    )


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in allowed for usage in _USAGES})


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _still_fits(pem: bytes, names: x509.SubjectAlternativeName, now: datetime) -> bool:
    certificate = x509.load_pem_x509_certificate(pem)
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found == names and now + _SERVER_RENEWED_BEFORE < certificate.not_valid_after_utc


def _requested_key(csr_pem: str) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode("ascii"))
        key = request.public_key()
        valid = request.is_signature_valid
    except (ValueError, InvalidSignature) as error:
        raise BadRequest("not a certificate request in PEM") from error
    if not valid:
        raise BadRequest("the request is not signed by its own key")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadRequest("the request's key is not on P-256")
    return key
