"""The host of the simulation: made once a process, its database put back to the beginning for every seed.

All keys are fixed, so that signatures have the same length in every process and a seed writes the same bytes.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection, Engine, insert

from guichet.ids import TerminalId, make_id
from guichet.journal.export import read_export
from guichet.money import Currency, Money
from guichet.offline import Limit
from host.assembly import Host, Seams, assemble
from host.claims.lost import left_open, settle_left_open
from host.commands.take_in import take_in
from host.config import HostConfig
from host.customers.schema import CardState, cards, customers
from host.ledger.kinds import AccountKind, AccountState, Ledger
from host.ledger.schema import accounts
from host.ledger.settlement import Answer
from host.offline.limits import set_limits
from host.pki.codes import new_code
from host.pki.enrolment import Application, Enrolled
from host.pki.files import write_secret
from host.readable import masked
from host.services.desk import SettlementDesk
from host.services.server import add_services
from host.store.engine import open_engine
from host.store.migrate import migrate
from kiosk.terminal.enrolment import Identity
from tests.simulation.loop import Life, WorldLoop, life_now
from tests.simulation.network import Exchange, HostServer, as_server
from tests.simulation.plan import Allowance

T = TypeVar("T")

HOST, LATE = "host:7443", "host:7444"
BEGAN_US = 1_700_000_000_000_000
_PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def fixed_key(number: int) -> ec.EllipticCurvePrivateKey:
    """The same key for the same number."""
    return ec.derive_private_key(0x5EED_0000 + number, ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with a card, a PIN and one account that takes deposits."""

    pan: bytes
    expiry: str
    pin: str
    account: str


CUSTOMERS = (
    Customer(b"4761739001010010", "3112", "1234", make_id(0, b"account 01")),
    Customer(b"5413330089020011", "3106", "4321", make_id(0, b"account 02")),
    Customer(b"4761739001010036", "3009", "2580", make_id(0, b"account 03")),
)


BINS = ("476173", "54133300")


class HostClock:
    """Virtual time, and the wall's time ``offset_us`` beside it."""

    def __init__(self) -> None:
        self.offset_us = 0
        self.jumped = False
        self.loop: WorldLoop | None = None

    def wall_us(self) -> int:
        return BEGAN_US + self.offset_us + int(self.monotonic() * 1_000_000)

    def jump(self, seconds: int) -> None:
        """Somebody sets it."""
        self.offset_us += seconds * 1_000_000
        self.jumped = True

    def monotonic(self) -> float:
        return self.loop.time() if self.loop is not None else 0.0  # While the template is made.


class CountingRandom:
    """Bytes that do not repeat, the same in every run; ``salt`` keeps two sources apart."""

    def __init__(self, salt: int) -> None:
        self._salt = salt
        self.count = 0

    def bytes(self, count: int) -> bytes:
        self.count += 1
        return (self._salt.to_bytes(2, "big") + self.count.to_bytes(8, "big"))[-count:].rjust(count, b"\x5a")


class HostIds:
    def __init__(self, clock: HostClock) -> None:
        self._clock = clock
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return make_id(self._clock.wall_us(), self.count.to_bytes(10, "big"))


class MortalExecutor:
    """Runs at once; its process can die before a transaction, or right after its commit."""

    def __init__(self) -> None:
        self.on_commit: Callable[[], None] = lambda: None

    async def run(self, work: Callable[[], T]) -> T:
        life = life_now()
        if life is not None:
            life.effect()
        result = work()
        self.on_commit()
        if life is not None:
            life.effected()
        return result

    def close(self) -> None:
        """Nothing is ever under way."""


class Bank:
    """The host's machine. ``host`` is its parts; a life of its process begins with :meth:`begin`."""

    def __init__(self, terminals: tuple[str, ...]) -> None:
        logging.disable(logging.CRITICAL)
        self._folder = tempfile.TemporaryDirectory(prefix="guichet-bank-")
        self.folder = Path(self._folder.name)
        config = HostConfig(data=self.folder)
        keys = config.keys
        write_secret(keys / "authority.key", fixed_key(1).private_bytes(*_PEM))
        write_secret(keys / "signing.key", fixed_key(2).private_bytes(*_PEM))
        write_secret(keys / "sealing.key", bytes(range(32)))
        write_secret(keys / "pin-base.key", bytes(range(16)))
        write_secret(keys / "pan-index.key", bytes(range(32)))
        write_secret(keys / "pin-check.key", bytes(range(32)))
        self.clock, self._random = HostClock(), CountingRandom(1)
        self.ids = HostIds(self.clock)
        self.executor = MortalExecutor()
        engine = open_engine(None)
        migrate(engine)
        self.host: Host = assemble(config, Seams(self.clock, self._random, self.ids), engine, self.executor)
        with engine.begin() as connection:
            self._furnish(connection)
            self.enrolled = {name: self._enrol(connection, name, index) for index, name in enumerate(terminals)}
        self._enrolments = 0
        self._database = database_of(engine)
        self._database.execute("VACUUM")
        self._beginning = self._database.serialize()
        self.engine = engine

    def _furnish(self, connection: Connection) -> None:
        for number, customer in enumerate(CUSTOMERS):
            name, pan, ledger = f"customer-{number}", customer.pan.decode(), Ledger.TRAINING
            known = {"customer_id": name, "ledger": ledger}
            connection.execute(insert(customers), {**known, "display_name": name, "language": "en"})
            card = {
                "pan_index": self.host.module.pan_index(pan),
                "masked": masked(pan),
                "expiry": customer.expiry,
                "state": CardState.ACTIVE,
                "pin_reference": self.host.module.pin_reference(pan, customer.pin),
                "wrong_tries": 0,
            }
            connection.execute(insert(cards), {**known, **card})
            account = {
                "account_id": customer.account,
                "kind": AccountKind.CUSTOMER,
                "currency": "EUR",
                "terminal_id": None,
                "number": f"LV{number:018}",
                "product": "Current account",
                "state": AccountState.OPEN,
                "takes_deposits": True,
            }
            connection.execute(insert(accounts), {**known, **account})

    def _enrol(self, connection: Connection, name: str, index: int) -> tuple[Identity, Enrolled]:
        now_us = self.host.now_us()
        key = fixed_key(100 + index)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "terminal")])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        csr = request.public_bytes(serialization.Encoding.PEM).decode()
        code = new_code(connection, TerminalId(name), Ledger.TRAINING, self._random, now_us)
        enrolled = self.host.desk.enrol(connection, Application(code.text, csr, "simulated", "here"), now_us)
        assert isinstance(enrolled, Enrolled)
        identity = Identity(
            enrolled.terminal_id,
            enrolled.epoch,
            True,
            "host",
            7443,
            7444,
            self.host.authority.pem.decode(),
            enrolled.certificate.pem.decode(),
            self.host.keys.sealing_public,
            self.host.keys.signer.public_key(),
            key.private_bytes(*_PEM),
        )
        return identity, enrolled

    @property
    def database(self) -> sqlite3.Connection:
        """The books, for a checker that asks in its own words."""
        return self._database

    def close(self) -> None:
        """Its folder goes, and logs are written again."""
        self.host.store.close()
        self._folder.cleanup()
        logging.disable(logging.NOTSET)

    def put_back(self, loop: WorldLoop) -> None:
        """The beginning of every seed."""
        self.clock.loop = loop
        self._database.deserialize(self._beginning)
        self._database.execute("PRAGMA foreign_keys = ON")
        self.clock.offset_us, self.clock.jumped = 0, False
        self._random.count = self.ids.count = 1000
        self.executor.on_commit = lambda: None
        self._enrolments = len(self.enrolled)

    def enrol_again(self, terminal: str) -> tuple[Identity, Enrolled]:
        """Another disk, under a name that had one before."""
        self._enrolments += 1
        with self.engine.begin() as connection:
            return self._enrol(connection, terminal, self._enrolments)

    def allow(self, terminal: str, allowance: Allowance) -> None:
        """Sign what ``terminal`` may do without this host, for the cards of all customers."""
        currency = Currency("EUR")
        per_card, per_terminal = Money(allowance.per_card, currency), Money(allowance.per_terminal, currency)
        limits = [Limit(digits, per_card, per_terminal, allowance.deposits) for digits in BINS]
        with self.engine.begin() as connection:
            set_limits(
                connection, self.host.keys.signer, TerminalId(terminal), limits, allowance.seconds * 1_000_000,
                "simulation", self.host.now_us(),
            )  # fmt: skip

    def take_in(self, export: bytes) -> set[tuple[int, int]]:
        """An operator hands in what an old disk still has, and has settled what that left open; gives which of it was
        new here, by their places.
        """
        entries = {(entry.epoch, entry.sequence) for entry in read_export(export).entries}
        new = entries - self._places(read_export(export).head.terminal_id)
        take_in(read_export(export), self.host.settlement, self._write, self.host.now_us())
        self._write(partial(self._settle_lost, TerminalId(read_export(export).head.terminal_id)))
        return new

    def _settle_lost(self, terminal: TerminalId, connection: Connection) -> None:
        host = self.host
        found = left_open(connection, terminal, host.now_us())
        results = settle_left_open(connection, found, host.settlement, host.keys.signer, host.now_us())
        assert all(isinstance(result, Answer) for result in results)

    def _places(self, terminal: str) -> set[tuple[int, int]]:
        query = "SELECT epoch, sequence FROM journal_entries WHERE terminal_id = ?"
        return {(epoch, sequence) for epoch, sequence in self._database.execute(query, (terminal,))}

    def _write(self, operation: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            return operation(connection)

    def begin(self, life: Life, exchange: Exchange, on_crash: Callable[[str], None]) -> None:
        """A life of the host's process."""
        desk = SettlementDesk(self.host.store, self.host.settlement)
        terminals, late = HostServer(life, on_crash), HostServer(life, on_crash)
        add_services(self.host, desk, as_server(terminals), as_server(late))
        exchange.servers.update({HOST: terminals, LATE: late})
        life.start(desk.run())


def database_of(engine: Engine) -> sqlite3.Connection:
    """The driver's own connection, of which there is one."""
    with engine.connect() as connection:
        return cast("sqlite3.Connection", connection.connection.driver_connection)


def keep_identity(identity: Identity, data: Path) -> None:
    """As the enrolment command keeps it; the seal's key is a fixed one, another one for each disk."""
    data.mkdir(parents=True, exist_ok=True)
    kept = {name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(identity).items()}
    del kept["key_pem"]
    (data / "identity.json").write_text(json.dumps(kept), encoding="utf-8")
    (data / f"key-{identity.epoch}.pem").write_bytes(identity.key_pem)
    (data / "journal.key").write_bytes(bytes(range(identity.epoch - 1, identity.epoch + 31)))


__all__ = ["BEGAN_US", "CUSTOMERS", "HOST", "LATE", "Bank", "Customer", "keep_identity"]
