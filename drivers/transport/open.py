"""Opens a device's address (see :mod:`drivers.transport.address`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import termios
from dataclasses import replace
from functools import partial
from pathlib import Path

import serial

from drivers.errors import TransportError
from drivers.transport.address import SerialAddress, TcpAddress, parse_address
from drivers.transport.api import ByteTransport
from drivers.transport.stream import DescriptorTransport

_CONNECT_SECONDS = 5.0


async def open_address(address: str, *, device: str) -> ByteTransport:
    """An open line to ``address``; where it is serial, 8 data bits, one stop bit, no parity unless it names them.

    Raises :class:`drivers.errors.TransportError` (``absent``, ``taken``, ``refused``) and
    :class:`drivers.errors.ConfigurationError` for an address that is not one.
    """
    where = parse_address(address, device)
    if isinstance(where, TcpAddress):
        return await _open_tcp(where, device)
    return _open_path(where, device)


def _open_path(where: SerialAddress, device: str) -> ByteTransport:
    """A serial port or pty; or a printer of the USB printer class, which is a character device but no terminal."""
    try:
        descriptor = os.open(where.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise TransportError(device, "absent", where.path) from error
    except OSError as error:
        raise TransportError(device, "taken", f"{where.path}: {error}") from error
    if os.isatty(descriptor):
        os.close(descriptor)
        return _open_serial(where, device)
    try:
        return DescriptorTransport(device, descriptor, partial(os.close, descriptor))
    except OSError as error:  # A plain file, for one: nothing that can be waited for.
        os.close(descriptor)
        raise TransportError(device, "taken", f"{where.path}: not a device: {error}") from error


def _open_serial(where: SerialAddress, device: str) -> ByteTransport:
    if Path(where.path).resolve().is_relative_to("/dev/pts"):
        where = replace(where, parity="N")  # A pty carries whole bytes: it drops a parity, or refuses to be set to one.
    try:
        port = serial.Serial(
            where.path,
            baudrate=where.baud,
            parity=where.parity,
            stopbits=where.stop_bits,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
    except (serial.SerialException, OSError, termios.error) as error:
        raise TransportError(device, "taken", f"{where.path}: {error}") from error
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


async def _open_tcp(where: TcpAddress, device: str) -> ByteTransport:
    line = socket.socket(socket.AF_INET6 if ":" in where.host else socket.AF_INET, socket.SOCK_STREAM)
    line.setblocking(False)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(line, (where.host, where.port))
    except (OSError, TimeoutError) as error:
        line.close()
        raise TransportError(device, "refused", f"{where.host}:{where.port}: {error or 'no answer'}") from error
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return DescriptorTransport(device, line.fileno(), partial(_close, line))


def _close(line: socket.socket) -> None:
    line.close()
