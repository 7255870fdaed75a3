"""What an address says of a line, and with what each protocol's line is opened."""

from __future__ import annotations

import asyncio
import os
import pty
from pathlib import Path
from typing import Any

import pytest
import serial

from drivers.api.device import DeviceConfig
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, TransportError
from drivers.registry import open_device
from drivers.transport.address import SerialAddress, TcpAddress, parse_address, with_framing
from drivers.transport.api import ByteTransport
from drivers.transport.open import open_address

DEADLINE = 10


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("/dev/ttyUSB0", SerialAddress("/dev/ttyUSB0", 9600, "N", 1)),
        ("/dev/ttyUSB0@19200", SerialAddress("/dev/ttyUSB0", 19200, "N", 1)),
        ("/dev/ttyUSB0@9600,8E1", SerialAddress("/dev/ttyUSB0", 9600, "E", 1)),
        ("/dev/ttyUSB0@19200,8O1", SerialAddress("/dev/ttyUSB0", 19200, "O", 1)),
        ("/dev/ttyUSB0@9600,8N2", SerialAddress("/dev/ttyUSB0", 9600, "N", 2)),
        ("/dev/ttyUSB0@,8E1", SerialAddress("/dev/ttyUSB0", 9600, "E", 1)),
        ("tcp://10.0.0.5:4001", TcpAddress("10.0.0.5", 4001)),
        ("tcp://[::1]:4001", TcpAddress("::1", 4001)),
    ],
)
def test_an_address_carries_speed_parity_and_stop_bits_and_a_plain_one_is_8n1(
    address: str, where: SerialAddress | TcpAddress
) -> None:
    assert parse_address(address, "cash") == where


@pytest.mark.parametrize(
    "address",
    [
        "", "COM1", "tty0@9600", "/dev/x@9600,8E2", "/dev/x@9600,7E1", "/dev/x@9600,E", "/dev/x@1,8E1",
        "/dev/x@9600,8E1,x", "/dev/x@٩600", "/dev/x@99999999999", "tcp://", "tcp://host", "tcp://host:",
        "tcp://host:0", "tcp://host:65536", "tcp://host:٤", "tcp://:4001",
    ],
)  # fmt: skip
async def test_an_address_that_is_none_is_an_error_of_the_configuration(address: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        await open_address(address, device="cash")
    assert (error.value.device, error.value.code) == ("cash", "bad-address")


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("/dev/guichet/cash", "/dev/guichet/cash@9600,8E1"),
        ("/dev/guichet/cash@19200", "/dev/guichet/cash@19200,8E1"),
        ("/dev/guichet/cash@9600,8N1", "/dev/guichet/cash@9600,8N1"),
        ("tcp://10.0.0.5:4001", "tcp://10.0.0.5:4001"),
        ("memory", "memory"),
    ],
)
def test_a_protocol_has_a_framing_of_its_own_unless_the_address_says_one(address: str, line: str) -> None:
    assert with_framing(address, "8E1") == line


@pytest.mark.parametrize(
    ("driver", "line"),
    [
        ("ccnet", SerialAddress("/dev/x")),
        ("id003", SerialAddress("/dev/x", parity="E")),
        ("essp", SerialAddress("/dev/x", stop_bits=2)),
        ("cctalk", SerialAddress("/dev/x")),
        ("cctalk-coin", SerialAddress("/dev/x")),
    ],
)
async def test_each_protocol_opens_its_line_as_its_devices_have_it(driver: str, line: SerialAddress) -> None:
    opened: list[str] = []

    async def no_line(address: str) -> ByteTransport:
        opened.append(address)
        raise TransportError("cash", "absent", address)

    device = open_device(DeviceConfig("cash", driver, "/dev/x"), DriverContext(lambda: 0.0, bytes, no_line))
    with pytest.raises(TransportError):
        await device.run()
    assert [parse_address(address, "cash") for address in opened] == [line]


@pytest.mark.parametrize(
    ("line", "settings"),
    [("", (9600, "N", 1)), ("@19200", (19200, "N", 1)), ("@9600,8E1", (9600, "E", 1)), ("@9600,8N2", (9600, "N", 2))],
)
async def test_a_port_is_opened_as_its_address_says(
    line: str, settings: tuple[int, str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = pty.openpty()
    asked: list[dict[str, Any]] = []

    def open_port(path: str, **how: Any) -> None:
        asked.append({"path": path, **how})
        raise serial.SerialException("as far as this test goes")

    def no_pty(_: Path) -> Path:
        return Path("/dev/ttyUSB0")

    monkeypatch.setattr("drivers.transport.open.serial.Serial", open_port)
    monkeypatch.setattr("drivers.transport.open.Path.resolve", no_pty)
    (tmp_path / "port").symlink_to(os.ttyname(far))
    with pytest.raises(TransportError):
        await open_address(f"{tmp_path / 'port'}{line}", device="cash")
    os.close(near)
    os.close(far)
    assert [(how["baudrate"], how["parity"], how["stopbits"]) for how in asked] == [settings]


@pytest.mark.parametrize("framing", ["8E1", "8N2"])
async def test_a_pty_has_no_parity_and_can_be_opened_again_and_again_with_one_in_its_address(
    framing: str, tmp_path: Path
) -> None:
    near, far = pty.openpty()
    (tmp_path / "port").symlink_to(os.ttyname(far))
    for _ in range(3):
        line = await open_address(f"{tmp_path / 'port'}@9600,{framing}", device="cash")
        os.write(near, b"\xfc\x05\x11\x27\x56")
        async with asyncio.timeout(DEADLINE):
            assert await line.read() == b"\xfc\x05\x11\x27\x56"
        line.close()
    os.close(near)
    os.close(far)
