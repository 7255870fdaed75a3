"""What every test has: asyncio's debug mode, an ear for Ctrl-C, and a place of the run's own."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# `make test` sets this too; here for those who start pytest by hand. asyncio reads it whenever a loop is made.
os.environ.setdefault("PYTHONASYNCIODEBUG", "1")

# A shell without job control starts what runs behind it deaf to Ctrl-C, and what the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test is timed: another process on the machine must not be able to fail one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """A directory for this run's sockets, journals and logs.

    Its path is short, because a Unix socket's may have no more than 107 bytes and pytest's own directories are long.
    GUICHET_KEEP=1 keeps it for a look.
    """
    path = Path(tempfile.mkdtemp(prefix="guichet-"))
    yield path
    if os.environ.get("GUICHET_KEEP"):
        print(f"kept: {path}")
    else:
        shutil.rmtree(path)
