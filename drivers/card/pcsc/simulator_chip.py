"""The chip of a simulated card: commands in, answers out; no input or output of its own.

It behaves as EMV 4.3 Book 1 and 3 ask of a card up to READ RECORD, and like a T=0 card where its file says so: an
answer to a command with data waits behind 61xx, a wrong Le gets 6Cxx.
"""

from __future__ import annotations

from drivers.card.pcsc.simulator_cards import CardFile, Fault, Protocol
from drivers.card.pcsc.tlv import encode

OK = b"\x90\x00"
_WRONG_LENGTH = b"\x67\x00"
_CONDITIONS_NOT_MET = b"\x69\x85"
_NOT_SUPPORTED = b"\x6a\x81"
_NOT_FOUND = b"\x6a\x82"
_NO_RECORD = b"\x6a\x83"
_MEMORY_FAILURE = b"\x65\x81"
_FILE_BLOCKED = b"\x62\x83"
_UNKNOWN_INSTRUCTION = b"\x6d\x00"

_PSE = b"1PAY.SYS.DDF01"
_DIRECTORY_SFI, _PERSON_SFI, _APPLICATION_SFI = 1, 2, 3
_PDOL = bytes.fromhex("9F1A025F2A029A039F3704")
_PDOL_BYTES = 11
_CDOL_1 = bytes.fromhex("9F02069F03069F1A0295055F2A029A039C019F3704")
_CDOL_2 = bytes.fromhex("8A02") + _CDOL_1 + bytes.fromhex("9F37049108")
_ATR = {Protocol.T0: bytes.fromhex("3B620000811F"), Protocol.T1: bytes.fromhex("3B800181")}


class Chip:
    """One powered chip; a reset makes it forget what was selected."""

    def __init__(self, card: CardFile) -> None:
        self._card = card
        self._t0 = card.protocol is Protocol.T0
        self._selected = b""
        self._started = False
        self._waiting = b""

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return _ATR[self._card.protocol]

    def reset(self) -> None:
        """Power was switched, or the reset line pulled."""
        self._selected, self._started, self._waiting = b"", False, b""

    def answer(self, command: bytes) -> bytes | None:
        """The answer, status word last; None from a mute chip."""
        if self._card.fault is Fault.MUTE:
            return None
        if command[1:2] == b"\xc0" and self._t0:
            return self._get_response(command[4] if len(command) == 5 else 0)
        answer = self._respond(command)
        if not self._t0 or len(answer) == 2:
            return answer
        if len(command) > 5:  # data went in: under T=0 the answer waits to be fetched
            self._waiting = answer
            return bytes([0x61, (len(answer) - 2) & 0xFF])
        if command[4] != len(answer) - 2:
            return bytes([0x6C, len(answer) - 2])
        return answer

    def _get_response(self, wanted: int) -> bytes:
        if not self._waiting:
            return _CONDITIONS_NOT_MET
        if wanted != len(self._waiting) - 2:
            return bytes([0x6C, len(self._waiting) - 2])
        answer, self._waiting = self._waiting, b""
        return answer

    def _respond(self, command: bytes) -> bytes:
        self._waiting = b""
        if len(command) < 5 or (len(command) > 5 and len(command) not in (5 + command[4], 6 + command[4])):
            return _WRONG_LENGTH
        data = command[5 : 5 + command[4]] if len(command) > 5 else b""
        match command[:2]:
            case b"\x00\xa4":
                return self._select(data, following=command[3] & 0x02 != 0)
            case b"\x80\xa8":
                return self._get_processing_options(data)
            case b"\x00\xb2":
                return self._read_record(command[3] >> 3, command[2])
            case _:
                return _UNKNOWN_INSTRUCTION

    def _select(self, name: bytes, *, following: bool) -> bytes:
        if self._card.fault is Fault.BLOCKED:
            return _NOT_SUPPORTED
        if name == _PSE and self._card.directory:
            self._selected, self._started = _PSE, False
            return _fci(_PSE, encode(0x88, bytes([_DIRECTORY_SFI])), self._languages()) + OK
        if following or not name or not self._card.aid.startswith(name):
            return _NOT_FOUND
        if self._card.fault is Fault.APPLICATION_BLOCKED:
            return _FILE_BLOCKED
        self._selected, self._started = self._card.aid, False
        about = (encode(0x50, self._card.label.encode("ascii")), encode(0x87, b"\x01"))
        return _fci(self._card.aid, *about, encode(0x9F38, _PDOL), self._languages()) + OK

    def _languages(self) -> bytes:
        codes = "".join(self._card.languages).encode("ascii")
        return encode(0x5F2D, codes) if codes else b""

    def _get_processing_options(self, data: bytes) -> bytes:
        if self._selected != self._card.aid or self._started or data[:2] != bytes([0x83, _PDOL_BYTES]):
            return _CONDITIONS_NOT_MET
        if len(data) != 2 + _PDOL_BYTES:
            return _WRONG_LENGTH
        self._started = True
        locator = bytes([_PERSON_SFI << 3, 1, 2, 0, _APPLICATION_SFI << 3, 1, 1, 1])
        return encode(0x80, b"\x18\x00", locator) + OK

    def _read_record(self, sfi: int, number: int) -> bytes:
        if self._selected == _PSE and sfi == _DIRECTORY_SFI:
            return encode(0x70, self._directory_entry()) + OK if number == 1 else _NO_RECORD
        if not self._started:
            return _CONDITIONS_NOT_MET
        if self._card.fault is Fault.UNREADABLE:
            return _MEMORY_FAILURE
        record = self._records().get((sfi, number))
        return encode(0x70, record) + OK if record else _NO_RECORD

    def _directory_entry(self) -> bytes:
        label = encode(0x50, self._card.label.encode("ascii"))
        return encode(0x61, encode(0x4F, self._card.aid), label, encode(0x87, b"\x01"))

    def _records(self) -> dict[tuple[int, int], bytes]:
        card = self._card
        number = card.pan
        if card.fault is Fault.OTHER_NUMBER_IN_TRACK_2:
            number = number[::-1]
        track_2 = _compact(f"{number}D{card.expiry}2010000000000")
        holder = encode(0x5F20, card.holder.encode("ascii", "replace").ljust(2)[:26])
        expiry = encode(0x5F24, bytes.fromhex(f"{card.expiry}28"))
        return {
            (_PERSON_SFI, 1): encode(0x57, track_2) + holder,
            (_PERSON_SFI, 2): encode(0x8C, _CDOL_1) + encode(0x8D, _CDOL_2),
            (_APPLICATION_SFI, 1): encode(0x5A, _compact(card.pan)) + encode(0x5F34, b"\x01") + expiry,
        }


def _fci(name: bytes, *content: bytes) -> bytes:
    return encode(0x6F, encode(0x84, name), encode(0xA5, *content))


def _compact(digits: str) -> bytes:
    """Two digits a byte, an F behind an odd number of them."""
    return bytes.fromhex(digits + "F" * (len(digits) % 2))
