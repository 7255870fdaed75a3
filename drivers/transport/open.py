"""Opens a device's address.

A serial port or pty by its path, with ``@BAUD`` behind it where it is not 9600, and ``@BAUD,8E1`` (or ``8O1``) where
it has a parity; a TCP server as ``tcp://host:port``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import termios
from functools import partial
from pathlib import Path

import serial

from drivers.errors import ConfigurationError, TransportError
from drivers.transport.api import ByteTransport
from drivers.transport.stream import DescriptorTransport

_CONNECT_SECONDS = 5.0
_PARITIES = {"": serial.PARITY_NONE, "8N1": serial.PARITY_NONE, "8E1": serial.PARITY_EVEN, "8O1": serial.PARITY_ODD}
_BAUDS = frozenset({1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600})


async def open_address(address: str, *, device: str) -> ByteTransport:
    """An open line to ``address``; where it is serial, 8 data bits, one stop bit, no parity unless it names one.

    Raises :class:`drivers.errors.TransportError` (``absent``, ``taken``, ``refused``) and
    :class:`drivers.errors.ConfigurationError` for an address that is not one.
    """
    if address.startswith("tcp://"):
        return await _open_tcp(address, device)
    if address.startswith("/"):
        path, _, line = address.partition("@")
        speed, _, bits = line.partition(",")
        return _open_path(path, device, _baud(device, speed), _parity(device, bits))
    raise ConfigurationError(device, "bad-address", f"{address!r}: a path, path@baud, path@baud,8E1 or tcp://host:port")


def _baud(device: str, speed: str) -> int:
    if not speed:
        return 9600
    if not speed.isdecimal() or int(speed) not in _BAUDS:
        raise ConfigurationError(device, "bad-address", f"{speed!r} is no baud rate: {sorted(_BAUDS)}")
    return int(speed)


def _parity(device: str, bits: str) -> str:
    if bits not in _PARITIES:
        raise ConfigurationError(device, "bad-address", f"{bits!r}: 8N1, 8E1 or 8O1")
    return _PARITIES[bits]


def _open_path(path: str, device: str, baud: int, parity: str) -> ByteTransport:
    """A serial port or pty; or a printer of the USB printer class, which is a character device but no terminal."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise TransportError(device, "absent", path) from error
    except OSError as error:
        raise TransportError(device, "taken", f"{path}: {error}") from error
    if os.isatty(descriptor):
        os.close(descriptor)
        return _open_serial(path, device, baud, parity)
    try:
        return DescriptorTransport(device, descriptor, partial(os.close, descriptor))
    except OSError as error:  # A plain file, for one: nothing that can be waited for.
        os.close(descriptor)
        raise TransportError(device, "taken", f"{path}: not a device: {error}") from error


def _open_serial(path: str, device: str, baud: int, parity: str) -> ByteTransport:
    if Path(path).resolve().is_relative_to("/dev/pts"):
        parity = serial.PARITY_NONE  # A pty carries whole bytes: it drops a parity, or refuses to be set to one.
    try:
        port = serial.Serial(path, baudrate=baud, parity=parity, timeout=0, write_timeout=0, exclusive=True)
    except (serial.SerialException, OSError, termios.error) as error:
        raise TransportError(device, "taken", f"{path}: {error}") from error
    port.reset_input_buffer()
    descriptor = port.fileno()
    os.set_blocking(descriptor, False)
    return DescriptorTransport(device, descriptor, partial(_close_serial, port))


def _close_serial(port: serial.Serial) -> None:
    # What a stalled device never took is dropped: closing would wait for it, and the terminal with it.
    with contextlib.suppress(OSError, termios.error):
        termios.tcflush(port.fileno(), termios.TCOFLUSH)
    with contextlib.suppress(OSError, termios.error):
        port.close()


async def _open_tcp(address: str, device: str) -> ByteTransport:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigurationError(device, "bad-address", f"{address!r}: expected tcp://host:port")
    line = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    line.setblocking(False)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(line, (host.strip("[]"), int(port)))
    except (OSError, TimeoutError) as error:
        line.close()
        raise TransportError(device, "refused", f"{address}: {error or 'no answer'}") from error
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return DescriptorTransport(device, line.fileno(), partial(_close, line))


def _close(line: socket.socket) -> None:
    line.close()
