"""A device's address, as a configuration writes it. Pure.

A serial port or pty by its path, with ``@BAUD`` behind it where it is not 9600, and ``@BAUD,8E1`` where the line is not
8N1: data bits, parity (N, E or O), stop bits. A TCP server as ``tcp://host:port``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drivers.errors import ConfigurationError

BAUDS = frozenset({1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600})
FRAMINGS = ("8N1", "8E1", "8O1", "8N2")
_TCP = "tcp://"


@dataclass(frozen=True, slots=True)
class SerialAddress:
    """A port's path and how its line runs. ``parity`` is N, E or O."""

    path: str
    baud: int = 9600
    parity: str = "N"
    stop_bits: int = 1


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A server's host (IPv6 without brackets) and port."""

    host: str
    port: int


def parse_address(address: str, device: str) -> SerialAddress | TcpAddress:
    """What ``address`` says. Raises :class:`drivers.errors.ConfigurationError` (``bad-address``), which names
    ``device``.
    """
    if address.startswith(_TCP):
        return _tcp(address, device)
    if address.startswith("/"):
        return _serial(address, device)
    raise _bad(device, f"{address!r}: a path, path@baud, path@baud,8E1 or tcp://host:port")


def with_framing(address: str, framing: str) -> str:
    """``address`` with a protocol's own ``framing``, such as 8E1, unless it is no serial port or says one itself."""
    if not address.startswith("/") or "," in address:
        return address
    return f"{address},{framing}" if "@" in address else f"{address}@9600,{framing}"


def _tcp(address: str, device: str) -> TcpAddress:
    host, _, port = address.removeprefix(_TCP).rpartition(":")
    if not host or re.fullmatch("[0-9]{1,5}", port) is None or not 0 < int(port) < 65536:
        raise _bad(device, f"{address!r}: expected tcp://host:port")
    return TcpAddress(host.strip("[]"), int(port))


def _serial(address: str, device: str) -> SerialAddress:
    path, _, line = address.partition("@")
    speed, _, framing = line.partition(",")
    if speed and (re.fullmatch("[0-9]{1,7}", speed) is None or int(speed) not in BAUDS):
        raise _bad(device, f"{speed!r} is no baud rate: {sorted(BAUDS)}")
    if framing and framing not in FRAMINGS:
        raise _bad(device, f"{framing!r}: {', '.join(FRAMINGS)}")
    framing = framing or FRAMINGS[0]
    return SerialAddress(path, int(speed or 9600), framing[1], int(framing[2]))


def _bad(device: str, text: str) -> ConfigurationError:
    return ConfigurationError(device, "bad-address", text)
