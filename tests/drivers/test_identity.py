"""Who a device says it is, as everyone else can take it."""

from __future__ import annotations

import pytest

from drivers.api.device import DeviceIdentity
from drivers.cash.ccnet.messages import Command as Ccnet
from drivers.cash.ccnet.messages import Identification, decode_answer
from guichet.ids import MAX_NAME, NO_SERIAL, DeviceSerial


@pytest.mark.parametrize("serial", ["12\x0034\r", "\x1b[2J", "x" * 200, "12345678"])
def test_a_serial_number_is_short_and_printable_whatever_the_device_says(serial: str) -> None:
    identity = DeviceIdentity("ccnet", "SM", DeviceSerial(serial), "", simulated=False)
    assert identity.serial.isprintable()
    assert 0 < len(identity.serial) <= MAX_NAME


def test_a_validators_identification_may_have_any_bytes_in_it() -> None:
    answer = decode_answer(Ccnet.IDENTIFICATION, b"SM-LV1416      " + b"12\x01\x7f\xff 45 \0\0\0" + bytes(7))
    assert isinstance(answer, Identification)
    identity = DeviceIdentity("ccnet", answer.part, DeviceSerial(answer.serial), "", simulated=False)
    assert identity.serial == "12\\x01\\x7f\ufffd 45"


@pytest.mark.parametrize("serial", ["", "   ", "0", "000000000000", " 0 ", NO_SERIAL])
def test_a_serial_number_that_was_never_given_is_none(serial: str) -> None:
    identity = DeviceIdentity("ccnet", "SM", DeviceSerial(serial), "", simulated=False)
    assert identity.serial == NO_SERIAL
    assert not identity.numbered


def test_a_serial_number_with_zeros_in_it_is_one() -> None:
    assert DeviceIdentity("essp", "NV9", DeviceSerial("0010"), "", simulated=False).numbered
