"""Bytes over real ptys and sockets: all of them, in order, or an error that says what happened."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.errors import ConfigurationError, TransportError
from drivers.simulation.port import accept_tcp, serve_pty
from drivers.transport.api import ByteTransport
from drivers.transport.open import open_address
from drivers.transport.stream import DescriptorTransport

DEADLINE = 20.0


async def read_all(line: ByteTransport, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(DEADLINE):
        while len(data) < size:
            data += await line.read()
    return data


@pytest.fixture
async def pty_pair(tmp_path: Path) -> AsyncIterator[tuple[ByteTransport, ByteTransport]]:
    """The driver's end and the device's end of a pty."""
    far = serve_pty("device", tmp_path / "port")
    near = await open_address(str(tmp_path / "port"), device="cash")
    yield near, far
    near.close()
    far.close()


def socket_pair() -> tuple[DescriptorTransport, socket.socket]:
    near, far = socket.socketpair()
    near.setblocking(False)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return DescriptorTransport("cash", near.fileno(), near.close), far


async def test_bytes_go_both_ways_over_a_pty_unchanged(pty_pair: tuple[ByteTransport, ByteTransport]) -> None:
    near, far = pty_pair
    every_byte = bytes(range(256))
    near.write(every_byte)
    assert await read_all(far, 256) == every_byte
    far.write(every_byte)
    assert await read_all(near, 256) == every_byte


async def test_more_than_the_line_takes_at_once_arrives_in_order() -> None:
    near, far = socket_pair()
    data = b"".join(n.to_bytes(2, "big") for n in range(30_000))
    near.write(data[:50_000])
    near.write(data[50_000:])
    waiting = asyncio.create_task(near.drained())
    await asyncio.sleep(0)
    assert not waiting.done(), "nobody has read anything yet"
    far.setblocking(False)
    received = b""
    async with asyncio.timeout(DEADLINE):
        while len(received) < len(data):
            received += await asyncio.get_running_loop().sock_recv(far, 3000)
        await waiting
    assert received == data
    near.close()
    far.close()


async def test_a_device_that_takes_nothing_is_a_stall_and_nothing_is_lost_silently() -> None:
    near, far = socket_pair()
    written = 0
    with suppress(TransportError):
        while written < 10_000_000:
            near.write(bytes(1000))
            written += 1000
    assert written < 1_000_000
    with pytest.raises(TransportError, match="stalled"):
        near.write(bytes(1000))
    with pytest.raises(TransportError, match="stalled"):
        near.write(bytes(64 * 1024 + 1))
    near.close()
    far.close()


async def test_a_hang_up_is_an_error_for_the_one_who_reads_and_for_every_write_after_it(
    pty_pair: tuple[ByteTransport, ByteTransport],
) -> None:
    near, far = pty_pair
    waiting = asyncio.create_task(near.read())
    await asyncio.sleep(0)
    far.close()
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(TransportError) as error:
            await waiting
    assert (error.value.device, error.value.code) == ("cash", "hung-up")
    with pytest.raises(TransportError, match="hung-up"):
        near.write(b"x")
    with pytest.raises(TransportError, match="hung-up"):
        await near.drained()
    with pytest.raises(TransportError, match="hung-up"):
        await near.read()


async def test_what_came_before_the_hang_up_is_still_read() -> None:
    near, far = socket_pair()
    far.sendall(b"last words")
    far.close()
    assert await read_all(near, 10) == b"last words"
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(TransportError, match="hung-up"):
            await near.read()
    near.close()


async def test_a_write_into_a_line_that_just_broke_is_noticed() -> None:
    near, far = socket_pair()
    far.close()
    with suppress(TransportError):
        near.write(b"x")
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(TransportError, match="hung-up"):
            await near.drained()
    near.close()


async def test_a_line_can_be_given_up_twice_and_wakes_who_waits() -> None:
    near, far = socket_pair()
    waiting = asyncio.create_task(near.read())
    await asyncio.sleep(0)
    near.close()
    near.close()
    with pytest.raises(TransportError, match="closed"):
        await waiting
    with pytest.raises(TransportError, match="closed"):
        near.write(b"x")
    far.close()


async def test_a_reader_that_is_woken_for_nothing_goes_on_waiting() -> None:
    near, far = socket_pair()
    near._readable()  # pyright: ignore[reportPrivateUsage]
    near._writable()  # pyright: ignore[reportPrivateUsage]
    far.sendall(b"x")
    assert await read_all(near, 1) == b"x"
    near.close()
    far.close()


# --- opening --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["", "ttyUSB0", "tcp://", "tcp://host", "tcp://host:", "tcp://:9100", "tcp://host:x", "tcp://host:70000",
     "tcp://host:0", "http://host:1", "tcp://host:-1"],
)  # fmt: skip
async def test_an_address_that_is_none_is_an_error_of_the_configuration(address: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        await open_address(address, device="cash")
    assert (error.value.device, error.value.code) == ("cash", "bad-address")
    assert repr(address) in str(error.value)


async def test_a_port_that_is_not_there_is_absent(tmp_path: Path) -> None:
    with pytest.raises(TransportError) as error:
        await open_address(str(tmp_path / "nothing"), device="cash")
    assert (error.value.code, error.value.retryable) == ("absent", True)


async def test_a_port_that_somebody_holds_is_taken(
    pty_pair: tuple[ByteTransport, ByteTransport], tmp_path: Path
) -> None:
    with pytest.raises(TransportError) as error:
        await open_address(str(tmp_path / "port"), device="cash")
    assert error.value.code == "taken"


async def test_a_file_that_is_no_port_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path):
        with pytest.raises(TransportError) as error:
            await open_address(str(path), device="cash")
        assert error.value.code == "taken"


async def test_a_port_can_be_opened_again_after_it_was_given_up(
    pty_pair: tuple[ByteTransport, ByteTransport], tmp_path: Path
) -> None:
    near, far = pty_pair
    near.close()
    again = await open_address(str(tmp_path / "port"), device="cash")
    far.write(b"hello")
    assert await read_all(again, 5) == b"hello"
    again.close()


async def test_a_pty_leaves_no_link_behind(tmp_path: Path) -> None:
    far = serve_pty("device", tmp_path / "port")
    assert (tmp_path / "port").is_symlink()
    far.close()
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
async def test_a_tcp_address_is_opened_whatever_the_family(family: socket.AddressFamily) -> None:
    host = "127.0.0.1" if family is socket.AF_INET else "::1"
    listener = socket.socket(family)
    try:
        listener.bind((host, 0))
    except OSError as error:
        listener.close()
        pytest.skip(f"no {host} here: {error}")
    listener.listen()
    listener.setblocking(False)
    port = listener.getsockname()[1]
    accepting = asyncio.create_task(accept_tcp("device", listener))
    near = await open_address(f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}", device="cash")
    far = await accepting
    near.write(b"ping")
    assert await read_all(far, 4) == b"ping"
    far.write(b"pong")
    assert await read_all(near, 4) == b"pong"
    near.close()
    far.close()
    listener.close()


async def test_a_tcp_port_where_nobody_listens_is_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # Taken, so that nobody else can begin to listen there.
        port = free.getsockname()[1]
        with pytest.raises(TransportError) as error:
            await open_address(f"tcp://127.0.0.1:{port}", device="cash")
    assert error.value.code == "refused"
