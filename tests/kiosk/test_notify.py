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


def test_a_watchdog_meant_for_another_process_is_not_ours() -> None:
    environment = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    assert Notifier(environment).watchdog_seconds is None
