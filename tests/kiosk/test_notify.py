from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from kiosk.notify import Notifier


def test_without_a_manager_nothing_is_said_and_nothing_watched() -> None:
    silent = Notifier({"WATCHDOG_USEC": "1000000"})
    silent.ready()
    silent.alive()
    assert silent.watchdog_seconds is None


@pytest.mark.parametrize("abstract", [False, True])
def test_a_manager_hears_what_it_should(run_dir: Path, abstract: bool) -> None:
    name = f"@guichet-notify-{os.getpid()}" if abstract else str(run_dir / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(10)
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"})
        notifier.ready("on the glass")
        notifier.alive()
        notifier.status("well")
        notifier.stopping()
        said = [manager.recv(1024).decode() for _ in range(4)]
    assert said == ["READY=1\nSTATUS=on the glass", "WATCHDOG=1", "STATUS=well", "STOPPING=1"]
    assert notifier.watchdog_seconds == 1.5


@pytest.mark.parametrize("bound", [False, True], ids=["no socket there", "nobody listens there"])
def test_a_manager_that_cannot_be_reached_ends_nothing_and_is_said_once_until_it_is_back(
    run_dir: Path, bound: bool
) -> None:
    path = run_dir / f"notify-{bound}"
    if bound:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as gone:
            gone.bind(str(path))
    failures: list[OSError] = []
    notifier = Notifier({"NOTIFY_SOCKET": str(path)}, failures.append)
    notifier.ready()
    notifier.alive()
    assert len(failures) == 1
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        notifier.alive()
        assert manager.recv(1024) == b"WATCHDOG=1"
    notifier.alive()
    assert len(failures) == 2


def test_by_itself_it_says_on_standard_error_that_nobody_hears_it(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Notifier({"NOTIFY_SOCKET": str(run_dir / "nowhere")}).stopping()
    assert "the service manager was not told" in capsys.readouterr().err


def test_a_watchdog_meant_for_another_process_is_not_ours() -> None:
    environment = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    assert Notifier(environment).watchdog_seconds is None
