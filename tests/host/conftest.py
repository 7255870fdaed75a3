from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from guichet.system import SystemIds, SystemRandom
from host.assembly import Seams, assemble
from host.config import HostConfig
from host.customers.demo import add_demo
from host.services.server import Ports, serving
from host.store.engine import open_engine
from host.store.executor import InlineExecutor
from host.store.migrate import migrate
from tests.host.bench import NOON, Bench, BenchClock, build_bench


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema and the demo, made once and copied from then on."""
    directory = tmp_path_factory.mktemp("migrated")
    config = HostConfig(data=directory)
    engine = open_engine(config.database)
    migrate(engine)
    clock = BenchClock()
    host = assemble(config, Seams(clock, SystemRandom(), SystemIds(clock, SystemRandom())), engine, InlineExecutor())
    with engine.begin() as connection:
        add_demo(connection, host.module, host.calendar.today(), NOON)
    engine.dispose()
    return directory


@pytest.fixture
def bench(migrated: Path) -> Generator[Bench]:
    made = build_bench(migrated)
    yield made
    made.host.store.close()


@pytest.fixture
async def ports(bench: Bench) -> AsyncGenerator[Ports]:
    """The bench's host, serving on free ports."""
    async with serving(bench.host) as found:
        yield found
