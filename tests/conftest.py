"""What every test has: asyncio's debug mode, an ear for Ctrl-C, and a place of the run's own."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from _pytest.capture import CaptureManager
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# `make test` sets this too; here for those who start pytest by hand. asyncio reads it whenever a loop is made.
os.environ.setdefault("PYTHONASYNCIODEBUG", "1")

# A shell without job control starts what runs behind it deaf to Ctrl-C, and what the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test is timed: another process on the machine must not be able to fail one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_COUNTED = "counted"
_KIOSKS = "tests/e2e"
_SABOTAGES = "tests/simulation/test_sabotages.py"
_CELLS = ("tests/conformance/test_start_up_table.py", "tests/conformance/test_matrix.py")
REPOSITORY = Path(__file__).resolve().parent.parent


class SideBySide(LoadScopeScheduling):
    """Each process of the suite takes a file at a time. Whole kiosks stand in one of them, one after the other: two at
    once would be slow to come up, and each would see what the other leaves running. Each sabotage is one of its own, or
    their file would be all that is left at the end; and what is computed for two files stays in one process.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if nodeid.startswith(f"{_KIOSKS}/"):
            return _KIOSKS
        if file in _CELLS:
            return _CELLS[0]
        return nodeid if file == _SABOTAGES else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SideBySide:
    """pytest-xdist asks who hands out the tests."""
    return SideBySide(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, and what fills the gaps comes last."""
    items.sort(key=lambda item: _turn(item.nodeid))


def _turn(nodeid: str) -> int:
    file = nodeid.partition("::")[0]
    if nodeid.startswith(f"{_KIOSKS}/"):
        return 0
    return 1 if file in _CELLS else 3 if file == _SABOTAGES else 2


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return REPOSITORY


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say what a test has counted; it stands at the end of the run, whichever process the test ran in."""
    return lambda text: record_property(_COUNTED, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """pytest calls this before its closing line."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == _COUNTED and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid.rpartition('/')[2]}: {text}")


@pytest.fixture(scope="session")
def run_dir(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory for this run's sockets, journals and logs.

    Its path is short, because a Unix socket's may have no more than 107 bytes and pytest's own directories are long.
    GUICHET_KEEP=1 keeps it for a look.
    """
    path = Path(tempfile.mkdtemp(prefix="guichet-"))
    yield path
    if os.environ.get("GUICHET_KEEP"):
        capturing = request.config.pluginmanager.getplugin("capturemanager")
        assert isinstance(capturing, CaptureManager)
        with capturing.global_and_fixture_disabled():
            print(f"\nkept: {path}", file=sys.stderr, flush=True)
    else:
        shutil.rmtree(path)
