"""What every simulated cash device has in common, where one thing leads to another at the same moment."""

from __future__ import annotations

import pytest

from drivers.cash.ccnet import simulator as ccnet
from drivers.cash.ccnet.simulator_device import Validator as CcnetValidator
from drivers.cash.essp import simulator as essp
from drivers.cash.essp.simulator_device import Validator as EsspValidator
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Place, Vault
from drivers.simulation.script import Rule, parse, parse_fault


def devices(script: tuple[Rule, ...] = ()) -> list[SimulatedCash]:
    """One that waits for its host when it comes up, and one that begins by itself."""
    return [
        CcnetValidator(Vault(None), ccnet.default_table(), "S-1", script=script),
        EsspValidator(Vault(None), essp.default_table(), "1", script=script),
    ]


@pytest.mark.parametrize("second", ["power off 2", "power off 1", "mute 2", "mute 3"])
@pytest.mark.parametrize("device", devices(), ids=["ccnet", "essp"])
def test_two_faults_may_end_at_the_same_moment(device: SimulatedCash, second: str) -> None:
    device.advance(100.0)
    device.act(parse_fault("power off 2"), 100.0)
    device.act(parse_fault(second), 100.0)
    device.advance(110.0)
    assert device.powered
    assert not device.line.mute
    assert device.due is None or device.due > 110.0


@pytest.mark.parametrize("second", ["box back", "power off 1", "serial S-3", "cheat", "fail", "free"])
@pytest.mark.parametrize("which", [0, 1], ids=["ccnet", "essp"])
def test_two_faults_of_a_script_may_be_due_at_the_same_moment(which: int, second: str) -> None:
    device = devices(parse(f"at 5: box swapped B2\nat 5: {second}\nat 5: box removed\nat 5: box full"))[which]
    device.advance(100.0)
    device.advance(106.0)
    assert device.script_is_over
    assert (device.metal.box, device.vault.box) == (Box.FULL, "BOX-1")
    device.advance(110.0)
    assert (device.metal.box, device.vault.box) == (Box.IN, "B2")


@pytest.mark.parametrize("seconds", ["12.3", "0.1", "7.7", "3600.000001"])
@pytest.mark.parametrize("born", [0.0, 100.0, 27345.678912345])
def test_a_fault_comes_at_its_time_whenever_the_device_came_to_life(seconds: str, born: float) -> None:
    device = devices(parse(f"at {seconds}: box removed"))[0]
    device.advance(born)
    device.advance(born + float(seconds) - 0.05)
    assert device.metal.box is Box.IN
    device.advance(born + float(seconds) + 0.05)
    assert device.metal.box is Box.OUT
    assert device.script_is_over


@pytest.mark.parametrize(("remembers", "forgotten"), [(False, [1]), (True, [])])
@pytest.mark.parametrize("by_a_jam", [False, True])
def test_of_a_note_that_slipped_it_is_known_whether_its_device_forgot_it(
    remembers: bool, forgotten: list[int], by_a_jam: bool
) -> None:
    device = CcnetValidator(Vault(None), ccnet.default_table(), "S-1")
    device.remembers_credit = remembers
    assert device.draw_in("20.00 EUR", 1, 0.0)
    device.advance(1.0)
    device.act(parse_fault("slips"), 1.0)
    device.advance(2.0)
    assert [note.place for note in device.vault.notes] == [Place.BOX]
    if by_a_jam:
        device.free_jam(3.0)
    else:
        device.cut_power(3.0)
        device.restore_power(4.0)
    assert device.forgotten == forgotten
