"""Telling systemd how a process is: ready, alive, stopping. Does nothing where no systemd asked.

The protocol is that of sd_notify(3): a datagram of ``NAME=value`` lines to the socket named in NOTIFY_SOCKET.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping


def _say(error: OSError) -> None:
    print(f"the service manager was not told: {error}", file=sys.stderr, flush=True)


class Notifier:
    """Speaks to the service manager that ``environment`` names; silent without one.

    A word that does not get through ends nothing: a manager that misses too many acts by its own rules, and until then
    the work goes on. ``failed`` hears of the first of a row.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ, failed: Callable[[OSError], None] = _say) -> None:
        self._failed = failed
        self._heard = True
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog_us = _microseconds(environment)

    @property
    def watchdog_seconds(self) -> float | None:
        """How often to call :meth:`alive`: half of what the manager waits; None where it does not watch."""
        return self._watchdog_us / 2_000_000 if self._address and self._watchdog_us else None

    def ready(self, status: str = "") -> None:
        """The service does its work now; ``status`` is a line for ``systemctl status``."""
        self._send("READY=1" + (f"\nSTATUS={status}" if status else ""))

    def alive(self) -> None:
        """The watchdog may wait anew. Call it from what must not hang, not from a timer beside it."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """The service has begun to end."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # "@" stands for the zero byte of an abstract socket
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        heard_before, self._heard = self._heard, False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.connect(address)
                line.sendall(message.encode())
        except OSError as error:
            if heard_before:
                self._failed(error)
        else:
            self._heard = True


def _microseconds(environment: Mapping[str, str]) -> int:
    """The manager's patience, if it is meant for this process (sd_watchdog_enabled(3)); else 0."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) if text.isdecimal() else 0
