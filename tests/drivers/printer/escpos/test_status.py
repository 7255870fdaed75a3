"""The status bytes, as Epson's reference tables them."""

import pytest

from drivers.api.printer import Paper, PrinterState
from drivers.printer.escpos.status import (
    Answer,
    Cleared,
    Information,
    Processed,
    Query,
    StatusByte,
    Transmitted,
    decode,
    obstacle,
    process_id_request,
    split_answers,
    status_request,
)


def test_the_requests_are_dle_eot_1_to_4() -> None:
    assert [status_request(query).hex() for query in Query] == ["100401", "100402", "100403", "100404"]


@pytest.mark.parametrize(
    ("answers", "state", "why"),
    [
        ("12 12 12 12", PrinterState(True, Paper.ADEQUATE, False), ""),
        ("16 12 12 12", PrinterState(True, Paper.ADEQUATE, False), ""),
        ("12 12 12 1E", PrinterState(True, Paper.NEAR_END, False), ""),
        ("1A 32 12 7E", PrinterState(False, Paper.OUT, False), "paper-out"),
        ("1A 12 12 72", PrinterState(False, Paper.OUT, False), "paper-out"),
        ("1A 12 12 32", PrinterState(False, Paper.OUT, False), "paper-out"),
        ("12 12 12 16", PrinterState(True, Paper.NEAR_END, False), ""),
        ("1A 32 12 12", PrinterState(False, Paper.OUT, False), "paper-out"),
        ("1A 16 12 12", PrinterState(False, Paper.ADEQUATE, True), "cover-open"),
        ("1A 36 12 7E", PrinterState(False, Paper.OUT, True), "cover-open"),
        ("1A 52 1A 12", PrinterState(False, Paper.ADEQUATE, False, "cutter"), "cutter"),
        ("1A 52 16 12", PrinterState(False, Paper.ADEQUATE, False, "mechanical"), "mechanical"),
        ("1A 52 32 12", PrinterState(False, Paper.ADEQUATE, False, "unrecoverable"), "unrecoverable"),
        ("1A 52 3A 12", PrinterState(False, Paper.ADEQUATE, False, "unrecoverable"), "unrecoverable"),
        ("1A 52 52 12", PrinterState(False, Paper.ADEQUATE, False, "overheated"), "overheated"),
        ("1A 52 12 12", PrinterState(False, Paper.ADEQUATE, False, "mechanical"), "mechanical"),
        ("1A 1A 12 12", PrinterState(False, Paper.ADEQUATE, False), "offline"),
    ],
)
def test_four_status_bytes_are_one_state(answers: str, state: PrinterState, why: str) -> None:
    decoded = decode(*bytes.fromhex(answers))
    assert decoded == state
    assert obstacle(decoded) == why
    assert decoded.can_print == (why == "")


@pytest.mark.parametrize("byte", [0x00, 0x10, 0x13, 0x92, 0xFF])
def test_a_byte_that_is_no_status_is_not_decoded(byte: int) -> None:
    with pytest.raises(ValueError, match="not a status byte"):
        decode(0x12, byte, 0x12, 0x12)


@pytest.mark.parametrize(
    ("received", "answers", "rest"),
    [
        ("12", (StatusByte(0x12),), ""),
        ("12 7E", (StatusByte(0x12), StatusByte(0x7E)), ""),
        ("00", (Transmitted(0),), ""),
        ("0F", (Transmitted(0x0F),), ""),
        ("37 22 41 52 32 7E 00 12", (Processed(b"AR2~"), StatusByte(0x12)), ""),
        ("37 25 00", (Cleared(),), ""),
        ("37 70 40 00", (), ""),
        ("5F 54 4D 2D 54 32 30 00", (Information("TM-T20"),), ""),
        ("5F 54 4D 2D", (), "5F 54 4D 2D"),
        ("12 37 22 41", (StatusByte(0x12),), "37 22 41"),
        ("11 13 FF 92", (), ""),
        ("5F" + "52" * 95 + "12", (StatusByte(0x52),) * 95 + (StatusByte(0x12),), ""),
    ],
)
def test_answers_are_told_apart_by_their_fixed_bits(received: str, answers: tuple[Answer, ...], rest: str) -> None:
    assert split_answers(bytes.fromhex(received)) == (answers, bytes.fromhex(rest))


def test_answers_may_come_in_any_pieces() -> None:
    whole = bytes.fromhex("12 5F 52 31 32 00 37 22 41 42 43 44 00 37 25 00 00 1E")
    expected, _ = split_answers(whole)
    rest, heard = b"", list[Answer]()
    for index in range(len(whole)):
        answers, rest = split_answers(rest + whole[index : index + 1])
        heard += answers
    assert (tuple(heard), rest) == (expected, b"")
    assert len(heard) == 6


def test_a_process_id_is_four_printable_characters() -> None:
    assert process_id_request(b"ab~ ").hex() == "1d28480600303061627e20"
    for wrong in (b"abc", b"abcde", b"ab\x1bc"):
        with pytest.raises(ValueError, match="printable"):
            process_id_request(wrong)
