"""The CRC that CCNET and ID-003 share. Pure."""

from __future__ import annotations

from binascii import crc_hqx

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def kermit(data: bytes) -> int:
    """CRC-16/KERMIT: polynomial 1021 reflected, from zero. The library has it not reflected: so bits go in mirrored,
    and come out mirrored back.
    """
    crc = crc_hqx(data.translate(_MIRRORED), 0)
    return int.from_bytes(crc.to_bytes(2, "little").translate(_MIRRORED), "big")
