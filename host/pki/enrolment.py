"""Enrolment as one store operation: the code is used, the terminal is known, its key is certified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_unless_there

from guichet.ids import TerminalId
from guichet.pin import KEY_ID_BYTES
from guichet.seams import Random
from host.fleet.health import keep_health
from host.fleet.incidents import Incident, open_incidents
from host.fleet.schema import terminal_epochs, terminals
from host.fleet.standing import revoked_at_us, withdraw
from host.hsm.api import SecurityModule
from host.hsm.counters import add_key
from host.ledger.kinds import Ledger
from host.pki.authority import Authority, Bearer, Issued
from host.pki.codes import Grant, take_code
from host.pki.schema import Withdrawal, certificates
from host.store.throttle import WRONG_CODES, exhausted, failed


@dataclass(frozen=True, slots=True)
class Application:
    """What a terminal sends, and from where. ``former``: the certificates that its disk was given before, in PEM."""

    code: str
    csr_pem: str
    description: str
    origin: str
    former: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What it gets. The PIN key and its id are empty except for a training terminal's software pad."""

    terminal_id: TerminalId
    ledger: Ledger
    certificate: Issued
    epoch: int
    pin_initial_key: bytes
    pin_key_id: bytes

    def __repr__(self) -> str:
        return f"Enrolled({self.terminal_id}, epoch {self.epoch})"


@dataclass(frozen=True, slots=True)
class WrongCode:
    """The code is unknown, used or too old: a result, because what it leaves behind (the count) is to be committed."""


class TooManyWrongCodes(Exception):
    """This place has sent too many wrong codes and must wait."""


@dataclass(frozen=True, slots=True)
class EnrolmentDesk:
    """Enrols terminals. ``life_us``: how long a certificate is good, in microseconds."""

    authority: Authority
    module: SecurityModule
    random: Random
    life_us: int

    def enrol(self, connection: Connection, application: Application, now_us: int) -> Enrolled | WrongCode:
        """Use the code up and certify the key. A wrong code is counted.

        Raises :class:`TooManyWrongCodes`, or :class:`host.pki.authority.BadRequest` with the code unused.
        """
        bucket = f"enrol/{application.origin}"
        if exhausted(connection, bucket, WRONG_CODES, now_us):
            raise TooManyWrongCodes
        grant = take_code(connection, application.code, now_us)
        if grant is None:
            failed(connection, bucket, WRONG_CODES, now_us)
            return WrongCode()
        return self._admit(connection, grant, application, now_us)

    def _admit(self, connection: Connection, grant: Grant, application: Application, now_us: int) -> Enrolled:
        terminal = grant.terminal_id
        _keep_terminal(connection, grant, application.description, now_us)
        ledger = grant.ledger.value
        former = [self.authority.issued_before(pem, terminal, ledger) for pem in application.former]
        _bring_back(connection, terminal, former, now_us)
        withdraw(connection, terminal, Withdrawal.SUPERSEDED, now_us)
        epoch = _next_epoch(connection, terminal)
        bearer = Bearer(terminal, ledger, epoch)
        certificate = self.authority.issue(application.csr_pem, bearer, now_us, self.life_us)
        _keep_certificate(connection, terminal, certificate)
        connection.execute(insert(terminal_epochs), _given(terminal, certificate, now_us))
        key_id = self.random.bytes(KEY_ID_BYTES) if grant.ledger is Ledger.TRAINING else b""
        if key_id:
            add_key(connection, key_id, terminal)
        initial_key = self.module.initial_key(key_id) if key_id else b""
        return Enrolled(terminal, grant.ledger, certificate, epoch, initial_key, key_id)


def _keep_terminal(connection: Connection, grant: Grant, description: str, now_us: int) -> None:
    values = {
        "terminal_id": grant.terminal_id,
        "ledger": grant.ledger,
        "description": description,
        "enrolled_at_us": now_us,
    }
    statement = insert_unless_there(terminals).values(values)
    news = {"description": description, "enrolled_at_us": now_us}
    connection.execute(statement.on_conflict_do_update(index_elements=[terminals.c.terminal_id], set_=news))
    keep_health(connection, grant.terminal_id, None, now_us)


def _bring_back(connection: Connection, terminal: TerminalId, former: Sequence[Issued], now_us: int) -> None:
    """Know of enrolments again that this host has forgotten, by the certificates that it gave with them: what their
    keys signed is still to be settled, their journals are to be taken, and their epochs are not to be given again.
    """
    kept = select(certificates.c.serial).where(certificates.c.terminal_id == terminal)
    known = set(connection.execute(kept).scalars())
    forgotten = {one.serial: one for one in former if one.serial not in known}.values()
    revoked_us = revoked_at_us(connection, terminal)
    for one in forgotten:
        _keep_certificate(connection, terminal, one)
        # This host may have given that epoch to another disk by now: the two are a fork.
        epochs = insert_unless_there(terminal_epochs).values(_given(terminal, one, now_us))
        connection.execute(epochs.on_conflict_do_nothing())
        if one.issued_at_us <= revoked_us:
            withdraw(connection, terminal, Withdrawal.REVOKED, now_us, serial=one.serial)
    open_incidents(connection, [_forgotten_enrolment(terminal, one) for one in forgotten], now_us)


def _forgotten_enrolment(terminal: TerminalId, enrolment: Issued) -> Incident:
    text = (
        f"the terminal was enrolled for epoch {enrolment.epoch}, and this host, perhaps from a backup of before that,"
        " did not know; what that enrolment wrote and signed is taken again"
    )
    return Incident("enrolment-forgotten", terminal, f"epoch {enrolment.epoch}", text, enrolment.serial)


def _given(terminal: TerminalId, certificate: Issued, now_us: int) -> dict[str, str | int]:
    return {"terminal_id": terminal, "epoch": certificate.epoch, "issued_at_us": now_us}


def _keep_certificate(connection: Connection, terminal: TerminalId, certificate: Issued) -> None:
    values = {
        "serial": certificate.serial,
        "terminal_id": terminal,
        "public_key": certificate.public_key,
        "not_before_us": certificate.not_before_us,
        "not_after_us": certificate.not_after_us,
    }
    connection.execute(insert(certificates).values(values))


def _next_epoch(connection: Connection, terminal: TerminalId) -> int:
    c = terminal_epochs.c
    highest = connection.execute(select(func.max(c.epoch)).where(c.terminal_id == terminal)).scalar()
    return (highest or 0) + 1
