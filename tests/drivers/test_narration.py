"""What goes over a line, in words: on whatever line, from wherever one begins to look."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.narration import GROUP, HexNarrator, Narrator, Saying, describe, narrator_for, narrator_maker
from guichet.money import parse_money
from tests.elsewhere import installed

DRIVERS = sorted(point.name for point in entry_points(group=GROUP))
MAKERS = {driver: narrator_maker(driver) for driver in DRIVERS}


class State(Enum):
    IN_ESCROW = 1


@dataclass(frozen=True)
class PollAnswer:
    state: State
    detail: int | None = None
    raw: bytes = field(default=b"\x01", repr=False)


@dataclass(frozen=True)
class SerialNumber:
    number: int


@dataclass(frozen=True)
class NoteTable:
    values: Mapping[int, object]
    enabled: frozenset[int]
    pairs: tuple[tuple[int, int], ...] = ()
    frame: bytes = b""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (PollAnswer(State.IN_ESCROW, 4), "in escrow, detail 4"),
        (PollAnswer(State.IN_ESCROW), "in escrow"),
        (SerialNumber(0), "serial number 0"),
        (
            NoteTable({2: parse_money("20 EUR")}, frozenset({1, 2, 3, 7}), ((0, 1), (2, 3)), b"\x80"),
            "note table values 2: 20.00 EUR, enabled 1-3, 7, pairs 0/1; 2/3, frame 80",
        ),
        (NoteTable({}, frozenset()), "note table values none"),
    ],
)
def test_a_message_is_described_by_its_own_names(value: object, words: str) -> None:
    assert describe(value) == words


def test_a_line_that_nobody_has_words_for_is_shown_as_it_is() -> None:
    narrator = narrator_for("of-somebody-else", {})
    assert isinstance(narrator, HexNarrator)
    narrator.opened(b"")
    assert narrator.sent(b"\x01") + narrator.received(b"\x02") == [Saying(b"\x01", ""), Saying(b"\x02", "")]


def test_a_line_whose_narrator_cannot_be_loaded_is_shown_as_it_is_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    installed(tmp_path, "acme", {GROUP: {"acme": "acme_gone:Narrator"}})
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert isinstance(narrator_for("acme", {}), HexNarrator)
    assert "no words for acme: its narrator acme_gone:Narrator cannot be loaded: No module named" in caplog.text


def test_every_driver_on_a_line_of_bytes_has_a_narrator_but_for_the_pin_pad_whose_bytes_are_not_kept() -> None:
    drivers = {point.name for point in entry_points(group="guichet.drivers")}
    assert drivers - set(DRIVERS) == {"pcsc", "epp"}


@pytest.mark.parametrize(
    ("driver", "options", "question", "answer", "said"),
    [
        ("ccnet", {}, "02 03 06 33 DA 81", "02 03 07 80 04 A8 75", ["poll", "escrow, detail 4"]),
        ("id003", {}, "FC 05 11 27 56", "FC 05 1A F4 E8", ["status", "disabled"]),
        ("essp", {}, "7F 80 01 11 65 82", "7F 80 01 F0 23 80", ["sync", "ok"]),
        ("cctalk", {}, "28 00 01 FE D9", "01 00 28 00 D7", ["simple poll", "acknowledged"]),
        ("cctalk", {"echo": "yes"}, "28 00 01 FE D9", "28 00 01 FE D9 01 00 28 00 D7",
         ["simple poll", "echo", "acknowledged"]),
        ("cctalk", {"echo": "yes"}, "28 00 01 FE D9", "28 00 01 FF",
         ["simple poll", "COLLISION: not what was sent comes back"]),
        ("cctalk", {"checksum": "crc16"}, "28 00 B6 FE 21", "01 00 30 00 37", ["simple poll", "acknowledged"]),
        ("cctalk-coin", {"bus_address": "3"}, "03 00 01 FE FE", "01 00 03 00 FC", ["simple poll", "acknowledged"]),
        ("escpos", {}, "1B 40 48 69 10 04 01", "16", ["initialise", "document, 2 bytes", "status: printer",
                                                      "status byte 22"]),
        ("ccnet", {}, "02 03 06 33 DA 80", "55 AA", ["DAMAGED FRAME", "NOISE", "NOISE"]),
        ("ccnet", {}, "02 03 06 EE B2 8C", "02 03 06 77 FA 85",
         ["UNREADABLE: no such command: ee", "UNREADABLE: no such state: 77"]),
    ],
)  # fmt: skip
def test_a_question_and_its_answer_in_words(
    driver: str, options: Mapping[str, str], question: str, answer: str, said: list[str]
) -> None:
    narrator = narrator_for(driver, options)
    sayings = narrator.sent(bytes.fromhex(question)) + narrator.received(bytes.fromhex(answer))
    assert [saying.words for saying in sayings] == said


def test_an_encrypted_packet_without_the_beginning_of_its_connection_stays_closed() -> None:
    packet = bytes.fromhex("7F 00 11 7E E7 52 28 29 7C 36 17 D0 BA 54 EE 02 4C BB 54 90 DB F2")
    assert [saying.words for saying in narrator_for("essp", {}).sent(packet)] == ["encrypted"]


@pytest.mark.parametrize("driver", DRIVERS)
@given(
    options=st.dictionaries(st.sampled_from(["checksum", "echo", "bus_address", "fixed_key"]), st.text()),
    said=st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=40))),
)
def test_whatever_comes_there_are_words_for_it_and_no_error(
    driver: str, options: Mapping[str, str], said: list[tuple[bool, bytes]]
) -> None:
    narrator: Narrator = MAKERS[driver](options)
    narrator.opened(b"entropy")
    for outward, data in said:
        sayings = narrator.sent(data) if outward else narrator.received(data)
        assert all(isinstance(saying, Saying) for saying in sayings)
