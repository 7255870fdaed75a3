"""What a person can do to a simulated cash device, whatever it speaks."""

from __future__ import annotations

from itertools import count

import pytest

from drivers.api.cash import Escrowed, Rejected
from drivers.cash.ccnet.messages import State
from drivers.cash.ccnet.simulator import default_table
from drivers.cash.ccnet.simulator_device import Validator
from drivers.simulation.hands import Hands
from drivers.simulation.mechanism import Spot
from drivers.simulation.notes import Vault
from guichet.money import parse_money
from tests.drivers.cash.protocols import PROTOCOLS, Protocol


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("dance", "not understood: 'dance'"), ("insert", "not an amount"), ("insert 20 EUR", "slot is closed"),
        ("insert 3 moons", "not an amount"), ("wait moon", "no state 'moon'"), ("power", "one of: off, on"),
        ("power maybe", "one of: off, on"), ("box", "box removed, box full"),
        ("box remvoed", "box swapped NAME"), ("box swapped", "box swapped NAME"), ("box full B", "box swapped NAME"),
        ("garbage x", "no count"),
        ("pace fast", "no number of seconds"), ("jam mouth", "jam where"), ("fault rain", "what"),
        ("slow -1", "0 to 3600"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_said(line: str, error: str) -> None:
    hands = Hands(Validator(Vault(None), default_table(), "S"), lambda: 0.0)
    with pytest.raises(ValueError, match=error):
        await hands.act(line)


async def test_hands_can_do_everything_that_happens_to_a_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.simulation.hands._WAIT_SECONDS", 0.02)
    device = Validator(Vault(None), default_table(), "S")
    clock = count()
    hands, shown = Hands(device, lambda: float(next(clock))), list[State]()
    for line in ("cheat", "box full", "box out", "box swapped BOX-2", "failure", "free", "power off", "power on"):
        await hands.act(line)
        shown.append(device.state)
    assert shown == [
        State.CHEATED, State.POWER_UP, State.BOX_REMOVED, State.POWER_UP, State.FAILURE, State.POWER_UP,
        State.POWER_UP, State.POWER_UP,
    ]  # fmt: skip
    assert device.vault.box == "BOX-2"
    for line in ("jam", "mute on", "garbage 2", "lose 3", "pace 0.5"):
        await hands.act(line)
    line, mishaps = device.line, device.metal.mishaps
    assert (mishaps.jam, line.mute, line.garbage, line.lost) == (Spot.BOX, True, 2, 3)
    assert device.metal.stage_seconds == 0.5
    assert "insert 20 EUR" in await hands.act("help")
    with pytest.raises(ValueError, match=r"not idling within 0\.02 s: power_up"):
        await hands.act("wait idling")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("what", ["20", "20 EUR"])
async def test_a_note_can_be_inserted_by_its_value(what: str, protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    assert await Hands(b.device, lambda: b.now).act(f"insert {what}") == "note 1"
    assert b.device.vault.notes[0].note_type == b.kind("20 EUR")
    assert b.until(Escrowed).value == parse_money("20 EUR")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_type_that_the_table_does_not_name_can_be_inserted(protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    await Hands(b.device, lambda: b.now).act("insert unknown")
    assert b.device.vault.notes[0].note_type == b.device.unnamed_type
    if protocol.rejects_unnamed:
        b.until(Rejected)
    else:
        assert b.until(Escrowed).value is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("what", ["unreadable", "7 GBP"])
async def test_paper_that_nothing_recognises_can_be_inserted(what: str, protocol: Protocol) -> None:
    b = protocol.bench()
    b.enabled()
    await Hands(b.device, lambda: b.now).act(f"insert {what}")
    assert b.device.vault.notes[0].note_type == 0
    b.until(Rejected)
