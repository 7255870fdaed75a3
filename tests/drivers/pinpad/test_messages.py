"""Messages between terminal and PIN pad, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.pinpad import messages as m
from drivers.pinpad.framing import Frame

KEY_ID = bytes.fromhex("1234567890123456")
KEY = bytes.fromhex("1273671EA26AC29AFA4D1084127652A1")

EXCHANGE: list[tuple[m.Message, int, str]] = [
    (m.Identify(), 0x01, ""),
    (m.AskStatus(), 0x02, ""),
    (m.EnterPin(b"4761739001010010", 60), 0x03, "3C 10 34373631373339303031303130303130"),
    (m.AskEntry(), 0x04, ""),
    (m.CancelEntry(), 0x05, ""),
    (m.LoadKey(KEY_ID, KEY), 0x06, "1234567890123456 1273671EA26AC29AFA4D1084127652A1"),
    (m.Identity(True, "PAD", "S1", "2"), 0x81, "01 03504144 025331 0132"),
    (m.Status(m.PadState.ENTERING, True, KEY_ID, 7), 0x82, "01 01 1234567890123456 00000007"),
    (m.EntryStarted(), 0x83, ""),
    (m.Entry(m.Outcome.ENTERING, 3), 0x84, "01 03"),
    (m.Entry(m.Outcome.BLOCK, 4, bytes(12), bytes(16)), 0x84, "02 04" + "00" * 28),
    (m.EntryCancelled(), 0x85, ""),
    (m.KeyLoaded(), 0x86, ""),
    (m.Refused(3, m.Refusal.NO_KEY), 0xFE, "03 04"),
    (m.EntryChanged(2, False), 0x90, "02 00"),
]


@pytest.mark.parametrize(("message", "kind", "body"), EXCHANGE)
def test_every_message_has_its_bytes_and_comes_back(message: m.Message, kind: int, body: str) -> None:
    frame = m.encode(9, message)
    assert (frame.sequence, frame.kind, frame.body) == (9, kind, bytes.fromhex(body))
    assert m.decode(frame) == message


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (0x01, "00"),
        (0x03, ""),
        (0x03, "3C 10 3437"),
        (0x03, "00 08 3132333435363738"),
        (0x03, "3C 03 313233"),
        (0x03, "3C 08 3132333435363741"),
        (0x03, "3C 08 3132333435363738 00"),
        (0x06, "1234"),
        (0x81, "02 00 00 00"),
        (0x81, "01 00 00"),
        (0x81, "01 01FF 00 00"),
        (0x82, "00 01"),
        (0x82, "09 01 1234567890123456 00000007"),
        (0x84, ""),
        (0x84, "01"),
        (0x84, "02 04 00"),
        (0x84, "01 04 00"),
        (0xFE, "01 63"),
        (0xFE, "01"),
        (0x90, "02"),
        (0x77, ""),
    ],
)
def test_a_body_that_is_not_its_kinds_own_is_refused(kind: int, body: str) -> None:
    with pytest.raises(m.BadMessage):
        m.decode(Frame(1, kind, bytes.fromhex(body)))


@given(st.integers(0, 255), st.binary(max_size=64))
def test_any_frame_decodes_to_what_encodes_to_it_or_raises_bad_message(kind: int, body: bytes) -> None:
    frame = Frame(1, kind, body)
    try:
        message = m.decode(frame)
    except m.BadMessage:
        return  # every other error fails this test
    assert m.encode(1, message) == frame


def test_secrets_print_as_stars() -> None:
    assert repr(m.EnterPin(b"4761739001010010", 60)) == "EnterPin(****, 60 s)"
    assert repr(m.LoadKey(KEY_ID, KEY)) == "LoadKey(1234567890123456, ****)"
