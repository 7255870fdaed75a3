"""The simulator's end of a wire: a pty behind a stable name, or a TCP port."""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import pty
import socket
import tty
from pathlib import Path

from drivers.transport.api import ByteTransport
from drivers.transport.stream import DescriptorTransport

_LAST_PORT = 0xFFFF


def serve_pty(device: str, link: Path) -> ByteTransport:
    """A new pty whose terminal end is found at ``link``, as a USB-serial port would be under /dev/guichet.

    The simulator keeps the terminal end open itself, so that a driver that goes and comes back finds the device as it
    left it instead of a hang-up. Raises OSError where ``link`` is something else than a link.
    """
    if link.exists() and not link.is_symlink():
        raise FileExistsError(errno.EEXIST, "there is something else, which stays as it is", str(link))
    near, far = pty.openpty()
    tty.setraw(far)
    os.set_blocking(near, False)
    temporary = link.with_name(link.name + ".new")
    temporary.unlink(missing_ok=True)
    here = os.ttyname(far)
    temporary.symlink_to(here)
    temporary.replace(link)

    def release() -> None:
        if link.is_symlink() and str(link.readlink()) == here:  # Else it is another's by now.
            link.unlink()
        os.close(near)
        os.close(far)

    return DescriptorTransport(device, near, release)


def tcp_port(word: str) -> int:
    """A port of the command line, 0 to 65535, for argparse. 0: any that is free, said when it listens."""
    port = int(word) if word.isdecimal() else -1
    if not 0 <= port <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"a port from 0 to {_LAST_PORT}, not {word!r}")
    return port


def listen_tcp(port: int) -> tuple[socket.socket, str]:
    """A listener for :func:`accept_tcp` on 127.0.0.1, and its address as people write it. Raises OSError."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.setblocking(False)
    return listener, f"127.0.0.1:{listener.getsockname()[1]}"


async def accept_tcp(device: str, listener: socket.socket) -> ByteTransport:
    """The next connection to ``listener``, a listening non-blocking socket."""
    line, _ = await asyncio.get_running_loop().sock_accept(listener)
    line.setblocking(False)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return DescriptorTransport(device, line.fileno(), line.close)
