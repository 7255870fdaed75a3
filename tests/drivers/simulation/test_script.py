"""Fault scripts: every word of the page, and a clear error for every other."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.simulation import script
from drivers.simulation.mechanism import Spot, Step
from drivers.simulation.script import (
    AtTime,
    Fault,
    OnAck,
    OnByte,
    OnNote,
    Rule,
    ScriptError,
    What,
    When,
    parse,
    parse_fault,
)

WHENS: dict[str, When] = {
    "note 3": OnNote(3),
    "note 1 in drawing-in": OnNote(1, Step.DRAWING_IN),
    "note 2 in escrow": OnNote(2, Step.ESCROW),
    "note 2 in stacking": OnNote(2, Step.STACKING),
    "note 2 in returning": OnNote(2, Step.RETURNING),
    "note 2 in rejecting": OnNote(2, Step.REJECTING),
    "before byte 120": OnByte(120, after=False),
    "after byte 1": OnByte(1, after=True),
    "at 12.5": AtTime(12.5),
    "at 0": AtTime(0.0),
}
WHATS: dict[str, What] = {
    "power off 2": What(Fault.POWER_OFF, seconds=2.0),
    "mute 0.5": What(Fault.MUTE, seconds=0.5),
    "slow 0.1": What(Fault.SLOW, seconds=0.1),
    "late 1.5": What(Fault.LATE, seconds=1.5),
    "lose 3": What(Fault.LOSE, count=3),
    "wrong crc 2": What(Fault.WRONG_CRC, count=2),
    "noise 7F fc 02": What(Fault.NOISE, noise=b"\x7f\xfc\x02"),
    "jam in head": What(Fault.JAM, spot=Spot.HEAD),
    "jam in transport": What(Fault.JAM, spot=Spot.TRANSPORT),
    "jam in box": What(Fault.JAM, spot=Spot.BOX),
    "loose jam in head": What(Fault.LOOSE_JAM, spot=Spot.HEAD),
    "loose jam in transport": What(Fault.LOOSE_JAM, spot=Spot.TRANSPORT),
    "free": What(Fault.FREE),
    "box full": What(Fault.BOX_FULL),
    "box removed": What(Fault.BOX_REMOVED),
    "box back": What(Fault.BOX_BACK),
    "box swapped BOX-2": What(Fault.BOX_SWAPPED, name="BOX-2"),
    "cheat": What(Fault.CHEAT),
    "second note": What(Fault.SECOND_NOTE),
    "fail": What(Fault.FAIL),
    "serial ABC-1": What(Fault.SERIAL, name="ABC-1"),
    "not taken": What(Fault.NOT_TAKEN),
    "mouth shut 20": What(Fault.MOUTH_SHUT, seconds=20),
    "slips": What(Fault.SLIPS),
    "unasked": What(Fault.UNASKED),
    "unknown denomination": What(Fault.UNKNOWN),
}
ON_ACK: dict[str, What] = {
    "lose": What(Fault.LOSE_ACK),
    "repeat": What(Fault.REPEAT_ACK),
    "late 1.5": What(Fault.LATE_ACK, seconds=1.5),
}


@pytest.mark.parametrize("text", WHENS)
def test_when_something_happens(text: str) -> None:
    assert parse(f"{text}: free") == (Rule(WHENS[text], What(Fault.FREE)),)


@pytest.mark.parametrize("text", WHATS)
def test_what_happens(text: str) -> None:
    assert parse(f"note 1: {text}") == (Rule(OnNote(1), WHATS[text]),)
    assert parse_fault(text) == WHATS[text]


@pytest.mark.parametrize("text", ON_ACK)
def test_what_becomes_of_an_acknowledgement(text: str) -> None:
    assert parse(f"ack 4: {text}") == (Rule(OnAck(4), ON_ACK[text]),)


def test_every_fault_has_its_word() -> None:
    assert {what.fault for what in (*WHATS.values(), *ON_ACK.values())} == set(Fault)


def test_the_page_of_the_module_names_every_word() -> None:
    page = script.__doc__ or ""
    for fault in Fault:
        assert fault.value.split(" ack")[0] in page, fault


def test_comments_empty_lines_and_order() -> None:
    rules = parse("# a day\n\nnote 1: cheat  # she pulls\n  at 3: free\n")
    assert [rule.what.fault for rule in rules] == [Fault.CHEAT, Fault.FREE]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("note: cheat", "when?"), ("note 0: cheat", "counted from 1"), ("note 1 in bed: cheat", "phase 'bed'"),
        ("byte 3: cheat", "when?"), ("before byte 0: cheat", "counted from 1"), ("cheat", "when?"),
        ("note 1", "what?"), ("note 1: explode", "what? power off SECONDS, mute SECONDS, "),
        ("note 1: power off", "what? power off SECONDS"), ("note 1: jam in mouth", "what? jam in head|transport|box"),
        ("note 1: box", "what? box swapped NAME or box full or box removed or box back"),
        ("note 1: noise 7", "what?"), ("ack 1: cheat", "with an ack"), ("note 1: serial WAY-TOO-LONG-FOR-ONE", "what?"),
        ("at -1: cheat", "when?"), ("note 99999999999: cheat", "when?"), ("note 1: power off 99999999", "what?"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_fault_is_named_with_its_number(line: str, says: str) -> None:
    with pytest.raises(ScriptError, match=r"^line 2: ") as caught:
        parse(f"# first\n{line}\n")
    assert says in str(caught.value)


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        rules = parse(text)
    except ScriptError:
        return
    assert len(rules) <= text.count("\n") + 30


def test_the_example_of_the_page_is_a_script() -> None:
    example = Path(script.__file__).with_name("example-faults.txt")
    assert len(parse(example.read_text(encoding="utf-8"))) == 5
