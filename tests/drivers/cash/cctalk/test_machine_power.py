"""The host's side of ccTalk: power cuts at the device."""

from __future__ import annotations

import pytest

from drivers.api.cash import Answered, CashCommand, Presence, Ready, Returned, Stacked
from drivers.cash.cctalk.framing import frame
from drivers.cash.cctalk.messages import Header
from drivers.simulation.mechanism import Step
from drivers.simulation.notes import Place, Vault
from tests.drivers.cash.cctalk.virtual import FIVE, TWENTY, Bench, bench, device, stage
from tests.drivers.cash.sheet import row

AFTER_POWER = {
    Step.DRAWING_IN: (Place.HAND, Returned),
    Step.ESCROW: (Place.HAND, Returned),
    Step.RETURNING: (Place.HAND, Returned),
    Step.STACKING: (Place.BOX, Stacked),
}


@row("counter 0: restarted", "note in escrow at reset")
@pytest.mark.parametrize("seconds", [0.1, 2.0, 20.0])
@pytest.mark.parametrize("step", AFTER_POWER)
def test_a_power_cut_at_the_device_is_a_memory_lost_and_its_event_afterwards_still_counts(
    step: Step, seconds: float
) -> None:
    b = bench()
    for _ in range(5):
        b.stacked(FIVE)
        b.cleared()
    stage(b, step)
    b.device.cut_power(b.now)
    b.run(seconds)
    b.device.restore_power(b.now)
    before = len(b.told)
    assert b.until(Answered).presence is Presence.FORGOTTEN
    place, event = AFTER_POWER[step]
    b.until(event)
    b.run(5)
    assert len(b.heard(Ready)) == 2
    assert b.places()[-1] is place
    assert "events-missed" in b.codes()
    assert [type(e) for e in b.told[before:] if isinstance(e, Stacked | Returned)] == [event]


@row("note in escrow at reset")
@pytest.mark.parametrize("step", AFTER_POWER)
def test_a_power_cut_at_the_device_whose_start_says_nothing_leaves_it_open(step: Step) -> None:
    b = bench()
    b.device.tells_power_up = False
    b.stacked(FIVE)
    b.cleared()
    stage(b, step)
    b.device.cut_power(b.now)
    b.run(1)
    b.device.restore_power(b.now)
    before = len(b.told)
    assert b.until(Answered).presence is Presence.FORGOTTEN
    b.until(Ready)
    assert not [e for e in b.told[before:] if isinstance(e, Stacked | Returned)]


@row("counter 0: restarted")
@pytest.mark.parametrize("step", AFTER_POWER)
def test_a_familiar_counter_after_a_power_cut_deceives_nobody(step: Step) -> None:
    b = bench()
    stage(b, step)  # The first note ever: its events have the numbers that those after power-up have, too.
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    b.device.metal.stage_seconds = 0.3
    b.device.advance(b.now)
    b.now += 5
    b.device.advance(b.now)
    b.restart()
    assert b.until(Answered).presence in (Presence.FORGOTTEN, AFTER[step])
    b.until(Ready)
    told = sum(isinstance(event, Stacked) for event in b.told)
    assert told <= b.places().count(Place.BOX)


AFTER = {
    Step.DRAWING_IN: Presence.RETURNABLE,
    Step.ESCROW: Presence.FORGOTTEN,
    Step.RETURNING: Presence.FORGOTTEN,
    Step.STACKING: Presence.FORGOTTEN,
}


@row("counter 0: restarted")
def test_a_power_cut_between_two_reads_is_seen_by_the_events_though_their_number_is_the_same() -> None:
    b = bench()
    stage(b, Step.STACKING)  # The first note ever: its number is that of the first event after power-up, too.
    number = b.device.counter
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    b.device.metal.stage_seconds = 0.05
    while b.device.counter < number:
        b.now += 0.05
        b.device.advance(b.now)
    before = len(b.heard(Answered))
    b.until(Answered, 10.0)
    assert len(b.heard(Answered)) == before + 1
    assert b.heard(Answered)[-1].presence is Presence.FORGOTTEN


@row("counter 0: restarted")
def test_a_power_cut_between_two_reads_is_seen_by_the_events_though_their_number_is_the_next() -> None:
    b = bench()
    b.escrowed()  # The first event ever.
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    b.device.post(0, 20)
    b.device.post(0, 20)
    assert b.until(Answered, 1.0).presence is Presence.FORGOTTEN
    b.until(Ready)


@row("counter 0: restarted")
def test_a_power_cut_between_two_reads_that_no_event_shows_is_seen_by_the_inhibits_when_escrow_is_empty() -> None:
    b = bench()
    b.device.tells_power_up = False
    b.escrowed()
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    b.device.post(TWENTY, 1)  # As before the cut: what comes then looks as if it came next.
    b.device.post(0, 20)
    b.command(CashCommand.RETURN)
    assert b.until(Answered, 12.0).presence is Presence.FORGOTTEN
    b.until(Ready)
    assert b.heard(Returned) == []


@row("counter 0: restarted")
def test_a_restart_between_two_reads_is_seen_by_the_inhibits() -> None:
    b = bench()
    b.enabled()
    assert b.marks[b.serial] == 0
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    assert not b.device.accepts
    b.until(Answered, 10)
    b.until(Ready)


@row("reset injected by noise: a spontaneous restart is a memory lost")
def test_a_spontaneous_reset_with_a_note_in_escrow_is_a_memory_lost() -> None:
    b = bench()
    b.escrowed()
    b.device.receive(frame(40, Header.RESET), b.now)
    assert b.until(Answered).presence is Presence.FORGOTTEN
    b.until(Ready)
    assert b.places() == [Place.HAND]
    assert b.heard(Stacked) == []


def test_the_simulators_paper_outlives_its_own_power_cut(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("vault") / "notes.json"
    b = Bench(device(Vault.open(file)))
    stage(b, Step.STACKING)
    other = Bench(device(Vault.open(file)), marks=b.marks)
    other.until(Answered)
    other.until(Stacked)
    assert other.places() == [Place.BOX]
