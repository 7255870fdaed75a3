"""What explains a doubt, and what does not: the checker's third rule."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from drivers.cash.ccnet.simulator import default_table
from drivers.cash.ccnet.simulator_device import Validator
from drivers.simulation.mechanism import Spot
from drivers.simulation.notes import Vault
from drivers.simulation.script import Fault, What
from tests.simulation.causes import Causes, is_odd
from tests.simulation.plan import Kind, Mishap

IN_ESCROW_AT = 20.0


@pytest.fixture
def kiosk() -> Any:
    device = Validator(Vault(None), default_table(), "S")
    return SimpleNamespace(device=device, plugged=True, loop=SimpleNamespace(time=lambda: 30.0))


def explains(causes: Causes, kiosk: Any, reason: str = "stack-intended-no-answer") -> bool:
    return causes.explain(kiosk, reason, IN_ESCROW_AT, armed=False)


def test_where_nothing_happened_nothing_is_explained(kiosk: Any) -> None:
    assert not explains(Causes(), kiosk)
    assert explains(Causes(), kiosk, "journal-restored")
    assert Causes().explain(kiosk, "stack-intended-no-answer", IN_ESCROW_AT, armed=True)


@pytest.mark.parametrize("kind", Kind)
def test_what_befalls_network_host_or_clock_hides_no_note(kiosk: Any, kind: Kind) -> None:
    elsewhere = {
        Kind.PARTITION, Kind.RESET, Kind.WEATHER, Kind.HOST, Kind.CLOCK, Kind.HOST_CLOCK, Kind.WENT_BACK,
    }  # fmt: skip
    causes = Causes()
    causes.struck(Mishap(0, 0, 0.0, kind, 3.0), 25.0)
    assert explains(causes, kiosk) is (kind not in elsewhere)


@pytest.mark.parametrize(("at", "explained"), [(10.0, False), (18.0, True), (25.0, True)])
def test_what_was_over_before_the_note_came_explains_nothing(kiosk: Any, at: float, explained: bool) -> None:
    causes = Causes()
    causes.struck(Mishap(0, 0, 0.0, Kind.UNPLUG, 3.0), at)
    assert explains(causes, kiosk) is explained


@pytest.mark.parametrize(("at", "explained"), [(19.0, False), (20.0, True), (29.0, True)])
def test_a_process_that_began_since_knows_only_what_is_on_record(kiosk: Any, at: float, explained: bool) -> None:
    causes = Causes()
    causes.began_anew(at)
    assert explains(causes, kiosk) is explained


def test_a_device_that_is_not_as_it_should_be_is_odd(kiosk: Any) -> None:
    device = kiosk.device
    assert not is_odd(kiosk)
    device.jam(Spot.BOX)
    assert is_odd(kiosk)
    device.free_jam(0.0)
    for fault in (What(Fault.FAIL), What(Fault.LOSE, count=1), What(Fault.BOX_REMOVED), What(Fault.MUTE, seconds=1)):
        other = Validator(Vault(None), default_table(), "S")
        kiosk.device = other
        assert not is_odd(kiosk)
        other.act(fault, 0.0)
        assert is_odd(kiosk), fault
