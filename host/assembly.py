"""The parts of a host, put together once: what the services, the console and the commands work with."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from guichet.seams import Clock, Ids, Random
from guichet.system import SystemClock, SystemIds, SystemRandom
from host.bankdays import Calendar
from host.config import HostConfig
from host.hsm.api import SecurityModule
from host.hsm.software import open_module
from host.ledger.resolving import Resolver
from host.ledger.settlement import Settlement
from host.offline.cards import CardAccounts
from host.pki.authority import Authority
from host.pki.enrolment import EnrolmentDesk
from host.pki.keys import HostKeys, open_keys
from host.store.engine import open_engine
from host.store.executor import Executor, Store


@dataclass(frozen=True, slots=True)
class Seams:
    """What comes from outside: time, randomness, ids."""

    clock: Clock
    random: Random
    ids: Ids


def system_seams() -> Seams:
    """Those of this machine."""
    clock, random = SystemClock(), SystemRandom()
    return Seams(clock, random, SystemIds(clock, random))


@dataclass(frozen=True, slots=True)
class Host:
    """A host over its data directory. ``close`` the store when done."""

    config: HostConfig
    seams: Seams
    calendar: Calendar
    authority: Authority
    keys: HostKeys
    module: SecurityModule
    store: Store
    settlement: Settlement
    resolver: Resolver
    desk: EnrolmentDesk

    def now_us(self) -> int:
        """Microseconds since 1970 by the host's clock."""
        return self.seams.clock.wall_us()


def open_database(config: HostConfig) -> Engine:
    """The database for reading and writing; its directory is made where it is missing, for the owner only."""
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open_engine(config.database)


def assemble(config: HostConfig, seams: Seams, engine: Engine, executor: Executor) -> Host:
    """Put a host together; keys that are missing are made."""
    calendar = Calendar(seams.clock, config.zone)
    authority = Authority(config.keys, seams.clock.wall_us())
    keys = open_keys(config.keys, seams.random)
    module = open_module(config.keys, seams.random)
    return Host(
        config=config,
        seams=seams,
        calendar=calendar,
        authority=authority,
        keys=keys,
        module=module,
        store=Store(engine, executor),
        settlement=Settlement(keys.signer, seams.ids, calendar, CardAccounts(keys.sealing, module, calendar)),
        resolver=Resolver(keys.signer, seams.ids, calendar),
        desk=EnrolmentDesk(authority, module, seams.random, config.certificate_life_us),
    )
