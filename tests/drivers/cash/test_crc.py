"""The CRC that two protocols share, against the definition: one bit after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.crc import kermit


def by_definition(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return crc


@given(st.binary(max_size=300))
def test_the_librarys_crc_mirrored_is_the_reflected_one(data: bytes) -> None:
    assert kermit(data) == by_definition(data)
    assert kermit(data + kermit(data).to_bytes(2, "little")) == 0
