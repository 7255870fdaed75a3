"""A host on the bench: its database in memory, its clock in our hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from guichet.ids import TerminalId
from guichet.pin import Key
from guichet.system import SystemClock, SystemIds, SystemRandom
from host.assembly import Host, Seams, assemble
from host.config import HostConfig
from host.customers.demo import PEOPLE, account_id
from host.ledger.kinds import Ledger
from host.pki.codes import new_code
from host.pki.enrolment import Application, Enrolled
from host.store.engine import open_engine
from host.store.executor import InlineExecutor
from tests.host.terminal import BenchTerminal, Pad

ANNA = account_id(PEOPLE[0].current)
BORIS = account_id(PEOPLE[1].current)
NOON = SystemClock().wall_us()
"""When the bench's clock begins: now, because TLS checks certificates by the machine's clock."""


@dataclass
class BenchClock:
    """A clock that stands until it is set."""

    now_us: int = NOON
    ticks: float = field(default=0.0)

    def wall_us(self) -> int:
        return self.now_us

    def monotonic(self) -> float:
        return self.ticks


@dataclass
class Bench:
    """A host with its database in memory, and hands to move its clock and enrol terminals."""

    host: Host
    engine: Engine
    clock: BenchClock

    def code(self, name: str, ledger: Ledger = Ledger.TRAINING) -> str:
        with self.engine.begin() as connection:
            random = self.host.seams.random
            return new_code(connection, TerminalId(name), ledger, random, self.clock.now_us).text

    def backup(self) -> sqlite3.Connection:
        """A copy of the database as it is."""
        return self._copied(lambda database, copy: database.backup(copy), sqlite3.connect(":memory:"))

    def come_back_from(self, backup: sqlite3.Connection) -> None:
        """The database as it was then. What came since is gone."""
        self._copied(lambda database, copy: copy.backup(database), backup)

    def _copied(
        self, copy: Callable[[sqlite3.Connection, sqlite3.Connection], None], backup: sqlite3.Connection
    ) -> sqlite3.Connection:
        pool = self.engine.raw_connection()
        assert isinstance(pool.driver_connection, sqlite3.Connection)
        copy(pool.driver_connection, backup)
        pool.close()
        return backup

    def enrol(
        self, name: str, ledger: Ledger = Ledger.TRAINING, *, former: tuple[BenchTerminal, ...] = ()
    ) -> BenchTerminal:
        """A terminal that has enrolled, without a wire; ``former`` are the enrolments of its disk, which it shows."""
        terminal = BenchTerminal(TerminalId(name))
        shown = tuple(one.certificate.decode() for one in former)
        application = Application(self.code(name, ledger), terminal.csr(), "a bench", "here", shown)
        with self.engine.begin() as connection:
            enrolled = self.host.desk.enrol(connection, application, self.clock.now_us)
        assert isinstance(enrolled, Enrolled)
        terminal.certificate = enrolled.certificate.pem
        terminal.authority = self.host.authority.pem
        terminal.epoch = enrolled.epoch
        terminal.sealing_key = self.host.keys.sealing_public
        terminal.answer_key = self.host.keys.signer.public_key()
        if enrolled.pin_key_id:
            terminal.pad = Pad(Key(enrolled.pin_initial_key), enrolled.pin_key_id)
        return terminal


def build_bench(migrated: Path) -> Bench:
    """A fresh bench over a copy, in memory, of the migrated database, with its keys."""
    clock = BenchClock()
    seams = Seams(clock, SystemRandom(), SystemIds(clock, SystemRandom()))
    engine = open_engine(None)
    with sqlite3.connect(migrated / "host.db") as source:
        pool = engine.raw_connection()
        assert isinstance(pool.driver_connection, sqlite3.Connection)
        source.backup(pool.driver_connection)
        pool.close()
    source.close()
    config = HostConfig(data=migrated, port=0, enrol_port=0, console_port=0)
    return Bench(assemble(config, seams, engine, InlineExecutor()), engine, clock)
